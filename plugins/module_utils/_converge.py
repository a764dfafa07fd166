# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Carrying a plan out: first what is to go, backwards along the graph, then what is to come, along it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from . import _events as events
from ._drivers._base import ABSENT, Driver, Observation
from ._errors import CancelledRun, Problem, ProvisioningError
from ._events import Emitter
from ._graph import critical_lengths, dependencies_of, dependents_of, reachable, tasks
from ._health import HealthResult
from ._model import ServiceDefinition
from ._outcome import Outcome, Result
from ._plan import Action
from ._results import NOT_AWAITED, Results, since
from ._wait import delays, wait_for_service
from ._walk import DONE, Lanes, Reached, Steps, walk

__all__ = ["Options", "Outcome", "converge"]

_STARTING = frozenset({"create", "start", "recreate", "restart", "none"})
_LEAVING = frozenset({"stop", "remove", "restart"})


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
    if run.results.unheard and all(outcome.is_well for outcome in run.outcomes.values()):
        raise run.results.unheard[0]
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
        self.options = options
        self.results = Results(
            services, actions, drivers, emit, fail_fast=options.fail_fast, cancelled=options.cancelled
        )
        self.outcomes = self.results.by_name
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
                    self.results.tell(
                        events.SERVICE_UNCHANGED, service=name, reason=action.reason, **self.results.about(name)
                    )

    def _leaves(self, name: str, action: Action) -> bool:
        if action.verb == "restart" and self._driver(name).restarts_in_place:
            return False
        return action.verb in _LEAVING

    def _leave_one(self, name: str, _reached: Reached) -> None:
        action, begin = self.actions[name], time.perf_counter()
        driver = self._driver(name)
        seen = self.observed.get(name, ABSENT)
        self.results.tell(events.SERVICE_STOPPING, service=name, reason=action.reason)
        try:
            if action.verb == "remove":
                driver.remove(self.services[name], seen)
            else:
                driver.stop(self.services[name], seen)
            if action.verb != "restart":
                self.options.on_gone(action)
        except (ProvisioningError, OSError) as error:
            self.results.fail(name, error, begin)
            return
        if action.verb == "remove":
            self.observed[name] = ABSENT
        kind = events.SERVICE_REMOVED if action.verb == "remove" else events.SERVICE_STOPPED
        self.results.tell(kind, service=name, reason=action.reason)
        if action.verb != "restart":
            result: Result = "removed" if action.verb == "remove" else "stopped"
            self.outcomes[name] = Outcome(name, result, action.reason, changed=True, duration_ms=since(begin))

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
            if self.actions[name].is_change and name not in self.options.skip and not self.results.is_stopped():
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
            self.results.skip(name, problem.why, problem.remedy)
            return
        begin = time.perf_counter()
        try:
            observation = self._bring_up(name)
            reached("started")
            self._follow_up(name, observation, reached, begin)
        except CancelledRun as error:
            self.results.cancel(name, f"{error.problems[0].why}: ")
        except (ProvisioningError, OSError) as error:
            self.results.fail(name, error, begin)

    def _bring_up(self, name: str) -> Observation:
        action = self.actions[name]
        if not action.is_change:
            self.results.tell(events.SERVICE_UNCHANGED, service=name, reason=action.reason, **self.results.about(name))
            return self.observed.get(name, ABSENT)
        self.results.tell(events.SERVICE_STARTING, service=name, reason=action.reason, action=action.verb)
        begin = time.perf_counter()
        if self.services[name].mode in self.unprepared:
            raise self.unprepared[self.services[name].mode]
        observation = self._driver(name).start(self.services[name], self.observed.get(name, ABSENT), action.digest)
        self.options.on_started(action, observation)
        self.results.tell(
            events.SERVICE_STARTED,
            service=name,
            reason=action.reason,
            duration_ms=since(begin),
            **self.results.about(name),
        )
        return observation

    def _follow_up(self, name: str, observation: Observation, reached: Reached, begin: float) -> None:
        action = self.actions[name]
        awaits_end = name in self.tasks and (self.options.wait or (name, "completed") in self.awaited)
        if awaits_end:
            if not self._wait_for_end(name):
                self.results.cancel(name, NOT_AWAITED)
                return
            reached("completed")
            self.results.tell(events.SERVICE_COMPLETED, service=name, duration_ms=since(begin))
            self.results.reached(name, "completed", action, observation, None, begin=begin)
            return
        if not self.options.wait and (name, "healthy") not in self.awaited:
            result: Result = "started" if action.is_change else "unchanged"
            self.results.reached(name, result, action, observation, None, begin=begin)
            return
        health = self._wait_for_health(name, None if action.is_change else observation.since)
        if not health.healthy and self.results.is_stopped():
            self.results.cancel(name, NOT_AWAITED)
            return
        if not health.healthy:
            self.results.fail_health(name, health, begin)
            return
        reached("healthy")
        self.results.tell(
            events.SERVICE_HEALTHY,
            service=name,
            reason=health.reason,
            duration_ms=since(begin),
            **self.results.about(name),
        )
        became: Result = "healthy" if action.is_change else "unchanged"
        self.results.reached(name, became, action, observation, health, begin=begin)

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
                why = f"did not complete: {now.detail or f'it is {now.status}'}{self.results.last_words(name)}"
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

    def _driver(self, name: str) -> Driver:
        return self.drivers[self.services[name].mode]

    def _walk(
        self,
        needs: Mapping[str, Mapping[str, str]],
        begin: Callable[[str, Reached], None],
        priority: Mapping[str, tuple[int, ...]] | None = None,
    ) -> None:
        steps = Steps(begin, self.results.skip_for, self.results.is_stopped, self.results.broken)
        try:
            walk(needs, steps, self._lanes(needs), priority=priority)
        except BaseException:
            self.options.cancelled.set()  # so that the threads that still wait end, too
            raise

    def _lanes(self, names: Collection[str]) -> Lanes:
        of: dict[str, str] = {name: self.services[name].mode for name in names}
        width = {mode: self.drivers[mode].parallelism if mode in self.drivers else 1 for mode in of.values()}
        return Lanes(of, width)
