# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which hosts services are placed on, and in which rounds the hosts start them. Pure.

All hosts converge at the same time. A service that needs one on another host starts in a later round, so that no host
ever waits for another one.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from ansible_collections.provisioning.platform.plugins.module_utils._errors import Problem
from ansible_collections.provisioning.platform.plugins.module_utils._graph import startup_order
from ansible_collections.provisioning.platform.plugins.module_utils._model import ServiceDefinition
from ansible_collections.provisioning.platform.plugins.plugin_utils.wording import suggest_or_list

#: A service on one of its hosts.
Instance = tuple[str, str]


@dataclass(frozen=True)
class Inventory:
    """The hosts of a platform.

    :param hosts: all of them, in the inventory's order.
    :param groups: hosts by the name of their group.
    :param addresses: under which address others reach a host.
    :param is_known: whether these are the hosts that will be installed on; otherwise the first stands for them all.
    """

    hosts: tuple[str, ...]
    groups: Mapping[str, Collection[str]] = field(default_factory=dict)
    addresses: Mapping[str, str] = field(default_factory=dict)
    is_known: bool = True

    def place(self, name: str, written: Sequence[str]) -> tuple[tuple[str, ...], list[Problem]]:
        """Return the hosts of a service, and what is wrong with how its place is written.

        :param name: the service.
        :param written: its ``hosts``: names of hosts or groups. When it has none, it is on the hosts of the group of
            its name, and where there is no such group, on the first host.
        """
        if not self.is_known:
            return self.hosts[:1], []
        if not written:
            group = self.groups.get(name.replace("-", "_"), ())
            return tuple(host for host in self.hosts if host in group) or self.hosts[:1], []
        known = {**{host: (host,) for host in self.hosts}, **self.groups}
        problems = [
            Problem(f"{name}.hosts", f"the platform has no host or group {each}", suggest_or_list(each, known))
            for each in written
            if not set(known.get(each, ())) & set(self.hosts)
        ]
        wanted = {host for each in written for host in known.get(each, ())}
        return tuple(host for host in self.hosts if host in wanted), problems


@dataclass(frozen=True)
class Placement:
    """Where the services of a platform are.

    :param host: the one we look from.
    :param hosts: by service, in the inventory's order.
    :param addresses: under which address others reach a host.
    """

    host: str
    hosts: Mapping[str, tuple[str, ...]]
    addresses: Mapping[str, str] = field(default_factory=dict)

    def is_here(self, name: str) -> bool:
        """Whether a service is on our host."""
        return self.host in self.hosts[name]

    def viewpoint(self, name: str) -> str:
        """Return the host from which a service is looked at: ours where it is here, else its first."""
        return self.host if self.is_here(name) else self.hosts[name][0]

    def used_by(self, host: str, name: str) -> str:
        """Return the host of the instance that one on ``host`` uses: its own neighbour, else the first."""
        return host if host in self.hosts[name] else self.hosts[name][0]

    def rounds(self, services: Mapping[str, ServiceDefinition]) -> dict[Instance, int]:
        """Return for each service on each host the round, from 0, in which it can start.

        :param services: all of the platform, without a cycle.
        """
        rounds: dict[Instance, int] = {}
        for name in startup_order(services):
            for host in self.hosts[name]:
                needs = [(need, self.used_by(host, need)) for need in services[name].depends_on if need in services]
                rounds[name, host] = max((rounds[need, at] + (at != host) for need, at in needs), default=0)
        return rounds

    def awaited(self, services: Mapping[str, ServiceDefinition]) -> set[str]:
        """Return the services on our host that others elsewhere need to be healthy."""
        return {
            need
            for name, service in services.items()
            for need, dependency in service.depends_on.items()
            if need in self.hosts and dependency.condition == "healthy"
            for host in self.hosts[name]
            if host != self.host and self.used_by(host, need) == self.host
        }
