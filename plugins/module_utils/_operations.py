# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What people and programs ask of the services of a host, on top of the manager: operate, make ready, report, watch."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from ._converge import Options, Outcome
from ._errors import PrerequisiteError, Problem, raise_if_any
from ._graph import unknown_service
from ._manager import Manager
from ._model import ServiceOperation
from ._preflight import check_required_services
from ._status import ServiceStatus


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
    outcomes = operate(manager, ServiceOperation(operation="start", services=tuple(found["missing"])))
    bad = [outcome for outcome in outcomes.values() if not outcome.is_well]
    raise_if_any([Problem(o.service, o.reason, o.remedy) for o in bad], PrerequisiteError)
    return outcomes


def readiness_report(manager: Manager) -> Readiness:
    """Say whether everything required runs and is healthy, and what a start would stumble over."""
    wanted = [status for status in manager.status() if status.required]
    missing = {
        status.name: status.health_reason or status.detail or f"it is {status.status}"
        for status in wanted
        if status.status != "running" or status.health == "unhealthy"
    }
    return Readiness(missing, manager.preflight().to_dict())


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
