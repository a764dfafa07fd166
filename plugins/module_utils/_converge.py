# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Carrying a plan out: first what is to go, backwards along the graph, then what is to come, along it."""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import _events as events
from ._drivers._base import ABSENT, Driver, Observation
from ._errors import DriverError, Problem, ProvisioningError, os_problem
from ._events import Emitter
from ._graph import critical_lengths, dependencies_of, dependents_of, reachable, tasks
from ._health import HealthResult
from ._model import ServiceDefinition
from ._outcome import Outcome, Result
from ._plan import Action
from ._wait import delays, last_words, wait_for_service
from ._walk import DONE, Lanes, Reached, Steps, walk

__all__ = ["Options", "Outcome", "converge"]

_STARTING = frozenset({"create", "start", "recreate", "restart", "none"})
_LEAVING = frozenset({"stop", "remove", "restart"})
_NOT_AWAITED = "started, but not waited for: "


@dataclass(frozen=True)
class Options:
    """How a plan is carried out.

    :param fail_fast: begin nothing more once a required service has failed.
    :param wait: wait for the health of services that nothing waits for, too.
    :param awaited: services that are waited for all the same.
    :param skip: services that cannot run here, with the problem; their dependents are skipped with them.
    :param cancelled: set by whoever wants the run to stop, and by the run itself when ``fail_fast`` trips.
    :param on_started: called when a service has been started, e.g. to write its state down.
    :param on_gone: called when a service has been stopped or removed.
    """

    fail_fast: bool = True
    wait: bool = True
    awaited: frozenset[str] = frozenset()
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
    :raises OSError: all went well, but could not be told: the event stream or the audit log cannot be written.
    """
    run = _Run(services, actions, observed, drivers, emit, options or Options())
    run.leave()
    run.start()
    if run.unheard and all(outcome.is_well for outcome in run.outcomes.values()):
        raise run.unheard[0]
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
        self.unheard: list[OSError] = []
        self.unprepared: dict[str, ProvisioningError | OSError] = {}
        self.tasks = tasks(services)

    # --- what is to go -----------------------------------------------------------------------------------------------

    def leave(self) -> None:
        """Stop and remove, each service after all that depend on it."""
        leaving = {name for name, action in self.actions.items() if self._leaves(name, action)}
        dependents = dependents_of(dependencies_of(self.services))
        # Directly or by way of one that stays: what is needed goes after all that need it.
        needs = {name: dict.fromkeys((reachable(dependents, [name]) & leaving) - {name}, DONE) for name in leaving}
        self._walk(needs, self._leave_one)
        for name, action in self.actions.items():
            if action.verb == "none" and not action.digest:
                seen = self.observed.get(name, ABSENT)
                self.outcomes[name] = Outcome(name, "unchanged", action.reason, observation=seen)
                if not self.services[name].is_ours:  # whoever asked for it is told why nothing was done
                    self._tell(events.SERVICE_UNCHANGED, service=name, reason=action.reason, **self._about(name))

    def _leaves(self, name: str, action: Action) -> bool:
        if action.verb == "restart" and self._driver(name).restarts_in_place:
            return False
        return action.verb in _LEAVING

    def _leave_one(self, name: str, _reached: Reached) -> None:
        action, begin = self.actions[name], time.perf_counter()
        driver = self._driver(name)
        seen = self.observed.get(name, ABSENT)
        self._tell(events.SERVICE_STOPPING, service=name, reason=action.reason)
        try:
            if action.verb == "remove":
                driver.remove(self.services[name], seen)
            else:
                driver.stop(self.services[name], seen)
            if action.verb != "restart":
                self.options.on_gone(action)
        except (ProvisioningError, OSError) as error:
            self._fail(name, error, begin)
            return
        if action.verb == "remove":
            self.observed[name] = ABSENT
        kind = events.SERVICE_REMOVED if action.verb == "remove" else events.SERVICE_STOPPED
        self._tell(kind, service=name, reason=action.reason)
        if action.verb != "restart":
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
        # What could not be stopped, or may not be started, keeps back what needs it.
        lost = {name for name, outcome in self.outcomes.items() if not outcome.is_well} | set(self.options.skip)
        needs = {
            name: {
                need: dependency.condition
                for need, dependency in self.services[name].depends_on.items()
                if need in coming or need in lost
            }
            for name in coming
        }
        needs |= {name: {} for name in lost}
        self._prepare(coming)
        lengths = critical_lengths({name: self.services[name] for name in needs})
        priority = {name: (-lengths[name], self.services[name].start_order) for name in needs}
        self.awaited = {(need, condition) for other in needs.values() for need, condition in other.items()}
        self.awaited |= {(name, "healthy") for name in self.options.awaited}
        self._walk(needs, self._start_one, priority)

    def _prepare(self, coming: Collection[str]) -> None:
        touched: dict[str, list[ServiceDefinition]] = {}
        for name in coming:
            if self.actions[name].is_change and name not in self.options.skip and not self.is_stopped():
                touched.setdefault(self.services[name].mode, []).append(self.services[name])
        for mode, services in touched.items():
            try:
                self.drivers[mode].prepare(services)
            except (ProvisioningError, OSError) as error:
                self.unprepared[mode] = error

    def _start_one(self, name: str, reached: Reached) -> None:
        if name in self.outcomes:
            return
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
            self._tell(events.SERVICE_UNCHANGED, service=name, reason=action.reason, **self._about(name))
            return self.observed.get(name, ABSENT)
        self._tell(events.SERVICE_STARTING, service=name, reason=action.reason, action=action.verb)
        begin = time.perf_counter()
        if self.services[name].mode in self.unprepared:
            raise self.unprepared[self.services[name].mode]
        observation = self._driver(name).start(self.services[name], self.observed.get(name, ABSENT), action.digest)
        self.options.on_started(action, observation)
        self._tell(
            events.SERVICE_STARTED,
            service=name,
            reason=action.reason,
            duration_ms=_since(begin),
            **self._about(name),
        )
        return observation

    def _follow_up(self, name: str, observation: Observation, reached: Reached, begin: float) -> None:
        action = self.actions[name]
        awaits_end = name in self.tasks and (self.options.wait or (name, "completed") in self.awaited)
        if awaits_end:
            if not self._wait_for_end(name):
                self._cancel(name, _NOT_AWAITED)
                return
            reached("completed")
            self._tell(events.SERVICE_COMPLETED, service=name, duration_ms=_since(begin))
            self.outcomes[name] = self._outcome(name, "completed", action, observation, None, begin)
            return
        if not self.options.wait and (name, "healthy") not in self.awaited:
            result: Result = "started" if action.is_change else "unchanged"
            self.outcomes[name] = self._outcome(name, result, action, observation, None, begin)
            return
        health = self._wait_for_health(name, None if action.is_change else observation.since)
        if not health.healthy and self.is_stopped():
            self._cancel(name, _NOT_AWAITED)
            return
        if not health.healthy:
            self._fail_health(name, health, begin)
            return
        reached("healthy")
        self._tell(
            events.SERVICE_HEALTHY, service=name, reason=health.reason, duration_ms=_since(begin), **self._about(name)
        )
        self.outcomes[name] = self._outcome(
            name, "healthy" if action.is_change else "unchanged", action, observation, health, begin
        )

    def _wait_for_health(self, name: str, since: float | None) -> HealthResult:
        return wait_for_service(
            self.services[name],
            self._driver(name),
            cancelled=self.options.cancelled,
            since=since,
            may_end=name in self.tasks,
        )

    def _wait_for_end(self, name: str) -> bool:
        """Wait until a task has completed; return whether it has, and not the run been stopped."""
        service, driver = self.services[name], self._driver(name)
        deadline = time.monotonic() + service.startup.timeout
        for pause in delays(service.health.interval if service.health else 1.0):
            now = driver.observe([service])[name]
            if now.has_completed:
                return True
            if now.status in ("failed", "absent"):
                why = f"did not complete: {now.detail or f'it is {now.status}'}{self._last_words(name)}"
                raise ProvisioningError(Problem(name, why, f"Look at the log of {name}."))
            if time.monotonic() > deadline:
                raise ProvisioningError(
                    Problem(
                        name,
                        f"did not complete within {service.startup.timeout:g} s",
                        f"Look at its log, or raise startup.timeout of {name}.",
                    )
                )
            if self.options.cancelled.wait(pause):
                return False
        return False  # never: the pauses have no end

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
        service = self.services[name]
        look = f"Look at the log of {name}" if service.is_ours else f"See whether {service.url} answers from here"
        remedy = f"{look}, or raise its startup.timeout."
        problem = Problem(name, f"{health.reason}{self._last_words(name)}", remedy)
        self._fail(name, ProvisioningError(problem), begin)

    def _fail(self, name: str, error: ProvisioningError | OSError, begin: float) -> None:
        if isinstance(error, OSError):
            error = DriverError(os_problem(name, error))
        why = "; ".join(problem.why for problem in error.problems)
        remedy = error.problems[0].remedy
        duration = _since(begin)
        action = self.actions[name]
        self.outcomes[name] = Outcome(name, "failed", why, remedy, changed=action.is_change, duration_ms=duration)
        self._tell(
            events.SERVICE_FAILED,
            service=name,
            action=action.verb,
            error=why,
            remedy=remedy,
            required=self.services[name].required,
            duration_ms=duration,
        )
        self._trip(name)

    def _broken(self, name: str, error: Exception) -> None:
        """A driver, or we, have a bug: say so clearly, and where, and go on with what does not depend on it."""
        place = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{Path(place.filename).name}, line {place.lineno}"
        why = f"internal error: {type(error).__name__}: {error} ({where})"
        problem = Problem(name, why, "This is a bug of ours; please report it.")
        self._fail(name, ProvisioningError(problem), time.perf_counter())

    def _skip(self, name: str, because: Collection[str]) -> None:
        if name in self.outcomes:
            return
        if self.is_stopped() or not because:
            self._cancel(name, "not begun: ")
            return
        need = next(iter(because))
        self._report_skip(name, self._lost(need), self.outcomes[need].remedy if need in self.outcomes else "")

    def _lost(self, need: str) -> str:
        became = self.outcomes[need].result if need in self.outcomes else "failed"
        return f"needs {need}, which {'failed' if became == 'failed' else f'was {became}'}"

    def _cancel(self, name: str, how_far: str) -> None:
        lost = [
            self._lost(need)
            for need in self.services[name].depends_on
            if need in self.outcomes and self.outcomes[need].result in ("failed", "skipped")
        ]
        why = lost[0] if lost else "another service failed" if self.tripped else "the run was cancelled"
        was_touched = how_far == _NOT_AWAITED and self.actions[name].is_change
        self.outcomes[name] = Outcome(name, "cancelled", how_far + why, changed=was_touched)
        required = self.services[name].required
        self._tell(events.SERVICE_SKIPPED, service=name, reason=how_far + why, required=required)

    def _report_skip(self, name: str, reason: str, remedy: str = "") -> None:
        required = self.services[name].required
        self.outcomes[name] = Outcome(name, "skipped", reason, remedy)
        self._tell(events.SERVICE_SKIPPED, service=name, reason=reason, remedy=remedy, required=required)
        self._trip(name)

    def _trip(self, name: str) -> None:
        if self.options.fail_fast and self.services[name].required:
            self.tripped = True
            self.options.cancelled.set()

    def _last_words(self, name: str) -> str:
        return last_words(self.services[name], self._driver(name))

    def _about(self, name: str) -> dict[str, Any]:
        service = self.services[name]
        return {"mode": service.mode, "address": service.url or ""}

    def _driver(self, name: str) -> Driver:
        return self.drivers[self.services[name].mode]

    def _tell(self, kind: str, **details: Any) -> None:
        """Emit an event. That it cannot be written down, e.g. for want of space, must not leave services half done."""
        try:
            self.emit(kind, **details)
        except OSError as error:
            self.unheard.append(error)

    def _walk(
        self,
        needs: Mapping[str, Mapping[str, str]],
        begin: Callable[[str, Reached], None],
        priority: Mapping[str, tuple[int, ...]] | None = None,
    ) -> None:
        steps = Steps(begin, self._skip, self.is_stopped, self._broken)
        try:
            walk(needs, steps, self._lanes(needs), priority=priority)
        except BaseException:
            self.options.cancelled.set()  # so that the threads that still wait end, too
            raise

    def _lanes(self, names: Collection[str]) -> Lanes:
        of: dict[str, str] = {name: self.services[name].mode for name in names}
        width = {mode: self.drivers[mode].parallelism if mode in self.drivers else 1 for mode in of.values()}
        return Lanes(of, width)


def _since(begin: float) -> float:
    return round((time.perf_counter() - begin) * 1000, 1)
