# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From definitions to one Compose file. Pure.

Secrets are references to the environment in it; what lies in the export's folder is named relative to it, so that the
folder can be moved.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from typing import Any

from ansible_collections.provisioning.platform.plugins.module_utils._build import to_dict
from ansible_collections.provisioning.platform.plugins.module_utils._cgroups import memory_bytes
from ansible_collections.provisioning.platform.plugins.module_utils._drivers._docker_render import (
    HOST_GATEWAY,
    HOST_NAME,
    parse_volume,
)
from ansible_collections.provisioning.platform.plugins.module_utils._drivers._launch import text_of
from ansible_collections.provisioning.platform.plugins.module_utils._graph import tasks
from ansible_collections.provisioning.platform.plugins.module_utils._model import (
    DockerDeployment,
    Scalar,
    ServiceDefinition,
)
from ansible_collections.provisioning.platform.plugins.module_utils._secrets import PLACEHOLDER
from ansible_collections.provisioning.platform.plugins.plugin_utils.compose_health import (
    HELPER,
    healthcheck,
    helper,
    lent,
    needs_helper,
    seconds,
)

#: The network that all services share, and that is theirs alone.
NETWORK = "provisioning-net"

_CONDITIONS = {
    "healthy": "service_healthy",
    "started": "service_started",
    "completed": "service_completed_successfully",
}


def compose_document(
    services: Mapping[str, ServiceDefinition],
    *,
    project: str,
    folder: str,
    env_vars: Mapping[str, Scalar],
    health_image: str,
) -> dict[str, Any]:
    """Return a platform as a Compose file.

    :param services: in startup order, resolved in ``folder`` as their work dir, all containers but those elsewhere.
    :param project: the Compose project.
    :param folder: absolute path of the folder that the file is written to.
    :param env_vars: environment variables of every service.
    :param health_image: image with a static ``/bin/busybox``, for checks inside images that have no such tool.
    """
    inside = {name: service for name, service in services.items() if service.deployment.docker is not None}
    done_once = tasks(services)
    found: dict[str, Any] = {}
    volumes: dict[str, Any] = {}
    networks: dict[str, Any] = {NETWORK: {"driver": "bridge"}}
    if any(needs_helper(service) for service in inside.values()):
        found[HELPER] = helper(health_image, NETWORK)
        volumes[HELPER] = {}
    for name, service in inside.items():
        found[name] = _service(service, inside, folder, env_vars, is_task=name in done_once)
        docker = _block(service)
        networks |= {other: {} for other in docker.networks}
        mounts = [parse_volume(text, name) for text in docker.volumes]
        volumes |= {mount.source: {} for mount in mounts if not mount.is_bind}
    document = {"name": project, "services": found, "networks": networks, "volumes": volumes}
    return {key: value for key, value in document.items() if value}


def variable_of(service: str, name: str) -> str:
    """Return the environment variable that a secret is taken from."""
    return re.sub(r"[^A-Z0-9]", "_", f"{service}_{name}".upper())


def _service(
    service: ServiceDefinition,
    others: Mapping[str, ServiceDefinition],
    folder: str,
    env_vars: Mapping[str, Scalar],
    *,
    is_task: bool,
) -> dict[str, Any]:
    docker, startup = _block(service), service.startup
    env = {name: text_of(value) for name, value in {**env_vars, **docker.env}.items()}
    needs = _needs(service, others)
    if needs_helper(service):
        needs[HELPER] = {"condition": "service_healthy"}
    hosts = {HOST_NAME: HOST_GATEWAY, **docker.extra_hosts}
    settings: dict[str, Any] = {
        "image": docker.image,
        "build": _build(docker),
        "pull_policy": None if docker.build is not None or docker.pull == "missing" else docker.pull,
        "command": docker.command,
        "entrypoint": docker.entrypoint,
        "environment": env,
        "user": docker.user,
        "working_dir": docker.working_dir,
        "ports": docker.ports,
        "networks": [NETWORK, *docker.networks],
        "extra_hosts": [f"{name}:{address}" for name, address in hosts.items()],
        "labels": dict(service.labels),
        "stop_signal": startup.stop_signal if startup.stop_signal != "SIGTERM" else None,
    }
    settings = {key: _references(value) for key, value in settings.items()}
    settings |= {
        "volumes": [*_mounts(service, folder), *lent(service)],
        "tmpfs": docker.tmpfs,
        "depends_on": needs,
        "healthcheck": _references_in_test(healthcheck(service)) if not is_task else None,
        "restart": "no" if is_task else startup.restart,
        "stop_grace_period": seconds(startup.stop_timeout),
        "read_only": docker.read_only,
        "cap_add": docker.cap_add,
        "cap_drop": docker.cap_drop,
        "security_opt": ["no-new-privileges:true"] if docker.no_new_privileges else None,
        "deploy": _deploy(service, docker),
        "ulimits": {"nofile": service.resources.open_files} if service.resources.open_files else None,
    }
    return {key: value for key, value in settings.items() if value not in (None, "", [], {}, False)}


def _block(service: ServiceDefinition) -> DockerDeployment:
    docker = service.deployment.docker
    if docker is None:  # who asks has made sure of it; said for the type checker
        raise TypeError(service.name)
    return docker


def _needs(service: ServiceDefinition, others: Mapping[str, ServiceDefinition]) -> dict[str, Any]:
    needs: dict[str, Any] = {}
    for name, dependency in service.depends_on.items():
        if name in others:
            # What has no check is healthy when it runs.
            has_check = healthcheck(others[name]) is not None
            condition = "started" if dependency.condition == "healthy" and not has_check else dependency.condition
            needs[name] = {"condition": _CONDITIONS[condition], **({"restart": True} if dependency.restart else {})}
    return needs


def _build(docker: DockerDeployment) -> dict[str, Any] | None:
    if docker.build is None:
        return None
    spec = to_dict(docker.build, sparse=True)
    found = {"context": spec["context"], "dockerfile": docker.build.containerfile}
    return found | {key: spec[key] for key in ("args", "target") if key in spec}


def _mounts(service: ServiceDefinition, folder: str) -> list[dict[str, Any]]:
    found = []
    for text in _block(service).volumes:
        mount = parse_volume(text, service.name)
        entry: dict[str, Any] = {"type": "bind" if mount.is_bind else "volume", "source": mount.source}
        if mount.is_bind and posixpath.commonpath([folder, mount.source]) == folder:
            entry["source"] = "./" + posixpath.relpath(mount.source, folder)
        entry |= {"source": _literal(entry["source"]), "target": _literal(mount.target)}
        entry |= {"read_only": True} if "ro" in mount.options else {}
        relabel = [option for option in mount.options if option in ("z", "Z")]
        entry |= {"bind": {"selinux": relabel[0]}} if relabel and mount.is_bind else {}
        found.append(entry)
    return found


def _deploy(service: ServiceDefinition, docker: DockerDeployment) -> dict[str, Any]:
    limits: dict[str, Any] = {}
    if service.resources.cpu is not None:
        limits["cpus"] = f"{service.resources.cpu:g}"
    if service.resources.memory is not None:
        limits["memory"] = str(memory_bytes(service.resources.memory))
    found: dict[str, Any] = {"resources": {"limits": limits}} if limits else {}
    return found | ({"replicas": docker.replicas} if docker.replicas > 1 else {})


def _references(value: Any) -> Any:
    """Return JSON types in which secrets are references to the environment and all else is meant as it stands."""
    if isinstance(value, str):
        parts, end = [], 0
        for match in PLACEHOLDER.finditer(value):
            parts += [_literal(value[end : match.start()]), f"${{{variable_of(match[1], match[2])}:?is not set}}"]
            end = match.end()
        return "".join([*parts, _literal(value[end:])])
    if isinstance(value, dict):
        return {key: _references(item) for key, item in value.items()}
    return [_references(item) for item in value] if isinstance(value, list) else value


def _references_in_test(check: dict[str, Any] | None) -> dict[str, Any] | None:
    return None if check is None else {**check, "test": _references(check["test"])}


def _literal(text: str) -> str:
    return text.replace("$", "$$")
