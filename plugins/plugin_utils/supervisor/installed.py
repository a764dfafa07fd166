# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is installed and what of it is to run, read again when it has changed; and what is written down of it."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from ansible_collections.provisioning.platform.plugins.module_utils import _supervised
from ansible_collections.provisioning.platform.plugins.module_utils._errors import (
    BusyError,
    ConfigurationError,
    Problem,
)
from ansible_collections.provisioning.platform.plugins.module_utils._events import Sink
from ansible_collections.provisioning.platform.plugins.module_utils._manager import Manager
from ansible_collections.provisioning.platform.plugins.module_utils._model import ServiceState
from ansible_collections.provisioning.platform.plugins.module_utils._paths import WorkDir
from ansible_collections.provisioning.platform.plugins.module_utils._settings import settings_path
from ansible_collections.provisioning.platform.plugins.module_utils._state import StateStore
from ansible_collections.provisioning.platform.plugins.module_utils._supervision import rules_of
from ansible_collections.provisioning.platform.plugins.module_utils._turns import my_turn, supervisors_turn
from ansible_collections.provisioning.platform.plugins.module_utils._watch import Phase, Rules

_HEALTH: Mapping[str, Literal["healthy", "unhealthy"]] = {
    "healthy": "healthy",
    "unhealthy": "unhealthy",
    "down": "unhealthy",
    "failed": "unhealthy",
}


class Installed:
    """The installation in a work dir, as the supervisor needs it.

    :param sinks: readers of the events of what is done to it.
    :param run: by what name the audit log knows who does that.
    """

    def __init__(self, layout: WorkDir, sinks: Sequence[Sink], *, run: str) -> None:
        self._layout = layout
        self._sinks = sinks
        self._run = run
        self._states = StateStore(layout)
        self._stamp: tuple[int, ...] = ()
        self._known: Any = None
        self._later: dict[str, dict[str, Any]] = {}
        self.manager = Manager(layout.root, {})
        self.rules: list[Rules] = []
        self.stopped: frozenset[str] = frozenset()
        self.damaged: dict[str, Problem] = {}

    def is_there(self) -> bool:
        """Whether there is an installation, and it is to be supervised."""
        return self._layout.state.is_dir() and _supervised.folder_of(self._layout).is_dir()

    def reload(self) -> bool:
        """Read what has changed; return whether other services are to be supervised, or in another way."""
        stamp = self._stamped()
        if stamp == self._stamp:
            return False
        try:
            return self._read(stamp)
        except ConfigurationError:  # it is half written, or damaged: what was known holds
            return False

    def is_wanted(self, name: str) -> bool:
        """Whether a service is to run, read just now."""
        try:
            return _is_wanted(self._states.read(name))
        except ConfigurationError:  # what is wanted cannot be told; that it may not be started is said by who would
            return True

    # --- what is written down ----------------------------------------------------------------------------------------

    def count_restart(self, name: str) -> None:
        """Count a restart that is about to be made; for who holds the lock of the run."""
        with contextlib.suppress(OSError, ConfigurationError):
            state = self._states.read(name)
            if state is not None:
                self._states.write(dataclasses.replace(state, restarts=state.restarts + 1))

    def note_trouble(self, name: str, reason: str) -> None:
        """Write down why a service was restarted."""
        self._write({name: {"last_error": reason}})

    def note_health(self, phases: Mapping[str, Phase]) -> None:
        """Write down the health of services that has changed."""
        self._write({name: {"health": _HEALTH.get(phase, "unknown")} for name, phase in phases.items()})

    def _write(self, changes: Mapping[str, dict[str, Any]]) -> None:
        for name, change in changes.items():
            self._later[name] = {**self._later.get(name, {}), **change}
        if not self._later:
            return
        # Somebody who is at it writes, too; then what was seen is written with the next change.
        with contextlib.suppress(BusyError, OSError):
            with supervisors_turn(self._layout), my_turn(self._layout):
                for name, change in self._later.items():
                    with contextlib.suppress(ConfigurationError):  # it is damaged, and others are not
                        self._write_one(name, change)
            self._later.clear()

    def _write_one(self, name: str, change: dict[str, Any]) -> None:
        state = self._states.read(name)
        if state is not None and any(getattr(state, key) != value for key, value in change.items()):
            self._states.write(dataclasses.replace(state, **change))

    # --- reading -----------------------------------------------------------------------------------------------------

    def _read(self, stamp: tuple[int, ...]) -> bool:
        states, self.damaged = self._states.survey()
        self.stopped = frozenset(name for name, state in states.items() if not _is_wanted(state))
        started: dict[str, Any] = {name: s.definition for name, s in states.items() if s.started_at is not None}
        started |= {name: problem.why for name, problem in self.damaged.items()}  # as the last installation has it
        known = (started, stamp[1:])
        is_news: bool = known != self._known
        if is_news:
            self.manager = Manager.open(self._layout.root, sinks=self._sinks, run=self._run)
            services = self.manager.services()
            self.rules = [rule for rule in rules_of(services) if rule.name in started]
            self._known = known
        self._stamp = stamp
        return is_news

    def _stamped(self) -> tuple[int, ...]:
        """Return what changes when anything is written: files are replaced, which their folder tells."""
        return (
            _changed(self._layout.state),
            _changed(self._layout.secrets),
            _changed(settings_path(self._layout)),
        )


def _is_wanted(state: ServiceState | None) -> bool:
    return state is not None and state.wanted == "started" and state.started_at is not None


def _changed(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0
