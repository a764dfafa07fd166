# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a definition to a container, in two pure steps.

:func:`document` says in the definition's own words what matters, which feeds digest and diff; :func:`creation` turns
that into the body of the engine's request. Secrets stay placeholders in both.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .._build import build, to_dict
from .._cgroups import memory_bytes
from .._errors import ConfigurationError, Problem
from .._model import CommandHealthCheck, DockerDeployment, ServiceDefinition
from .._ports import Port, published
from ._base import Context
from ._launch import text_of

LABEL_PROJECT = "io.provisioning.project"
LABEL_SERVICE = "io.provisioning.service"
LABEL_DIGEST = "io.provisioning.digest"
LABEL_WORK_DIR = "io.provisioning.work-dir"
LABEL_REPLICA = "io.provisioning.replica"
#: Digest of what one replica is, whatever their number; so that scaling leaves the others alone.
LABEL_TEMPLATE = "io.provisioning.template"

HOST_NAME = "host.docker.internal"
HOST_GATEWAY = "host-gateway"

_NANOSECONDS = 1_000_000_000
_VOLUME_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]*")
_MOUNT_OPTIONS = frozenset({"ro", "rw", "z", "Z"})
_NOT_SHAREABLE = ("host", "none", "bridge", "default")


@dataclass(frozen=True)
class Volume:
    """A mount as a definition states it.

    :param source: absolute path on the host, or the name of a volume.
    :param options: of ``ro``, ``rw`` and, for SELinux, ``z`` and ``Z``.
    """

    source: str
    target: str
    options: tuple[str, ...] = ()

    @property
    def is_bind(self) -> bool:
        """Whether it is a path on the host."""
        return self.source.startswith("/")


def block(service: ServiceDefinition) -> DockerDeployment:
    """Return the service's docker block.

    :raises ConfigurationError: it has none.
    """
    docker = service.deployment.docker
    if docker is None:
        remedy = f"Add deployment.docker to {service.name}, or choose another mode."
        raise ConfigurationError(Problem(service.name, "has no docker block", remedy))
    return docker


def stand_in(name: str) -> ServiceDefinition:
    """Return a definition for a service of which nothing but its containers is known: to stop and remove them."""
    return build(ServiceDefinition, {"name": name, "deployment": {"mode": "docker", "docker": {"image": name}}})


def container_names(project: str, service: str, replicas: int) -> dict[str, str]:
    """Return the names of a service's containers by replica: ``""`` where there is one, else ``"1"``, ``"2"``, ..."""
    if replicas <= 1:
        return {"": f"{project}-{service}"}
    return {str(number): f"{project}-{service}-{number}" for number in range(1, replicas + 1)}


def ownership(context: Context) -> dict[str, str]:
    """Return the labels of everything that belongs to the installation."""
    return {LABEL_PROJECT: context.project, LABEL_WORK_DIR: str(context.work_dir.root)}


def document(service: ServiceDefinition, context: Context) -> dict[str, Any]:
    """Return all that matters of a service's container.

    What is not set is left out: a setting that a later version of this driver brings does not recreate everything.

    :raises ConfigurationError: a port, a volume or an amount of memory cannot be read.
    """
    docker = block(service)
    env = {name: text_of(value) for name, value in {**context.env, **docker.env}.items()}
    for volume in docker.volumes:
        parse_volume(volume, service.name)
    holders_of_secrets = [env, docker.command, docker.entrypoint, [file.content for file in service.config]]
    settings: dict[str, Any] = {
        "image": docker.image,
        "build": to_dict(docker.build, sparse=True) if docker.build else None,
        "command": list(docker.command),
        "entrypoint": list(docker.entrypoint),
        "env": env,
        "ports": [_port_text(port) for port in _ports(service)],
        "volumes": list(docker.volumes),
        "tmpfs": list(docker.tmpfs),
        "networks": list(docker.networks),
        "user": docker.user,
        "working_dir": docker.working_dir,
        "read_only": docker.read_only,
        "cap_add": list(docker.cap_add),
        "cap_drop": list(docker.cap_drop),
        "no_new_privileges": docker.no_new_privileges,
        "extra_hosts": dict(docker.extra_hosts),
        "healthcheck": _healthcheck(service),
        "replicas": docker.replicas if docker.replicas > 1 else None,
        "restart": service.startup.restart,
        "stop_signal": service.startup.stop_signal if service.startup.stop_signal != "SIGTERM" else None,
        "resources": _resources(service),
        "labels": dict(service.labels),
        "config": context.files.get(service.name),
        "secrets": context.secrets.versions(holders_of_secrets),
    }
    return {name: value for name, value in settings.items() if value not in (None, "", [], {}, False)}


def template_of(settings: Mapping[str, Any]) -> str:
    """Return the digest of a document without the number of replicas; one of several differs from a single one."""
    template = {name: value for name, value in settings.items() if name != "replicas"}
    canonical = json.dumps([template, "replicas" in settings], sort_keys=True)
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


def creation(
    settings: Mapping[str, Any],
    service: ServiceDefinition,
    context: Context,
    *,
    digest: str,
    replica: str = "",
    gateway: str | None = HOST_GATEWAY,
    sysctls: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Return the body of the request that creates a container.

    :param settings: what :func:`document` returned.
    :param digest: kept as a label.
    :param replica: which of several, as in :func:`container_names`.
    :param gateway: address of the host as containers see it; nothing where the engine gives the host a name itself.
    :param sysctls: kernel settings of the container that the engine does not make by itself.
    """
    env = {**settings.get("env", {}), **({"REPLICA": replica} if replica else {})}
    ports = _replica_ports(settings.get("ports", ()), replica, service.name)
    body: dict[str, Any] = {
        "Image": settings["image"],
        "Env": [f"{name}={value}" for name, value in env.items()],
        "Labels": {
            **settings.get("labels", {}),
            **ownership(context),
            LABEL_SERVICE: service.name,
            LABEL_DIGEST: digest,
            LABEL_REPLICA: replica,
            LABEL_TEMPLATE: template_of(settings),
        },
        "ExposedPorts": {f"{port.container}/{port.protocol}": {} for port in ports},
        # Our own probes tell health. An image's own check costs more than all else and is asked for, not inherited.
        "Healthcheck": _healthcheck_body(settings, block(service)),
        "Cmd": settings.get("command"),
        "Entrypoint": settings.get("entrypoint"),
        "User": settings.get("user"),
        "WorkingDir": settings.get("working_dir"),
        "StopSignal": settings.get("stop_signal"),
        "HostConfig": _host_config(settings, context, ports, gateway, sysctls),
        "NetworkingConfig": {"EndpointsConfig": {context.network: {"Aliases": [service.name]}}},
    }
    return {name: value for name, value in body.items() if value is not None}


def parse_volume(text: str, service: str) -> Volume:
    """Read ``volume-name or absolute path:container path[:options]``.

    :param service: for the message.
    :raises ConfigurationError: the text is not of that form.
    """
    source, _colon, rest = text.partition(":")
    target, _colon, options = rest.partition(":")
    chosen = tuple(option for option in options.split(",") if option)
    known = source.startswith("/") or _VOLUME_NAME.fullmatch(source)
    if not known or not target.startswith("/") or not _MOUNT_OPTIONS.issuperset(chosen):
        why = f"{text!r} is not a mount; write a volume's name or an absolute path, a colon and a path in the container"
        raise ConfigurationError(Problem(service, why, f"Correct docker.volumes of {service}."))
    return Volume(source, target, chosen)


def volumes(settings: Mapping[str, Any], service: str) -> list[Volume]:
    """Return the mounts of a document."""
    return [parse_volume(text, service) for text in settings.get("volumes", ())]


def volume_name(project: str, name: str) -> str:
    """Return the engine's name of a named volume."""
    return f"{project}-{name}"


def check_document(settings: Mapping[str, Any], service: ServiceDefinition) -> list[Problem]:
    """Return what could never be created, whatever the engine.

    :param settings: what :func:`document` returned.
    """
    problems = []
    for name in settings.get("networks", ()):
        if name in _NOT_SHAREABLE or ":" in name:
            why = f"the network {name} cannot be had beside the platform's own"
            problems.append(Problem(service.name, why, f"Take it out of docker.networks of {service.name}."))
    try:
        for replica in container_names("", "", settings.get("replicas", 1)):
            _replica_ports(settings.get("ports", ()), replica, service.name)
    except ConfigurationError as error:
        problems += error.problems
    return problems


def _host_config(
    settings: Mapping[str, Any],
    context: Context,
    ports: Sequence[Port],
    gateway: str | None,
    sysctls: Mapping[str, str] | None,
) -> dict[str, Any]:
    mounts = volumes(settings, "")
    resources = settings.get("resources", {})
    config: dict[str, Any] = {
        "NetworkMode": context.network,
        "RestartPolicy": {"Name": settings.get("restart", "no")},
        "PortBindings": _bindings(ports),
        "Mounts": [_mount(volume, context) for volume in mounts if not _needs_relabel(volume)],
        "Binds": [_bind(volume, context) for volume in mounts if _needs_relabel(volume)],
        "Tmpfs": dict(_tmpfs(text) for text in settings.get("tmpfs", ())),
        "ReadonlyRootfs": settings.get("read_only", False),
        "CapAdd": settings.get("cap_add"),
        "CapDrop": settings.get("cap_drop"),
        "SecurityOpt": ["no-new-privileges"] if settings.get("no_new_privileges") else None,
        "ExtraHosts": _extra_hosts(settings.get("extra_hosts", {}), gateway),
        "NanoCpus": round(resources["cpu"] * _NANOSECONDS) if "cpu" in resources else None,
        "Memory": resources.get("memory"),
        "Ulimits": _ulimits(resources.get("open_files")),
        "Sysctls": dict(sysctls) if sysctls else None,
    }
    return {name: value for name, value in config.items() if value not in (None, [], {}, False)}


def _extra_hosts(hosts: Mapping[str, str], gateway: str | None) -> list[str]:
    wanted = dict(hosts)
    if gateway is not None:
        wanted.setdefault(HOST_NAME, HOST_GATEWAY)
    return [f"{name}:{gateway if gateway and address == HOST_GATEWAY else address}" for name, address in wanted.items()]


def _mount(volume: Volume, context: Context) -> dict[str, Any]:
    source = volume.source if volume.is_bind else volume_name(context.project, volume.source)
    kind = "bind" if volume.is_bind else "volume"
    return {"Type": kind, "Source": source, "Target": volume.target, "ReadOnly": "ro" in volume.options}


def _bind(volume: Volume, context: Context) -> str:
    source = volume.source if volume.is_bind else volume_name(context.project, volume.source)
    return f"{source}:{volume.target}:{','.join(volume.options)}"


def _needs_relabel(volume: Volume) -> bool:
    # Mounts, which refuse a source that does not exist, have no SELinux options; binds have.
    return "z" in volume.options or "Z" in volume.options


def _tmpfs(text: str) -> tuple[str, str]:
    path, _colon, options = text.partition(":")
    return path, options


def _ulimits(open_files: int | None) -> list[dict[str, Any]] | None:
    return None if open_files is None else [{"Name": "nofile", "Soft": open_files, "Hard": open_files}]


def _resources(service: ServiceDefinition) -> dict[str, Any]:
    limits = service.resources
    try:
        memory = None if limits.memory is None else memory_bytes(limits.memory)
    except ValueError as error:
        raise ConfigurationError(
            Problem(service.name, str(error), f"Correct resources.memory of {service.name}.")
        ) from error
    found = {"cpu": limits.cpu, "memory": memory, "open_files": limits.open_files}
    return {name: value for name, value in found.items() if value is not None}


def _healthcheck(service: ServiceDefinition) -> dict[str, Any] | None:
    check = service.health
    if not block(service).healthcheck or not isinstance(check, CommandHealthCheck) or check.expected_exit_code != 0:
        return None
    return {
        "command": list(check.command),
        "interval": check.interval,
        "timeout": check.timeout,
        "retries": check.retries,
        "start_period": check.start_period,
    }


def _healthcheck_body(settings: Mapping[str, Any], docker: DockerDeployment) -> dict[str, Any] | None:
    check = settings.get("healthcheck")
    if check is None:
        return None if docker.healthcheck else {"Test": ["NONE"]}
    return {
        "Test": ["CMD", *check["command"]],
        "Interval": round(check["interval"] * _NANOSECONDS),
        "Timeout": round(check["timeout"] * _NANOSECONDS),
        "Retries": check["retries"],
        "StartPeriod": round(check["start_period"] * _NANOSECONDS),
    }


def _ports(service: ServiceDefinition) -> list[Port]:
    found = []
    for text in block(service).ports:
        try:
            found += published(text, service.bind_address)
        except ValueError as error:
            raise ConfigurationError(
                Problem(service.name, str(error), f"Correct docker.ports of {service.name}.")
            ) from error
    return found


def _port_text(port: Port) -> str:
    address = "127.0.0.1" if port.address == "localhost" else port.address
    address = f"[{address}]" if ":" in address else address
    return f"{address}:{port.number}:{port.container}/{port.protocol}"


def _replica_ports(texts: Sequence[str], replica: str, service: str) -> list[Port]:
    """Return what one container publishes: all, or of several replicas each the one that is its turn."""
    ports = [port for text in texts for port in published(text, "")]
    if not replica:
        return ports
    groups: dict[tuple[str, int | None, str], list[Port]] = {}
    for port in ports:
        groups.setdefault((port.address, port.container, port.protocol), []).append(port)
    turn = int(replica) - 1
    if any(turn >= len(group) for group in groups.values()):
        raise ConfigurationError(
            Problem(
                service,
                "has more replicas than ports for them",
                f"Publish a range of host ports in docker.ports of {service}, e.g. 8081-8083:80 for three, or none.",
            )
        )
    return [group[turn] for group in groups.values()]


def _bindings(ports: Sequence[Port]) -> dict[str, list[dict[str, str]]]:
    found: dict[str, list[dict[str, str]]] = {}
    for port in ports:
        found.setdefault(f"{port.container}/{port.protocol}", []).append(
            {"HostIp": port.address, "HostPort": str(port.number)}
        )
    return found


def is_below(path: Path, folder: Path) -> bool:
    """Whether a path is a folder or something in it."""
    return path == folder or folder in path.parents
