# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands that start, stop and restart services on the hosts of an inventory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.provisioning.platform.plugins.module_utils._converge import Outcome
from ansible_collections.provisioning.platform.plugins.module_utils._health import HealthResult

from ..cancellation import Cancellation, on_signals
from ..exit_codes import ExitCode
from . import inventory, operating
from .context import Request
from .inventory import Host, HostPrinter, Hosts


def start(request: Request, services: Sequence[str] | None = None, *, keep_going: bool = False) -> int:
    """Start services; those that need others on other hosts after these."""
    return _operate(request, "start", services or (), {"keep_going": keep_going})


def restart(request: Request, services: Sequence[str] | None = None, *, keep_going: bool = False) -> int:
    """Restart services."""
    return _operate(request, "restart", services or (), {"keep_going": keep_going})


def stop(
    request: Request, services: Sequence[str] | None = None, *, with_dependents: bool = False, force: bool = False
) -> int:
    """Stop services, those first that nothing elsewhere needs."""
    return _operate(request, "stop", services or (), {"with_dependents": with_dependents, "force": force})


def _operate(request: Request, operation: str, names: Sequence[str], options: Mapping[str, Any]) -> int:
    named = {"service_names": list(names)} if names else {}
    with on_signals(Cancellation()) as cancellation, operating.Showing(request, operation) as showing:
        hosts = inventory.run(
            request, operation, {**options, **named}, cancellation=cancellation, on_event=showing.event
        )
    outcomes = [(host.name, name, one) for host in hosts.hosts for name, one in outcomes_of(host).items()]
    printer = request.printer()
    shown = HostPrinter(printer, [host for host, _name, _one in outcomes]) if hosts.are_several else printer
    document = {
        "work_dir": hosts.work_dir(),
        "operation": operation,
        "services": [{"host": host, "name": name, **one.to_dict()} for host, name, one in outcomes],
    }
    by_name = {f"{name} on {host}" if hosts.are_several else name: one for host, name, one in outcomes}
    if outcomes or not hosts.verdict():
        printer.show(document, lambda: operating.outcome_lines(shown, operation, by_name))
    _complain(hosts)
    return _verdict(hosts, operation, names)


def outcomes_of(host: Host) -> dict[str, Outcome]:
    """Return what became of the services of a host, whichever round they were in."""
    return {
        name: outcome_of(name, document)
        for result in host.results.get("services", ())
        for name, document in result.get("services", {}).items()
    }


def outcome_of(name: str, document: Mapping[str, Any]) -> Outcome:
    """Return an outcome from what a module returns of it."""
    healthy = document.get("healthy")
    return Outcome(
        name,
        document["result"],
        document["reason"],
        document.get("remedy", ""),
        changed=document["changed"],
        duration_ms=document.get("duration_ms", 0.0),
        health=None if healthy is None else HealthResult(healthy, document["reason"]),
    )


def _complain(hosts: Hosts) -> None:
    for host in hosts.hosts:
        host.problems = [operating.how_to_stop(one) for one in host.problems]
    hosts.complain()


def _verdict(hosts: Hosts, operation: str, names: Sequence[str]) -> ExitCode:
    if hosts.verdict():
        return hosts.verdict()
    bad = [one for host in hosts.hosts for one in outcomes_of(host).values() if not one.is_well]
    if bad and (names or operation == "stop"):
        return ExitCode.FAILED
    return ExitCode.DEGRADED if bad else ExitCode.OK
