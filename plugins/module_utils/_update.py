# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""New versions of what is installed, one service at a time, each verified; one that fails goes back to the former."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from . import _damaged, _download, _graph, _installation
from ._build import to_dict
from ._config_writer import ConfigWriter
from ._converge import Options
from ._drivers._base import ABSENT, Observation
from ._errors import ConfigurationError, PrerequisiteError, Problem, ProvisioningError, os_problem, raise_if_any
from ._events import Sink
from ._manager import Manager
from ._model import ServiceDefinition, ServiceState
from ._paths import WorkDir
from ._plan import Action, Goal
from ._settings import Settings, read_settings, write_settings
from ._state import StateStore
from ._turns import my_turn

Result = Literal["updated", "unchanged", "left out", "restored", "lost", "not reached"]


@dataclass(frozen=True)
class Step:
    """What an update would do with one service.

    :param is_new: whether there is a new version.
    :param reason: why it would be updated, or why not.
    :param changes: the settings that differ, as ``path: old -> new``.
    :param renews: whether the definition is the same, and what it names is another thing now.
    :param waits: whether it is left as it is, whether or not there is something new, because somebody stopped it.
    """

    service: str
    is_new: bool
    reason: str
    changes: tuple[str, ...] = ()
    renews: bool = False
    waits: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Return the step as JSON types."""
        return {
            "service": self.service,
            "action": "update" if self.is_new else "none",
            "reason": self.reason,
            "changes": list(self.changes),
        }


@dataclass(frozen=True)
class Updated:
    """What became of one service.

    :param result: ``restored``: the new version failed and the former one runs again; ``lost``: that failed, too;
        ``not reached``: one before it failed.
    :param error: why the new version failed, and why going back failed.
    """

    service: str
    result: Result
    reason: str
    changes: tuple[str, ...] = ()
    error: str = ""
    remedy: str = ""

    @property
    def is_well(self) -> bool:
        """Whether it is as it is to be."""
        return self.result in ("updated", "unchanged", "left out")

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON types."""
        document = dataclasses.asdict(self)
        return {key: list(value) if key == "changes" else value for key, value in document.items()}


@dataclass
class Update:
    """The services of one host on their way to what a configuration says.

    Only what is installed already is updated; installing something else, or anew, is no update.

    :param wanted: definitions by name, resolved; all of the configuration.
    :param settings: what the configuration says holds for all.
    :param names: only these services; all by default.
    :param is_all: whether all are meant where none is named.
    :param sinks: readers of the events.
    :param run: id of the update, for the audit log and the record of what is installed.
    :param cancelled: set by whoever wants it to stop: the service in progress goes back to its former version.
    """

    work_dir: Path
    wanted: Mapping[str, ServiceDefinition]
    settings: Settings
    names: Collection[str] = ()
    is_all: bool = True
    sinks: Iterable[Sink] = ()
    run: str = ""
    cancelled: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        """Read what is installed.

        :raises ConfigurationError: the settings are damaged, or what holds for all services has changed.
        :raises PrerequisiteError: a service that was named is not installed, or its state is damaged.
        """
        self._layout = WorkDir(self.work_dir)
        self._states = StateStore(self._layout).read_all()
        self._installed, self.damaged = _damaged.installed(self._layout)
        raise_if_any(_changed_for_all(read_settings(self._layout), self.settings), ConfigurationError)
        _graph.refuse_unknown(self.names, self.wanted)
        remedy = "Install it: provisioning-run --config FILE."
        missing = [
            self.damaged.get(name) or Problem(name, "is not installed", remedy)
            for name in self.names
            if name in self.damaged or name not in self._installed
        ]
        raise_if_any(missing, PrerequisiteError)

    @property
    def not_installed(self) -> list[str]:
        """The services of the configuration that are not installed, so that they are not updated either."""
        return [name for name in self.wanted if name not in self._installed and name not in self.damaged]

    @property
    def no_longer_wanted(self) -> list[str]:
        """The services that are installed and no longer in the configuration; they are left as they are."""
        return [name for name in self._installed if name not in self.wanted]

    def plan(self, *, fetch: bool = False) -> list[Step]:
        """Decide for each service, in dependency order. Nothing that runs is touched.

        :param fetch: get images that are to be renewed; otherwise their registry is only asked.
        :raises DriverError: an image cannot be had.
        """
        chosen = [
            name
            for name in self.names or (self.wanted if self.is_all else ())
            if name in self._installed and name not in self.damaged
        ]
        services = {**self._installed, **{name: self.wanted[name] for name in chosen}}
        manager = self._manager(services)
        plan = manager.plan(dict.fromkeys(chosen, "started"))
        self._rendered = plan.rendered
        asked = [] if self.names or not self.is_all else [name for name in self.damaged if name in self.wanted]
        return [Step(name, False, self.damaged[name].why, waits=True) for name in asked] + [
            self._step(manager, plan.actions[name], plan.observed.get(name, ABSENT), fetch=fetch)
            for name in manager.services()
            if name in plan.actions
        ]

    def carry_out(self, announce: Callable[[list[Step]], None] = lambda steps: None) -> list[Updated]:
        """Update one service after the other, until all are or one fails; return what became of each.

        :param announce: told what will be done before anything is touched.
        :raises BusyError: another run is in progress.
        :raises DriverError: an image cannot be had; nothing was touched.
        :raises OSError: what is installed cannot be written down.
        """
        with my_turn(self._layout):
            steps = self.plan(fetch=True)
            announce(steps)
            results: list[Updated] = []
            for step in steps:
                if step.service in self.damaged:
                    problem = self.damaged[step.service]
                    results.append(
                        Updated(step.service, "left out", step.reason, error=problem.why, remedy=problem.remedy)
                    )
                elif not step.is_new:
                    results.append(Updated(step.service, "left out" if step.waits else "unchanged", step.reason))
                elif self.cancelled.is_set() or not all(one.is_well for one in results):
                    results.append(Updated(step.service, "not reached", step.reason, step.changes))
                else:
                    results.append(self._one(step))
            if all(one.is_well for one in results):
                self._adopt([step.service for step in steps if not step.is_new and not step.waits])
                write_settings(self._layout, self.settings)
            if any(one.result == "updated" for one in results) and self.run:
                _installation.complete(self._layout, list(self._installed.values()), self.settings, self.run)
        return results

    # --- deciding ----------------------------------------------------------------------------------------------------

    def _step(self, manager: Manager, action: Action, seen: Observation, *, fetch: bool) -> Step:
        name, state = action.service, self._states[action.service]
        if not self.wanted[name].is_ours:
            return Step(name, False, "runs elsewhere")
        if state.wanted == "stopped" and name not in self.names and not seen.is_up:
            return Step(name, False, "was stopped; name it to update it all the same", waits=True)
        if action.verb == "recreate" or (action.verb == "create" and _is_changed(state, self._rendered.get(name, {}))):
            return Step(name, True, action.reason, action.changes)
        if seen.is_up:
            driver = manager.drivers[self.wanted[name].mode]
            newer = driver.newer(self.wanted[name], driver.content(self.wanted[name], seen), fetch=fetch)
            if newer:
                return Step(name, True, newer, renews=True)
            return Step(name, False, "nothing new")
        return Step(name, False, f"nothing new; {seen.detail or 'does not run'}")

    # --- doing -------------------------------------------------------------------------------------------------------

    def _one(self, step: Step) -> Updated:
        name, former = step.service, self._installed[step.service]
        binary = former.deployment.binary if former.mode == "binary" else None
        download = binary.download if binary is not None else None
        before = self._manager(self._installed)
        seen = before.observe([name])[0].get(name, ABSENT)
        driver = before.drivers[former.mode]
        content = driver.content(former, seen)
        along = self._restarted(before, name)
        with _download.kept(download, self._layout.bin) as put_back:
            failure = self._bring(self.wanted[name], along, step.reason if step.renews else "", self.cancelled)
            if failure is None:
                self._installed[name] = self.wanted[name]
                return Updated(name, "updated", step.reason, step.changes)
            put_back()
            held = driver.holding(former, content)
            # The definition may be the same; what failed is not what it meant before.
            renew = "goes back to its former version" if step.renews and held == former else ""
            worse = self._bring(held, along, renew, threading.Event())
        self._installed[name] = held
        reason, remedy = failure.why, failure.remedy
        if worse is None:
            return Updated(name, "restored", step.reason, step.changes, _about(failure, name), remedy)
        error = f"{_about(failure, name)}; going back failed, too: {_about(worse, name)}"
        return Updated(name, "lost", step.reason, step.changes, error, worse.remedy or remedy or reason)

    def _bring(
        self, service: ServiceDefinition, along: Collection[str], renew: str, cancelled: threading.Event
    ) -> Problem | None:
        """Bring a service to a definition and see whether it does its work; return what is wrong.

        :param along: what is restarted with it.
        :param renew: why it is made anew although it is the same by its definition.
        """
        try:
            writer = ConfigWriter(self._layout)
            for change in list(writer.changes(service)):
                writer.apply(change)
            manager = self._manager({**self._installed, service.name: service})
            renewed = {service.name: renew} if renew else {}
            goals: dict[str, Goal] = dict.fromkeys([service.name, *along], "started")
            outcomes = manager.converge(goals, Options(cancelled=cancelled), renew=renewed, is_locked=True)[1]
            for outcome in outcomes.values():
                if not outcome.is_well:
                    return Problem(outcome.service, outcome.reason, outcome.remedy)
            for other, checks in manager.verify(list(goals)).items():
                for check in checks:
                    if not check.healthy:
                        return Problem(other, f"does not do its work: {check.reason}")
        except ProvisioningError as error:
            return error.problems[0]
        except OSError as error:
            return os_problem(service.name, error)
        return None

    def _restarted(self, manager: Manager, name: str) -> list[str]:
        """Return what runs and is to be restarted with a service, directly or by way of others."""
        near = _graph.reverse_dependencies(self._installed, name)
        up = [other for other, seen in manager.observe(near)[0].items() if seen.is_up] if near else []
        restart = {name}
        for other in reversed(near):  # in the order in which they start
            needs = self._installed[other].depends_on.items()
            if other in up and any(need in restart and how.restart for need, how in needs):
                restart.add(other)
        return sorted(restart - {name})

    def _adopt(self, names: Collection[str]) -> None:
        """Write down definitions whose changes touch nothing that runs, e.g. of a health check."""
        states = StateStore(self._layout)
        for name in names:
            document = to_dict(self.wanted[name], sparse=True)
            if document != self._states[name].definition:
                states.update(name, definition=document, rendered=self._rendered[name])
                self._installed[name] = self.wanted[name]

    def _manager(self, services: Mapping[str, ServiceDefinition]) -> Manager:
        return Manager(self.work_dir, services, self.settings, sinks=self.sinks, run=self.run)


def _is_changed(state: ServiceState, rendered: Mapping[str, Any]) -> bool:
    return bool(state.rendered) and dict(state.rendered) != dict(rendered)


def _about(problem: Problem, name: str) -> str:
    return problem.why if problem.what == name else f"{problem.what}: {problem.why}"


def _changed_for_all(before: Settings, now: Settings) -> list[Problem]:
    """Return what has changed of what holds for all services; that concerns them all at once."""
    return [
        Problem(setting, "has changed, which concerns all services at once", "Install: provisioning-run --config FILE.")
        for key, setting in _FOR_ALL.items()
        if getattr(before, key) != getattr(now, key)
    ]


_FOR_ALL = {
    "project": "deployment.project",
    "engine": "deployment.platform",
    "engine_url": "deployment.engine_url",
    "env": "env_vars",
    "elsewhere": "the services on other hosts",
    "rounds": "the hosts' rounds",
}
