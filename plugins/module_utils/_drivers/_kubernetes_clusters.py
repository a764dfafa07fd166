# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which cluster a service is on, and the connections to them: most installations have one."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Iterable, Sequence

from .._model import ServiceDefinition
from .._settings import Cluster
from ._base import Context
from ._kubernetes_client import Api, Connection
from ._kubernetes_workload import block


class Clusters:
    """The clusters of an installation's services, each connected to when it is first needed."""

    def __init__(self, context: Context) -> None:
        self._usual = context.cluster
        self._lock = threading.Lock()
        self._connections: dict[Cluster, Connection] = {}
        self._namespaces: dict[Cluster, set[str]] = {}

    def of(self, service: ServiceDefinition) -> Cluster:
        """Return the cluster of a service: its own choice, else the installation's."""
        own = block(service)
        return dataclasses.replace(
            self._usual,
            kubeconfig=own.kubeconfig or self._usual.kubeconfig,
            context=own.context or (self._usual.context if own.kubeconfig is None else None),
            force_conflicts=own.force_conflicts or self._usual.force_conflicts,
        )

    def api(self, cluster: Cluster) -> Api:
        """Return the API of a cluster.

        :raises DriverError: it cannot be reached, or is too old.
        """
        with self._lock:
            place = dataclasses.replace(cluster, force_conflicts=False)
            connection = self._connections.setdefault(place, Connection(place))
        return connection.api()

    def grouped(self, services: Iterable[ServiceDefinition]) -> dict[Cluster, list[ServiceDefinition]]:
        """Return services by their cluster."""
        groups: dict[Cluster, list[ServiceDefinition]] = {}
        for service in services:
            groups.setdefault(dataclasses.replace(self.of(service), force_conflicts=False), []).append(service)
        return groups

    def note(self, cluster: Cluster, namespaces: Iterable[str]) -> None:
        """Remember where services were looked for: where there may be data of theirs once they are gone."""
        with self._lock:
            place = dataclasses.replace(cluster, force_conflicts=False)
            self._namespaces.setdefault(place, set()).update(namespaces)

    def noted(self) -> dict[Cluster, Sequence[str]]:
        """Return the namespaces that were remembered."""
        with self._lock:
            return {cluster: sorted(namespaces) for cluster, namespaces in self._namespaces.items()}
