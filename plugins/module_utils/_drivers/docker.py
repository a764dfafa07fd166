# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The mode ``docker``: containers on Docker, Podman or OrbStack.

The engine is the only memory: what we made carries labels of the project and the work dir, and nothing else is ever
touched. A start costs two requests, the state of all services one.
"""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .. import _ports
from .._errors import ConfigurationError, DriverError, Problem
from .._health import HealthResult
from .._model import CommandHealthCheck, ServiceDefinition
from .._secrets import references
from .._state import valid_name
from . import _docker_output, _docker_render, _docker_shared
from ._base import Driver, LogLine, Observation
from ._compose_file import LABEL_PROJECT
from ._docker_containers import delete, for_each
from ._docker_engine import Connection, Engine
from ._docker_errors import NOT_FOUND, EngineError, engine_errors, explain
from ._docker_images import Images, check_build
from ._docker_mounts import check_mounts, prepare_mounts
from ._docker_observe import ENDED, Instance, instances, observation
from ._docker_render import LABEL_SERVICE, block, container_names, ownership, template_of
from ._docker_rootless import port_problems
from ._docker_signals import is_deaf

# Podman leaves ports below 1024 to root even inside a container, Docker does not: the same definition runs on both.
_PODMAN_SYSCTLS = {"net.ipv4.ip_unprivileged_port_start": "0"}


class DockerDriver(Driver):
    """Runs services as containers.

    :param sleep: waits some seconds between the attempts of a pull.
    :param clock: unix time in seconds.
    """

    mode = "docker"
    parallelism = 4  # more do not start faster: the engine itself is busy then

    def set_up(self) -> None:
        """Make the connection, which is opened when it is first needed."""
        self._connection = Connection(self.context)
        self._images = Images(self.context.notify, sleep=self._sleep)

    # --- looking -----------------------------------------------------------------------------------------------------

    def check(self, service: ServiceDefinition) -> list[Problem]:
        """Return what keeps the service from running here. Whether its image can be had is found out at the start."""
        try:
            settings = self.render(service)
            engine = self._connection.engine()
            problems = _docker_render.check_document(settings, service)
            problems += self._check_foreigners(engine, service)
            problems += self._check_image(engine, service)
            problems += port_problems(engine, service)
            problems += _check_addresses(engine, service)
            mounts = _docker_render.volumes(settings, service.name)
            return problems + check_mounts(service, mounts, self.context.work_dir, engine)
        except (ConfigurationError, DriverError) as error:
            return list(error.problems)

    def observe(self, services: Sequence[ServiceDefinition]) -> dict[str, Observation]:
        """Return what each service is, with one request for all.

        :raises DriverError: no engine answers.
        """
        only = services[0].name if len(services) == 1 else None
        found = self._instances(self._connection.engine(), only)
        now = self._clock()
        return {
            service.name: observation(
                service,
                found.get(service.name, []),
                self._rendered_replicas(service),
                now,
                networks=_docker_shared.network_choices(self.context, service),
            )
            for service in services
        }

    def glance(self, service: ServiceDefinition, seen: Observation) -> HealthResult | None:  # noqa: ARG002
        """Return that it runs, which is enough."""
        return HealthResult(True, "it runs")

    def find(self, recorded: Sequence[ServiceDefinition] = ()) -> list[ServiceDefinition]:  # noqa: ARG002
        """Return the services that have containers with our labels.

        :raises DriverError: no engine answers.
        """
        found = self._instances(self._connection.engine(), None)
        return [_docker_render.stand_in(name) for name in sorted(found) if valid_name(name)]

    def render(self, service: ServiceDefinition) -> dict[str, Any]:
        """Return what would be created, in the words of the definition.

        :raises ConfigurationError: a port, a volume or an amount of memory cannot be read.
        """
        return _docker_render.document(service, self.context)

    def logs(self, service: ServiceDefinition, *, follow: bool = False, tail: int | None = None) -> Iterator[LogLine]:
        """Yield its output, of all replicas together, oldest first.

        :raises DriverError: no engine answers.
        """
        engine = self._connection.engine()
        containers = [instance.id for instance in self._instances(engine, service.name).get(service.name, [])]
        yield from _docker_output.read_logs(engine, containers, service.name, follow=follow, tail=tail)

    def execute(self, service: ServiceDefinition, check: CommandHealthCheck) -> tuple[int, str]:
        """Run a check's command inside the service's container, the first of several; return exit code and output.

        :raises DriverError: it has no container that runs, or no engine answers.
        """
        engine = self._connection.engine()
        found = [i for i in self._instances(engine, service.name).get(service.name, []) if i.state == "running"]
        if not found:
            raise DriverError(Problem(service.name, "has no container that runs", f"Start {service.name}."))
        return _docker_output.execute(engine, found[0].id, service.name, check.command, check.timeout)

    def content(self, service: ServiceDefinition, observation: Observation) -> str:
        """Return the id of the image that its containers were made from.

        :raises DriverError: no engine answers.
        """
        return self._images.of(self._connection.engine(), service.name, observation.id) if observation.id else ""

    def newer(self, service: ServiceDefinition, content: str, *, fetch: bool = False) -> str:
        """Say that its image's name means another image than the one that runs.

        With ``pull: always`` the registry is asked, or with ``fetch`` the image pulled; otherwise what is on the engine
        counts.

        :raises DriverError: the image cannot be had, or no engine answers.
        """
        return self._images.newer(self._connection.engine(), service, content, fetch=fetch)

    def holding(self, service: ServiceDefinition, content: str) -> ServiceDefinition:
        """Return its definition with the id of an image, where the image's name now means another one.

        :raises DriverError: no engine answers.
        """
        return self._images.holding(self._connection.engine(), service, content)

    # --- doing -------------------------------------------------------------------------------------------------------

    def prepare(self, services: Sequence[ServiceDefinition]) -> None:
        """Make the networks and named volumes of the services, as far as they are missing.

        :raises DriverError: one cannot be made.
        """
        _docker_shared.make_shared(self._connection.keep(), self.context, services)

    def start(self, service: ServiceDefinition, observation: Observation, digest: str) -> Observation:
        """Create and start its containers, as many as there are to be; those made from something else are replaced.

        :raises DriverError: the image cannot be had, or the engine refuses.
        :raises ConfigurationError: a secret does not exist.
        """
        engine = self._connection.engine()
        settings = self.render(service)
        names = container_names(self.context.project, service.name, block(service).replicas)
        there = self._instances(engine, service.name).get(service.name, []) if observation.exists else []
        kept = {i.replica: i for i in there if i.replica in names and _is_current(i, settings, digest)}
        missing = [replica for replica in names if replica not in kept]
        prepare_mounts(service, _docker_render.volumes(settings, service.name), self.context.work_dir, engine)
        if missing:
            # Before anything is taken away: a service that runs is not given up for an image that cannot be had.
            self._get_image_ready(engine, service, is_replacing=bool(there))
        self._remove_all(engine, service, {i.id: i.state for i in there if kept.get(i.replica) is not i})
        ids = {replica: i.id for replica, i in kept.items()}
        for instance in kept.values():
            self._start_again(engine, service, instance)
        for replica in missing:
            body = self._body(engine, service, settings, digest, replica)
            ids[replica] = self._create_and_start(engine, service, names[replica], body)
        ordered = tuple(ids[replica] for replica in names)
        return Observation("running", digest, ordered[0], self._clock(), instances=ordered)

    def stop(self, service: ServiceDefinition, observation: Observation) -> None:
        """Stop its containers: the stop signal, ``startup.stop_timeout``, then a kill.

        :raises DriverError: one cannot be stopped.
        """
        if observation.instances:
            engine = self._connection.engine()

            def one(container: str) -> None:
                if not observation.is_up:
                    _wake(engine, service, container)
                _stop(engine, service, container, patience=None if _can_be_asked(engine, service, container) else 0)

            for_each(observation.instances, one)

    def remove(self, service: ServiceDefinition, observation: Observation) -> None:
        """Stop its containers and take them away with their unnamed volumes.

        :raises DriverError: one cannot be removed.
        """
        if observation.exists:
            engine = self._connection.engine()
            if observation.is_up:  # then all of them run
                self._remove_all(engine, service, dict.fromkeys(observation.instances, "running"))
            else:
                there = self._instances(engine, service.name).get(service.name, [])
                self._remove_all(engine, service, {instance.id: instance.state for instance in there})

    def clean(self) -> list[str]:
        """Remove the networks that :meth:`prepare` made and no container uses; return their names.

        :raises DriverError: one cannot be removed.
        """
        return _docker_shared.remove_networks(self._connection.engine(), self.context)

    def purge(self) -> list[str]:
        """Remove the named volumes that :meth:`prepare` made, with what is in them; return their names.

        :raises DriverError: one cannot be removed.
        """
        return _docker_shared.remove_volumes(self._connection.engine(), self.context)

    def release(self) -> None:
        """End Podman's API, if we serve it and have no container any more.

        :raises DriverError: it does not end, or no engine answers.
        """
        if not self._instances(self._connection.engine(), None):
            self._connection.release()

    # --- helpers -----------------------------------------------------------------------------------------------------

    def _instances(self, engine: Engine, service: str | None) -> dict[str, list[Instance]]:
        labels = [f"{name}={value}" for name, value in ownership(self.context).items()]
        if service is not None:
            labels.append(f"{LABEL_SERVICE}={service}")
        with engine_errors(service or engine.name):
            listing = engine.api.containers(all=True, filters={"label": labels})
        return instances(
            entry
            for entry in listing
            if _docker_shared.is_ours(entry, self.context) and LABEL_PROJECT not in (entry.get("Labels") or {})
        )

    def _rendered_replicas(self, service: ServiceDefinition) -> dict[str, Any]:
        return self.render(service) if block(service).replicas > 1 else {}

    def _check_foreigners(self, engine: Engine, service: ServiceDefinition) -> list[Problem]:
        names = set(container_names(self.context.project, service.name, block(service).replicas).values())
        pattern = f"^/?{re.escape(f'{self.context.project}-{service.name}')}(-[0-9]+)?$"
        with engine_errors(service.name):
            listing = engine.api.containers(all=True, filters={"name": pattern})
        ours = {**ownership(self.context), LABEL_SERVICE: service.name}.items()
        return [
            Problem(
                service.name,
                f"a container named {name} exists already and was not made for this installation",
                "Remove it, or set deployment.project to another name.",
            )
            for entry in listing
            for name in [entry["Names"][0].lstrip("/")]
            if name in names and not ours <= (entry.get("Labels") or {}).items()
        ]

    def _check_image(self, engine: Engine, service: ServiceDefinition) -> list[Problem]:
        docker = block(service)
        if docker.pull == "never":
            if self._images.exists(engine, docker.image):
                return []
            remedy = f"Pull or build it first, or set docker.pull of {service.name} to missing."
            return [Problem(service.name, f"the image {docker.image} is not on this machine", remedy)]
        return check_build(docker, service.name)

    def _get_image_ready(self, engine: Engine, service: ServiceDefinition, *, is_replacing: bool) -> None:
        """Renew the image where that is wanted. Whether it is there at all, the creation tells by itself."""
        docker = block(service)
        if docker.pull == "always" or (is_replacing and not self._images.exists(engine, docker.image)):
            self._images.obtain(engine, service)

    def _body(
        self, engine: Engine, service: ServiceDefinition, settings: dict[str, Any], digest: str, replica: str
    ) -> dict[str, Any]:
        body = _docker_render.creation(
            settings,
            service,
            self.context,
            digest=digest,
            replica=replica,
            gateway=_docker_shared.host_address(engine, self.context),
            sysctls=_PODMAN_SYSCTLS if engine.is_podman else None,
        )
        filled: dict[str, Any] = self.context.secrets.fill(body)
        return filled

    def _create_and_start(self, engine: Engine, service: ServiceDefinition, name: str, body: dict[str, Any]) -> str:
        try:
            container = self._create(engine, service, name, body)
            try:
                if block(service).networks:
                    _docker_shared.join_networks(engine, self.context, service, container)
                with engine_errors(service.name):
                    engine.api.start(container)
            except DriverError:
                with contextlib.suppress(DriverError):  # what made the start fail is what counts
                    delete(engine, service.name, container)
                raise
        except EngineError as error:
            raise DriverError(explain(service.name, self._without_secrets(error.text, service))) from None
        return container

    def _create(self, engine: Engine, service: ServiceDefinition, name: str, body: dict[str, Any]) -> str:
        try:
            return _create_container(engine, service, name, body)
        except EngineError as error:
            if not error.is_missing_image:
                raise
        self._images.obtain(engine, service)
        return _create_container(engine, service, name, body)

    def _start_again(self, engine: Engine, service: ServiceDefinition, instance: Instance) -> None:
        if instance.state == "paused":
            _wake(engine, service, instance.id)
        _docker_shared.rejoin_networks(engine, self.context, service, instance)
        with engine_errors(service.name):
            engine.api.start(instance.id)

    def _remove_all(self, engine: Engine, service: ServiceDefinition, states: Mapping[str, str]) -> None:
        def one(container: str) -> None:
            if states[container] == "paused":
                _wake(engine, service, container)
            # An engine kills what it removes by force, so what is to be killed anyway is not asked to stop first.
            if states[container] not in ENDED and _can_be_asked(engine, service, container):
                _stop(engine, service, container)
            delete(engine, service.name, container)

        for_each(list(states), one)

    def _without_secrets(self, text: str, service: ServiceDefinition) -> str:
        for owner, name in references(self.render(service)):
            secret = self.context.secrets.read(owner).get(name)
            if secret is not None:
                text = text.replace(secret.value, f"${{secret.{owner}.{name}}}")
        return text


def _check_addresses(engine: Engine, service: ServiceDefinition) -> list[Problem]:
    # With root's rights Podman forwards in the kernel, from IPv6 to IPv6; its networks have IPv4.
    if not engine.is_podman or engine.owner != 0:
        return []
    remedy = f"Publish it on an IPv4 address in docker.ports of {service.name}, or use Docker."
    return [
        Problem(
            service.name, f"port {port} is to be published on {port.address}, and Podman forwards IPv4 only", remedy
        )
        for port in _ports.needed(service)
        if ":" in port.address
    ]


def _is_current(instance: Instance, settings: dict[str, Any], digest: str) -> bool:
    """Whether a container is what is wanted; one of several replicas is, whatever number they were made for."""
    return instance.digest == digest or (bool(instance.replica) and instance.template == template_of(settings))


def _create_container(engine: Engine, service: ServiceDefinition, name: str, body: dict[str, Any]) -> str:
    with engine_errors(service.name):
        return str(engine.api.create_container_from_config(body, name)["Id"])  # type: ignore[no-untyped-call]


def _can_be_asked(engine: Engine, service: ServiceDefinition, container: str) -> bool:
    startup = service.startup
    if startup.stop_timeout <= 0 or startup.stop_signal in ("SIGKILL", "KILL"):
        return False
    return not is_deaf(engine, service.name, container, startup.stop_signal)


def _stop(engine: Engine, service: ServiceDefinition, container: str, *, patience: float | None = None) -> None:
    seconds = service.startup.stop_timeout if patience is None else patience
    try:
        with engine_errors(service.name):
            engine.api.stop(container, timeout=math.ceil(seconds))
    except EngineError as error:
        if error.status != NOT_FOUND:
            raise


def _wake(engine: Engine, service: ServiceDefinition, container: str) -> None:
    """Let what somebody paused go on: what is frozen hears no signal. That it is not paused is no error."""
    try:
        with engine_errors(service.name):
            engine.api.unpause(container)
    except EngineError as error:
        if error.status is None:
            raise
