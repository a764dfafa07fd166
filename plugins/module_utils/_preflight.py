# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Looking before leaping: what would keep services from running here. Nothing is touched."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import _ports, _process
from ._cgroups import memory_bytes
from ._drivers._base import ABSENT, Driver, Observation
from ._errors import Problem, ProvisioningError
from ._graph import startup_order
from ._model import ServiceDefinition

_MIN_FREE_BYTES = 100 * 1024 * 1024
_CONNECT_SECONDS = 0.5

Services = Mapping[str, ServiceDefinition]


@dataclass
class Report:
    """What was found.

    :param platform: problems of the machine that concern every service.
    :param services: problems by service.
    :param warnings: what deserves a look but keeps nothing from running.
    """

    platform: list[Problem] = field(default_factory=list)
    services: dict[str, list[Problem]] = field(default_factory=dict)
    warnings: list[Problem] = field(default_factory=list)

    def blocking(self, services: Services) -> list[Problem]:
        """Return the problems that keep the platform from being installed: its own and required services'."""
        return [
            *self.platform,
            *(problem for name, found in self.services.items() if services[name].required for problem in found),
        ]

    def unavailable(self) -> dict[str, Problem]:
        """Return the first problem of each service that cannot run here."""
        return {name: found[0] for name, found in self.services.items() if found}

    def to_dict(self) -> dict[str, Any]:
        """Return the report as JSON types."""
        return {
            "platform": [vars(problem) for problem in self.platform],
            "services": {name: [vars(problem) for problem in found] for name, found in self.services.items() if found},
            "warnings": [vars(problem) for problem in self.warnings],
        }


def executable(command: str) -> str | None:
    """Return the path of a command, which may be a name in PATH or begin with ``~/``; nothing where there is none."""
    return shutil.which(Path(command).expanduser())


def not_executable(command: str) -> Problem:
    """Return the problem that the command that operations call is not there."""
    return Problem("provisioning_path", f"{command} is not an executable", "Correct it or leave it out.")


def preflight(
    services: Services,
    drivers: Mapping[str, Driver],
    observed: Mapping[str, Observation],
    *,
    names: Collection[str] | None = None,
    unreachable: Mapping[str, Problem] | None = None,
    work_dir: Path | None = None,
    provisioning_path: str | None = None,
) -> Report:
    """Check everything that can be known before services are started.

    :param services: all services of the platform.
    :param drivers: by mode.
    :param observed: what each service is; one that is up already holds its ports rightly.
    :param names: those to be started; all by default.
    :param unreachable: the problem of each mode whose engine or API does not answer.
    :param work_dir: where the installation is to live.
    :param provisioning_path: the command that operations call, if one is configured; ``~/`` is this user's home.
    """
    report = Report()
    if work_dir is not None:
        report.platform += check_work_dir(work_dir)
    if provisioning_path is not None and executable(provisioning_path) is None:
        report.platform.append(not_executable(provisioning_path))
    chosen = [services[name] for name in (services if names is None else names)]
    report.warnings += check_memory(chosen)
    for service in chosen:
        found = check_dependencies(service, services)
        problem = (unreachable or {}).get(service.mode)
        if problem is not None:
            found.append(Problem(service.name, problem.why, problem.remedy))
        else:
            found += validate_service_prerequisites(service, drivers)
            now = observed.get(service.name, ABSENT)
            if not now.is_up and now.status != "paused":  # a paused container holds its ports
                found += check_ports(service, ours=now.instances)
            found += check_service_conflicts(service, services, observed)
        if found:
            report.services[service.name] = found
    _pass_on(services, report, [service.name for service in chosen])
    return report


def validate_service_prerequisites(service: ServiceDefinition, drivers: Mapping[str, Driver]) -> list[Problem]:
    """Return what the service's mode lacks here: its executable, its engine, the right to use it."""
    try:
        return drivers[service.mode].check(service)
    except ProvisioningError as error:
        return list(error.problems)


def check_dependencies(service: ServiceDefinition, services: Services) -> list[Problem]:
    """Return what the service depends on and that is not there or not enabled."""
    problems = []
    for need in service.depends_on:
        if need not in services:
            problems.append(Problem(service.name, f"needs {need}, which is not defined", f"Define {need}."))
        elif not services[need].enabled:
            problems.append(Problem(service.name, f"needs {need}, which is not enabled", f"Enable {need}."))
    return problems


def check_ports(service: ServiceDefinition, *, ours: Collection[str] = ()) -> list[Problem]:
    """Return the ports of the service that somebody else has.

    :param ours: pids of processes that are left of it and will be stopped before it is started.
    """
    return _ports.problems(service, ours=ours)


def check_service_conflicts(
    service: ServiceDefinition, services: Services, observed: Mapping[str, Observation]
) -> list[Problem]:
    """Return what runs and must not run beside the service: another service, a process by name, or a host:port."""
    problems = []
    # Once it runs, what bears such a name or answers there may be the service itself.
    is_up = observed.get(service.name, ABSENT).is_up
    for rival in service.conflicts:
        if rival in services:
            if observed.get(rival, ABSENT).is_up:
                problems.append(Problem(service.name, f"conflicts with {rival}, which runs", f"Stop {rival}."))
        elif is_up:
            continue
        elif ":" in rival:
            if _answers(rival):
                problems.append(Problem(service.name, f"something answers at {rival}", "Stop it."))
        elif pids := _process.find_by_name(rival):
            problems.append(
                Problem(service.name, f"conflicts with {rival}, which runs as pid {pids[0]}", f"Stop {rival}.")
            )
    return problems


def check_work_dir(path: Path) -> list[Problem]:
    """Return why the work dir could not be used: not a folder, not ours to write, no space."""
    existing = path
    while not os.path.lexists(existing) and existing != existing.parent:
        existing = existing.parent
    if not existing.is_dir():
        return [Problem("work_dir", f"{existing} is not a folder", "Set work_dir to another place.")]
    if not os.access(existing, os.W_OK | os.X_OK):
        return [Problem("work_dir", f"{existing} cannot be written", "Set work_dir to a place you may write.")]
    usage = os.statvfs(existing)
    free = usage.f_bavail * usage.f_frsize
    if free < _MIN_FREE_BYTES:
        return [
            Problem(
                "work_dir",
                f"{existing} has {free // 2**20} MiB of free space; {_MIN_FREE_BYTES // 2**20} are needed",
                "Free some space there, or set work_dir to a place that has more.",
            )
        ]
    return []


def check_memory(services: Iterable[ServiceDefinition]) -> list[Problem]:
    """Return a warning when the services' memory limits together exceed what the machine has available."""
    wanted = 0
    problems = []
    for service in services:
        try:
            wanted += memory_bytes(service.resources.memory) if service.resources.memory is not None else 0
        except ValueError as error:
            problems.append(Problem(service.name, f"resources.memory: {error}"))
    available = _available_memory()
    if available is None or wanted <= available:
        return problems
    return [
        *problems,
        Problem(
            "memory",
            f"the services may use {wanted // 2**20} MiB together; {available // 2**20} are available",
            "Lower their resources.memory, or leave some services out.",
        ),
    ]


def check_required_services(
    services: Services, needed: Iterable[str], observed: Mapping[str, Observation]
) -> dict[str, list[str]]:
    """Say of the services that an operation needs which run, which do not, and which of those may be started.

    :return: names under ``running``, ``missing``, ``startable`` and ``unknown``.
    """
    names = list(needed)
    known = [name for name in names if name in services]
    missing = [name for name in known if not observed.get(name, ABSENT).is_up]
    return {
        "running": [name for name in known if name not in missing],
        "missing": missing,
        "startable": [name for name in missing if services[name].enabled],
        "unknown": [name for name in names if name not in services],
    }


def _pass_on(services: Services, report: Report, names: Collection[str]) -> None:
    """A service whose dependency cannot run cannot run either."""
    for name in startup_order(services):
        if name in names and name not in report.services:
            for need in services[name].depends_on:
                if need in report.services:
                    problem = report.services[need][0]
                    report.services[name] = [
                        Problem(name, f"needs {need}, which cannot run: {problem.why}", problem.remedy)
                    ]
                    break


def _answers(address: str) -> bool:
    host, _colon, port = address.rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=_CONNECT_SECONDS):
            return True
    except (OSError, ValueError):
        return False


def _available_memory() -> int | None:
    try:
        for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except OSError:
        return None
    return None
