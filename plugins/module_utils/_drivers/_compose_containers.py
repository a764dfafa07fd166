# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The containers that Compose made for us, asked from the engine itself: ``docker compose ps`` takes seconds.

All that stopping and removing need stands in the containers' labels, so that both work when the file is gone.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .._health import HealthResult
from .._model import ServiceDefinition
from ._base import Context
from ._compose_file import LABEL_COMPOSE_SERVICE, LABEL_FILES, LABEL_NEEDS, LABEL_NETWORK, LABEL_PROJECT, LABEL_RESTART
from ._docker_containers import delete, for_each
from ._docker_engine import Engine
from ._docker_errors import NOT_FOUND, EngineError, engine_errors
from ._docker_observe import ENDED, Instance, instances
from ._docker_render import LABEL_SERVICE, ownership
from ._docker_signals import is_deaf

_KILLS = ("SIGKILL", "KILL", "9")


@dataclass(frozen=True)
class Container:
    """A container of a Compose project.

    :param project: the Compose project.
    :param service: the service in the file.
    :param owner: the service of ours that it was made for; empty where others need it only.
    :param needs: services in the file that it needs, each after what it needs itself.
    :param restart: restart policy of the file.
    :param network: the platform's network, where it is to be on that.
    :param is_ours: made for this installation.
    :param file: the Compose file.
    """

    instance: Instance
    project: str
    service: str
    owner: str
    needs: tuple[str, ...]
    restart: str
    network: str
    is_ours: bool
    file: str

    @property
    def id(self) -> str:
        """The engine's id."""
        return self.instance.id

    @property
    def is_up(self) -> bool:
        """Whether there is something to be stopped."""
        return self.instance.state not in ENDED


def of_installation(engine: Engine, context: Context) -> list[Container]:
    """Return all containers that Compose made for this installation, with one request.

    :raises DriverError: the engine does not answer.
    """
    labels = [LABEL_PROJECT, *(f"{name}={value}" for name, value in ownership(context).items())]
    # Podman 4 is content with one label of several.
    return [one for one in _listed(engine, context, labels) if one.is_ours and one.project]


def of_project(engine: Engine, context: Context, project: str) -> list[Container]:
    """Return all containers of a Compose project, whoever made them.

    :raises DriverError: the engine does not answer.
    """
    return _listed(engine, context, [f"{LABEL_PROJECT}={project}"])


def for_service(containers: Iterable[Container], name: str) -> list[Container]:
    """Return those made for a service of ours."""
    return [container for container in containers if container.owner == name]


def no_longer_needed(staying: Collection[Container], leaving: Collection[Container]) -> list[Container]:
    """Return what was brought up for containers and nothing needs once these are gone, in the order to go.

    :param staying: what will be there without them: what runs, at a stop, all there is, at a removal.
    """
    kept = {(one.project, need) for one in staying if one.owner for need in one.needs}
    gone = dict.fromkeys((one.project, need) for one in leaving for need in reversed(one.needs))
    return [
        one
        for place in gone
        if place not in kept
        for one in staying
        if (one.project, one.service) == place and not one.owner
    ]


def lost_need(container: Container, everything: Collection[Container]) -> str:
    """Return in words what a container needs inside its file and is gone or broken, nothing where all is there."""
    places = {(one.project, one.service): one for one in everything}
    for need in container.needs:
        found = places.get((container.project, need))
        if found is None:
            return f"{need}, which it needs inside its file, is gone"
        if not found.is_up and found.instance.exit_code != 0:  # one that ended well may have had nothing else to do
            return f"{need}, which it needs inside its file, has ended: {found.instance.text}"
    return ""


def ownerless(containers: Collection[Container]) -> list[Container]:
    """Return what was brought up for a container that somebody took away since, and that nothing else needs."""
    kept = {(one.project, need) for one in containers if one.owner for need in one.needs}
    return [one for one in containers if not one.owner and (one.project, one.service) not in kept]


def stop(engine: Engine, service: ServiceDefinition, containers: Sequence[Container]) -> None:
    """Stop containers, all at once: the stop signal of the file, its grace period or ours, then a kill.

    :raises DriverError: one cannot be stopped.
    """
    for_each(containers, lambda one: _stop(engine, service, one))


def remove(engine: Engine, service: ServiceDefinition, containers: Sequence[Container]) -> None:
    """Stop containers and take them away with their unnamed volumes.

    :raises DriverError: one cannot be removed.
    """

    def gone(one: Container) -> None:
        if one.is_up:
            _stop(engine, service, one)
        delete(engine, service.name, one.id)

    for_each(containers, gone)


def rejoin(engine: Engine, service: str, containers: Iterable[Container]) -> None:
    """Connect containers to the platform's network again, which somebody took from them.

    :raises DriverError: one cannot be connected.
    """
    for one in containers:
        joined = one.instance.networks
        if one.network and joined is not None and one.network not in joined:
            with engine_errors(service):
                engine.api.connect_container_to_network(one.id, one.network, aliases=[service])


def unpause(engine: Engine, containers: Iterable[Container]) -> None:
    """Let those go on that somebody paused; Compose would leave them.

    :raises DriverError: one cannot go on.
    """
    for one in containers:
        if one.instance.state == "paused":
            with engine_errors(one.owner or one.service):
                engine.api.unpause(one.id)


def health(engine: Engine, service: str, containers: Sequence[Container]) -> HealthResult | None:
    """Return what the containers' own health checks say; nothing where one has none, or does not run.

    :raises DriverError: the engine does not answer.
    """
    results = [_health(engine, service, one) for one in containers]
    if not results or any(result is None for result in results):
        return None
    return next((result for result in results if result and not result.healthy), results[0])


def own_health(engine: Engine, containers: Sequence[Container]) -> str:
    """Return what the engine's list says of containers' own health checks: ``healthy``, ``none``, or else nothing.

    Podman's list does not say it of all.
    """
    texts = [one.instance.text for one in containers]
    if texts and all("(healthy)" in text for text in texts):
        return "healthy"
    said = any("(health" in text or "(unhealthy" in text for text in texts)
    return "" if said or engine.is_podman or not texts else "none"


def check_again(engine: Engine, containers: Iterable[Container]) -> None:
    """Make the health checks that wait to be made.

    Podman leaves them to timers of systemd, and where there is none, nobody makes them.
    """
    if engine.is_podman:
        for one in containers:
            if one.instance.state == "running" and "(healthy)" not in one.instance.text:
                with contextlib.suppress(EngineError):  # it has none, or has just ended
                    _check_on_podman(engine, one)


def _health(engine: Engine, service: str, container: Container) -> HealthResult | None:
    check_again(engine, [container])
    try:
        with engine_errors(service):
            state = engine.api.inspect_container(container.id)["State"]
    except EngineError as error:
        if error.status == NOT_FOUND:
            return None
        raise
    found = state.get("Health") or {}
    status = found.get("Status") or "none"
    if status == "none" or not state.get("Running"):
        return None
    if status == "healthy":
        return HealthResult(True, "its own health check passes")
    log = found.get("Log") or []
    said = " ".join(str(log[-1].get("Output", "")).split())[:200] if log else ""
    if said:
        return HealthResult(False, f"its own health check fails: {said}")
    return HealthResult(False, f"its own health check says {status}")


def _check_on_podman(engine: Engine, container: Container) -> None:
    with engine_errors(container.service):
        url = f"{engine.api.base_url}/v4.0.0/libpod/containers/{container.id}/healthcheck"
        engine.api.get(url, timeout=engine.api.timeout).close()


def _listed(engine: Engine, context: Context, labels: Sequence[str]) -> list[Container]:
    with engine_errors("Docker Compose"):
        listing = engine.api.containers(all=True, filters={"label": list(labels)})
    return [_container(entry, context) for entry in listing]


def _container(entry: Mapping[str, Any], context: Context) -> Container:
    labels: Mapping[str, str] = entry.get("Labels") or {}
    found = next(iter(instances([entry]).values()))
    return Container(
        instance=found[0],
        project=labels.get(LABEL_PROJECT, ""),
        service=labels.get(LABEL_COMPOSE_SERVICE, ""),
        owner=labels.get(LABEL_SERVICE, ""),
        needs=tuple(name for name in labels.get(LABEL_NEEDS, "").split(",") if name),
        restart=labels.get(LABEL_RESTART, "no"),
        network=labels.get(LABEL_NETWORK, ""),
        is_ours=ownership(context).items() <= labels.items(),
        file=labels.get(LABEL_FILES, "").split(",")[0],
    )


def _stop(engine: Engine, service: ServiceDefinition, one: Container) -> None:
    container = one.id
    try:
        unpause(engine, [one])  # what is frozen hears no signal
        with engine_errors(service.name):
            config = engine.api.inspect_container(container)["Config"]
        name = config.get("StopSignal") or service.startup.stop_signal
        grace = config.get("StopTimeout")
        seconds = service.startup.stop_timeout if grace is None else grace
        if name in _KILLS or _cannot_hear(engine, service.name, container, name):
            seconds = 0
        with engine_errors(service.name):
            engine.api.stop(container, timeout=math.ceil(seconds))
    except EngineError as error:
        if error.status != NOT_FOUND:
            raise


def _cannot_hear(engine: Engine, service: str, container: str, name: str) -> bool:
    return not name.isdigit() and is_deaf(engine, service, container, name)
