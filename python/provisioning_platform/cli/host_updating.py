# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``update`` on the hosts of an inventory: one host after the other, and on each one service after the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.provisioning.platform.plugins.module_utils._update import Step, Updated

from ..cancellation import Cancellation, on_signals
from ..exit_codes import ExitCode
from . import inventory, updating
from .context import Request
from .inventory import HostPrinter
from .loading import load, needed_file
from .operating import Showing


def update(
    request: Request,
    services: Sequence[str] | None = None,
    *,
    check: bool = False,
    variables: Sequence[str] | None = None,
) -> int:
    """Update services on the hosts, or only say what would be updated."""
    path = needed_file(request, "an update")
    installation = load(path, variables or (), on_hosts=True)
    wanted = {**installation.playbook_variables(), **({"service_names": list(services)} if services else {})}
    with on_signals(Cancellation()) as cancellation, Showing(request, "update", "Looking for new versions") as showing:
        hosts = inventory.run(request, "update", wanted, check=check, cancellation=cancellation, on_event=showing.event)
    answers = [(host.name, host.result("update")) for host in hosts.hosts]
    updates = [(host, one) for host, answer in answers for one in answer.get("updates", ())]
    document = {
        "work_dir": hosts.work_dir(),
        "configuration": str(path),
        **{key: _several(answers, key) for key in ("not_installed", "no_longer_wanted")},
        "services": [{"host": host, **one} for host, one in updates],
    }
    printer = request.printer()
    shown = HostPrinter(printer, [host for host, _one in updates]) if hosts.are_several else printer
    if check:
        steps = [step_of(one) for _host, one in updates]
        printer.show(document, lambda: [*updating.step_lines(shown, steps), *updating.left_out(document)])
        hosts.complain()
        has_news = any(step.is_new for step in steps)
        return hosts.verdict() or (ExitCode.PLAN_HAS_CHANGES if has_news else ExitCode.OK)
    results = [Updated(**{**one, "changes": tuple(one["changes"])}) for _host, one in updates]
    printer.show(document, lambda: [*updating.result_lines(shown, results), *updating.left_out(document)])
    hosts.complain()
    return updating.verdict(results) or hosts.verdict()


def step_of(document: Mapping[str, Any]) -> Step:
    """Return a step from what a module returns of it."""
    return Step(document["service"], document["action"] == "update", document["reason"], tuple(document["changes"]))


def _several(answers: Sequence[tuple[str, Mapping[str, Any]]], key: str) -> list[str]:
    """Return the services that all hosts name under a key, for one may have what others have not."""
    said = [set(answer[key]) for _host, answer in answers if key in answer]
    return sorted(set.intersection(*said)) if said else []
