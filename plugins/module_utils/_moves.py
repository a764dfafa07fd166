# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Services that move from one mode to another: what they were is taken away before they become what they are to be."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from . import _events as events
from ._build import build
from ._drivers._base import Context, Observation
from ._drivers._registry import drivers_for
from ._events import Emitter
from ._model import ServiceDefinition, ServiceState


class Moves:
    """What still runs in a mode that its definition no longer has.

    :param services: definitions as they are wanted.
    :param states: what is written down; it holds the definitions as they were.
    """

    def __init__(
        self, services: Mapping[str, ServiceDefinition], states: Mapping[str, ServiceState], context: Context
    ) -> None:
        self._before = {
            name: build(ServiceDefinition, state.definition, path=name)
            for name, state in states.items()
            if name in services and state.started_at is not None and state.mode != services[name].mode
        }
        self._modes = {name: services[name].mode for name in self._before}
        self._drivers = drivers_for(self._before.values(), context)

    def reason(self, name: str) -> str | None:
        """Say where a service moves, or nothing where it stays."""
        if name not in self._before:
            return None
        return f"moves from {self._before[name].mode} to {self._modes[name]}"

    def observe(self, names: Collection[str] | None = None) -> dict[str, Observation]:
        """Return what there still is of services in their former modes.

        :raises DriverError: a former mode's engine does not answer.
        """
        found: dict[str, Observation] = {}
        for mode, driver in self._drivers.items():
            chosen = [s for n, s in self._before.items() if s.mode == mode and (names is None or n in names)]
            if chosen:
                found |= {name: seen for name, seen in driver.observe(chosen).items() if seen.exists}
        return found

    def leave(self, names: Collection[str], emit: Emitter) -> None:
        """Take away what there still is of services in their former modes; their data stays.

        :raises DriverError: it cannot be removed.
        """
        for name, seen in self.observe(names).items():
            service = self._before[name]
            reason = self.reason(name) or ""
            emit(events.SERVICE_STOPPING, service=name, reason=reason)
            self._drivers[service.mode].remove(service, seen)
            emit(events.SERVICE_REMOVED, service=name, reason=reason)
