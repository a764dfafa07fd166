# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Under which address one service reaches another; what cannot be reached is a problem with its remedy. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from ansible_collections.provisioning.platform.plugins.module_utils._errors import ConfigurationError, Problem
from ansible_collections.provisioning.platform.plugins.module_utils._model import Mode, ServiceDefinition
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
_SCHEME_PORTS = {"http": 80, "https": 443, "postgres": 5432, "postgresql": 5432}


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
    :param domain: the installation's ``deployment.domain``, by which pods find the host.
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
        return _cluster(asker, target, number)
    if host is not None:
        asker, domain = "network", host
    if target.mode == "docker":
        return _container(asker, target, number, domain)
    if target.mode == "compose" and asker == "container":
        return _address(target, target.name, number)
    return _on_host(asker, target, target.bind_address, number, domain)


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


def _cluster(asker: Place, target: ServiceDefinition, number: int) -> Reached:
    if asker == "cluster":
        block = target.deployment.kubernetes
        return _address(target, f"{target.name}.{block.namespace if block else 'provisioning'}.svc", number)
    return Problem(
        target.name,
        "runs on the cluster and is not published beyond it",
        "Run the service that needs it on the cluster too, or both on the host.",
    )


def _remote(asker: Place, target: ServiceDefinition) -> Reached:
    url = target.deployment.remote.url if target.deployment.remote else ""
    try:
        parts = urlsplit(url)
        host, number = parts.hostname, parts.port or target.port or _SCHEME_PORTS.get(parts.scheme)
    except ValueError:
        host, number = None, None
    if not host or number is None:
        remedy = "Write scheme, host and port, e.g. https://host.example:8443."
        return Problem(f"{target.name}.deployment.remote.url", "does not say where to connect to", remedy)
    if asker in _INHABITANTS and (host == "localhost" or is_loopback(host)):
        why = f"{host} is not {target.name} where a {_INHABITANTS[asker]} looks it up"
        return Problem(f"{target.name}.deployment.remote.url", why, "Write a name or address of its machine.")
    return Address(host, number, url.rstrip("/"))


def _address(target: ServiceDefinition, host: str, port: int) -> Address:
    shown = bracketed(host) if is_address(host) else host
    return Address(host, port, f"{target.scheme}://{shown}:{port}")
