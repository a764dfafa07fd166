# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands that say what is in the way: ``validate`` of running, ``readiness`` of being ready."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ansible_collections.provisioning.platform.plugins.module_utils import _supervised
from ansible_collections.provisioning.platform.plugins.module_utils._errors import ConfigurationError, Problem
from ansible_collections.provisioning.platform.plugins.module_utils._graph import startup_order

from ..exit_codes import ExitCode
from ..text import count, wrapped
from .context import Request
from .output import Printer
from .supervising import Supervisions, supervision_lines, with_supervision
from .waiting import busy, leave_on_interrupt

if TYPE_CHECKING:
    from ansible_collections.provisioning.platform.plugins.module_utils._manager import Manager
    from ansible_collections.provisioning.platform.plugins.module_utils._operations import Readiness
    from ansible_collections.provisioning.platform.plugins.module_utils._preflight import Report


@dataclass(frozen=True)
class Fault:
    """Something that is wrong.

    :param about: ``configuration``, ``platform`` (all services) or ``service``.
    :param required: whether it concerns what is required.
    """

    problem: Problem
    about: str
    required: bool = True

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON types."""
        return {**vars(self.problem), "about": self.about, "required": self.required}


@dataclass
class Validation:
    """What was found.

    :param configuration: the file, if there is one.
    :param services: names of those that were looked at, with their modes.
    """

    work_dir: Path
    configuration: Path | None = None
    services: dict[str, str] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)

    def verdict(self) -> ExitCode:
        """Return the exit code."""
        if any(fault.about == "configuration" for fault in self.faults):
            return ExitCode.CONFIGURATION
        if any(fault.required for fault in self.faults):
            return ExitCode.PREREQUISITES
        return ExitCode.DEGRADED if self.faults else ExitCode.OK

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON types."""
        return {
            "work_dir": str(self.work_dir),
            "configuration": str(self.configuration) if self.configuration else None,
            "valid": not self.faults,
            "services": list(self.services),
            "problems": [fault.to_dict() for fault in self.faults],
            "warnings": [vars(warning) for warning in self.warnings],
        }


def validate(request: Request, names: Sequence[str], variables: Sequence[str]) -> int:
    """Check the configuration, or what is installed.

    :param variables: values for placeholders, ``NAME=VALUE``.
    """
    with leave_on_interrupt(), busy("Checking the services"):
        found = _examine(request, names, variables)
    printer = request.printer()
    printer.show(found.to_dict(), lambda: validation_lines(printer, found))
    return found.verdict()


def _examine(request: Request, names: Sequence[str], variables: Sequence[str]) -> Validation:
    from .loading import find_file

    path = find_file(request)
    if path is None:
        return _examined(request, names)
    from ansible_collections.provisioning.platform.plugins.module_utils._manager import Manager

    from .loading import load, settings_of

    try:
        installation = load(path, variables)
    except ConfigurationError as error:
        faults = [Fault(problem, "configuration") for problem in error.problems]
        return Validation(request.found().work_dir, path, faults=faults)
    services = installation.platform.registry.services
    manager = Manager(installation.work_dir, services, settings_of(installation.platform))
    found = Validation(installation.work_dir, path)
    found.warnings += [Problem("configuration", warning) for warning in installation.warnings]
    _look(found, manager, names)
    return found


def _examined(request: Request, names: Sequence[str]) -> Validation:
    """Return what is wrong with what is installed; a cycle in it is told like everything else."""
    from ansible_collections.provisioning.platform.plugins.module_utils._manager import Manager

    found = Validation(request.found().work_dir)
    try:
        manager = request.manager(names)
        startup_order(manager.services())
    except ConfigurationError as error:
        if any(problem.what in names for problem in error.problems):
            raise
        Manager.open(found.work_dir)  # damaged records are an error of their own
        found.faults += [Fault(problem, "configuration") for problem in error.problems]
        return found
    _look(found, manager, names)
    return found


def _look(found: Validation, manager: Manager, names: Sequence[str]) -> None:
    services = manager.services()
    report = manager.preflight(names or None, provisioning_path=manager.settings.provisioning_path)
    found.services.update({name: one.mode for name, one in services.items() if not names or name in names})
    found.faults += faults_of(report, {name: service.required for name, service in services.items()}, asked=names)
    found.warnings += report.warnings
    for name, problem in manager.damaged.items():
        if not names or name in names:
            found.faults.append(Fault(problem, "service", services[name].required or name in names))


def faults_of(report: Report, required: Mapping[str, bool], *, asked: Iterable[str] = ()) -> list[Fault]:
    """Return the problems of a report; those of one thing that several services share stand there once.

    :param required: by service.
    :param asked: services that are needed because they were named.
    """
    named = set(asked)
    faults = [Fault(problem, "platform") for problem in report.platform]
    for name, problems in report.services.items():
        faults += [Fault(problem, "service", required.get(name, True) or name in named) for problem in problems]
    return list(dict.fromkeys(faults))


def validation_lines(printer: Printer, found: Validation) -> list[str]:
    """Return what was found as lines."""
    bad = {fault.problem.what for fault in found.faults}
    lines = [f"Configuration: {found.configuration}"] if found.configuration else []
    lines += [f"Work dir:      {found.work_dir}", ""]
    if found.services:
        rows = [(name, mode, "failed" if name in bad else "ok") for name, mode in found.services.items()]
        lines += [*printer.table(("SERVICE", "MODE", "CHECK"), rows), ""]
    return [*lines, *fault_lines(printer, found)]


def fault_lines(printer: Printer, found: Validation) -> list[str]:
    """Return what is wrong as lines, and a sentence that sums up."""
    lines = []
    for fault in found.faults:
        lines += printer.problem("error", "bad", fault.problem)
    for warning in found.warnings:
        lines += printer.problem("warning", "unsure", warning)
    numbers = [count(len(found.services), "service")] if found.services else []
    numbers += [count(len(found.faults), "problem") if found.faults else "no problem"]
    numbers += [count(len(found.warnings), "warning")] if found.warnings else []
    summary = ", ".join(numbers)
    return [*lines, f"{summary[:1].upper()}{summary[1:]}."]


def readiness(request: Request) -> int:
    """Say whether the platform is ready, and what keeps it from it."""
    from ansible_collections.provisioning.platform.plugins.module_utils._operations import readiness_report

    manager = request.manager()
    with leave_on_interrupt(), busy("Looking at the services"):
        found = readiness_report(manager)
    found = with_faults(found, {name: f"{one.why}. {one.remedy}" for name, one in manager.damaged.items()})
    supervised = [("", _supervised.supervision(manager.work_dir))]
    required = {name: service.required for name, service in manager.services().items()}
    document = {**readiness_document(found, required), "supervision": supervised[0][1]}
    printer = request.printer()
    printer.show(
        {"work_dir": str(manager.work_dir.root), **document},
        lambda: readiness_lines(printer, found, document, supervised),
    )
    return with_supervision(ExitCode.OK if found.is_ready else ExitCode.FAILED, supervised)


def with_faults(found: Readiness, faults: Mapping[str, str]) -> Readiness:
    """Return a report in which services of which the record is damaged are missing."""
    return dataclasses.replace(found, missing={**found.missing, **faults})


def readiness_document(found: Readiness, required: Mapping[str, bool]) -> dict[str, Any]:
    """Return a report on readiness as JSON types.

    :param required: by service.
    """
    report = found.report
    problems = [{**problem, "about": "platform", "required": True} for problem in report["platform"]]
    for name, several in report["services"].items():
        problems += [{**problem, "about": "service", "required": required.get(name, True)} for problem in several]
    return {
        "ready": found.is_ready,
        "missing": found.missing,
        "problems": problems,
        "warnings": report["warnings"],
    }


def readiness_lines(
    printer: Printer, found: Readiness, document: Mapping[str, Any], supervised: Supervisions = ()
) -> list[str]:
    """Return a report on readiness as lines."""
    if found.is_ready:
        lines = [printer.paint("The platform is ready.", "good")]
    else:
        title = f"The platform is not ready: {count(len(found.missing), 'required service')} missing or not healthy."
        rows = list(found.missing.items())
        lines = [printer.paint(line, "bad") for line in wrapped(title, width=printer.width)]
        lines += ["", *printer.table(("SERVICE", "WHY"), rows), ""]
    lines += supervision_lines(printer, supervised)
    if document["problems"] or document["warnings"]:
        lines += ["", "In the way of a start:" if document["problems"] else "Worth a look before a start:"]
    for problem in document["problems"]:
        lines += printer.problem("error", "bad", _problem(problem))
    for warning in document["warnings"]:
        lines += printer.problem("warning", "unsure", _problem(warning))
    if not lines[-1]:
        lines.pop()
    can_be_started = [why for why in found.missing.values() if " is damaged: " not in why]
    if can_be_started and not document["problems"]:
        hint = "Nothing is in the way of a start: provisioning platform start."
        lines += ["", *wrapped(hint, width=printer.width)]
    return lines


def _problem(document: Mapping[str, Any]) -> Problem:
    return Problem(document["what"], document["why"], document["remedy"])
