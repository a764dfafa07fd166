# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Carrying a plan out: first what is to go, backwards along the graph, then what is to come, along it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from . import _events as events
from ._drivers._base import ABSENT, Driver, Observation
from ._errors import DriverError, Problem, ProvisioningError, os_problem
from ._events import Emitter
from ._graph import critical_lengths
from ._health import HealthResult
from ._model import ServiceDefinition
from ._plan import Action
from ._wait import delays, wait_for_service
from ._walk import DONE, Lanes, Reached, Steps, walk

Result = Literal["unchanged", "started", "healthy", "completed", "stopped", "removed", "failed", "skipped", "cancelled"]

_STARTING = frozenset({"create", "start", "recreate", "restart", "none"})
_LEAVING = frozenset({"stop", "remove", "restart"})
_LOG_LINES = 5


@dataclass(frozen=True)
class Outcome:
    """What became of one service.

    :param changed: whether anything was touched.
    :param duration_ms: from its beginning to this result, in milliseconds.
    """

    service: str
    result: Result
    reason: str
    remedy: str = ""
    changed: bool = False
    duration_ms: float = 0.0
    observation: Observation = ABSENT
    health: HealthResult | None = None

    @property
    def is_well(self) -> bool:
        """Whether what was wanted has been reached."""
        return self.result not in ("failed", "skipped", "cancelled")

    def to_dict(self) -> dict[str, Any]:
        """Return the outcome as JSON types."""
        document: dict[str, Any] = {"result": self.result, "reason": self.reason, "changed": self.changed}
        if self.remedy:
            document["remedy"] = self.remedy
        if self.observation.id:
            document["id"] = self.observation.id
        if self.health is not None:
            document["healthy"] = self.health.healthy
        document["duration_ms"] = round(self.duration_ms, 1)
        return document


@dataclass(frozen=True)
class Options:
    """How a plan is carried out.

    :param fail_fast: begin nothing more once a required service has failed.
    :param wait: wait for the health of services that nothing waits for, too.
    :param skip: services that cannot run here, with the problem; their dependents are skipped with them.
    :param cancelled: set by whoever wants the run to stop, and by the run itself when ``fail_fast`` trips.
    :param on_started: called when a service has been started, e.g. to write its state down.
    :param on_gone: called when a service has been stopped or removed.
    """

    fail_fast: bool = True
    wait: bool = True
    skip: Mapping[str, Problem] = field(default_factory=dict)
    cancelled: threading.Event = field(default_factory=threading.Event)
    on_started: Callable[[Action, Observation], None] = lambda action, observation: None
    on_gone: Callable[[Action], None] = lambda action: None


def converge(
    services: Mapping[str, ServiceDefinition],
    actions: Mapping[str, Action],
    observed: Mapping[str, Observation],
    drivers: Mapping[str, Driver],
    emit: Emitter,
    options: Options | None = None,
) -> dict[str, Outcome]:
    """Carry the actions out and return what became of each service.

    :param services: definitions of all services of the actions.
    :param drivers: by mode.
    """
    run = _Run(services, actions, observed, drivers, emit, options or Options())
    run.leave()
    run.start()
    return run.outcomes


class _Run:
    def __init__(
        self,
        services: Mapping[str, ServiceDefinition],
        actions: Mapping[str, Action],
        observed: Mapping[str, Observation],
        drivers: Mapping[str, Driver],
        emit: Emitter,
        options: Options,
    ) -> None:
        self.services = services
        self.actions = actions
        self.observed = dict(observed)
        self.drivers = drivers
        self.emit = emit
        self.options = options
        self.outcomes: dict[str, Outcome] = {}
        self.tripped = False

    # --- what is to go -----------------------------------------------------------------------------------------------

    def leave(self) -> None:
        """Stop and remove, each service after all that depend on it."""
        leaving = {name for name, action in self.actions.items() if action.verb in _LEAVING}
        needs = {
            name: {
                other: DONE for other in leaving if name in self.services[other].depends_on
            }
            for name in leaving
        }
        steps = Steps(self._leave_one, lambda name, because: self._skip(name, because), self.is_stopped)
        walk(needs, steps, self._lanes(leaving))
        for name, action in self.actions.items():
            if action.verb == "none" and not action.digest:
                self.outcomes[name] = Outcome(name, "unchanged", action.reason, observation=self.observed[name])

    def _leave_one(self, name: str, reached: Reached) -> None:
        action, begin = self.actions[name], time.perf_counter()
        driver = self._driver(name)
        self.emit(events.SERVICE_STOPPING, service=name, reason=action.reason)
        try:
            if action.verb == "remove":
                driver.remove(self.services[name], self.observed[name])
            else:
                driver.stop(self.services[name], self.observed[name])
        except (ProvisioningError, OSError) as error:
            self._fail(name, error, begin)
            return
        if action.verb == "remove":
            self.observed[name] = ABSENT
        kind = events.SERVICE_REMOVED if action.verb == "remove" else events.SERVICE_STOPPED
        self.emit(kind, service=name, reason=action.reason)
        if action.verb != "restart":
            self.options.on_gone(action)
            result: Result = "removed" if action.verb == "remove" else "stopped"
            self.outcomes[name] = Outcome(name, result, action.reason, changed=True, duration_ms=_since(begin))

    # --- what is to come ---------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start, each service at the instant its last dependency fulfils its condition."""
        coming = {
            name
            for name, action in self.actions.items()
            if action.verb in _STARTING and action.digest and name not in self.outcomes
        }
        needs = {
            name: {
                need: dependency.condition
                for need, dependency in self.services[name].depends_on.items()
                if need in coming or need in self.options.skip
            }
            for name in coming
        }
        needs |= {name: {} for name in self.options.skip}
        self._prepare(coming)
        lengths = critical_lengths({name: self.services[name] for name in needs})
        priority = {name: (-lengths[name], self.services[name].start_order) for name in needs}
        steps = Steps(self._start_one, lambda name, because: self._skip(name, because), self.is_stopped)
        self.awaited = {(need, condition) for other in needs.values() for need, condition in other.items()}
        walk(needs, steps, self._lanes(set(needs)), priority=priority)

    def _prepare(self, coming: Collection[str]) -> None:
        touched: dict[str, list[ServiceDefinition]] = {}
        for name in coming:
            if self.actions[name].is_change and name not in self.options.skip:
                touched.setdefault(self.services[name].mode, []).append(self.services[name])
        for mode, services in touched.items():
            self.drivers[mode].prepare(services)

    def _start_one(self, name: str, reached: Reached) -> None:
        if name in self.options.skip:
            problem = self.options.skip[name]
            self._report_skip(name, problem.why, problem.remedy)
            return
        begin = time.perf_counter()
        try:
            observation = self._bring_up(name)
            reached("started")
            self._follow_up(name, observation, reached, begin)
        except (ProvisioningError, OSError) as error:
            self._fail(name, error, begin)

    def _bring_up(self, name: str) -> Observation:
        action = self.actions[name]
        if not action.is_change:
            self.emit(events.SERVICE_UNCHANGED, service=name, reason=action.reason, **self._about(name))
            return self.observed[name]
        self.emit(events.SERVICE_STARTING, service=name, reason=action.reason, action=action.verb)
        begin = time.perf_counter()
        observation = self._driver(name).start(self.services[name], self.observed[name], action.digest)
        self.options.on_started(action, observation)
        self.emit(
            events.SERVICE_STARTED,
            service=name,
            reason=action.reason,
            duration_ms=_since(begin),
            **self._about(name),
        )
        return observation

    def _follow_up(self, name: str, observation: Observation, reached: Reached, begin: float) -> None:
        action = self.actions[name]
        if (name, "completed") in self.awaited:
            self._wait_for_end(name)
            reached("completed")
            self.emit(events.SERVICE_COMPLETED, service=name, duration_ms=_since(begin))
            self.outcomes[name] = self._outcome(name, "completed", action, observation, None, begin)
            return
        if not self.options.wait and (name, "healthy") not in self.awaited:
            result: Result = "started" if action.is_change else "unchanged"
            self.outcomes[name] = self._outcome(name, result, action, observation, None, begin)
            return
        health = self._wait_for_health(name)
        if not health.healthy and self.is_stopped():
            self._cancel(name, "started, but not waited for: ")
            return
        if not health.healthy:
            self._fail_health(name, health, begin)
            return
        reached("healthy")
        self.emit(
            events.SERVICE_HEALTHY, service=name, reason=health.reason, duration_ms=_since(begin), **self._about(name)
        )
        self.outcomes[name] = self._outcome(
            name, "healthy" if action.is_change else "unchanged", action, observation, health, begin
        )

    def _wait_for_health(self, name: str) -> HealthResult:
        return wait_for_service(self.services[name], self._driver(name), cancelled=self.options.cancelled)

    def _wait_for_end(self, name: str) -> None:
        service, driver = self.services[name], self._driver(name)
        deadline = time.monotonic() + service.startup.timeout
        for pause in delays(service.health.interval if service.health else 1.0):
            now = driver.observe([service])[name]
            if now.status == "stopped" and now.exit_code in (0, None):
                return
            if now.status in ("failed", "absent"):
                raise ProvisioningError(Problem(name, f"did not complete: {now.detail}{self._last_words(name)}"))
            if time.monotonic() > deadline or self.is_stopped():
                raise ProvisioningError(
                    Problem(
                        name,
                        f"did not complete within {service.startup.timeout:g} s",
                        f"Look at its log, or raise startup.timeout of {name}.",
                    )
                )
            time.sleep(pause)

    # --- results -----------------------------------------------------------------------------------------------------

    def is_stopped(self) -> bool:
        """Whether nothing more is to begin."""
        return self.options.cancelled.is_set()

    def _outcome(
        self,
        name: str,
        result: Result,
        action: Action,
        observation: Observation,
        health: HealthResult | None,
        begin: float,
    ) -> Outcome:
        return Outcome(
            name,
            result,
            action.reason,
            changed=action.is_change,
            duration_ms=_since(begin),
            observation=observation,
            health=health,
        )

    def _fail_health(self, name: str, health: HealthResult, begin: float) -> None:
        remedy = f"Look at its log, or raise startup.timeout of {name}."
        problem = Problem(name, f"{health.reason}{self._last_words(name)}", remedy)
        self._fail(name, ProvisioningError(problem), begin)

    def _fail(self, name: str, error: ProvisioningError | OSError, begin: float) -> None:
        if isinstance(error, OSError):
            error = DriverError(os_problem(name, error))
        why = "; ".join(problem.why for problem in error.problems)
        remedy = error.problems[0].remedy
        duration = _since(begin)
        self.emit(
            events.SERVICE_FAILED,
            service=name,
            error=why,
            remedy=remedy,
            required=self.services[name].required,
            duration_ms=duration,
        )
        self.outcomes[name] = Outcome(
            name, "failed", why, remedy, changed=self.actions[name].is_change, duration_ms=duration
        )
        self._trip(name)

    def _skip(self, name: str, because: Collection[str]) -> None:
        if not because:
            self._cancel(name, "not begun: ")
            return
        need = next(iter(because))
        became = self.outcomes[need].result if need in self.outcomes else "failed"
        self._report_skip(name, f"needs {need}, which {'failed' if became == 'failed' else f'was {became}'}")

    def _cancel(self, name: str, how_far: str) -> None:
        reason = how_far + ("another service failed" if self.tripped else "the run was cancelled")
        self.emit(events.SERVICE_SKIPPED, service=name, reason=reason, required=self.services[name].required)
        self.outcomes[name] = Outcome(name, "cancelled", reason, changed=how_far.startswith("started"))

    def _report_skip(self, name: str, reason: str, remedy: str = "") -> None:
        required = self.services[name].required
        self.emit(events.SERVICE_SKIPPED, service=name, reason=reason, remedy=remedy, required=required)
        self.outcomes[name] = Outcome(name, "skipped", reason, remedy)
        self._trip(name)

    def _trip(self, name: str) -> None:
        if self.options.fail_fast and self.services[name].required:
            self.tripped = True
            self.options.cancelled.set()

    def _last_words(self, name: str) -> str:
        try:
            lines = [line.text for line in self._driver(name).logs(self.services[name], tail=_LOG_LINES) if line.text]
        except (ProvisioningError, OSError):
            return ""
        return "; its last words: " + " / ".join(lines) if lines else ""

    def _about(self, name: str) -> dict[str, Any]:
        service = self.services[name]
        return {"mode": service.mode, "address": service.url or ""}

    def _driver(self, name: str) -> Driver:
        return self.drivers[self.services[name].mode]

    def _lanes(self, names: Collection[str]) -> Lanes:
        of = {name: self.services[name].mode for name in names}
        width = {mode: self.drivers[mode].parallelism if mode in self.drivers else 1 for mode in of.values()}
        return Lanes(of, width)


def _since(begin: float) -> float:
    return round((time.perf_counter() - begin) * 1000, 1)
