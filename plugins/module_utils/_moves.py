# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Services that move to another mode, project or engine: what they were goes before they become what they are to be."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterator, Mapping
from typing import NamedTuple

from . import _events as events
from ._build import build
from ._drivers._base import Context, Driver, Observation
from ._drivers._registry import drivers_for
from ._events import Emitter
from ._model import KubernetesDeployment, ServiceDefinition, ServiceState


class _Place(NamedTuple):
    """Where containers are made."""

    project: str
    engine: str
    engine_url: str | None


class Moves:
    """What still is where its definition, or the installation, no longer has it.

    :param services: definitions as they are wanted.
    :param states: what is written down; it holds the definitions as they were, and where containers were made.
    """

    def __init__(
        self, services: Mapping[str, ServiceDefinition], states: Mapping[str, ServiceState], context: Context
    ) -> None:
        self._reasons: dict[str, str] = {}
        self._before: dict[_Place, dict[str, ServiceDefinition]] = {}
        self._here = _Place(context.project, context.engine, context.engine_url)
        for name, state in states.items():
            if name in services and state.started_at is not None:
                reason = _reason(state, services[name], context)
                if reason is not None:
                    self._reasons[name] = reason
                    before = build(ServiceDefinition, state.definition, path=name)
                    self._before.setdefault(self._place(state), {})[name] = before
        self._drivers = {
            place: drivers_for(there.values(), _context_of(place, context)) for place, there in self._before.items()
        }

    def reason(self, name: str) -> str | None:
        """Say where a service moves, or nothing where it stays."""
        return self._reasons.get(name)

    def observe(self, names: Collection[str] | None = None) -> dict[str, Observation]:
        """Return what there still is of services where they were.

        :raises DriverError: the engine that they were on does not answer.
        """
        return {service.name: seen for _driver, service, seen in self._there(names)}

    def leave(self, names: Collection[str], emit: Emitter) -> None:
        """Take away what there still is of services where they were; their data stays.

        :raises DriverError: it cannot be removed.
        """
        for driver, service, seen in self._there(names):
            reason = self._reasons[service.name]
            emit(events.SERVICE_STOPPING, service=service.name, reason=reason)
            driver.remove(service, seen)
            emit(events.SERVICE_REMOVED, service=service.name, reason=reason)
        for place, drivers in self._drivers.items():
            if place != self._here:
                for driver in drivers.values():
                    driver.clean()
                    driver.release()

    def _there(self, names: Collection[str] | None) -> Iterator[tuple[Driver, ServiceDefinition, Observation]]:
        for place, services in self._before.items():
            for mode, driver in self._drivers[place].items():
                chosen = [s for n, s in services.items() if s.mode == mode and (names is None or n in names)]
                observed = driver.observe(chosen) if chosen else {}
                for service in chosen:
                    if observed[service.name].exists and service.is_ours:
                        yield driver, service, observed[service.name]

    def _place(self, state: ServiceState) -> _Place:
        if state.project is None or state.engine is None:
            return self._here
        return _Place(state.project, state.engine, state.engine_url)


def _reason(state: ServiceState, service: ServiceDefinition, context: Context) -> str | None:
    if state.mode != service.mode:
        return f"moves from {state.mode} to {service.mode}"
    if state.engine is not None and state.engine != context.engine:
        return f"moves from {state.engine} to {context.engine}"
    if state.project is not None and state.project != context.project:
        return f"moves from the project {state.project} to {context.project}"
    if service.mode == "kubernetes" and service.deployment.kubernetes is not None:
        before = (state.definition.get("deployment") or {}).get("kubernetes") or {}
        old, new = before.get("namespace", KubernetesDeployment.namespace), service.deployment.kubernetes.namespace
        if old != new:
            return f"moves from the namespace {old} to {new}"
    return None


def _context_of(place: _Place, context: Context) -> Context:
    return dataclasses.replace(context, **place._asdict())
