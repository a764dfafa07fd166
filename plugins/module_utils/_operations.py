# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What people and programs ask of the services of a host, on top of the manager: operate, make ready, report, watch."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from ._converge import Options, Outcome
from ._drivers._base import ABSENT
from ._errors import BusyError, PrerequisiteError, Problem, raise_if_any
from ._graph import Services, tasks, unknown_service
from ._manager import Manager
from ._model import ServiceOperation
from ._plan import Goal
from ._preflight import Report, check_required_services
from ._settings import Operation
from ._status import ServiceStatus
from ._turns import my_turn


@dataclass(frozen=True)
class Need:
    """A service that an operation takes.

    :param state: whether it is as the operation takes it: ``ready``, or ``started`` for it just now; or why it is not.
    """

    service: str
    state: Literal["ready", "started", "missing", "unhealthy", "unknown", "elsewhere"]
    reason: str = ""
    remedy: str = ""

    @property
    def is_met(self) -> bool:
        """Whether the operation has what it takes of this service."""
        return self.state in ("ready", "started")


@dataclass(frozen=True)
class OperationCheck:
    """Whether an operation can go ahead, and what each service that it takes is."""

    operation: str
    description: str
    may_start: bool
    needs: tuple[Need, ...]

    @property
    def can_go_ahead(self) -> bool:
        """Whether all that it takes is there."""
        return all(need.is_met for need in self.needs)

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON types."""
        return {**asdict(self), "needs": [asdict(need) for need in self.needs], "can_go_ahead": self.can_go_ahead}


@dataclass(frozen=True)
class Readiness:
    """Whether the platform is ready, and what keeps it from it.

    :param missing: services that should run and be healthy and are not, with the reason.
    :param report: what a start would stumble over, as ``_preflight.Report.to_dict`` gives it.
    """

    missing: dict[str, str]
    report: dict[str, Any]

    @property
    def is_ready(self) -> bool:
        """Whether all that is required runs and is healthy."""
        return not self.missing


def operate(manager: Manager, operation: ServiceOperation, options: Options | None = None) -> dict[str, Outcome]:
    """Start, stop, restart or remove services; starting brings up what they depend on, stopping spares what is needed.

    :return: what became of each service.
    :raises ConfigurationError: a name is unknown.
    :raises PrerequisiteError: something required cannot run here, or something that runs needs what is to be stopped.
    :raises DriverError: something to be stopped or removed cannot be reached.
    :raises BusyError: another run is in progress.
    """
    return manager.converge(manager.goals_of(operation), options, removal="asked to remove")[1]


def look_ahead(
    manager: Manager, goals: Mapping[str, Goal], asked: Collection[str], *, keep_going: bool = False
) -> tuple[dict[str, Problem], list[Problem]]:
    """Look for what is in the way of a start before anything is touched.

    :param goals: what services are to be.
    :param asked: those that were named, which are needed therefore; without any, those that are required.
    :param keep_going: whether the rest is to be started though something needed cannot be.
    :return: the services that cannot be started, each with its first problem, and warnings.
    :raises PrerequisiteError: something that is needed cannot be started.
    :raises BusyError: something is in the way while another run is in progress, which may be just that.
    """
    report, blocking = _ahead(manager, goals, asked)
    if (report.unavailable() if keep_going else blocking) and not report.platform:
        with my_turn(manager.work_dir):  # when nobody else starts anything
            report, blocking = _ahead(manager, goals, asked)
    raise_if_any(list(dict.fromkeys([*report.platform, *([] if keep_going else blocking)])), PrerequisiteError)
    return report.unavailable(), report.warnings


def _ahead(manager: Manager, goals: Mapping[str, Goal], asked: Collection[str]) -> tuple[Report, list[Problem]]:
    """Return what is in the way of a start, and the problems of what is needed."""
    seen = manager.observe(list(goals))[0]
    coming = [name for name, goal in goals.items() if goal == "restarted" or not seen.get(name, ABSENT).is_up]
    report = manager.preflight([name for name in coming if manager.definition(name).is_ours])
    needed = [name for name in report.services if name in asked or (not asked and manager.definition(name).required)]
    return report, [problem for name in needed for problem in report.services[name]]


def auto_start_required_services(
    manager: Manager, needed: Collection[str], *, may_start: bool = True
) -> dict[str, Outcome]:
    """See to it that the services an operation needs run; start those that do not, with what they depend on.

    :param needed: their names.
    :param may_start: whether they may be started.
    :return: what became of the services that were started and of what they depend on; empty when all ran already.
    :raises PrerequisiteError: one is unknown, may not be started, or did not become healthy.
    """
    found = check_required_services(manager.services(), needed, manager.observe()[0])
    raise_if_any([unknown_service(name, manager.services()) for name in found["unknown"]], PrerequisiteError)
    stuck = [name for name in found["missing"] if not may_start or name not in found["startable"]]
    raise_if_any([Problem(name, "is needed and does not run", f"Start {name}.") for name in stuck], PrerequisiteError)
    if not found["missing"]:
        return {}
    operation = ServiceOperation(operation="start", services=tuple(found["missing"]))
    skip, _warnings = look_ahead(manager, manager.goals_of(operation), found["missing"])
    outcomes = operate(manager, operation, Options(skip=skip))
    bad = [outcome for outcome in outcomes.values() if not outcome.is_well]
    raise_if_any([Problem(o.service, o.reason, o.remedy) for o in bad], PrerequisiteError)
    return outcomes


def check_operation(manager: Manager, name: str, operation: Operation, *, start: bool = True) -> OperationCheck:
    """Say whether an operation can go ahead; start what it takes and does not run, with what that depends on.

    :param name: what the operation is called.
    :param start: whether anything is started; the operation must allow it, too.
    :raises BusyError: another run is in progress.
    """
    needs = _needs(manager, operation)
    services = manager.services()
    down = [need.service for need in needs if need.state == "missing" and need.service in services]
    startable = [each for each in down if services[each].enabled and services[each].is_ours]
    failures: dict[str, Problem] = {}
    if start and operation.may_start and startable:
        try:
            auto_start_required_services(manager, startable)
        except BusyError:
            raise
        except PrerequisiteError as error:
            failures = {problem.what: problem for problem in error.problems}
        needs = [_after_start(need, startable, failures) for need in _needs(manager, operation)]
    return OperationCheck(name, operation.description, operation.may_start, tuple(needs))


def _needs(manager: Manager, operation: Operation) -> list[Need]:
    services = manager.services()
    known = [name for name in operation.requires if name in services]
    statuses = {status.name: status for status in manager.status(known)}
    done_once = tasks(services)
    return [
        _need(statuses[name], is_task=name in done_once) if name in statuses else _not_here(manager, name)
        for name in dict.fromkeys(operation.requires)
    ]


def _need(status: ServiceStatus, *, is_task: bool) -> Need:
    name = status.name
    if status.status == "unknown":
        return Need(name, "unknown", status.detail, "Bring back what it runs on.")
    if is_task and status.status == "stopped":
        return Need(name, "ready", "has completed")
    if status.status not in ("running", "starting"):
        remedy = f"Start it: provisioning services start {name}"
        return Need(name, "missing", status.detail or f"is {status.status}", remedy)
    if status.health == "unhealthy":
        remedy = f"See what it says: provisioning services logs {name}"
        return Need(name, "unhealthy", status.health_reason, remedy)
    return Need(name, "ready", "runs and is healthy" if status.health == "healthy" else "runs")


def _not_here(manager: Manager, name: str) -> Need:
    hosts = manager.settings.elsewhere.get(name)
    if hosts:
        return Need(name, "elsewhere", f"is on {', '.join(hosts)}", "Name an inventory with that host: --inventory.")
    return Need(name, "missing", "is not installed", "Name it in deployment.services, and install.")


def _after_start(need: Need, asked: Collection[str], failures: dict[str, Problem]) -> Need:
    if need.service not in asked:
        return need
    if need.is_met:
        return replace(need, state="started", reason="was started, and is healthy")
    # What went wrong may have gone wrong with something that it depends on.
    problem = failures.get(need.service) or next(iter(failures.values()), None)
    if problem is None:
        return need
    about = "" if problem.what == need.service else f"{problem.what}: "
    return replace(need, reason=f"{about}{problem.why}", remedy=problem.remedy or need.remedy)


def readiness_report(manager: Manager) -> Readiness:
    """Say whether everything required runs and is healthy, and what a start would stumble over."""
    return Readiness(missing_of(manager.services(), manager.status()), manager.preflight().to_dict())


def missing_of(services: Services, statuses: Iterable[ServiceStatus]) -> dict[str, str]:
    """Return the services that are required and are not as they should be, with the reason.

    :param services: all definitions by name.
    """
    done_once = tasks(services)
    wanted = [one for one in statuses if one.required and services[one.name].enabled and services[one.name].auto_start]
    return {
        one.name: one.health_reason or one.detail or f"it is {one.status}"
        for one in wanted
        if (one.status != "running" or one.health == "unhealthy")
        and not (one.name in done_once and one.status == "stopped")
    }


def monitor(
    manager: Manager,
    names: Collection[str] | None = None,
    *,
    interval: float,
    stop: threading.Event | None = None,
) -> Iterator[list[ServiceStatus]]:
    """Yield the status of services again and again; changes nothing.

    :param interval: seconds between two looks.
    :param stop: ends it when set.
    :raises ConfigurationError: a name is unknown.
    """
    end = stop or threading.Event()
    while not end.is_set():
        yield manager.status(names)
        end.wait(interval)
