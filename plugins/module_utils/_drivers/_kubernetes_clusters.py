# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which cluster a service is on, and the connections to them: most installations have one."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence

from .._errors import DriverError
from .._model import HelmChart, KubernetesDeployment, ServiceDefinition, ServiceDeployment
from ._base import Context
from ._kubernetes_client import Api
from ._kubernetes_connection import Cluster, Connection
from ._kubernetes_workload import block


def stand_in(name: str, cluster: Cluster, namespace: str, release: str | None = None) -> ServiceDefinition:
    """Return a definition for a service of which nothing but what it has is known: to stop and remove it.

    :param release: of its chart, where it is one.
    """
    chart = HelmChart(chart=release, release=release) if release else None
    block = KubernetesDeployment(
        namespace=namespace, kubeconfig=cluster.kubeconfig, context=cluster.context, chart=chart
    )
    return ServiceDefinition(name=name, deployment=ServiceDeployment(mode="kubernetes", kubernetes=block))


class Clusters:
    """The clusters of an installation's services, each connected to when it is first needed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._connections: dict[Cluster, Connection] = {}
        self._namespaces: dict[Cluster, set[str]] = {}

    def of(self, service: ServiceDefinition) -> Cluster:
        """Return the cluster of a service."""
        return Cluster(block(service).kubeconfig, block(service).context)

    def api(self, cluster: Cluster) -> Api:
        """Return the API of a cluster.

        :raises DriverError: it cannot be reached, or is too old.
        """
        with self._lock:
            connection = self._connections.setdefault(cluster, Connection(cluster))
        return connection.api()

    def address(self, cluster: Cluster) -> str | None:
        """Return the address of a cluster, which is not asked; None where its credentials cannot be read."""
        with self._lock:
            connection = self._connections.setdefault(cluster, Connection(cluster))
        try:
            return connection.address()
        except DriverError:
            return None

    def grouped(self, services: Iterable[ServiceDefinition]) -> dict[Cluster, list[ServiceDefinition]]:
        """Return services by their cluster."""
        groups: dict[Cluster, list[ServiceDefinition]] = {}
        for service in services:
            groups.setdefault(self.of(service), []).append(service)
        return groups

    def note(self, cluster: Cluster, namespaces: Iterable[str]) -> None:
        """Remember where services were looked for: where there may be data of theirs once they are gone."""
        with self._lock:
            self._namespaces.setdefault(cluster, set()).update(namespaces)

    def noted(self) -> dict[Cluster, Sequence[str]]:
        """Return the namespaces that were remembered."""
        with self._lock:
            return {cluster: sorted(namespaces) for cluster, namespaces in self._namespaces.items()}


class OnClusters:
    """What looks after services on clusters, in whatever way they are brought there.

    :param sleep: waits some seconds between looks.
    :param clock: unix time in seconds.
    """

    def __init__(
        self,
        context: Context,
        clusters: Clusters,
        *,
        sleep: Callable[[float], None],
        clock: Callable[[], float],
    ) -> None:
        self._context = context
        self._clusters = clusters
        self._sleep = sleep
        self._clock = clock
        self.set_up()

    def set_up(self) -> None:
        """Make what is kept between calls."""

    def _api(self, service: ServiceDefinition) -> Api:
        return self._clusters.api(self._clusters.of(service))
