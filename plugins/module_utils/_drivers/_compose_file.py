# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a Compose file makes of a service, and what the platform adds to it. Pure: nothing here runs Compose.

A *model* is what ``docker compose config --format json SERVICE`` writes: the service and what it needs inside the file,
all settings written out. :func:`document` is what matters of it, for digest and diff; :func:`override` is the second
Compose file that :mod:`compose` hands over on standard input, so that nothing of it lies on a disk.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .._cgroups import memory_bytes
from .._errors import ConfigurationError, Problem
from .._model import DockerComposeDeployment, ServiceDefinition, ServiceDeployment
from .._plan import digest_of, masked
from .._secrets import PLACEHOLDER
from ._base import Context
from ._docker_render import HOST_NAME, LABEL_DIGEST, LABEL_SERVICE, ownership
from ._launch import text_of

#: What a service needs inside its file, nearest last; so that it can be taken away without the file.
LABEL_NEEDS = "io.provisioning.compose-needs"
#: The restart policy of the file, which tells what was stopped from what broke.
LABEL_RESTART = "io.provisioning.restart"
#: The platform's network, where it is on that.
LABEL_NETWORK = "io.provisioning.network"
#: What Compose itself writes.
LABEL_PROJECT = "com.docker.compose.project"
LABEL_COMPOSE_SERVICE = "com.docker.compose.service"
LABEL_FILES = "com.docker.compose.project.config_files"

#: The name of the platform's network inside the override; the engine's is PROJECT-net.
NETWORK = "provisioning-platform"

_NO_PROJECT_LETTER = re.compile(r"[^a-z0-9_-]+")

Model = Mapping[str, Any]


def block(service: ServiceDefinition) -> DockerComposeDeployment:
    """Return the service's compose block.

    :raises ConfigurationError: it has none.
    """
    compose = service.deployment.compose
    if compose is None:
        remedy = f"Add deployment.compose to {service.name}, or choose another mode."
        raise ConfigurationError(Problem(service.name, "has no compose block", remedy))
    return compose


def stand_in(name: str) -> ServiceDefinition:
    """Return a definition for a service of which nothing but its containers is known: to stop and remove them."""
    deployment = ServiceDeployment(mode="compose", compose=DockerComposeDeployment(file=f"/{name}/compose.yaml"))
    return ServiceDefinition(name=name, deployment=deployment)


def project_of(service: ServiceDefinition, project: str) -> str:
    """Return the Compose project: the one named, else the platform's name and that of the file's folder.

    So services of one file share a project, as Compose means it; and it is never the one that Compose itself would
    choose for somebody who uses the same file by hand.
    """
    compose = block(service)
    if compose.project is not None:
        return compose.project
    folder = _NO_PROJECT_LETTER.sub("-", Path(compose.file).parent.name.lower()).strip("-_")
    return f"{_NO_PROJECT_LETTER.sub('-', project.lower())}-{folder or 'compose'}"


def target_of(service: ServiceDefinition) -> str:
    """Return the name of the service in the file."""
    return block(service).service or service.name


def file_arguments(service: ServiceDefinition, project: str) -> list[str]:
    """Return the arguments by which Compose finds the file and the project."""
    compose = block(service)
    arguments = ["--file", compose.file, "--project-name", project_of(service, project)]
    for path in compose.env_files:
        arguments += ["--env-file", path]
    for profile in compose.profiles:
        arguments += ["--profile", profile]
    return arguments


def variables(service: ServiceDefinition, context: Context) -> dict[str, str]:
    """Return the variables for the file's own ``${NAME}``, secrets as placeholders."""
    return {name: text_of(value) for name, value in {**context.env, **block(service).env}.items()}


def needs_of(model: Model, target: str) -> list[str]:
    """Return what a service needs inside its file, directly or not, each after what it needs itself."""
    services: Mapping[str, Any] = model.get("services", {})
    ordered: dict[str, None] = {}

    def visit(name: str) -> None:
        for need in services.get(name, {}).get("depends_on") or {}:
            if need in services and need not in ordered and need != target:
                visit(need)
                ordered[need] = None

    visit(target)
    # What is needed otherwise, e.g. by network_mode or volumes_from, is in the model too.
    return [*ordered, *(name for name in services if name not in ordered and name != target)]


def need_digests(model: Model, target: str) -> dict[str, str]:
    """Return the digest of everything that a service needs inside its file, each after what it needs itself."""
    services = _without_values(_plain(model))["services"]
    return {name: digest_of(services[name]) for name in needs_of(model, target)}


def document(service: ServiceDefinition, context: Context, model: Model | None) -> dict[str, Any]:
    """Return all that matters of a service.

    :param model: what Compose makes of the file; nothing where the file is yet to be written by the installation.
    """
    compose = block(service)
    env = variables(service, context)
    contents = [file.content for file in service.config]
    settings: dict[str, Any] = {
        "file": compose.file,
        "project": project_of(service, context.project),
        "service": target_of(service),
        "profiles": sorted(compose.profiles),
        "env": env,
        "resources": _limits(service),
        "labels": dict(service.labels),
        "network": context.network,
        "config": context.files.get(service.name),
        "secrets": context.secrets.versions([env, contents]),
        "compose": _without_values(_plain(model)) if model is not None else None,
    }
    return {name: value for name, value in settings.items() if value not in (None, "", [], {})}


def override(
    service: ServiceDefinition,
    context: Context,
    model: Model,
    *,
    digests: Mapping[str, str],
    gateway: str | None,
) -> dict[str, Any]:
    """Return the second Compose file, with what the platform adds to the first. Secrets are placeholders in it.

    What a service needs inside the file gets the same additions whoever needs it: it is left alone when another one
    does.

    :param model: what Compose makes of the first one.
    :param digests: of the service and what it needs, each kept as a label.
    :param gateway: address of the host as containers see it; nothing where the engine gives the host a name itself.
    """
    target, own = target_of(service), ownership(context)
    needs = [name for name in digests if name != target]
    services: dict[str, Any] = {name: {"labels": {**own, LABEL_DIGEST: digests[name]}} for name in needs}
    services[target] = _target(service, context, model["services"][target], digests[target], needs, gateway)
    found = {
        "services": services,
        "networks": _labelled(model.get("networks"), own),
        "volumes": _labelled(model.get("volumes"), own),
    }
    if "networks" in services[target]:
        found["networks"][NETWORK] = {"external": True, "name": context.network}
    return {name: value for name, value in found.items() if value}


def literal(value: Any) -> Any:
    """Return JSON types whose texts Compose takes as they stand: it would replace what looks like a variable."""
    if isinstance(value, str):
        return value.replace("$", "$$")
    if isinstance(value, Mapping):
        return {name: literal(item) for name, item in value.items()}
    if isinstance(value, list):
        return [literal(item) for item in value]
    return value


def _target(
    service: ServiceDefinition,
    context: Context,
    settings: Mapping[str, Any],
    digest: str,
    needs: Sequence[str],
    gateway: str | None,
) -> dict[str, Any]:
    theirs = settings.get("environment") or {}
    # What holds for every service gives way to the file; what was said of this one does not.
    env = {name: value for name, value in context.env.items() if name not in theirs} | block(service).env
    addition: dict[str, Any] = {
        "environment": {name: text_of(value) for name, value in env.items()},
        "labels": {
            **service.labels,
            **ownership(context),
            LABEL_SERVICE: service.name,
            LABEL_DIGEST: digest,
            LABEL_NEEDS: ",".join(needs),
            LABEL_RESTART: str(settings.get("restart") or "no"),
        },
        **_resources(service, settings),
    }
    if "network_mode" not in settings:
        networks = settings.get("networks") or {}
        implied = {"default": None} if not networks or networks == {"default": None} else {}
        addition["labels"][LABEL_NETWORK] = context.network
        addition["networks"] = {**implied, NETWORK: {"aliases": [service.name]}}
        hosts = [str(entry) for entry in settings.get("extra_hosts") or []]
        if gateway is not None and not any(entry.startswith(HOST_NAME) for entry in hosts):
            addition["extra_hosts"] = [f"{HOST_NAME}:{gateway}"]
    return {name: value for name, value in addition.items() if value}


def _resources(service: ServiceDefinition, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Say limits in the words that the file uses: Compose refuses two words for one thing."""
    limits = _limits(service)
    found: dict[str, Any] = {}
    share: dict[str, Any] = {}
    for name, word, key in (("cpu", "cpus", "cpus"), ("memory", "mem_limit", "memory")):
        if name in limits:
            place, called = (found, word) if word in settings else (share, key)
            place[called] = str(limits[name])
    if share:
        found["deploy"] = {"resources": {"limits": share}}
    if "open_files" in limits:
        found["ulimits"] = {"nofile": {"soft": limits["open_files"], "hard": limits["open_files"]}}
    return found


def _limits(service: ServiceDefinition) -> dict[str, Any]:
    wanted = service.resources
    try:
        memory = None if wanted.memory is None else memory_bytes(wanted.memory)
    except ValueError as error:
        remedy = f"Correct resources.memory of {service.name}."
        raise ConfigurationError(Problem(service.name, str(error), remedy)) from error
    found = {"cpu": wanted.cpu, "memory": memory, "open_files": wanted.open_files}
    return {name: value for name, value in found.items() if value is not None}


def _labelled(things: Mapping[str, Any] | None, labels: Mapping[str, str]) -> dict[str, Any]:
    """What is not ours to make gets no labels."""
    return {name: {"labels": dict(labels)} for name, one in (things or {}).items() if not (one or {}).get("external")}


def _plain(value: Any) -> Any:
    """Return a model without the escapes that Compose writes."""
    if isinstance(value, str):
        return value.replace("$$", "$")
    if isinstance(value, Mapping):
        return {name: _plain(item) for name, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value


def _without_values(model: dict[str, Any]) -> dict[str, Any]:
    """Put a digest in the place of what is sensitive by its name: what is in somebody's env file stays there."""
    services = {
        name: {
            key: {one: _fingerprint(one, text) for one, text in value.items()} if key == "environment" else value
            for key, value in settings.items()
        }
        for name, settings in model.get("services", {}).items()
    }
    return {**{key: value for key, value in model.items() if key != "name"}, "services": services}


def _fingerprint(name: str, value: Any) -> Any:
    if masked({name: value}) == {name: value} or (isinstance(value, str) and PLACEHOLDER.search(value)):
        return value
    return f"sha256:{hashlib.sha256(str(value).encode()).hexdigest()[:16]}"
