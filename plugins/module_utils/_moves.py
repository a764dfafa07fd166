# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Services that move to another mode, project, engine or cluster: what they were goes before they are made anew."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Collection, Iterator, Mapping
from typing import NamedTuple

from . import _events as events
from ._build import build
from ._drivers._base import Context, Driver, Observation
from ._drivers._registry import drivers_for
from ._errors import DriverError, Problem
from ._events import Emitter
from ._model import KubernetesDeployment, ServiceDefinition, ServiceState

_CLUSTER = "kubernetes"


class _Place(NamedTuple):
    """Where containers are made."""

    project: str
    engine: str
    engine_url: str | None


class Moves:
    """What still is where its definition, or the installation, no longer has it.

    :param services: definitions as they are wanted.
    :param states: what is written down; it holds the definitions as they were, and where they were started.
    :param drivers: of the definitions as they are wanted, by mode.
    """

    def __init__(
        self,
        services: Mapping[str, ServiceDefinition],
        states: Mapping[str, ServiceState],
        context: Context,
        drivers: Mapping[str, Driver],
    ) -> None:
        self._reasons: dict[str, str] = {}
        self._before: dict[_Place, dict[str, ServiceDefinition]] = {}
        self._astray: dict[str, Problem] = {}
        self._here = _Place(context.project, context.engine, context.engine_url)
        for name, state in states.items():
            if name in services and state.started_at is not None:
                reason = _reason(state, services[name], context) or self._other_cluster(state, services[name], drivers)
                if reason is not None:
                    self._reasons[name] = reason
                    self._before.setdefault(self._place(state), {})[name] = _definition(state)
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

        What is on a cluster that cannot be reached any more, which may be why it was left, is named in a warning.

        :raises DriverError: it cannot be removed.
        """
        for driver, service, seen in self._there(names):
            reason = self._reasons[service.name]
            emit(events.SERVICE_STOPPING, service=service.name, reason=reason)
            driver.remove(service, seen)
            emit(events.SERVICE_REMOVED, service=service.name, reason=reason)
        for name, problem in self._astray.items():
            if name in names:
                emit(events.SERVICE_WARNING, service=name, reason=f"{problem.why}. {problem.remedy}")
        for place, drivers in self._drivers.items():
            for mode, driver in drivers.items():
                if mode == _CLUSTER:  # one installation may be in many namespaces
                    with contextlib.suppress(DriverError):
                        driver.clean()
                elif place != self._here:
                    driver.clean()
                if place != self._here:
                    driver.release()

    def _there(self, names: Collection[str] | None) -> Iterator[tuple[Driver, ServiceDefinition, Observation]]:
        for place, services in self._before.items():
            for mode, driver in self._drivers[place].items():
                chosen = [
                    service
                    for name, service in services.items()
                    if service.mode == mode and (names is None or name in names) and name not in self._astray
                ]
                observed = self._observed(driver, chosen) if chosen else {}
                for service in chosen:
                    if service.name in observed and observed[service.name].exists and service.is_ours:
                        yield driver, service, observed[service.name]

    def _observed(self, driver: Driver, services: list[ServiceDefinition]) -> dict[str, Observation]:
        if driver.mode != _CLUSTER:
            return driver.observe(services)
        observed: dict[str, Observation] = {}
        for service in services:  # each may have been on a cluster of its own
            try:
                observed |= driver.observe([service])
            except DriverError as error:
                self._astray[service.name] = _left(service, error.problems[0].why, driver.context.project)
        return observed

    def _other_cluster(
        self, state: ServiceState, service: ServiceDefinition, drivers: Mapping[str, Driver]
    ) -> str | None:
        """Say that a service moves to another cluster; where nothing leads to the old one any more, note that."""
        if state.mode != _CLUSTER or service.mode != _CLUSTER:
            return None
        driver, before = drivers[_CLUSTER], _definition(state)
        now = driver.address(service)
        is_led_elsewhere = _credentials(before) != _credentials(service)
        earlier = driver.address(before) if is_led_elsewhere else now
        was = state.engine_url or earlier
        if now is None or was == now:
            return None
        still_leads = was is not None and was == earlier
        if _is_same(driver, service, before if still_leads else None):
            return None
        if not still_leads:
            how = f"it is on the cluster {was}, and " if was else ""
            where = f"{how}{_told(before)} {f'leads to {earlier}' if earlier else 'cannot be read'}"
            self._astray[state.name] = _left(before, where, driver.context.project)
        return f"moves from the cluster {was or f'of {_told(before)}'} to {now}"

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
    if service.mode == _CLUSTER and service.deployment.kubernetes is not None:
        old, new = _block(_definition(state)).namespace, service.deployment.kubernetes.namespace
        if old != new:
            return f"moves from the namespace {old} to {new}"
    return None


def _definition(state: ServiceState) -> ServiceDefinition:
    return build(ServiceDefinition, state.definition, path=state.name)


def _block(service: ServiceDefinition) -> KubernetesDeployment:
    return service.deployment.kubernetes or KubernetesDeployment()


def _credentials(service: ServiceDefinition) -> tuple[str | None, str | None]:
    return _block(service).kubeconfig, _block(service).context


def _told(service: ServiceDefinition) -> str:
    kubeconfig, context = _credentials(service)
    file = f"the kubeconfig {kubeconfig}" if kubeconfig else "the kubeconfig"
    return f"{file} with the context {context}" if context else file


def _left(service: ServiceDefinition, why: str, project: str) -> Problem:
    labels = f"io.provisioning/project={project},io.provisioning/service={service.name}"
    what = f"what it has in the namespace {_block(service).namespace} is left there: {why}"
    return Problem(service.name, what, f"Remove what has the labels {labels}, or correct kubeconfig and context.")


def _is_same(driver: Driver, service: ServiceDefinition, before: ServiceDefinition | None) -> bool:
    try:
        return driver.is_same(service, before)
    except DriverError:  # where it is to be is out of reach, so that nothing will be done there
        return True


def _context_of(place: _Place, context: Context) -> Context:
    return dataclasses.replace(context, **place._asdict())
