# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several of one service on a host: each has a number and ports of its own.

The first has the ports of the definition, the second those after them, and so on; for containers it is the published
range that says so. In a process's arguments and environment ``${replica.port}`` stands for its own port; the driver
fills it in, since all replicas are made from one definition.
"""

from __future__ import annotations

import dataclasses
import re
from urllib.parse import urlsplit, urlunsplit

from . import _ports
from ._model import AnyVerification, BinaryDeployment, HttpHealthCheck, ServiceDefinition, TcpHealthCheck

PLACEHOLDER = re.compile(r"\$\{replica\.(?:(number)|(port)|ports\.([A-Za-z0-9_-]+))\}")


def count(service: ServiceDefinition) -> int:
    """Return how many of a service there are to be on its host."""
    block = {"binary": service.deployment.binary, "docker": service.deployment.docker}.get(service.mode)
    return max(1, block.replicas) if block is not None else 1


def for_replica(service: ServiceDefinition, block: BinaryDeployment, number: int) -> BinaryDeployment:
    """Return what one replica of a process is started with.

    :param number: of the replica, from 1.
    """

    def value(match: re.Match[str]) -> str:
        if match[1]:
            return str(number)
        port = service.port if match[2] else service.ports.get(match[3])
        return match[0] if port is None else str(port + number - 1)

    args = [PLACEHOLDER.sub(value, text) for text in block.args]
    env = {name: PLACEHOLDER.sub(value, text) if isinstance(text, str) else text for name, text in block.env.items()}
    return dataclasses.replace(block, args=args, env=env)


def checks(service: ServiceDefinition, check: AnyVerification) -> list[AnyVerification]:
    """Return a check for each replica, where it is one that each of them can be asked by; else the check alone."""
    amount = count(service)
    if amount == 1:
        return [check]
    if isinstance(check, TcpHealthCheck) and _is_of_replicas(service, check.host, check.port, amount):
        return [dataclasses.replace(check, port=check.port + index) for index in range(amount)]
    if isinstance(check, HttpHealthCheck):
        url = urlsplit(check.url)
        host, port = url.hostname or "", url.port
        if port is not None and _is_of_replicas(service, host, port, amount):
            shown = f"[{host}]" if ":" in host else host
            return [
                dataclasses.replace(check, url=urlunsplit(url._replace(netloc=f"{shown}:{port + index}")))
                for index in range(amount)
            ]
    return [check]


def _is_of_replicas(service: ServiceDefinition, host: str, port: int, amount: int) -> bool:
    """Whether a port, and those after it, are the replicas' own on this host."""
    if host not in ("127.0.0.1", "localhost", "::1", service.bind_address):
        return False
    docker = service.deployment.docker
    if service.mode != "docker" or docker is None:
        return port in (service.port, *service.ports.values())
    ranges = [_ports.published(text, service.bind_address) for text in docker.ports]
    return any(len(found) == amount and found[0].number == port for found in ranges)
