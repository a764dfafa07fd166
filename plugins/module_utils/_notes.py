# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writing down what reality does not keep about services: why, when, by whom, and what went wrong."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any, Literal

from ._audit import who
from ._build import to_dict
from ._converge import Outcome
from ._errors import ConfigurationError
from ._model import ServiceDefinition, ServiceState
from ._plan import Action, Goal, Plan
from ._settings import Settings
from ._state import StateStore

_WRITERS = 16  # waiting for the disk is most of the work, and it takes together what comes at the same time


class Notes:
    """Keeps the states of services. While they change it is a context, whose end is that all is written down.

    :param services: all definitions by name.
    """

    def __init__(self, states: StateStore, services: Mapping[str, ServiceDefinition], settings: Settings) -> None:
        self._states = states
        self._services = services
        self._settings = settings
        self._fresh: set[str] = set()
        self._who = who()
        self._writers = ThreadPoolExecutor(_WRITERS)
        self._writing: list[Future[None]] = []

    def __enter__(self) -> None:
        self._writers = ThreadPoolExecutor(_WRITERS, thread_name_prefix="notes")

    def __exit__(self, *_error: object) -> None:
        self._writers.shutdown()

    def start(self, action: Action, rendered: dict[str, Any], address: str | None = None, *, restarts: int = 0) -> None:
        """A service was started. Only :meth:`endings` waits until that is written down.

        :param restarts: how often what ran before was started again by who keeps it, which now counts anew.
        :param address: of what runs it, where the service decides that.
        """
        now = time.time()
        before = self._states.read(action.service)
        mode = self._services[action.service].mode
        place = self._settings if mode in ("docker", "compose") else None
        state = ServiceState(
            name=action.service,
            mode=mode,
            reason=action.reason,
            changed_at=now,
            changed_by=self._who,
            started_at=now,
            restarts=(before.restarts if before else 0) + restarts,
            definition=self._definition(action.service),
            rendered=rendered,
            project=place.project if place else None,
            engine=place.engine if place else None,
            engine_url=place.engine_url if place else address,
        )
        self._writing.append(self._writers.submit(self._states.write, state))
        self._fresh.add(action.service)

    def gone(self, action: Action) -> None:
        """A service was stopped or removed."""
        if action.verb == "remove":
            self._states.remove(action.service)
        else:
            self._states.update(
                action.service, wanted="stopped", reason=action.reason, changed_at=time.time(), changed_by=self._who
            )

    def all_definitions(self, names: Iterable[str]) -> None:
        """Services that are defined and were never started are known by name all the same."""
        for name in names:
            service = self._services[name]
            if self._states.read(name) is None:
                self._states.write(ServiceState(name=name, mode=service.mode, definition=self._definition(name)))

    def definitions(self, decided: Plan) -> None:
        """Settings that do not touch a running service, e.g. its health check, are written down as they change."""
        for name, action in decided.actions.items():
            if action.verb == "none" and action.digest and name not in decided.unavailable:
                state = self._states.read(name)
                if state is None:
                    self.start(action, decided.rendered[name])
                elif state.definition != self._definition(name):
                    self._states.update(name, definition=self._definition(name), rendered=decided.rendered[name])

    def endings(self, goals: Mapping[str, Goal], outcomes: Mapping[str, Outcome]) -> None:
        """What did not become what it was to be is known with the reason; what is gone is forgotten.

        :raises OSError: something cannot be written.
        """
        self._settle()
        for name, goal in goals.items():
            outcome = outcomes.get(name)
            if goal == "absent":
                if outcome is None or outcome.is_well:
                    self._states.remove(name)
            elif outcome is not None and outcome.result in ("failed", "skipped"):
                self._trouble(name, outcome.reason)
            elif outcome is not None and outcome.is_well:
                self._overcome(name)
                self._want(name, "stopped" if goal == "stopped" else "started")

    def was_started(self, name: str) -> bool:
        """Whether the service was ever started, so that something of it may be there."""
        try:
            state = self._states.read(name)
        except ConfigurationError:  # it is damaged, so nothing says that there is nothing
            return True
        return state is not None and state.started_at is not None

    def _settle(self) -> None:
        """Wait until all that was started is written down.

        :raises OSError: something cannot be written.
        """
        writing, self._writing = self._writing, []
        wait(writing)
        for written in writing:
            written.result()

    def _trouble(self, name: str, reason: str) -> None:
        self._fresh.discard(name)
        state = self._states.read(name)
        if state is None:
            service = self._services[name]
            state = ServiceState(name=name, mode=service.mode, definition=self._definition(name), changed_by=self._who)
            self._states.write(state)
        self._states.update(name, last_error=reason, changed_at=time.time())

    def _overcome(self, name: str) -> None:
        if name in self._fresh:  # it was written just now, without an error
            return
        state = self._states.read(name)
        if state is not None and state.last_error is not None:
            self._states.update(name, last_error=None)

    def _want(self, name: str, wanted: Literal["started", "stopped"]) -> None:
        """What was asked for holds although there was nothing to do: one that is down just now is to stay so."""
        state = self._states.read(name)
        if state is not None and state.wanted != wanted:
            self._states.update(name, wanted=wanted, changed_at=time.time(), changed_by=self._who)

    def _definition(self, name: str) -> dict[str, Any]:
        document: dict[str, Any] = to_dict(self._services[name], sparse=True)
        return document
