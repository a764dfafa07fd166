# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the platform and the hosts decide of a definition: its mode, and paths and addresses written out."""

from __future__ import annotations

import dataclasses
import posixpath
from collections.abc import Mapping
from typing import Any

from ansible_collections.provisioning.platform.plugins.module_utils._drivers.remote import default_check
from ansible_collections.provisioning.platform.plugins.module_utils._errors import ConfigurationError, Problem
from ansible_collections.provisioning.platform.plugins.module_utils._model import (
    ConfigFile,
    KubernetesDeployment,
    ServiceDefinition,
)
from ansible_collections.provisioning.platform.plugins.plugin_utils.published import loopback_name, parse_published
from ansible_collections.provisioning.platform.plugins.plugin_utils.wording import shown

# Settings that are paths on the service's host.
_PATH_SETTINGS = frozenset(
    {
        "ca_file",
        "client_certificate",
        "client_key",
        "command",
        "context",
        "dest",
        "env_files",
        "file",
        "path",
        "volumes",
        "working_dir",
    }
)
_HOST_BLOCKS = ("binary", "docker", "compose", "remote")


def work_dir_of(written: str, home: str) -> str:
    """Return the absolute work dir.

    :param written: as configured, perhaps with ``~/`` in front.
    :param home: home directory on the hosts of the services.
    :raises ConfigurationError: it is not absolute, or is the root directory.
    """
    path = posixpath.normpath(_absolute(written, home))
    if not path.startswith("/") or path.strip("/") == "":
        remedy = "Write the whole path of a folder, beginning with / or ~/."
        raise ConfigurationError(Problem("work_dir", f"{shown(written, 'work_dir')} cannot be the work dir", remedy))
    return path


def expand_home(document: Mapping[str, Any], home: str) -> dict[str, Any]:
    """Return a definition with ``~/`` written out in the settings that are paths on its host."""
    expanded = dict(document)
    deployment = expanded.get("deployment")
    if isinstance(deployment, Mapping):
        blocks = {key: _expanded(block, home) if key in _HOST_BLOCKS else block for key, block in deployment.items()}
        expanded["deployment"] = {**blocks, **_kubernetes_expanded(blocks, home)}
    for key in ("health", "verify"):
        if key in expanded:
            expanded[key] = _expanded(expanded[key], home)
    return expanded


def absolute(path: str | None, home: str) -> str | None:
    """Return a path with ``~/`` written out."""
    return None if path is None else _absolute(path, home)


def settle(
    definition: ServiceDefinition, *, platform: str, mode_chosen: bool, config_dir: str
) -> tuple[ServiceDefinition, list[Problem]]:
    """Return a definition with its mode chosen, and published ports and configuration files written in full.

    :param platform: the configuration's ``deployment.platform``.
    :param mode_chosen: whether the owner chose the mode, so that the platform does not.
    :param config_dir: absolute path of the service's configuration folder.
    """
    settled = definition if mode_chosen else _on_platform(definition, platform)
    settled = _with_addresses(settled)
    if settled.mode == "remote" and settled.deployment.remote is not None and settled.health is None:
        settled = dataclasses.replace(settled, health=default_check(settled))
    files, problems = _in_folder(settled, config_dir)
    return dataclasses.replace(settled, config=files), problems


def _on_platform(definition: ServiceDefinition, platform: str) -> ServiceDefinition:
    """Put what can be on a cluster there, on the platform Kubernetes; a container block says enough for it."""
    deployment = definition.deployment
    if platform != "Kubernetes" or (deployment.kubernetes is None and deployment.docker is None):
        return definition
    block = deployment.kubernetes or KubernetesDeployment()
    return dataclasses.replace(
        definition, deployment=dataclasses.replace(deployment, mode="kubernetes", kubernetes=block)
    )


def _with_addresses(definition: ServiceDefinition) -> ServiceDefinition:
    """Write the service's bind address into the published ports that name none, so that no engine chooses it."""
    docker = definition.deployment.docker
    if docker is None:
        return definition
    ports = []
    for text in docker.ports:
        try:
            port = parse_published(text)
        except ValueError:  # validation complains about it
            ports.append(text)
        else:
            ports.append(str(dataclasses.replace(port, address=loopback_name(port.address or definition.bind_address))))
    docker = dataclasses.replace(docker, ports=ports)
    return dataclasses.replace(definition, deployment=dataclasses.replace(definition.deployment, docker=docker))


def _in_folder(definition: ServiceDefinition, config_dir: str) -> tuple[list[ConfigFile], list[Problem]]:
    files, problems = [], []
    for index, file in enumerate(definition.config):
        dest = posixpath.normpath(posixpath.join(config_dir, file.dest))
        if not dest.startswith(f"{config_dir}/"):
            path = f"{definition.name}.config[{index}].dest"
            remedy = "Write a path relative to it."
            problems.append(Problem(path, f"{shown(file.dest, path)} is outside the folder {config_dir}", remedy))
        files.append(dataclasses.replace(file, dest=dest))
    return files, problems


def _kubernetes_expanded(blocks: Mapping[str, Any], home: str) -> dict[str, Any]:
    """The block for a cluster, most of whose paths are in pods and whose values of a chart are nobody's business."""
    block = blocks.get("kubernetes")
    if not isinstance(block, Mapping):
        return {}
    expanded = {key: _at_home(item, home) if key == "kubeconfig" else item for key, item in block.items()}
    chart = expanded.get("chart")
    if isinstance(chart, Mapping):
        expanded["chart"] = {key: _at_home(item, home) if key == "chart" else item for key, item in chart.items()}
    return {"kubernetes": expanded}


def _expanded(value: Any, home: str) -> Any:
    if isinstance(value, Mapping):
        return {key: _setting(key, item, home) for key, item in value.items()}
    if isinstance(value, list):
        return [_expanded(item, home) for item in value]
    return value


def _setting(key: str, value: Any, home: str) -> Any:
    # A command that is a list may run in a container, where this home is not.
    if key not in _PATH_SETTINGS or isinstance(value, Mapping) or (key == "command" and isinstance(value, list)):
        return _expanded(value, home)
    return [_at_home(item, home) for item in value] if isinstance(value, list) else _at_home(value, home)


def _at_home(value: Any, home: str) -> Any:
    return _absolute(value, home) if isinstance(value, str) else value


def _absolute(path: str, home: str) -> str:
    return home.rstrip("/") + path[1:] if path == "~" or path.startswith("~/") else path


_ARGUMENTS = (
    ("deployment", "binary", "args"),
    ("deployment", "docker", "command"),
    ("deployment", "docker", "entrypoint"),
    ("deployment", "kubernetes", "command"),
    ("deployment", "kubernetes", "entrypoint"),
    ("deployment", "kubernetes", "ports"),
    ("health", "command"),
)


def arguments_as_texts(document: Any) -> Any:
    """Return a definition whose numeric arguments are texts, as a command gets them: ``${self.port}`` is a number."""
    for path in _ARGUMENTS:
        document = _with_texts(document, path)
    return document


def _with_texts(value: Any, path: tuple[str, ...]) -> Any:
    if not path:
        if not isinstance(value, list):
            return value
        return [str(i) if isinstance(i, (int, float)) and not isinstance(i, bool) else i for i in value]
    if not isinstance(value, dict) or path[0] not in value:
        return value
    return {**value, path[0]: _with_texts(value[path[0]], path[1:])}
