# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The mode ``kubernetes``: objects on a cluster, applied under a field manager of our own, or Helm charts.

The cluster is the only memory: what we made carries labels of project and service and the digest of what was asked
for, and nothing else is ever touched. The state of all services costs a fixed number of requests.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from .._errors import DriverError, Problem
from .._health import HealthResult
from .._model import AnyVerification, CommandHealthCheck, ServiceDefinition
from . import _kubernetes_checks, _kubernetes_logs, _kubernetes_prune
from ._base import Driver, LogLine, Observation
from ._kubernetes_applied import AppliedServices
from ._kubernetes_apply import Applier
from ._kubernetes_client import Api
from ._kubernetes_clusters import Clusters
from ._kubernetes_rollout import remedy_for
from ._kubernetes_workload import block

if TYPE_CHECKING:
    from ._kubernetes_charts import ChartServices

_OVER = ("Succeeded", "Failed")


class KubernetesDriver(Driver):
    """Runs services on Kubernetes clusters.

    :param sleep: waits some seconds between looks.
    :param clock: unix time in seconds.
    """

    mode = "kubernetes"
    parallelism = 16  # the cluster does the work; what is waited for is its answers
    restarts_in_place = True

    def set_up(self) -> None:
        """Make the connections, each of which is opened when it is first needed."""
        self._clusters = Clusters()
        self._applied = AppliedServices(self.context, self._clusters, sleep=self._sleep, clock=self._clock)

    @functools.cached_property
    def _charts(self) -> ChartServices:
        # Few have charts, and a status is wanted at once.
        from ._kubernetes_charts import ChartServices

        return ChartServices(self.context, self._clusters, sleep=self._sleep, clock=self._clock)

    # --- looking -----------------------------------------------------------------------------------------------------

    def check(self, service: ServiceDefinition) -> list[Problem]:
        """Return what keeps the service from running there: the cluster, or Helm, is asked what would become of it."""
        return self._way(service).check(service)

    def observe(self, services: Sequence[ServiceDefinition]) -> dict[str, Observation]:
        """Return what each service is, with one request for each kind and namespace for all that are no charts.

        :raises DriverError: a cluster does not answer, or refuses.
        """
        charts = [service for service in services if _is_chart(service)]
        others = [service for service in services if service not in charts]
        seen = self._applied.observe(others) if others else {}
        return {**seen, **(self._charts.observe(charts) if charts else {})}

    def find(self, recorded: Sequence[ServiceDefinition] = ()) -> list[ServiceDefinition]:
        """Return the services that have objects or releases of ours where those recorded are or were.

        :raises DriverError: a cluster does not answer, or refuses.
        """
        found = {one.name: one for one in [*self._charts.find(recorded), *self._applied.find(recorded)]}
        return [found[name] for name in sorted(found)]

    def address(self, service: ServiceDefinition) -> str | None:
        """Return the address of the service's cluster; None where its credentials cannot be read."""
        return self._clusters.address(self._clusters.of(service))

    def is_same(self, service: ServiceDefinition, before: ServiceDefinition | None) -> bool:
        """Whether both are the same objects: one cluster may have several addresses, and local ones change theirs.

        :raises DriverError: the cluster does not answer, or refuses.
        """
        now = self._uids(service)
        try:
            return bool(now & self._uids(before) if before is not None else now)
        except DriverError:
            return bool(now)

    def render(self, service: ServiceDefinition) -> dict[str, Any]:
        """Return what would be applied or asked of Helm, secrets still as placeholders.

        :raises ConfigurationError: the definition cannot be made into objects.
        """
        return self._way(service).render(service)

    def preview(self, service: ServiceDefinition) -> tuple[str, str] | None:
        """Return the manifests of a chart as they are and as they would be: its document holds no more than values.

        :raises ProvisioningError: there is no helm, the chart cannot be rendered, or the cluster does not answer.
        """
        return self._charts.preview(service) if _is_chart(service) else None

    def logs(self, service: ServiceDefinition, *, follow: bool = False, tail: int | None = None) -> Iterator[LogLine]:
        """Yield the output of all its pods, oldest first.

        :raises DriverError: the cluster does not answer, or refuses.
        """
        pods = sorted(self._way(service).pods(service), key=lambda pod: str(pod["metadata"]["name"]))
        yield from _kubernetes_logs.read_logs(self._api(service), pods, service.name, follow=follow, tail=tail)

    def execute(self, service: ServiceDefinition, check: CommandHealthCheck) -> tuple[int, str]:
        """Run a check's command inside one of the service's pods that run; return exit code and output.

        :raises DriverError: none runs, or the cluster does not answer or refuses.
        """
        pods = [pod for pod in self._way(service).pods(service) if (pod.get("status") or {}).get("phase") == "Running"]
        if not pods:
            raise _kubernetes_logs.no_pod(service.name)
        return _kubernetes_logs.execute(self._api(service), pods[0], service.name, check.command, check.timeout)

    def judge(self, service: ServiceDefinition, check: AnyVerification | None) -> HealthResult | None:
        """Answer for health by the rollout, which the pods' own probes decide; verify through the API's proxy."""
        verifies = check is not None and check in service.verify
        if verifies and check is not None and not _kubernetes_checks.is_ours_to_make(check):
            return None
        begin = time.perf_counter()
        seen = self._way(service).ready(service)
        has_ended_well = seen.status == "stopped" and seen.exit_code == 0
        reason = seen.detail or ("it is rolled out" if seen.status == "running" else f"it is {seen.status}")
        took = round((time.perf_counter() - begin) * 1000, 3)
        readiness = HealthResult(seen.status == "running" or has_ended_well, reason, took)
        if check is None or not verifies:
            return readiness
        items, fill = self._way(service).manifests(service), self.context.secrets.fill
        return _kubernetes_checks.verify(self._api(service), check, items, readiness, service=service.name, fill=fill)

    def remedy(self, service: ServiceDefinition, reason: str) -> str:
        """Return what can be done about containers that will not run, however long they are waited for."""
        return remedy_for(reason, service.name)

    # --- doing -------------------------------------------------------------------------------------------------------

    def start(self, service: ServiceDefinition, observation: Observation, digest: str) -> Observation:
        """Bring it to what is wanted; restart what runs as wanted already.

        :raises DriverError: the cluster or Helm refuses, or fields are set by somebody else.
        :raises ConfigurationError: a secret does not exist.
        """
        return self._way(service).start(service, observation, digest)

    def stop(self, service: ServiceDefinition, observation: Observation) -> None:
        """Have it run nothing: no replicas, suspended, nowhere to run; return when its pods have ended.

        :raises DriverError: the cluster refuses, or pods do not end.
        """
        if not observation.exists:
            return
        api = self._api(service)
        applier = Applier(api, service.name, fill=self.context.secrets.fill)
        running = self._way(service).workloads(service)
        for item in running:
            applier.stop(item)
        bare = [item for item in running if item["kind"] == "Pod"]
        patience = _kubernetes_prune.patience_for(service)
        _kubernetes_prune.remove(api, bare, service=service.name, timeout=patience, sleep=self._sleep)
        if any(item["kind"] != "CronJob" for item in running):  # what one of those has begun goes on to its end
            self._await_end(service)

    def remove(self, service: ServiceDefinition, observation: Observation) -> None:
        """Delete all that was made for it, volume claims apart, and wait until it is gone.

        :raises DriverError: the cluster or Helm refuses, or something does not go.
        """
        if observation.exists:
            self._way(service).remove(service)
            self._await_end(service)

    def clean(self) -> list[str]:
        """Delete the namespaces that were made for the installation and hold nothing any more; return their names.

        :raises DriverError: the cluster refuses.
        """
        return [
            name
            for cluster, namespaces in self._clusters.noted().items()
            for namespace in namespaces
            for name in _kubernetes_prune.leave_namespace(self._clusters.api(cluster), self.context.project, namespace)
        ]

    def purge(self) -> list[str]:
        """Delete the volume claims of the installation, and then its namespaces, too; return their names.

        :raises DriverError: the cluster refuses.
        """
        return [
            name
            for cluster, namespaces in self._clusters.noted().items()
            for name in _kubernetes_prune.purge(
                self._clusters.api(cluster), self.context.project, namespaces, sleep=self._sleep
            )
        ]

    # --- helpers -----------------------------------------------------------------------------------------------------

    def _way(self, service: ServiceDefinition) -> AppliedServices | ChartServices:
        return self._charts if _is_chart(service) else self._applied

    def _api(self, service: ServiceDefinition) -> Api:
        return self._clusters.api(self._clusters.of(service))

    def _uids(self, service: ServiceDefinition) -> set[str]:
        return {item["metadata"]["uid"] for item in self._way(service).workloads(service)}

    def _await_end(self, service: ServiceDefinition) -> None:
        left: list[str] = []

        def is_done() -> bool:
            pods = self._way(service).pods(service)
            left[:] = [pod["metadata"]["name"] for pod in pods if (pod.get("status") or {}).get("phase") not in _OVER]
            return not left

        patience = _kubernetes_prune.patience_for(service)
        if not _kubernetes_prune.wait(is_done, patience, sleep=self._sleep):
            why = f"pods of it are still there after {patience:g} s: {', '.join(left[:5])}"
            raise DriverError(Problem(service.name, why, "See what holds them with kubectl describe pod."))


def _is_chart(service: ServiceDefinition) -> bool:
    return block(service).chart is not None
