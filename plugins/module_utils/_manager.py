# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine's front door: the services of one host, looked at and brought to the state wanted.

Modules, the command line and the platform's own services come in here.
"""

from __future__ import annotations

import contextlib
import dataclasses
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from pathlib import Path

from . import _converge, _damaged, _graph, _logs, _lost, _preflight
from . import _events as events
from ._audit import AuditLog
from ._checks import Checks
from ._config_files import file_digest
from ._converge import Options, Outcome
from ._drivers._base import ABSENT, Context, Driver, LogLine, Observation
from ._drivers._registry import drivers_for, observe_all, preview_all, render_all
from ._errors import DriverError, PrerequisiteError, Problem, os_problem, raise_if_any
from ._events import Emitter, Sink
from ._goals import NOBODY, Needs, goals_for
from ._health import HealthResult
from ._log_settings import rotation_of
from ._model import ServiceDefinition, ServiceOperation
from ._moves import Moves
from ._notes import Notes
from ._paths import WorkDir
from ._plan import NO_LONGER_WANTED, Goal, Plan, diff_of, digest_of, plan
from ._secrets import SecretStore
from ._settings import Settings, write_settings
from ._state import StateStore
from ._status import ServiceStatus, status_of
from ._turns import my_turn

_COMING = ("started", "restarted")


class Manager:
    """The services of one host.

    :param work_dir: the installation's work dir.
    :param services: definitions by name, resolved; secrets as placeholders.
    :param sinks: readers of the events of this manager.
    :param run: id of the installation or command, for the audit log.
    """

    def __init__(
        self,
        work_dir: Path,
        services: Mapping[str, ServiceDefinition],
        settings: Settings | None = None,
        *,
        sinks: Iterable[Sink] = (),
        run: str = "",
    ) -> None:
        self.work_dir = WorkDir(work_dir)
        self.settings = settings or Settings()
        self._services = dict(services)
        self._states = StateStore(self.work_dir)
        self._notes = Notes(self._states, self._services, self.settings)
        self._emit = Emitter(AuditLog(self.work_dir.audit, run=run), *sinks)
        self._cancelled = threading.Event()
        secrets = SecretStore(self.work_dir.secrets)
        self._context = Context(
            work_dir=self.work_dir,
            secrets=secrets,
            project=self.settings.project,
            engine=self.settings.engine,
            engine_url=self.settings.engine_url,
            env=self.settings.env,
            files={name: _config_digest(service, secrets) for name, service in services.items() if service.config},
            tasks=frozenset(_graph.tasks(services)),
            notify=self._emit,
            is_cancelled=self._is_cancelled,
        )
        self._drivers: dict[str, Driver] = drivers_for(services.values(), self._context)
        self._checks = Checks(self._services, self._drivers, self._emit)
        self._damaged: Mapping[str, Problem] = {}

    @classmethod
    def open(cls, work_dir: Path, *, sinks: Iterable[Sink] = (), run: str = "", thorough: bool = False) -> Manager:
        """Return the manager of what is installed in a work dir.

        :param thorough: ask engines, too, for what is there although its state was lost, e.g. to remove it.
        :raises ConfigurationError: its settings are damaged.
        :raises DriverError: an engine that should have something whose state was lost does not answer.
        """
        layout = WorkDir(work_dir)
        known, damaged = _damaged.installed(layout)
        services = {**_lost.processes(layout), **known}
        if not thorough:  # else engines are asked for what nothing is known of
            services = {**{name: _damaged.stand_in(name) for name in damaged}, **services}
        manager = cls(work_dir, services, _lost.settings(layout), sinks=sinks, run=run)
        if thorough:
            _lost.find(manager._services, manager._drivers, manager._context)
        manager._damaged = {name: problem for name, problem in damaged.items() if name in manager._services}
        return manager

    # --- looking -----------------------------------------------------------------------------------------------------

    @property
    def drivers(self) -> Mapping[str, Driver]:
        """The drivers of the services, by mode."""
        return self._drivers

    @property
    def damaged(self) -> Mapping[str, Problem]:
        """The services whose state is damaged, with what is wrong; they can be looked at and stopped, not started."""
        return self._damaged

    def services(self) -> dict[str, ServiceDefinition]:
        """Return the definitions by name, in startup order."""
        return {name: self._services[name] for name in _graph.startup_order(self._services)}

    def definition(self, name: str) -> ServiceDefinition:
        """Return one definition.

        :raises ConfigurationError: there is no such service.
        """
        self._known([name])
        return self._services[name]

    def observe(self, names: Collection[str] | None = None) -> tuple[dict[str, Observation], dict[str, Problem]]:
        """Return what each service is, and the problem of each mode that cannot be asked."""
        return observe_all(self._drivers, self._chosen(names))

    def is_running(self, name: str) -> bool:
        """Whether the service runs.

        :raises ConfigurationError: there is no such service.
        """
        self._known([name])
        return self.observe([name])[0].get(name, ABSENT).is_up

    def running(self) -> list[str]:
        """Return the names of the services that run."""
        return [name for name, seen in self.observe()[0].items() if seen.is_up]

    def status(self, names: Collection[str] | None = None, *, health: bool = True) -> list[ServiceStatus]:
        """Return the status of services, in startup order.

        :param health: ask each that runs for its health, all at the same time.
        :raises ConfigurationError: a name is unknown.
        """
        self._known(names or ())
        observed, unreachable = self.observe(names)
        chosen = [service for name, service in self.services().items() if names is None or name in names]
        up = [service for service in chosen if observed.get(service.name, ABSENT).is_up]
        results = self._checks.health(up, seen=observed) if health else {}
        states = self._states.read_all()
        return [
            status_of(
                s,
                observed.get(s.name),
                unreachable.get(s.mode),
                states.get(s.name),
                results.get(s.name),
                fault=self._damaged.get(s.name),
            )
            for s in chosen
        ]

    def check_health(self, names: Collection[str] | None = None) -> dict[str, HealthResult]:
        """Check the health of services, all at the same time.

        :raises ConfigurationError: a name is unknown.
        """
        self._known(names or ())
        return self._checks.health(self._chosen(names))

    def wait_healthy(
        self,
        names: Collection[str] | None = None,
        *,
        fail_fast: bool = False,
        cancelled: threading.Event | None = None,
    ) -> dict[str, HealthResult]:
        """Wait until services are healthy, all at the same time, and emit an event for each.

        :param fail_fast: wait for nothing more once a required service has failed.
        :param cancelled: ends the wait when set.
        :raises ConfigurationError: a name is unknown.
        """
        self._known(names or ())
        seen = self.observe(names)[0]
        return self._checks.wait(self._chosen(names), seen, fail_fast=fail_fast, cancelled=cancelled)

    def wait_for(self, name: str) -> HealthResult:
        """Wait until one service is healthy.

        :raises ConfigurationError: there is no such service.
        """
        return self.wait_healthy([name])[name]

    def verify(self, names: Collection[str] | None = None) -> dict[str, list[HealthResult]]:
        """Ask services for their real work, all at the same time, and emit an event for each that does not do it.

        :raises ConfigurationError: a name is unknown.
        """
        self._known(names or ())
        return self._checks.verify(self._chosen(names))

    def logs(self, name: str, *, follow: bool = False, tail: int | None = None) -> Iterator[LogLine]:
        """Yield the output of a service, oldest first.

        :raises ConfigurationError: there is no such service.
        """
        service = self.definition(name)
        return self._drivers[service.mode].logs(service, follow=follow, tail=tail)

    def preflight(
        self, names: Collection[str] | None = None, *, provisioning_path: str | None = None
    ) -> _preflight.Report:
        """Check what would keep services from running here. Nothing is touched.

        :raises ConfigurationError: a name is unknown.
        """
        self._known(names or ())
        observed, unreachable = self.observe()  # all: those that conflict with others may not be asked for
        moves = Moves(self._services, self._states.read_all(), self._context, self._drivers)
        observed |= moves.observe(names)  # they hold their ports
        return _preflight.preflight(
            self._services,
            self._drivers,
            observed,
            names=self._startable(names),
            unreachable=unreachable,
            work_dir=self.work_dir.root,
            provisioning_path=provisioning_path,
        )

    # --- deciding ----------------------------------------------------------------------------------------------------

    def plan(self, goals: Mapping[str, Goal], *, removal: str = NO_LONGER_WANTED) -> Plan:
        """Decide what would bring services to their goals. Nothing is touched.

        :param removal: why what is to be absent goes, in words.
        :raises ConfigurationError: a name is unknown.
        """
        return self._decide(goals, removal, {})[0]

    def _decide(self, goals: Mapping[str, Goal], removal: str, renew: Mapping[str, str]) -> tuple[Plan, Moves]:
        self._known(goals)
        observed, unreachable = self.observe(goals)
        starting = {name for name, goal in goals.items() if goal in _COMING}
        rendered, unreadable = render_all(self._drivers, [self._services[name] for name in starting])
        states = self._states.read_all()
        before = {name: state.rendered for name, state in states.items() if state.rendered}
        actions = plan(self._services, observed, rendered, goals=goals, before=before, removal=removal)
        moves = Moves(self._services, states, self._context, self._drivers)
        for name, action in actions.items():
            is_coming = action.verb == "create" or (name in starting and not self._services[name].is_ours)
            if is_coming and (reason := moves.reason(name)) is not None:
                actions[name] = dataclasses.replace(action, verb="create", reason=reason)
            elif name in renew and name in starting and action.verb in ("none", "start"):
                actions[name] = dataclasses.replace(action, verb="create", reason=renew[name])
        unavailable = {
            name: Problem(name, problem.why, problem.remedy)
            for name in goals
            if (problem := unreachable.get(self._services[name].mode) or unreadable.get(name)) is not None
        }
        touched = [a.service for a in actions.values() if a.service in starting and a.is_change]
        for name in touched:
            if name not in unavailable:
                found = _preflight.validate_service_prerequisites(self._services[name], self._drivers)
                if found:
                    unavailable[name] = found[0]
        return Plan(actions, observed, rendered, before, unavailable), moves

    def diff(self, decided: Plan) -> list[dict[str, str]]:
        """Return what a plan would change, as Ansible shows differences. Nothing is touched."""
        coming = [self._services[a.service] for a in decided.changes if a.verb in ("create", "recreate")]
        shown = preview_all(self._drivers, coming)
        return diff_of(decided.actions.values(), decided.rendered, decided.before, previews=shown)

    def goals_of(self, operation: ServiceOperation, needed: Needs = NOBODY) -> dict[str, Goal]:
        """Turn a request into goals: starting brings dependencies up too, stopping spares what others need.

        :param needed: who of other hosts needs a service of this one, and runs, in words.
        :raises ConfigurationError: a name is unknown.
        :raises PrerequisiteError: something that runs depends on what is to be stopped, or the state of what is to be
            started is damaged.
        """
        elsewhere = self.settings.elsewhere
        if operation.operation in ("start", "restart"):
            named = [self._damaged[name] for name in operation.services if name in self._damaged]
            raise_if_any(named, PrerequisiteError)
        return goals_for(self._services, operation, elsewhere=elsewhere, running=self.running, needed=needed)

    # --- doing -------------------------------------------------------------------------------------------------------

    def converge(
        self,
        goals: Mapping[str, Goal],
        options: Options | None = None,
        *,
        announce: Callable[[Plan], None] = lambda plan: None,
        removal: str = NO_LONGER_WANTED,
        because: Mapping[str, str] | None = None,
        renew: Mapping[str, str] | None = None,
        is_locked: bool = False,
    ) -> tuple[Plan, dict[str, Outcome]]:
        """Bring services to their goals; return what was decided and what became of each service.

        :param announce: told what was decided before anything is touched; what it raises ends it there.
        :param removal: why what is to be absent goes, in words.
        :param because: why services that run are to be restarted, where nobody has asked for it.
        :param renew: services that are to be made anew although their definition is the same, with the reason.
        :param is_locked: whether the caller holds ``run.lock``, to converge several times with nobody in between.
        :raises ConfigurationError: a name is unknown.
        :raises PrerequisiteError: a required service cannot run here and ``fail_fast`` is on; nothing was touched.
        :raises DriverError: something to be stopped or removed cannot be reached; nothing was touched.
        :raises BusyError: another run is in progress.
        """
        given = options or Options()
        if not goals:  # e.g. nothing is installed: even a lock would leave a work dir behind
            return self.plan(goals, removal=removal), {}
        with contextlib.nullcontext() if is_locked else my_turn(self.work_dir), self._notes:
            decided, moves = self._decide(goals, removal, renew or {})
            decided, held_back = _damaged.hold_back(decided, goals, self._services, self._damaged)
            if because:
                decided = decided.because(because)
            decided = dataclasses.replace(decided, unavailable={**self._missed(decided), **decided.unavailable})
            self._refuse_blocked(decided, goals, given)
            announce(decided)
            skip = {**decided.unavailable, **given.skip}
            moves.leave(goals.keys() - self._kept_back(skip, goals) - held_back.keys(), self._emit)
            self._take_away(decided, renew or {})
            self._notes.definitions(decided)
            self.rotate_logs()
            self._cancelled = given.cancelled
            outcomes = _converge.converge(
                self._services,
                {name: action for name, action in decided.actions.items() if name not in skip},
                decided.observed,
                self._drivers,
                self._emit,
                dataclasses.replace(
                    given,
                    skip={n: p for n, p in skip.items() if goals.get(n) in _COMING and n not in held_back},
                    on_started=lambda action, seen: self._notes.start(
                        action,
                        decided.rendered[action.service],
                        self._address(action.service),
                        restarts=max(0, decided.observed.get(action.service, ABSENT).restarts - seen.restarts),
                    ),
                    on_gone=self._notes.gone,
                ),
            )
            # What is written over a damaged state would be lost.
            kept = {name: goal for name, goal in goals.items() if goal == "absent" or name not in self._damaged}
            self._notes.endings(kept, outcomes)
            _damaged.tell(held_back, self._services, self._emit)
        return decided, {**outcomes, **held_back}

    def set_damaged_aside(self) -> None:
        """Make way for new states where those that there are are damaged, and warn of it: what runs is taken over.

        For who holds the lock of the run.

        :raises OSError: a file cannot be renamed.
        """
        for name, (problem, path) in _damaged.set_aside(self.work_dir, self._services).items():
            reason = f"{problem.why}. It was renamed to {path.name}, and what runs is taken over"
            self._emit(events.SERVICE_WARNING, service=name, reason=reason)

    def _take_away(self, decided: Plan, renewed: Collection[str]) -> None:
        """Take away what is to be made anew; its data stays."""
        for name in renewed:
            action, seen = decided.actions[name], decided.observed.get(name, ABSENT)
            if action.verb == "create" and seen.exists and name not in decided.unavailable:
                self._emit(events.SERVICE_STOPPING, service=name, reason=action.reason)
                self._drivers[self._services[name].mode].remove(self._services[name], seen)
                self._emit(events.SERVICE_REMOVED, service=name, reason=action.reason)
                decided.observed[name] = ABSENT

    def _kept_back(self, skip: Collection[str], goals: Mapping[str, Goal]) -> set[str]:
        """Return what will not be started, so that what there still is of it elsewhere is not given up for nothing."""
        dependents = _graph.dependents_of(_graph.dependencies_of(self._services))
        found = _graph.reachable(dependents, [name for name in skip if goals.get(name) in _COMING])
        return {name for name in found if goals.get(name) in _COMING}

    def _missed(self, decided: Plan) -> dict[str, Problem]:
        """Look once for what services that are to be started need of other hosts; those that miss something."""
        coming = [name for name, action in decided.actions.items() if action.is_change and action.digest]
        return self._checks.elsewhere([self._services[name] for name in coming])

    def _is_cancelled(self) -> bool:
        return self._cancelled.is_set()

    def _refuse_blocked(self, decided: Plan, goals: Mapping[str, Goal], options: Options) -> None:
        """Fail before anything is touched, where it is known that what is asked for cannot be had."""
        stuck = [
            Problem(name, f"cannot be {goal}: {decided.unavailable[name].why}", decided.unavailable[name].remedy)
            for name, goal in goals.items()
            if goal not in _COMING and name in decided.unavailable and self._notes.was_started(name)
        ]
        raise_if_any(stuck, DriverError)
        if options.fail_fast:
            blocking = [
                problem
                for name, problem in decided.unavailable.items()
                if goals[name] in _COMING and self._services[name].required and name not in options.skip
            ]
            raise_if_any(blocking, PrerequisiteError)

    def rotate_logs(self) -> list[str]:
        """Rotate the logs of processes that are due, while these write; return the names of the logs.

        A log that cannot be rotated is a warning among the events, and no reason to leave services alone.
        """
        rotated = []
        for path in sorted(self.work_dir.logs.glob("*.log")):
            name = _logs.service_of(path)
            settings = self._services[name].logs if name in self._services else None
            try:
                if _logs.rotate(path, rotation_of(settings)):
                    rotated.append(path.stem)
            except OSError as error:
                problem = os_problem(str(path), error)
                self._emit(events.SERVICE_WARNING, service=name, reason=str(problem))
        return rotated

    def clean(self, *, purge: bool = False) -> list[str]:
        """Take away what the services shared and nothing uses any more; return its names.

        An engine that does not answer is passed over: had anything been started there, removing it would have failed.

        :param purge: take away data outside the work dir, too.
        :raises DriverError: it cannot be removed.
        """
        unreachable = self.observe()[1]
        drivers = [driver for mode, driver in self._drivers.items() if mode not in unreachable]
        gone = [name for driver in drivers for name in driver.clean()]
        gone += [name for driver in drivers if purge for name in driver.purge()]
        for driver in drivers:
            driver.release()
        return gone

    def save_settings(self) -> None:
        """Write down what :meth:`open` needs.

        :raises OSError: it cannot be written.
        """
        write_settings(self.work_dir, self.settings)

    def remember(self, names: Collection[str]) -> None:
        """Write down the definitions of services that were not started, so that they can be asked for by name.

        :param names: those that the platform has; what was removed is not among them.
        :raises OSError: one cannot be written.
        """
        self._notes.all_definitions(names)

    # --- helpers -----------------------------------------------------------------------------------------------------

    def _chosen(self, names: Collection[str] | None) -> list[ServiceDefinition]:
        return [service for name, service in self._services.items() if names is None or name in names]

    def _startable(self, names: Collection[str] | None) -> Collection[str] | None:
        """Leave out what would not be started: nothing can be in its way."""
        if not self._damaged:
            return names
        return [name for name in (self._services if names is None else names) if name not in self._damaged]

    def _address(self, name: str) -> str | None:
        return self._drivers[self._services[name].mode].address(self._services[name])

    def _known(self, names: Iterable[str]) -> None:
        _graph.refuse_unknown(names, self._services)


def _config_digest(service: ServiceDefinition, secrets: SecretStore) -> str:
    contents = [file.content for file in service.config]
    return digest_of({"files": file_digest(service.config), "secrets": secrets.versions(contents)})
