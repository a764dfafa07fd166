# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Under which address one service reaches another; what cannot be reached is a problem with its remedy. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ansible_collections.provisioning.platform.plugins.module_utils._drivers.remote import endpoint_of
from ansible_collections.provisioning.platform.plugins.module_utils._errors import ConfigurationError, Problem
from ansible_collections.provisioning.platform.plugins.module_utils._model import (
    KubernetesDeployment,
    Mode,
    ServiceDefinition,
)
from ansible_collections.provisioning.platform.plugins.module_utils._model_kubernetes import KubernetesExposure
from ansible_collections.provisioning.platform.plugins.module_utils._replicas import count
from ansible_collections.provisioning.platform.plugins.plugin_utils.published import (
    PublishedPort,
    bracketed,
    is_address,
    is_loopback,
    is_wildcard,
    loopback_name,
    published_ports,
)

#: Where something stands: on a host, in a container, on the cluster, elsewhere, or on another host of the platform.
Place = Literal["host", "container", "cluster", "elsewhere", "network"]

#: The name under which containers reach the host they run on.
HOST_FROM_CONTAINER = "host.docker.internal"

_PLACES: dict[Mode, Place] = {
    "binary": "host",
    "docker": "container",
    "compose": "container",
    "kubernetes": "cluster",
    "remote": "elsewhere",
}


@dataclass(frozen=True)
class Address:
    """Where to connect to.

    :param url: the address as a URL.
    """

    host: str
    port: int
    url: str


Reached = Address | Problem


def reached(result: Reached) -> Address:
    """Return the address.

    :raises ConfigurationError: there is none.
    """
    if isinstance(result, Problem):
        raise ConfigurationError(result)
    return result


def place_of(service: ServiceDefinition) -> Place:
    """Return where a service stands."""
    return _PLACES[service.mode]


def address_of(
    asker: Place,
    target: ServiceDefinition,
    *,
    domain: str = "localhost",
    port: str | None = None,
    host: str | None = None,
) -> Reached:
    """Return the address under which ``target`` is reached, or why it is not.

    :param asker: where the one who asks stands.
    :param domain: the installation's ``deployment.domain``, by which pods find the host, and others the cluster.
    :param port: name of one of the target's further ports; its main port by default.
    :param host: address of the target's host, where that is another one than the asker's.
    """
    if target.mode == "remote":
        return _remote(asker, target)
    number = target.port if port is None else target.ports.get(port)
    if number is None:
        what = f"{target.name}.port" if port is None else f"{target.name}.ports.{port}"
        return Problem(what, f"{target.name} has no such port", "Give its definition one.")
    if target.mode == "kubernetes":
        return _cluster(asker, target, number, domain)
    if host is not None:
        asker, domain = "network", host
    if target.mode == "docker":
        return _container(asker, target, number, domain)
    if target.mode == "compose" and asker == "container":
        return _address(target, target.name, number)
    return _on_host(asker, target, target.bind_address, number, domain)


def replica_addresses(
    asker: Place,
    target: ServiceDefinition,
    *,
    project: str,
    domain: str = "localhost",
    port: str | None = None,
) -> list[Address] | Problem:
    """Return the address of each replica of ``target``, of which there may be one, or why they are not reached.

    :param project: the installation's ``deployment.project``, by which containers are called.
    """
    first = address_of(asker, target, domain=domain, port=port)
    amount = count(target)
    if isinstance(first, Problem) or amount == 1:
        return first if isinstance(first, Problem) else [first]
    if target.mode == "docker" and asker == "container":
        names = [f"{project}-{target.name}-{number}" for number in range(1, amount + 1)]
        return [_address(target, name, first.port) for name in names]
    return [_address(target, first.host, first.port + index) for index in range(amount)]


def _container(asker: Place, target: ServiceDefinition, number: int, domain: str) -> Reached:
    published = _published(target, number)
    if asker == "container":
        return _address(target, target.name, published.container if published else number)
    if published is None:
        return Problem(
            target.name,
            f"publishes no port {number}, so that only containers reach it",
            f'Add "{bracketed(target.bind_address)}:{number}:{number}" to its deployment.docker.ports.',
        )
    return _on_host(asker, target, published.address or target.bind_address, published.first, domain)


def _published(target: ServiceDefinition, number: int) -> PublishedPort | None:
    """The entry for a port: the one to that port in the container, else the one from that port on the host."""
    ports = [entry for entry in published_ports(target) if entry.protocol == "tcp"]
    inside = (entry for entry in ports if entry.container == number)
    outside = (entry for entry in ports if number in entry.hosts)
    return next(inside, None) or next(outside, None)


def _on_host(asker: Place, target: ServiceDefinition, listens_on: str, number: int, domain: str) -> Reached:
    if asker in ("host", "elsewhere"):
        return _address(target, _local(listens_on), number)
    if is_loopback(listens_on):
        return Problem(
            target.name,
            f"listens on {listens_on} alone, where no {_INHABITANTS[asker]} reaches it",
            _remedy(target, asker),
        )
    if not is_wildcard(listens_on):
        return _address(target, listens_on, number)
    if asker == "container":
        return _address(target, HOST_FROM_CONTAINER, number)
    if asker == "network":
        return _address(target, domain, number)
    if domain == "localhost" or is_loopback(domain):
        return Problem(
            "deployment.domain",
            f"{domain} is no name by which a pod finds the host of {target.name}",
            "Set it to a name or address of that host.",
        )
    return _address(target, domain, number)


_INHABITANTS: dict[Place, str] = {"container": "container", "cluster": "pod", "network": "other host"}


def _remedy(target: ServiceDefinition, asker: Place) -> str:
    remedy = f"Set deployment.services[{target.name}].bind_address to 0.0.0.0 or to an address of the host"
    if asker == "container" and target.deployment.docker is not None:
        remedy += f", or run {target.name} as a container too (mode: docker)"
    return f"{remedy}."


def _local(address: str) -> str:
    if not is_wildcard(address):
        return loopback_name(address)
    return "::1" if ":" in address else "127.0.0.1"


def _cluster(asker: Place, target: ServiceDefinition, number: int, domain: str) -> Reached:
    block = target.deployment.kubernetes or KubernetesDeployment()
    if asker == "cluster":
        return _address(target, f"{target.name}.{block.namespace}.svc", number)
    exposed = block.expose
    if exposed.type == "Ingress":
        return _through_ingress(target, exposed, number)
    if exposed.type == "NodePort":
        name = next((name for name, port in target.ports.items() if port == number), "")
        found = exposed.node_port if number == target.port else exposed.node_ports.get(name)
        if found is None:
            key = "node_port" if number == target.port else f"node_ports.{name}"
            why = f"port {number} of {target.name} has a port of the nodes that nobody knows beforehand"
            return Problem(f"{_path(target)}.expose.{key}", why, "Choose one, usually of 30000-32767.")
        return _published_at(asker, target, exposed.address or block.node_address, found, domain)
    if exposed.type == "LoadBalancer":
        return _published_at(asker, target, exposed.address, number, domain)
    return Problem(
        target.name,
        "runs on the cluster and is not published beyond it",
        f"Set {_path(target)}.expose, or run both on the cluster, or both beside it.",
    )


def _through_ingress(target: ServiceDefinition, exposed: KubernetesExposure, number: int) -> Reached:
    if number != target.port:
        why = f"port {number} is not the main port, to which alone an ingress leads"
        return Problem(target.name, why, f"Set {_path(target)}.expose.type to NodePort or LoadBalancer.")
    if not exposed.host or exposed.host.startswith("*"):
        why = "names no single host under which it is reached"
        return Problem(f"{_path(target)}.expose.host", why, "Write the host's whole name.")
    scheme, port = ("https", 443) if exposed.tls_secret else ("http", 80)
    return Address(exposed.host, port, f"{scheme}://{exposed.host}{exposed.path.rstrip('/')}")


def _published_at(asker: Place, target: ServiceDefinition, address: str | None, number: int, domain: str) -> Reached:
    if address is None and (domain == "localhost" or is_loopback(domain)):
        why = f"nothing says under which address port {number} of the cluster is reached"
        remedy = f"Set {_path(target)}.expose.address"
        if (target.deployment.kubernetes or KubernetesDeployment()).expose.type == "NodePort":
            remedy += ", deployment.kubernetes.node_address"
        return Problem(target.name, why, f"{remedy} or deployment.domain.")
    host = address or domain
    if asker == "container" and (host == "localhost" or is_loopback(host)):
        why = f"{host} is not the cluster where a container looks it up"
        return Problem(f"{_path(target)}.expose.address", why, "Write a name or address that containers reach.")
    return _address(target, host, number)


def _path(target: ServiceDefinition) -> str:
    return f"{target.name}.deployment.kubernetes"


def _remote(asker: Place, target: ServiceDefinition) -> Reached:
    url = target.deployment.remote.url if target.deployment.remote else ""
    end = endpoint_of(url, target.port)
    if end is None:
        remedy = "Write scheme, host and port, e.g. https://host.example:8443."
        return Problem(f"{target.name}.deployment.remote.url", "does not say where to connect to", remedy)
    host, number = end
    if asker in _INHABITANTS and (host == "localhost" or is_loopback(host)):
        why = f"{host} is not {target.name} where a {_INHABITANTS[asker]} looks it up"
        return Problem(f"{target.name}.deployment.remote.url", why, "Write a name or address of its machine.")
    return Address(host, number, url.rstrip("/"))


def _address(target: ServiceDefinition, host: str, port: int) -> Address:
    shown = bracketed(host) if is_address(host) else host
    return Address(host, port, f"{target.scheme}://{shown}:{port}")
