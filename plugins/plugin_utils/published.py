# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where services listen on their host: published ports of containers and ports of processes."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from ansible_collections.provisioning.platform.plugins.module_utils._model import ServiceDefinition
from ansible_collections.provisioning.platform.plugins.module_utils._replicas import count

LAST_PORT = 65535
_PUBLISHED = re.compile(
    r"(?:(?P<address>\[[0-9A-Fa-f:.]+\]|[0-9A-Fa-f]*:[0-9A-Fa-f:.]*:[0-9A-Fa-f.]*|[0-9.]+|localhost):)?"
    r"(?P<first>\d{1,5})(?:-(?P<last>\d{1,5}))?:(?P<container>\d{1,5})(?:/(?P<protocol>tcp|udp))?"
)


@dataclass(frozen=True)
class PublishedPort:
    """An entry of a container's ``ports``.

    :param address: address on the host; the service's own where the entry names none.
    :param first: first port on the host; :param last: the last one, of a range for replicas.
    :param container: port in the container.
    """

    address: str | None
    first: int
    last: int
    container: int
    protocol: str = "tcp"

    @property
    def hosts(self) -> range:
        """The ports on the host."""
        return range(self.first, self.last + 1)

    def __str__(self) -> str:
        address = f"{bracketed(self.address)}:" if self.address else ""
        host = str(self.first) if self.first == self.last else f"{self.first}-{self.last}"
        suffix = "" if self.protocol == "tcp" else f"/{self.protocol}"
        return f"{address}{host}:{self.container}{suffix}"


@dataclass(frozen=True)
class Listener:
    """A port that a service takes on its host."""

    address: str
    port: int
    protocol: str = "tcp"

    def clashes_with(self, other: Listener) -> bool:
        """Whether both cannot listen at once."""
        overlap = _covers(self.address, other.address) or _covers(other.address, self.address)
        return (self.port, self.protocol) == (other.port, other.protocol) and overlap

    def __str__(self) -> str:
        return f"{bracketed(self.address)}:{self.port}/{self.protocol}"


def parse_published(text: str) -> PublishedPort:
    """Read ``[address:]host:container[/udp]``; the host's may be a range, an IPv6 address may lack its brackets.

    :raises ValueError: it is none; the message says what is wrong.
    """
    match = _PUBLISHED.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not [address:]host:container[/udp]")
    address = match["address"].strip("[]") if match["address"] else None
    if address and not is_address(address):
        raise ValueError(f"{address} is not an IP address")
    first, container = int(match["first"]), int(match["container"])
    last = int(match["last"] or first)
    if not all(is_port(number) for number in (first, last, container)):
        raise ValueError(f"{text!r} has a port that is none: they go from 1 to 65535")
    if last < first:
        raise ValueError(f"{text!r} has a range that ends before it begins")
    return PublishedPort(address, first, last, container, match["protocol"] or "tcp")


def published_ports(service: ServiceDefinition) -> list[PublishedPort]:
    """Return what a service's container publishes, each with its address; entries that are wrong are left out."""
    docker = service.deployment.docker
    if service.mode != "docker" or docker is None:
        return []
    ports = []
    for text in docker.ports:
        try:
            port = parse_published(text)
        except ValueError:
            continue
        ports.append(replace(port, address=port.address or service.bind_address))
    return ports


def listeners(service: ServiceDefinition) -> Iterator[Listener]:
    """Yield the ports a service takes on its host, as far as its definition tells."""
    if service.mode == "docker":
        for published in published_ports(service):
            for number in published.hosts:
                yield Listener(loopback_name(published.address or ""), number, published.protocol)
    elif service.mode in ("binary", "compose"):
        firsts = {service.port, *service.ports.values()} - {None}
        for first in sorted(first for first in firsts if first is not None):
            for number in range(first, first + count(service)):
                yield Listener(loopback_name(service.bind_address), number)


def _covers(address: str, other: str) -> bool:
    """Whether who listens on an address has the other one, too; ``::`` may have those of IPv4."""
    try:
        one, two = ipaddress.ip_address(address), ipaddress.ip_address(other)
    except ValueError:
        return address == other
    return one == two or (one.is_unspecified and one.version >= two.version)


def is_port(number: int) -> bool:
    """Whether it is a port that can be listened on and connected to."""
    return 1 <= number <= LAST_PORT


def is_address(text: str) -> bool:
    """Whether it is an IP address, or ``localhost``."""
    if text == "localhost":
        return True
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def is_loopback(host: str) -> bool:
    """Whether an address, or the name of a host, means this machine alone: nobody else reaches what listens there."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_wildcard(address: str) -> bool:
    """Whether it stands for all addresses of the machine."""
    try:
        return ipaddress.ip_address(address).is_unspecified
    except ValueError:
        return False


def bracketed(address: str) -> str:
    """Return an address as URLs write it."""
    return f"[{address}]" if ":" in address and not address.startswith("[") else address


def loopback_name(address: str) -> str:
    """Return the number behind ``localhost``, so that addresses compare."""
    return "127.0.0.1" if address == "localhost" else address
