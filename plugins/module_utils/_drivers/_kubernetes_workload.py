# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a definition says of its workload on a cluster: its own block first, then the docker block. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from .._errors import ConfigurationError, Problem
from .._model import DockerDeployment, KubernetesDeployment, Scalar, ServiceDefinition
from .._paths import WorkDir
from .._ports import published
from ._docker_mounts import numeric_user
from ._docker_render import Volume, parse_volume
from ._kubernetes_names import below

Kind = Literal["Deployment", "StatefulSet", "Job"]

_PULL = {"missing": "IfNotPresent", "always": "Always", "never": "Never"}
_CONTAINER_PORT = re.compile(r"(?:(?P<port>\d{1,5}):)?(?P<container>\d{1,5})(?:/(?P<protocol>tcp|udp))?")
_WITHOUT_TLS_OR_WITH = ("http", "https")


@dataclass(frozen=True)
class ServedPort:
    """A port of the cluster's Service.

    :param number: under which others reach it; :param target: in the container.
    :param application: what is spoken, in Kubernetes' words, where that is known.
    """

    name: str
    number: int
    target: int
    protocol: str = "TCP"
    application: str | None = None


@dataclass(frozen=True)
class Workload:
    """What runs in the pods of a service."""

    kind: Kind
    replicas: int
    image: str
    pull_policy: str
    entrypoint: list[str]
    command: list[str]
    env: dict[str, Scalar]
    user: tuple[int, int] | None
    working_dir: str | None
    capabilities: list[str]
    extra_hosts: dict[str, str]
    tmpfs: list[str]
    volumes: list[Volume]
    ports: list[ServedPort]


def block(service: ServiceDefinition) -> KubernetesDeployment:
    """Return the service's kubernetes block, the defaults where it has none."""
    return service.deployment.kubernetes or KubernetesDeployment()


def replicas_of(service: ServiceDefinition) -> int:
    """Return how many pods are wanted."""
    own, docker = block(service).replicas, service.deployment.docker
    return own if own is not None else docker.replicas if docker else 1


def workload_of(service: ServiceDefinition, work_dir: WorkDir) -> Workload:
    """Return what runs in a service's pods.

    :raises ConfigurationError: it has no image, or a user, port or volume that cannot be read.
    """
    kubernetes, docker = block(service), service.deployment.docker or DockerDeployment(image="")
    image = kubernetes.image or docker.image
    if not image:
        remedy = f"Set kubernetes.image of {service.name}, or give it a docker block, manifests or a chart."
        raise ConfigurationError(Problem(service.name, "has no image to run on the cluster", remedy))
    texts = docker.volumes if kubernetes.volumes is None else kubernetes.volumes
    volumes = [parse_volume(text, service.name) for text in texts]
    return Workload(
        kind=_kind(service, volumes, work_dir),
        replicas=replicas_of(service),
        image=image,
        pull_policy=_PULL[kubernetes.pull or docker.pull],
        entrypoint=_own_words(docker.entrypoint) if kubernetes.entrypoint is None else list(kubernetes.entrypoint),
        command=_own_words(docker.command) if kubernetes.command is None else list(kubernetes.command),
        env={**docker.env, **kubernetes.env},
        user=_user(service.name, kubernetes.user or docker.user),
        working_dir=kubernetes.working_dir or docker.working_dir,
        capabilities=list(docker.cap_add),
        extra_hosts=dict(docker.extra_hosts),
        tmpfs=list(docker.tmpfs if kubernetes.tmpfs is None else kubernetes.tmpfs),
        volumes=volumes,
        ports=served_ports(service),
    )


def served_ports(service: ServiceDefinition) -> list[ServedPort]:
    """Return the ports of the cluster's Service: those with a name first, then what else the container listens on.

    :raises ConfigurationError: a port cannot be read.
    """
    known = _container_ports(service)
    found: dict[tuple[int, str], ServedPort] = {}
    used: set[_ContainerPort] = set()
    named = [(_main_name(service), service.port), *service.ports.items()]
    for name, number in named:
        if number is None:
            continue
        entries = [entry for entry in known if entry.container == number]
        entries = entries or [entry for entry in known if number in entry.numbers]
        used.update(entries)
        application = service.scheme if number == service.port and service.scheme in _WITHOUT_TLS_OR_WITH else None
        for protocol, target in [(entry.protocol, entry.container) for entry in entries] or [("TCP", number)]:
            label = _port_name(name) + ("-udp" if protocol == "UDP" else "")
            port = ServedPort(label, number, target, protocol, application if protocol == "TCP" else None)
            found.setdefault((number, protocol), port)
    for entry in known:
        if entry not in used:
            label = f"port-{entry.container}" + ("-udp" if entry.protocol == "UDP" else "")
            port = ServedPort(label, entry.container, entry.container, entry.protocol)
            found.setdefault((entry.container, entry.protocol), port)
    return list(found.values())


def target_port(number: int, ports: Sequence[ServedPort]) -> int:
    """Return the port in the container behind one of the Service; the number itself where it has none such."""
    return next((port.target for port in ports if port.number == number and port.protocol == "TCP"), number)


@dataclass(frozen=True)
class _ContainerPort:
    numbers: tuple[int, ...]
    container: int
    protocol: str


def _container_ports(service: ServiceDefinition) -> list[_ContainerPort]:
    own, docker = block(service).ports, service.deployment.docker
    if own is not None:
        return [_container_port(text, service.name) for text in own]
    ports: dict[tuple[int, str], list[int]] = {}
    for text in docker.ports if docker else ():
        try:
            for port in published(text, ""):
                ports.setdefault((port.container or port.number, port.protocol.upper()), []).append(port.number)
        except ValueError as error:
            remedy = f"Correct docker.ports of {service.name}."
            raise ConfigurationError(Problem(service.name, str(error), remedy)) from error
    return [_ContainerPort(tuple(numbers), container, protocol) for (container, protocol), numbers in ports.items()]


def _container_port(text: str, service: str) -> _ContainerPort:
    match = _CONTAINER_PORT.fullmatch(text)
    if match is None:
        why = f"{text!r} is not a port of a container; write [port:]container[/udp]"
        raise ConfigurationError(Problem(service, why, f"Correct kubernetes.ports of {service}."))
    container = int(match["container"])
    return _ContainerPort((int(match["port"] or container),), container, (match["protocol"] or "tcp").upper())


def _main_name(service: ServiceDefinition) -> str:
    return "main" if service.scheme in service.ports else service.scheme


def _port_name(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:58] or "port"


def _kind(service: ServiceDefinition, volumes: Sequence[Volume], work_dir: WorkDir) -> Kind:
    if service.startup.restart == "no":
        return "Job"  # A workload of any other kind is started again whenever it ends.
    data = str(work_dir.service_data(service.name))
    keeps_data = any(not volume.is_bind or below(volume.source, data) is not None for volume in volumes)
    return block(service).kind or ("StatefulSet" if keeps_data else "Deployment")


def _user(service: str, user: str | None) -> tuple[int, int] | None:
    if user is None:
        return None
    numeric = numeric_user(user)
    if numeric is None:
        why = f"the user {user} is a name, and a cluster tells by numbers that somebody is not root"
        raise ConfigurationError(Problem(service, why, f'Set kubernetes.user of {service} to "uid:gid".'))
    return numeric


def _own_words(words: Sequence[str]) -> list[str]:
    """Words of a container's command: Kubernetes alone would put variables into them."""
    return [word.replace("$(", "$$(") for word in words]
