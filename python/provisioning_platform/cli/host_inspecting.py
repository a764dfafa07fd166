# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``check``, ``validate`` and ``readiness`` on the hosts of an inventory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible_collections.provisioning.platform.plugins.module_utils._errors import ConfigurationError, Problem
from ansible_collections.provisioning.platform.plugins.module_utils._operations import (
    Need,
    OperationCheck,
    Readiness,
    missing_of,
)
from ansible_collections.provisioning.platform.plugins.module_utils._status import ServiceStatus

from ..cancellation import Cancellation, on_signals
from ..exit_codes import ExitCode
from . import inspecting, inventory, validating
from .context import Request
from .host_looking import merged, supervisions
from .inventory import Host, HostPrinter, Hosts
from .operating import Showing
from .supervising import with_supervision
from .waiting import busy


def check(
    request: Request,
    operation: str | None = None,
    words: Sequence[str] | None = None,
    *,
    no_start: bool = False,
    run: bool = False,
) -> int:
    """Say whether an operation can go ahead on the hosts together, and start what it needs where that is.

    :raises ConfigurationError: no operation is named, or its command is to be called.
    """
    if run or words:
        raise ConfigurationError(Problem("--run", "calls a command of this host", "Leave --inventory out."))
    if operation is None:
        raise ConfigurationError(Problem("OPERATION", "is missing", "Name one: server, workflow, test."))
    with on_signals(Cancellation()) as cancellation, Showing(request, "start") as showing:
        hosts = inventory.run(
            request,
            "check",
            {"operation": operation, "start": not no_start, "operations": inspecting.built_in()},
            cancellation=cancellation,
            on_event=showing.event,
        )
    answers = [(host, host.result("operation")) for host in hosts.hosts if "needs" in host.result("operation")]
    if not answers:
        hosts.complain()
        return hosts.verdict()
    needs = together([(host.name, Need(**need)) for host, answer in answers for need in answer["needs"]])
    first = answers[0][1]
    found = OperationCheck(operation, first["description"], first["may_start"], tuple(need for _host, need in needs))
    printer = request.printer()
    shown = HostPrinter(printer, [host for host, _need in needs]) if hosts.are_several else printer
    document = {
        "work_dir": hosts.work_dir(),
        **found.to_dict(),
        "needs": [{"host": host, **vars(need)} for host, need in needs],
    }
    printer.show(document, lambda: inspecting.check_lines(shown, found, started=not no_start))
    told = {need.reason for need in found.needs}
    hosts.complain(unless=lambda problem: problem.why in told)
    if any(host.problems and "needs" not in host.result("operation") for host in hosts.hosts):
        return hosts.verdict()
    return ExitCode.OK if found.can_go_ahead else ExitCode.PREREQUISITES


def together(needs: Sequence[tuple[str, Need]]) -> list[tuple[str, Need]]:
    """Leave out what hosts say of services that are on others, as far as those have told of them."""
    there = {need.service for _host, need in needs if need.state != "elsewhere"}
    kept = []
    for host, need in needs:
        if need.state != "elsewhere":
            kept.append((host, need))
        elif need.service not in there:
            there.add(need.service)
            kept.append((host, need))
    return kept


def validate(request: Request, services: Sequence[str] | None = None, *, variables: Sequence[str] | None = None) -> int:
    """Check the configuration, if there is one, else what is installed on the hosts."""
    from .loading import find_file, load

    path = find_file(request)
    wanted: dict[str, Any] = {"service_names": list(services)} if services else {}
    if path is not None:
        try:
            wanted |= load(path, variables or (), on_hosts=True).playbook_variables()
        except ConfigurationError as error:
            return _invalid(request, path, error)
    with busy("Checking the services"):
        hosts = inventory.run(request, "validate", {**wanted, "validate_configuration": path is not None})
    faults: list[tuple[str, validating.Fault]] = []
    warnings: list[tuple[str, Problem]] = []
    for host in hosts.hosts:
        report = host.result("preflight").get("report")
        if report is None:
            faults += [(host.name, validating.Fault(one, _about(host))) for one in host.problems]
            continue
        required = host.result("preflight").get("required", {})
        faults += [(host.name, fault) for fault in faults_of(report, required, asked=services or ())]
        warnings += [(host.name, Problem(**warning)) for warning in report["warnings"]]
    return _tell(request, hosts, path, faults, warnings)


def faults_of(
    report: Mapping[str, Any], required: Mapping[str, bool], *, asked: Sequence[str] = ()
) -> list[validating.Fault]:
    """Return the problems of a report that came as JSON types.

    :param required: by service.
    :param asked: services that are needed because they were named.
    """
    found = [validating.Fault(Problem(**problem), "platform") for problem in report["platform"]]
    for name, problems in report["services"].items():
        is_needed = required.get(name, True) or name in asked
        found += [validating.Fault(Problem(**problem), "service", is_needed) for problem in problems]
    return list(dict.fromkeys(found))


def _invalid(request: Request, path: Path, error: ConfigurationError) -> int:
    faults = [validating.Fault(problem, "configuration") for problem in error.problems]
    found = validating.Validation(Path(), path, faults=faults)
    printer = request.printer()
    printer.show({**found.to_dict(), "work_dir": None}, lambda: validating.fault_lines(printer, found))
    return found.verdict()


def _about(host: Host) -> str:
    return "configuration" if host.kind == "configuration" else "platform"


def _tell(
    request: Request,
    hosts: Hosts,
    path: Path | None,
    faults: Sequence[tuple[str, validating.Fault]],
    warnings: Sequence[tuple[str, Problem]],
) -> int:
    found = validating.Validation(Path(), path, faults=[fault for _host, fault in faults])
    found.warnings += [warning for _host, warning in warnings]
    document = {
        **found.to_dict(),
        "work_dir": hosts.work_dir(),
        "problems": [{"host": host, **fault.to_dict()} for host, fault in faults],
        "warnings": [{"host": host, **vars(warning)} for host, warning in warnings],
    }
    names = {host.name: sorted(host.result("preflight").get("required", {})) for host in hosts.hosts}
    document["services"] = [{"host": host, "name": name} for host, several in names.items() for name in several]
    if hosts.are_several:
        found.faults = [validating.Fault(_on(host, one.problem), one.about, one.required) for host, one in faults]
        found.warnings = [_on(host, warning) for host, warning in warnings]
    printer = request.printer()
    printer.show(document, lambda: validating.fault_lines(printer, found))
    return found.verdict()


def _on(host: str, problem: Problem) -> Problem:
    return Problem(problem.what if problem.what == host else f"{host}: {problem.what}", problem.why, problem.remedy)


def readiness(request: Request) -> int:
    """Say whether all that is required runs and is healthy on the hosts, and what keeps it from it."""
    with busy("Looking at the services"):
        hosts = inventory.run(request, "readiness", {"show": False})
    found: list[tuple[str, Readiness]] = []
    required: dict[str, bool] = {}
    for host in hosts.hosts:
        seen, report = host.result("service_info"), host.result("preflight").get("report")
        if "services" not in seen or report is None:
            continue
        services = merged(seen["definitions"])
        required |= {name: service.required for name, service in services.items()}
        statuses = [ServiceStatus(**document) for document in seen["services"]]
        one = Readiness(missing_of(services, statuses), report)
        found.append((host.name, validating.with_faults(one, {s.name: s.fault for s in statuses if s.fault})))
    whole = joined(found, several=hosts.are_several)
    document = validating.readiness_document(whole, required)
    document["ready"] = document["ready"] and bool(found) and not _unasked(hosts)
    supervised = supervisions(hosts)
    document["supervision"] = [{"host": host, **one} for host, one in supervised]
    told = [(host if hosts.are_several else "", one) for host, one in supervised]
    printer = request.printer()
    if found:
        printer.show(
            {"work_dir": hosts.work_dir(), **document},
            lambda: validating.readiness_lines(printer, whole, document, told),
        )
    hosts.complain(unless=lambda problem: any(problem.why == one["why"] for one in document["problems"]))
    if _unasked(hosts):
        return hosts.verdict()
    return with_supervision(ExitCode.OK if document["ready"] else ExitCode.FAILED, supervised)


def _unasked(hosts: Hosts) -> bool:
    """Whether a host failed to say what it has."""
    return any(host.kind and "report" not in host.result("preflight") for host in hosts.hosts)


def joined(found: Sequence[tuple[str, Readiness]], *, several: bool) -> Readiness:
    """Return the reports of hosts as one.

    :param several: whether each service is to be told with its host.
    """
    missing: dict[str, str] = {}
    report: dict[str, Any] = {"platform": [], "services": {}, "warnings": []}
    for host, one in found:
        end = f" on {host}" if several else ""
        missing |= {f"{name}{end}": why for name, why in one.missing.items()}
        for about in ("platform", "warnings"):
            report[about] += [{**problem, "what": f"{problem['what']}{end}"} for problem in one.report[about]]
        for name, problems in one.report["services"].items():
            report["services"].setdefault(name, []).extend(
                {**problem, "what": f"{problem['what']}{end}"} for problem in problems
            )
    return Readiness(missing, report)
