# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The mode ``compose``: services out of Compose files, brought up by the real Docker Compose v2.

Compose makes the containers; whether they are there is asked from the engine itself, by label. What the platform adds
(labels, its network, variables) is a second Compose file that Compose reads from standard input.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import threading
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

from .._errors import ConfigurationError, DriverError, Problem
from .._health import HealthResult
from .._model import AnyVerification, CommandHealthCheck, ServiceDefinition
from .._state import valid_name
from . import _compose_command as command
from . import _compose_containers as containers
from . import _docker_output, _docker_shared
from ._base import ABSENT, Driver, LogLine, Observation
from ._compose_command import ComposeFailed
from ._compose_containers import Container
from ._compose_errors import file_problems, reading_problem
from ._compose_file import (
    LABEL_PROJECT,
    Model,
    block,
    document,
    file_arguments,
    needs_of,
    project_of,
    stand_in,
    target_of,
    variables,
)
from ._compose_up import bring_up
from ._docker_engine import Connection, Engine
from ._docker_observe import together


class ComposeDriver(Driver):
    """Runs services out of Compose files.

    :param sleep: waits some seconds between the attempts of a pull.
    :param clock: unix time in seconds.
    """

    mode = "compose"
    parallelism = 4  # more do not start faster: the engine itself is busy then

    def set_up(self) -> None:
        """Make the connection, which is opened when it is first needed."""
        self._connection = Connection(self.context)
        self._lock = threading.Lock()
        self._program: Path | None = None
        self._busy: dict[str, threading.Lock] = {}

    # --- looking -----------------------------------------------------------------------------------------------------

    def check(self, service: ServiceDefinition) -> list[Problem]:
        """Return what keeps the service from running here. Whether its image can be had is found out at the start."""
        try:
            return self._check_project(self._connection.engine(), service, self._model(service))
        except (ConfigurationError, DriverError) as error:
            return list(error.problems)

    def observe(self, services: Sequence[ServiceDefinition]) -> dict[str, Observation]:
        """Return what each service is, with one request for all.

        :raises DriverError: no engine answers.
        """
        engine = self._connection.engine()
        found = containers.of_installation(engine, self.context)
        now = self._clock()
        return {
            service.name: dataclasses.replace(
                _observation(service, found, now),
                own_health=containers.own_health(engine, containers.for_service(found, service.name)),
            )
            for service in services
        }

    def find(self, recorded: Sequence[ServiceDefinition] = ()) -> list[ServiceDefinition]:  # noqa: ARG002
        """Return the services that have containers with our labels.

        :raises DriverError: no engine answers.
        """
        found = containers.of_installation(self._connection.engine(), self.context)
        return [stand_in(name) for name in sorted({one.owner for one in found}) if valid_name(name)]

    def render(self, service: ServiceDefinition) -> dict[str, Any]:
        """Return what would be created: what the definition says, and what Compose makes of the file.

        :raises DriverError: there is no Compose, or the file has an error.
        """
        return document(service, self.context, self._model(service))

    def glance(self, service: ServiceDefinition, seen: Observation) -> HealthResult | None:  # noqa: ARG002
        """Return what the list of containers says of their own health checks, where they pass or there are none."""
        if seen.own_health == "healthy":
            return HealthResult(True, "its own health check passes")
        return HealthResult(True, "it runs") if seen.own_health == "none" else None

    def judge(self, service: ServiceDefinition, check: AnyVerification | None) -> HealthResult | None:
        """Return what the container's own health check says, where the definition has none.

        :raises DriverError: no engine answers.
        """
        if check is not None:
            return None
        engine = self._connection.engine()
        return containers.health(engine, service.name, self._containers(engine, service))

    def logs(self, service: ServiceDefinition, *, follow: bool = False, tail: int | None = None) -> Iterator[LogLine]:
        """Yield its output, oldest first; not that of what it needs inside its file.

        :raises DriverError: no engine answers.
        """
        engine = self._connection.engine()
        found = [one.id for one in self._containers(engine, service)]
        yield from _docker_output.read_logs(engine, found, service.name, follow=follow, tail=tail)

    def execute(self, service: ServiceDefinition, check: CommandHealthCheck) -> tuple[int, str]:
        """Run a check's command inside the service's container, the first of several; return exit code and output.

        :raises DriverError: it has no container that runs, or no engine answers.
        """
        engine = self._connection.engine()
        found = [one for one in self._containers(engine, service) if one.instance.state == "running"]
        if not found:
            raise DriverError(Problem(service.name, "has no container that runs", f"Start {service.name}."))
        return _docker_output.execute(engine, found[0].id, service.name, check.command, check.timeout)

    # --- doing -------------------------------------------------------------------------------------------------------

    def prepare(self, services: Sequence[ServiceDefinition]) -> None:  # noqa: ARG002
        """Make the platform's network, which services join beside those of their file.

        :raises DriverError: it cannot be made.
        """
        _docker_shared.make_shared(self._connection.engine(), self.context, [])

    def start(self, service: ServiceDefinition, observation: Observation, digest: str) -> Observation:  # noqa: ARG002
        """Let Compose bring it up with what it needs inside its file; what does not differ is left alone.

        :raises DriverError: the file has an error, an image cannot be had, or the engine refuses.
        :raises ConfigurationError: a secret does not exist.
        """
        engine = self._connection.engine()
        model = self._model(service)
        if model is None:
            raise DriverError(*file_problems(service.name, block(service)))
        with self._alone_in(project_of(service, self.context.project)):
            before = containers.of_installation(engine, self.context)
            self._leave_other_places(engine, service, before)
            try:
                after = bring_up(engine, self._find(), self.context, service, model, digest, before, sleep=self._sleep)
            except DriverError:
                with contextlib.suppress(DriverError):  # what made the start fail is what counts
                    self._take_back(engine, service, before)
                raise
            left = containers.no_longer_needed(after, containers.for_service(before, service.name))
            containers.remove(engine, service, left)
            containers.rejoin(engine, service.name, containers.for_service(after, service.name))
        return _observation(service, after, self._clock())

    def stop(self, service: ServiceDefinition, observation: Observation) -> None:  # noqa: ARG002
        """Stop it, then what runs for it alone inside its file.

        :raises DriverError: it cannot be stopped.
        """
        engine = self._connection.engine()
        up = [one for one in containers.of_installation(engine, self.context) if one.is_up]
        mine = containers.for_service(up, service.name)
        containers.stop(engine, service, mine)
        for one in containers.no_longer_needed([one for one in up if one not in mine], mine):
            containers.stop(engine, service, [one])

    def remove(self, service: ServiceDefinition, observation: Observation) -> None:  # noqa: ARG002
        """Take it away, then what is there for it alone inside its file: containers, unnamed volumes, networks.

        :raises DriverError: it cannot be removed.
        """
        engine = self._connection.engine()
        found = containers.of_installation(engine, self.context)
        self._remove(engine, service, found, containers.for_service(found, service.name))

    def clean(self) -> list[str]:
        """Remove what was brought up for services that somebody took away since, and networks that nothing uses.

        :raises DriverError: one cannot be removed.
        """
        engine = self._connection.engine()
        left = containers.ownerless(containers.of_installation(engine, self.context))
        for one in left:
            containers.remove(engine, stand_in(one.service), [one])
        return [one.instance.name for one in left] + _docker_shared.remove_networks(engine, self.context)

    def purge(self) -> list[str]:
        """Remove the named volumes that Compose made for us, with what is in them; return their names.

        :raises DriverError: one cannot be removed.
        """
        return _docker_shared.remove_volumes(self._connection.engine(), self.context)

    # --- helpers -----------------------------------------------------------------------------------------------------

    def _containers(self, engine: Engine, service: ServiceDefinition) -> list[Container]:
        return containers.for_service(containers.of_installation(engine, self.context), service.name)

    def _find(self) -> Path:
        with self._lock:
            if self._program is None:
                self._program = command.find(os.environ, Path.home())
            return self._program

    def _alone_in(self, project: str) -> threading.Lock:
        """Two that make the same network or dependency at once would be in each other's way."""
        with self._lock:
            return self._busy.setdefault(project, threading.Lock())

    def _model(self, service: ServiceDefinition) -> Model | None:
        """Return what Compose makes of the file; nothing while the installation has not written the file yet."""
        program = self._find()
        problems = file_problems(service.name, block(service))
        if problems:
            ours = {file.dest for file in service.config}
            wanted = {block(service).file, *block(service).env_files}
            if all(Path(path).is_file() or path in ours for path in wanted):
                return None
            raise DriverError(*problems)
        env = command.environment(None, os.environ, variables(service, self.context))
        arguments = [*file_arguments(service, self.context.project), "config", "--format", "json", target_of(service)]
        try:
            model = json.loads(command.read(program, arguments, env))
        except (ComposeFailed, ValueError) as error:
            raise DriverError(reading_problem(service.name, block(service), str(error))) from error
        # A file of ours holds the values of secrets.
        hidden: Model = self.context.secrets.hide(model, [file.content for file in service.config])
        return hidden

    def _check_project(self, engine: Engine, service: ServiceDefinition, model: Model | None) -> list[Problem]:
        compose, project = block(service), project_of(service, self.context.project)
        mine = {target_of(service), *(needs_of(model, target_of(service)) if model else ())}
        for one in containers.of_project(engine, self.context, project):
            remedy = f"Remove it (docker compose -p {project} down), or set deployment.compose.project."
            if not one.is_ours:
                why = f"the Compose project {project} exists already and was not made for this installation"
                return [Problem(service.name, why, remedy)]
            if one.service in mine and one.file != compose.file and one.owner != service.name:
                why = f"the Compose project {project} has a service {one.service} of another file, {one.file}"
                remedy = f"Set deployment.compose.project of {service.name} to another name."
                return [Problem(service.name, why, remedy)]
        return []

    def _take_back(self, engine: Engine, service: ServiceDefinition, before: Collection[Container]) -> None:
        """Take away what a start that failed has made."""
        known, project = {one.id for one in before}, project_of(service, self.context.project)
        found = containers.of_installation(engine, self.context)
        containers.remove(engine, service, [one for one in found if one.id not in known and one.project == project])
        _docker_shared.remove_networks(engine, self.context, {LABEL_PROJECT: project})

    def _leave_other_places(self, engine: Engine, service: ServiceDefinition, before: Collection[Container]) -> None:
        """Take it away from another Compose project, or another service of the file, that it came from before."""
        place = (project_of(service, self.context.project), target_of(service))
        strays = [one for one in containers.for_service(before, service.name) if (one.project, one.service) != place]
        if strays:
            self._remove(engine, service, before, strays)

    def _remove(
        self,
        engine: Engine,
        service: ServiceDefinition,
        found: Collection[Container],
        leaving: Collection[Container],
    ) -> None:
        needless = containers.no_longer_needed([one for one in found if one not in leaving], leaving)
        containers.remove(engine, service, list(leaving))
        for one in needless:
            containers.remove(engine, service, [one])
        for project in {one.project for one in leaving}:
            _docker_shared.remove_networks(engine, self.context, {LABEL_PROJECT: project})


def _observation(service: ServiceDefinition, everything: Sequence[Container], now: float) -> Observation:
    found = containers.for_service(everything, service.name)
    if not found:
        return ABSENT
    digests = {one.instance.digest for one in found}
    # The file's own restart policy tells what was stopped from what broke.
    startup = dataclasses.replace(service.startup, restart=found[0].restart.split(":")[0])  # type: ignore[arg-type]
    digest = digests.pop() if len(digests) == 1 else None
    networks = [(one.network,) for one in found[:1] if one.network]
    seen = together([one.instance for one in found], startup, digest or None, now, networks=networks)
    lost = containers.lost_need(found[0], everything)
    return dataclasses.replace(seen, drift=lost) if lost and seen.is_up and not seen.drift else seen
