# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writing a whole platform as one Compose file, with the files that its containers mount beside it."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from ansible_collections.provisioning.platform.plugins.module_utils._config_writer import ConfigWriter, owner_of
from ansible_collections.provisioning.platform.plugins.module_utils._drivers._docker_render import (
    is_below,
    parse_volume,
)
from ansible_collections.provisioning.platform.plugins.module_utils._errors import (
    ConfigurationError,
    Problem,
    raise_if_any,
)
from ansible_collections.provisioning.platform.plugins.module_utils._model import ServiceDefinition
from ansible_collections.provisioning.platform.plugins.module_utils._paths import (
    WorkDir,
    make_directory,
    write_atomically,
)
from ansible_collections.provisioning.platform.plugins.module_utils._secrets import SecretStore, references
from ansible_collections.provisioning.platform.plugins.plugin_utils.compose_document import (
    compose_document,
    variable_of,
)
from ansible_collections.provisioning.platform.plugins.plugin_utils.compose_health import IMAGE
from ansible_collections.provisioning.platform.plugins.plugin_utils.config_model import (
    ServiceOverride,
    UnattendedInstallConfig,
)
from ansible_collections.provisioning.platform.plugins.plugin_utils.registry import load_registry
from ansible_collections.provisioning.platform.plugins.plugin_utils.resolve import Platform, resolve
from ansible_collections.provisioning.platform.plugins.plugin_utils.secret_values import missing
from ansible_collections.provisioning.platform.plugins.plugin_utils.selection import select

_HEADER = """\
# The platform {project}, written by provisioning.platform; changes made here are lost with the next export.
#   docker compose --file {file} up --detach --wait
# Values of secrets are not in this file but in .env beside it, which Compose reads, and in config/.
"""


_ENV_HEADER = "# Written by provisioning.platform: secrets of the Compose file beside it.\n"


@dataclass(frozen=True)
class Export:
    """A platform as a Compose file.

    :param platform: its services, all of them containers, with the export's folder as their work dir.
    :param folder: that the file is written to.
    :param text: the file.
    """

    platform: Platform
    folder: Path
    document: Mapping[str, Any]
    text: str

    @property
    def services(self) -> dict[str, ServiceDefinition]:
        """The services that are in the file."""
        found = self.platform.registry.services
        return {name: service for name, service in found.items() if service.mode == "docker"}


def export(
    config: UnattendedInstallConfig,
    *,
    file: Path,
    home: str,
    roles_dir: Path,
    env: Mapping[str, str],
    variables: Mapping[str, Any] | None = None,
    health_image: str | None = None,
) -> Export:
    """Return a platform as a Compose file; nothing is written.

    :param file: where it is to be written; what its containers mount is named relative to its folder.
    :param home: home directory, for paths that begin with ``~/``.
    :param roles_dir: the collection's ``roles`` folder.
    :param env: the environment, for ``${TOKEN}``.
    :param variables: Ansible's variables, for ``NAME_service``.
    :param health_image: image with a static ``/bin/busybox``, for health checks.
    :raises ConfigurationError: something is wrong, or a service cannot be a container; all are named.
    """
    folder = file.parent
    containers = _as_containers(config, roles_dir, variables)
    platform = resolve(containers, home=home, roles_dir=roles_dir, env=env, work_dir=str(folder), variables=variables)
    document = compose_document(
        platform.registry.services,
        project=config.deployment.project,
        folder=str(folder),
        env_vars=platform.env_vars,
        health_image=health_image or IMAGE,
    )
    header = _HEADER.format(project=config.deployment.project, file=file.name)
    return Export(platform, folder, document, header + yaml.safe_dump(document, sort_keys=False, width=120))


def changes(found: Export, file: Path, *, dry: bool = False) -> Iterator[tuple[str, str, str]]:
    """Write an export's files and yield what changed: a path, the text before and the one after, without secrets.

    :param file: the Compose file.
    :param dry: only tell.
    :raises ConfigurationError: secrets are missing and may not be made.
    :raises OSError: a file cannot be written.
    """
    layout = WorkDir(found.folder)
    yield from _secrets(found, layout, dry=dry)
    writer = ConfigWriter(layout, dry=dry)
    for service in found.services.values():
        for change in writer.changes(service):
            diff = change.diff()
            yield str(change.path), diff["before"], diff["after"]
            if not dry:
                writer.apply(change)
        if not dry:
            _make_data(service, layout)
    before = file.read_text(encoding="utf-8") if file.is_file() else ""
    if before != found.text:
        yield str(file), before, found.text
        if not dry:
            write_atomically(file, found.text, mode=0o644)


def _as_containers(
    config: UnattendedInstallConfig, roles_dir: Path, variables: Mapping[str, Any] | None
) -> UnattendedInstallConfig:
    """Return the configuration with all services in containers, but those that run elsewhere."""
    sources = load_registry(roles_dir, [Path(path) for path in config.registry])
    problems, services = [], {entry.name: entry for entry in config.deployment.services}
    for name, selected in select(config, sources, variables=variables).services.items():
        deployment = selected.document.get("deployment")
        if not isinstance(deployment, dict) or deployment.get("mode") == "remote":
            continue  # what is no definition, validation complains about
        if not isinstance(deployment.get("docker"), dict):
            why = f"runs in the mode {deployment.get('mode')} and has no docker block, so it cannot be exported"
            remedy = f"Give it deployment.docker, or leave it out: deployment.services[{name}].enabled: false."
            problems.append(Problem(name, why, remedy))
            continue
        settings = services[name].settings if name in services else {}
        # One file has all, whatever host a service is placed on.
        services[name] = ServiceOverride(name=name, settings={**settings, "mode": "docker", "hosts": []})
    raise_if_any(problems, ConfigurationError)
    platform = "Docker" if config.deployment.platform in ("Kubernetes", "OrbStack") else config.deployment.platform
    deployment = dataclasses.replace(config.deployment, services=list(services.values()), platform=platform)
    return dataclasses.replace(config, deployment=deployment)


def _secrets(found: Export, layout: WorkDir, *, dry: bool) -> Iterator[tuple[str, str, str]]:
    """Make the secrets that are missing, and write those that the file refers to where Compose looks for them."""
    store, services = SecretStore(layout.secrets), found.services
    existing = {name: store.read(name) for name in services}
    registry = dataclasses.replace(found.platform.registry, services=services)
    made = missing(registry, existing, generate=found.platform.config.deployment.auto_generate_secrets)
    for name, new in made.items():
        yield str(layout.secrets / f"{name}.json"), "", f"{', '.join(new)}\n"
        if not dry:
            store.write(name, {**existing[name], **new})
    held = [found.platform.env_vars, *(_held(service) for service in services.values())]
    wanted = {variable_of(service, name): (service, name) for service, name in references(held)}
    path = found.folder / ".env"
    before = path.read_text(encoding="utf-8") if path.is_file() else ""
    if before and not before.startswith(_ENV_HEADER):
        why = "is there already and was not written by an export, and Compose would read it"
        raise ConfigurationError(Problem(str(path), why, "Move it away, or export into another folder."))
    if not wanted or (dry and made):
        return
    values = {variable: store.read(service)[name].value for variable, (service, name) in sorted(wanted.items())}
    text = _ENV_HEADER + "".join(f"{variable}={_quoted(value)}\n" for variable, value in values.items())
    if before != text:
        yield str(path), "", "".join(f"{variable}=***\n" for variable in values)
        if not dry:
            write_atomically(path, text)


def _held(service: ServiceDefinition) -> list[Any]:
    docker, health = service.deployment.docker, service.health
    if docker is None:
        return []
    headers = getattr(health, "headers", {})
    return [dict(docker.env), docker.command, docker.entrypoint, dict(service.labels), dict(headers)]


def _quoted(value: str) -> str:
    """Return a value as an env file holds it so that nothing in it is replaced."""
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _make_data(service: ServiceDefinition, layout: WorkDir) -> None:
    """Make the folders for data that a container mounts, for its user alone."""
    docker, owner = service.deployment.docker, owner_of(service)
    for text in docker.volumes if docker is not None else []:
        mount = parse_volume(text, service.name)
        if not mount.is_bind or not is_below(Path(mount.source), layout.root):
            continue
        made = make_directory(Path(mount.source))
        if owner is not None and (made or is_below(Path(mount.source), layout.data)):
            os.chown(mount.source, owner.uid, owner.gid)
