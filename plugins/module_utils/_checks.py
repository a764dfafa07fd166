# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checking many services at the same time: their health now, their health soon, their real work."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from . import _events as events
from ._drivers._base import ABSENT, Driver, Observation
from ._errors import Problem
from ._events import Emitter
from ._graph import tasks
from ._health import HealthResult, check_health
from ._model import ServiceDefinition
from ._wait import check_now, last_words, verify_service, wait_for_service

_THREADS = 128

T = TypeVar("T")


class Checks:
    """Checks services, each in a thread of its own.

    :param services: all definitions by name.
    :param drivers: by mode.
    """

    def __init__(self, services: Mapping[str, ServiceDefinition], drivers: Mapping[str, Driver], emit: Emitter) -> None:
        self._drivers = drivers
        self._emit = emit
        self._tasks = tasks(services)

    def health(
        self, services: Sequence[ServiceDefinition], *, seen: Mapping[str, Observation] | None = None
    ) -> dict[str, HealthResult]:
        """Check the health of services once.

        :param seen: what they have just been seen to be, which is enough for some that have no check.
        """
        known = seen or {}

        def one(service: ServiceDefinition, driver: Driver) -> HealthResult:
            if service.health is None and service.name in known:
                glanced = driver.glance(service, known[service.name])
                if glanced is not None:
                    return glanced
            return check_now(service, driver, may_end=service.name in self._tasks)

        return _each(one, services, self._drivers)

    def verify(self, services: Sequence[ServiceDefinition]) -> dict[str, list[HealthResult]]:
        """Ask services for their real work, and emit an event for each that does not do it."""

        def one(service: ServiceDefinition, driver: Driver) -> list[HealthResult]:
            results = verify_service(service, driver, may_end=service.name in self._tasks)
            wrong = "; ".join(result.reason for result in results if not result.healthy)
            if wrong:
                self._emit(
                    events.SERVICE_FAILED,
                    service=service.name,
                    action="verify",
                    error=f"does not do its work: {wrong}",
                    remedy=f"Look at the log of {service.name}.",
                    **_about(service),
                )
            return results

        return _each(one, services, self._drivers)

    def elsewhere(self, services: Sequence[ServiceDefinition]) -> dict[str, Problem]:
        """Return the services that need one on another host that is not there, each with the first that it misses."""
        asked = {(need, place.host): place.check for service in services for need, place in service.elsewhere.items()}
        if not asked:
            return {}
        with ThreadPoolExecutor(min(_THREADS, len(asked))) as pool:
            results = dict(zip(asked, pool.map(check_health, asked.values()), strict=True))
        return {
            service.name: Problem(
                service.name,
                f"needs {need} on {place.host}, which does not answer there: {results[need, place.host].reason}",
                f"Start {need} first, in a run that includes {place.host}.",
            )
            for service in services
            for need, place in reversed(service.elsewhere.items())
            if not results[need, place.host].healthy
        }

    def wait(
        self,
        services: Sequence[ServiceDefinition],
        seen: Mapping[str, Observation],
        *,
        fail_fast: bool,
        cancelled: threading.Event | None,
    ) -> dict[str, HealthResult]:
        """Wait until services are healthy, and emit an event for each.

        :param seen: what they are now.
        :param fail_fast: wait for nothing more once a required service has failed.
        :param cancelled: ends the wait when set.
        """
        stop = cancelled or threading.Event()

        def one(service: ServiceDefinition, driver: Driver) -> HealthResult:
            result = self._wait_for(service, driver, seen.get(service.name, ABSENT), stop)
            if not result.healthy and fail_fast and service.required:
                stop.set()
            return result

        return _each(one, services, self._drivers)

    def _wait_for(
        self, service: ServiceDefinition, driver: Driver, observation: Observation, stop: threading.Event
    ) -> HealthResult:
        about = _about(service)
        if service.name in self._tasks and observation.has_completed:
            self._emit(events.SERVICE_COMPLETED, service=service.name, reason="has completed", **about)
            return HealthResult(True, "has completed")
        may_end = service.name in self._tasks
        result = wait_for_service(service, driver, cancelled=stop, since=observation.since, may_end=may_end)
        if result.healthy:
            self._emit(events.SERVICE_HEALTHY, service=service.name, reason=result.reason, **about)
        elif not stop.is_set():
            result = dataclasses.replace(result, reason=result.reason + last_words(service, driver))
            self._emit(events.SERVICE_FAILED, service=service.name, error=result.reason, **about)
        return result


def _about(service: ServiceDefinition) -> dict[str, Any]:
    return {"mode": service.mode, "address": service.url or "", "required": service.required}


def _each(
    one: Callable[[ServiceDefinition, Driver], T],
    services: Sequence[ServiceDefinition],
    drivers: Mapping[str, Driver],
) -> dict[str, T]:
    """Do something with each service, all at the same time."""

    def work(service: ServiceDefinition) -> T:
        return one(service, drivers[service.mode])

    if len(services) < 2:
        return {service.name: work(service) for service in services}
    with ThreadPoolExecutor(min(_THREADS, len(services))) as pool:
        return {service.name: result for service, result in zip(services, pool.map(work, services), strict=True)}
