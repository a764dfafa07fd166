# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which ports a service needs, whether they are free, and who has them if not."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import socket
import struct
import sys
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

from ._errors import Problem
from ._model import ServiceDefinition
from ._process import command_name, group_of

_PUBLISHED = re.compile(
    r"^(?:(?P<address>\[[0-9a-fA-F:.]+\]|[0-9a-fA-F]*:[0-9a-fA-F:.]*:[0-9a-fA-F.]*|[0-9.]+|[A-Za-z][A-Za-z0-9.-]*):)?"
    r"(?P<host>\d+(?:-\d+)?):(?P<container>\d+(?:-\d+)?)"
    r"(?:/(?P<protocol>tcp|udp))?$"
)
_LISTEN = "0A"


@dataclass(frozen=True)
class Port:
    """A port on an address of the host.

    :param container: the port inside the container it leads to, where there is one.
    """

    address: str
    number: int
    protocol: str = "tcp"
    container: int | None = None

    def __str__(self) -> str:
        return f"{self.number}/udp" if self.protocol == "udp" else str(self.number)


def published(text: str, default_address: str) -> list[Port]:
    """Read a container's published port: ``[address:]host:container[/udp]``, either port may be a range.

    A range of host ports for one container port gives each of several replicas its own.

    :raises ValueError: the text is not of that form, or two ranges differ in length.
    """
    match = _PUBLISHED.match(text)
    if match is None:
        raise ValueError(f"{text!r} is not a published port; write [address:]host:container[/udp]")
    address = (match["address"] or default_address).strip("[]")
    hosts, containers = _range(match["host"]), _range(match["container"])
    if len(containers) not in (1, len(hosts)):
        raise ValueError(f"{text!r} maps {len(hosts)} ports to {len(containers)}")
    protocol = match["protocol"] or "tcp"
    return [Port(address, host, protocol, inner) for host, inner in zip(hosts, cycle(containers))]


def needed(service: ServiceDefinition) -> list[Port]:
    """Return the ports of the host that a service needs in its mode."""
    deployment = service.deployment
    if service.mode == "docker" and deployment.docker is not None:
        return [port for text in deployment.docker.ports for port in published(text, service.bind_address)]
    if service.mode == "binary" and deployment.binary is not None:
        firsts = dict.fromkeys([*([service.port] if service.port else []), *service.ports.values()])
        replicas = max(1, deployment.binary.replicas)
        numbers = [number for first in firsts for number in range(first, first + replicas)]
        return [Port(service.bind_address, number) for number in dict.fromkeys(numbers)]
    return []


def problems(service: ServiceDefinition, *, ours: Collection[str] = ()) -> list[Problem]:
    """Return which ports the service needs and cannot have, and who has them.

    :param ours: pids of processes that are left of it and will be stopped before it is started.
    """
    try:
        wanted = needed(service)
    except ValueError as error:
        return [Problem(service.name, str(error), f"Correct deployment.docker.ports of {service.name}.")]
    return [found for port in wanted if (found := _problem(service, port, ours)) is not None]


def is_free(port: Port) -> bool:
    """Whether nobody has the port. Connections that linger after whoever had it do not count: they go by themselves.

    :raises OSError: the address is not one of this host, or only root may bind the port.
    :raises ValueError: no port has such a number.
    """
    if not 0 < port.number < 1 << 16:
        raise ValueError(f"{port.number} is not the number of a port")
    family = socket.AF_INET6 if ":" in port.address else socket.AF_INET
    kind = socket.SOCK_DGRAM if port.protocol == "udp" else socket.SOCK_STREAM
    with socket.socket(family, kind) as probe:
        if kind == socket.SOCK_STREAM:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((port.address, port.number))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return not _inodes(port)
            raise
    return True


def holder(port: Port) -> str:
    """Say who has a port: ``pid 812 (node)``, or ``another process`` where that may not be known."""
    for pid in holders(port):
        return f"pid {pid} ({command_name(pid)})"
    return "another process"


def holders(port: Port) -> Iterator[int]:
    """Yield the pids of those who have a port, so far as that may be known."""
    return _pids_with(_inodes(port))


def _problem(service: ServiceDefinition, port: Port, ours: Collection[str]) -> Problem | None:
    try:
        if is_free(port) or _is_ours(port, ours):
            return None
    except ValueError as error:
        return Problem(service.name, str(error), "Choose one from 1 to 65535.")
    except PermissionError:
        if service.mode == "docker":  # not we but the engine takes it, which may have other rights
            return None
        return Problem(service.name, f"port {port} may only be bound by root", "Choose one from 1024 on, or be root.")
    except OSError as error:
        why = f"{port.address} is not an address of this host: {error.strerror or error}"
        return Problem(service.name, why, "Correct deployment.bind_address.")
    remedy = f"Stop it, or set deployment.services[{service.name}].port."
    return Problem(service.name, f"port {port} is taken by {holder(port)}", remedy)


def _is_ours(port: Port, ours: Collection[str]) -> bool:
    pids = list(holders(port)) if ours else []
    return bool(pids) and all(str(pid) in ours or str(group_of(pid)) in ours for pid in pids)


def _range(text: str) -> range:
    first, _dash, last = text.partition("-")
    return range(int(first), int(last or first) + 1)


def _inodes(port: Port) -> set[str]:
    wanted = _network_addresses(port.address)
    found = set()
    for table in (f"/proc/net/{port.protocol}", f"/proc/net/{port.protocol}6"):
        with contextlib.suppress(OSError):
            for line in Path(table).read_text(encoding="ascii").splitlines()[1:]:
                fields = line.split()
                address, _colon, number = fields[1].rpartition(":")
                is_bound = port.protocol == "udp" or fields[3] == _LISTEN
                if is_bound and int(number, 16) == port.number and _overlap(address, wanted):
                    found.add(fields[9])
    return found


def _network_addresses(address: str) -> set[str]:
    """Return an address as the kernel's tables write it; an IPv4 one also as IPv6 sockets hold it."""
    found = set()
    with contextlib.suppress(OSError):
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        for *_kind, where in socket.getaddrinfo(address, None, family, socket.SOCK_STREAM):
            packed = socket.inet_pton(family, str(where[0]))
            if family == socket.AF_INET:
                found.add(_in_words(packed))
                packed = b"\0" * 10 + b"\xff\xff" + packed
            found.add(_in_words(packed))
    return found


def _in_words(packed: bytes) -> str:
    words = struct.unpack(f"{'<' if sys.byteorder == 'little' else '>'}{len(packed) // 4}I", packed)
    return "".join(f"{word:08X}" for word in words)


def _overlap(address: str, wanted: set[str]) -> bool:
    """Whether two sockets are in each other's way: they have the same address, or one has all of them."""
    return address in wanted or not address.strip("0") or any(not one.strip("0") for one in wanted)


def _pids_with(inodes: Iterable[str]) -> Iterator[int]:
    wanted = {f"socket:[{inode}]" for inode in inodes}
    for entry in os.listdir("/proc") if wanted else ():
        if not entry.isdigit():
            continue
        with contextlib.suppress(OSError):
            for descriptor in os.listdir(f"/proc/{entry}/fd"):
                if str(Path(f"/proc/{entry}/fd/{descriptor}").readlink()) in wanted:
                    yield int(entry)
                    break
