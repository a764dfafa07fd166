# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What services of one host need of other hosts: whom they wait for, and whose secrets they use. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from ansible_collections.provisioning.platform.plugins.module_utils._errors import Problem
from ansible_collections.provisioning.platform.plugins.module_utils._model import (
    Elsewhere,
    HttpHealthCheck,
    ServiceDefinition,
    TcpHealthCheck,
)
from ansible_collections.provisioning.platform.plugins.module_utils._secrets import references
from ansible_collections.provisioning.platform.plugins.plugin_utils.addresses import Address, Reached
from ansible_collections.provisioning.platform.plugins.plugin_utils.placement import Placement

Services = Mapping[str, ServiceDefinition]


def for_host(
    services: Services, placement: Placement, reach: Callable[[ServiceDefinition, str], Reached]
) -> tuple[dict[str, ServiceDefinition], list[Problem]]:
    """Return the services of a host as its engine takes them, and what is wrong with their dependencies.

    What they depend on beside them stays in ``depends_on``; what is on another host goes to ``elsewhere``.

    :param services: all of the platform.
    :param reach: gives the address of a service for one that asks.
    """
    rounds = placement.rounds(services)
    here: dict[str, ServiceDefinition] = {}
    problems: list[Problem] = []
    for name, service in services.items():
        if not placement.is_here(name):
            continue
        elsewhere: dict[str, Elsewhere] = {}
        for need, dependency in service.depends_on.items():
            host = placement.used_by(placement.host, need)
            if host == placement.host:
                continue
            found = _check(service, services[need], dependency.condition, reach)
            if isinstance(found, Problem):
                problems.append(found)
            else:
                elsewhere[need] = Elsewhere(host=host, check=found)
        needs = {need: dependency for need, dependency in service.depends_on.items() if need not in elsewhere}
        here[name] = dataclasses.replace(
            service, depends_on=needs, elsewhere=elsewhere, round=rounds[name, placement.host]
        )
    return here, problems


def secrets_elsewhere(documents: Any, placement: Placement) -> dict[str, str]:
    """Return whose secrets are used on our host and made on another: the host by the name of the service.

    :param documents: all that is used here, as JSON types.
    """
    owners = {owner for owner, _secret in references(documents)}
    return {owner: placement.hosts[owner][0] for owner in sorted(owners) if not placement.is_here(owner)}


def _check(
    service: ServiceDefinition,
    need: ServiceDefinition,
    condition: str,
    reach: Callable[[ServiceDefinition, str], Reached],
) -> HttpHealthCheck | TcpHealthCheck | Problem:
    path = f"{service.name}.depends_on.{need.name}"
    together = f"Place {service.name} and {need.name} on the same host."
    if condition == "completed":
        return Problem(path, f"{need.name} is on another host, where it cannot be seen to complete", together)
    if need.port is None:
        return Problem(path, f"{need.name} is on another host and has no port to ask it by", together)
    address = reach(service, need.name)
    if isinstance(address, Problem):
        return address
    return _asked_by(address, need)


def _asked_by(address: Address, need: ServiceDefinition) -> HttpHealthCheck | TcpHealthCheck:
    """Its own check, from outside; a connection where that says too little or needs what only its host has."""
    health = need.health
    if isinstance(health, HttpHealthCheck) and health.url.startswith("http://"):
        parts = urlsplit(health.url)
        if parts.port == need.port and not references(health.headers):
            origin = urlsplit(address.url)
            return dataclasses.replace(health, url=parts._replace(netloc=origin.netloc).geturl())
    return TcpHealthCheck(type="tcp", host=address.host, port=address.port)
