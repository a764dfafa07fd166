# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the blocks of a definition's modes can get wrong."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from ansible_collections.provisioning.platform.plugins.module_utils._drivers.remote import endpoint_of
from ansible_collections.provisioning.platform.plugins.module_utils._errors import Problem
from ansible_collections.provisioning.platform.plugins.module_utils._model import (
    CommandHealthCheck,
    DockerDeployment,
    ServiceDefinition,
)
from ansible_collections.provisioning.platform.plugins.module_utils._secrets import PLACEHOLDER, references
from ansible_collections.provisioning.platform.plugins.plugin_utils.checks import (
    HOW_TO_GIVE_IT,
    MOST_REPLICAS,
    environment_problems,
    image_problems,
    key_problems,
    least_problems,
    mount_problems,
    path_problems,
    secret_problems,
    url_problems,
)
from ansible_collections.provisioning.platform.plugins.plugin_utils.kubernetes_checks import (
    kubernetes_problems,
    mounted,
)
from ansible_collections.provisioning.platform.plugins.plugin_utils.published import (
    LAST_PORT,
    is_loopback,
    parse_published,
)

_COMPOSE_PROJECT = re.compile(r"[a-z0-9][a-z0-9_-]*")


def mode_problems(service: ServiceDefinition) -> Iterator[Problem]:
    """Yield what is wrong with how a service is deployed, in every mode that it has a block for."""
    yield from _block(service)
    yield from _binary(service)
    yield from _docker(service)
    yield from _compose(service)
    yield from kubernetes_problems(service)
    yield from _remote(service)


def _block(service: ServiceDefinition) -> Iterator[Problem]:
    blocks = {
        "binary": service.deployment.binary,
        "docker": service.deployment.docker,
        "compose": service.deployment.compose,
        "kubernetes": service.deployment.kubernetes,
        "remote": service.deployment.remote,
    }
    if blocks[service.mode] is None:
        supported = ", ".join(mode for mode, block in blocks.items() if block is not None)
        others = f", or choose a mode that {service.name} has: {supported}" if supported else ""
        remedy = f"Add the block{others}."
        why = f"is missing, although the mode is {service.mode}"
        yield Problem(f"{service.name}.deployment.{service.mode}", why, remedy)


def _binary(service: ServiceDefinition) -> Iterator[Problem]:
    block = service.deployment.binary
    path = f"{service.name}.deployment.binary"
    if block is None:
        return
    yield from path_problems(f"{path}.command", block.command, bare=True)
    yield from path_problems(f"{path}.working_dir", block.working_dir)
    yield from environment_problems(f"{path}.env", dict(block.env))
    yield from least_problems(f"{path}.replicas", block.replicas, 1, MOST_REPLICAS)
    yield from secret_problems(path, [block.command, block.working_dir, block.user], "ps would show to every user")
    for number in (service.port, *service.ports.values()) if service.mode == "binary" else ():
        if number is not None and number <= LAST_PORT < number + block.replicas - 1:
            why = f"{block.replicas} processes from port {number} on need ports beyond {LAST_PORT}"
            yield Problem(f"{path}.replicas", why, "Choose a lower port, or fewer of them.")
    if block.download is not None:
        yield from url_problems(f"{path}.download.url", block.download.url)
        yield from path_problems(f"{path}.download.dest", block.download.dest)
        if not re.fullmatch(r"[0-9a-fA-F]{64}", block.download.sha256):
            yield Problem(f"{path}.download.sha256", "is not a SHA-256 sum", "It has 64 hexadecimal digits.")


def _docker(service: ServiceDefinition) -> Iterator[Problem]:
    block = service.deployment.docker
    path = f"{service.name}.deployment.docker"
    if block is None:
        return
    yield from _image(path, block)
    yield from environment_problems(f"{path}.env", dict(block.env))
    yield from least_problems(f"{path}.replicas", block.replicas, 1, MOST_REPLICAS)
    yield from _published(path, block)
    yield from _volumes(path, block)
    for index, text in enumerate(block.tmpfs):
        yield from path_problems(f"{path}.tmpfs[{index}]", text)
    yield from mount_problems(path, mounted(block.volumes, block.tmpfs))
    yield from path_problems(f"{path}.working_dir", block.working_dir)
    if block.build is not None:
        yield from path_problems(f"{path}.build.context", block.build.context)
    if block.healthcheck and not (isinstance(service.health, CommandHealthCheck) and service.health.inside):
        yield Problem(f"{path}.healthcheck", "needs health.type command with inside: true")


def _image(path: str, block: DockerDeployment) -> Iterator[Problem]:
    """Find secrets in what names a container's parts, which are in records and on command lines as they are."""
    for name, value in vars(block).items():
        if name not in ("env", "command", "entrypoint", "build"):  # the engine alone is given these
            yield from secret_problems(f"{path}.{name}", value, "all who may look at containers would read")
    if not references(block.image):
        yield from image_problems(f"{path}.image", block.image)


def _published(path: str, block: DockerDeployment) -> Iterator[Problem]:
    for index, text in enumerate(block.ports):
        try:
            published = parse_published(text)
        except ValueError as error:
            yield Problem(f"{path}.ports[{index}]", str(error))
            continue
        if len(published.hosts) != max(block.replicas, 1):
            why = f"{text!r} has {len(published.hosts)} host ports for {block.replicas} replicas"
            remedy = f"Write a range of {block.replicas}, or publish nothing."
            yield Problem(f"{path}.ports[{index}]", why, remedy if block.replicas > 1 else "Write one host port.")


def _volumes(path: str, block: DockerDeployment) -> Iterator[Problem]:
    for index, text in enumerate(block.volumes):
        source, _colon, rest = text.partition(":")
        target, _colon, options = rest.partition(":")
        where = f"{path}.volumes[{index}]"
        if not target.startswith("/") or options not in ("", "ro", "rw"):
            yield Problem(where, f"{text!r} is not source:/path/in/container[:ro]")
        elif "/" in source or not source:
            yield from path_problems(where, source)


def _compose(service: ServiceDefinition) -> Iterator[Problem]:
    block = service.deployment.compose
    path = f"{service.name}.deployment.compose"
    if block is None:
        return
    words = [block.file, block.service, block.project, block.profiles, block.env_files]
    yield from secret_problems(path, words, "ps would show to every user")
    yield from path_problems(f"{path}.file", block.file)
    for index, text in enumerate(block.env_files):
        yield from path_problems(f"{path}.env_files[{index}]", text)
    yield from environment_problems(f"{path}.env", dict(block.env))
    if block.project is not None and not _COMPOSE_PROJECT.fullmatch(block.project):
        remedy = "It has lower-case letters, digits, - and _, and begins with a letter or digit."
        yield Problem(f"{path}.project", f"{block.project!r} is no name of a Compose project", remedy)


def _remote(service: ServiceDefinition) -> Iterator[Problem]:
    block = service.deployment.remote
    path = f"{service.name}.deployment.remote"
    if block is None:
        return
    # Any scheme: a database is remote too.
    if not _is_url(block.url):
        yield Problem(f"{path}.url", f"{block.url!r} is not a URL", "E.g. https://host.example.")
        return
    parts = urlsplit(block.url)
    if parts.password is not None:
        remedy = "Take it out, and give it to who needs it as a secret."
        yield Problem(f"{path}.url", "holds a password, which would be kept in records", remedy)
    if service.mode == "remote" and endpoint_of(block.url, service.port) is None:
        why = f"does not say which port of {parts.hostname} is meant"
        yield Problem(f"{path}.url", why, f"Write it: {parts.scheme}://{parts.hostname}:PORT.")
    for name in ("ca_file", "client_certificate", "client_key"):
        yield from path_problems(f"{path}.{name}", getattr(block, name))
    yield from key_problems(path, block.client_certificate, block.client_key)
    if block.token is None:
        return
    if not PLACEHOLDER.fullmatch(block.token):
        yield Problem(f"{path}.token", "is written out, and would be kept in records", HOW_TO_GIVE_IT.format("token"))
    if parts.scheme != "https" and not is_loopback(parts.hostname or ""):
        yield Problem(f"{path}.token", "would be sent unencrypted", "Use https.")


def _is_url(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return bool(parts.scheme and parts.hostname and parts.port != 0)
    except ValueError:
        return False
