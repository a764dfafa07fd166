# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The mode ``kubernetes``: objects on a cluster, by server-side apply under a field manager of our own.

The cluster is the only memory: what we made carries labels of project and service and the digest of what was asked
for, and nothing else is ever touched. The state of all services costs a fixed number of requests.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from .._build import to_dict
from .._errors import ConfigurationError, DriverError, Problem
from .._health import HealthResult
from .._model import AnyVerification, CommandHealthCheck, ServiceDefinition
from .._plan import digest_of
from . import _kubernetes_checks, _kubernetes_logs, _kubernetes_prune
from ._base import Context, Driver, LogLine, Observation
from ._kubernetes_apply import Applier
from ._kubernetes_client import Api
from ._kubernetes_clusters import Clusters
from ._kubernetes_colours import BLUE, can_be_coloured, coloured
from ._kubernetes_manifests import manifests_for
from ._kubernetes_objects import (
    USUAL,
    WORKLOADS,
    Manifest,
    document,
    dressed,
    namespaces_of,
    placed,
    recorded_kinds,
)
from ._kubernetes_observe import Found, look, observation, warnings
from ._kubernetes_preview import preview
from ._kubernetes_update import Update
from ._kubernetes_workload import block

Sleep = Callable[[float], None]

_OVER = ("Succeeded", "Failed")


class KubernetesDriver(Driver):
    """Runs services on a Kubernetes cluster.

    :param sleep: waits some seconds between looks.
    :param clock: unix time in seconds.
    """

    mode = "kubernetes"
    parallelism = 16  # the cluster does the work; what is waited for is its answers
    restarts_in_place = True

    def __init__(self, context: Context, *, sleep: Sleep = time.sleep, clock: Callable[[], float] = time.time) -> None:
        super().__init__(context)
        self._clusters = Clusters()
        self._sleep = sleep
        self._clock = clock

    # --- looking -----------------------------------------------------------------------------------------------------

    def check(self, service: ServiceDefinition) -> list[Problem]:
        """Return what keeps the service from running there: the API is asked what would become of each object."""
        try:
            manifests = self._manifests(service)
            if block(service).update == "blue-green":
                if not can_be_coloured(manifests):
                    why = "has not one Deployment with a Service before it, so that there is nothing to switch"
                    return [Problem(service.name, why, f"Set kubernetes.update of {service.name} to rolling.")]
                manifests = coloured(manifests, BLUE)
            applier = self._applier(self._api(service), service, fill=_as_it_is)  # secrets may be made later
            wanted = self._dressed(service, manifests, digest_of(self.render(service)))
            replaces = block(service).update == "recreate"
            return preview(applier, wanted, project=self.context.project, replaces=replaces)
        except (ConfigurationError, DriverError) as error:
            return list(error.problems)

    def observe(self, services: Sequence[ServiceDefinition]) -> dict[str, Observation]:
        """Return what each service is, with one request for each kind and namespace for all of them.

        :raises DriverError: the cluster does not answer, or refuses.
        """
        seen: dict[str, Observation] = {}
        for cluster, group in self._clusters.grouped(services).items():
            api = self._clusters.api(cluster)
            wanted = {service.name: self._known_manifests(service) for service in group}
            found = self._look(api, group, wanted)
            for service in group:
                now = observation(wanted[service.name], found[service.name], now=self._clock())
                seen[service.name] = _explained(api, service.name, now, found[service.name])
        return seen

    def render(self, service: ServiceDefinition) -> dict[str, Any]:
        """Return what would be applied, by kind and name, secrets still as placeholders.

        :raises ConfigurationError: the definition cannot be made into objects.
        """
        manifests = self._manifests(service)
        versions = self.context.secrets.versions(manifests)
        return {"objects": document(manifests), **({"secrets": versions} if versions else {})}

    def logs(self, service: ServiceDefinition, *, follow: bool = False, tail: int | None = None) -> Iterator[LogLine]:
        """Yield the output of all its pods, oldest first.

        :raises DriverError: the cluster does not answer, or refuses.
        """
        api = self._api(service)
        yield from _kubernetes_logs.read_logs(api, self._pods(api, service), service.name, follow=follow, tail=tail)

    def execute(self, service: ServiceDefinition, check: CommandHealthCheck) -> tuple[int, str]:
        """Run a check's command inside the first of the service's pods that runs; return exit code and output.

        :raises DriverError: none runs, or the cluster does not answer or refuses.
        """
        api = self._api(service)
        pods = [pod for pod in self._pods(api, service) if (pod.get("status") or {}).get("phase") == "Running"]
        if not pods:
            raise _kubernetes_logs.no_pod(service.name)
        return _kubernetes_logs.execute(api, pods[0], service.name, check.command, check.timeout)

    def judge(self, service: ServiceDefinition, check: AnyVerification | None) -> HealthResult | None:
        """Answer for health by the rollout, which the pods' own probes decide; verify through the API's proxy."""
        verifies = check is not None and check in service.verify
        if verifies and check is not None and not _kubernetes_checks.is_ours_to_make(check):
            return None
        begin = time.perf_counter()
        api = self._api(service)
        manifests = self._known_manifests(service)
        found = self._look(api, [service], {service.name: manifests}, only_running=True)[service.name]
        seen = observation([item for item in manifests if item["kind"] in _JUDGED], found, now=self._clock())
        has_ended_well = seen.status == "stopped" and seen.exit_code == 0
        reason = seen.detail or ("it is rolled out" if seen.status == "running" else f"it is {seen.status}")
        took = round((time.perf_counter() - begin) * 1000, 3)
        readiness = HealthResult(seen.status == "running" or has_ended_well, reason, took)
        if check is None or not verifies:
            return readiness
        fill = self.context.secrets.fill
        return _kubernetes_checks.verify(api, check, manifests, readiness, service=service.name, fill=fill)

    # --- doing -------------------------------------------------------------------------------------------------------

    def start(self, service: ServiceDefinition, observation: Observation, digest: str) -> Observation:
        """Apply its objects and take away those that are not wanted any more; restart what runs as wanted already.

        :raises DriverError: the cluster refuses, or fields are set by somebody else.
        :raises ConfigurationError: a secret does not exist.
        """
        api = self._api(service)
        found = self._found(api, service) if observation.exists else Found()
        with self._masked():
            update = self._update(api, service, digest, found)
            if observation.is_up and observation.digest == digest and not observation.drift:
                update.restart()
            elif observation.is_up and update.can_switch:
                update.switch()
            else:
                update.bring_up(is_stuck=observation.status == "failed")
        return Observation("starting", digest, observation.id, self._clock())

    def stop(self, service: ServiceDefinition, observation: Observation) -> None:
        """Have it run nothing: no replicas, suspended, nowhere to run; return when its pods have ended.

        :raises DriverError: the cluster refuses, or pods do not end.
        """
        if not observation.exists:
            return
        api = self._api(service)
        running = self._found(api, service).workloads()
        applier = self._applier(api, service)
        for item in running:
            applier.stop(item)
        self._remove(api, service, [item for item in running if item["kind"] == "Pod"])
        if any(item["kind"] != "CronJob" for item in running):  # what one of those has begun goes on to its end
            self._await_end(api, service)

    def remove(self, service: ServiceDefinition, observation: Observation) -> None:
        """Delete all that was applied for it, volume claims apart, and wait until it is gone.

        :raises DriverError: the cluster refuses, or something does not go.
        """
        if not observation.exists:
            return
        api = self._api(service)
        found = self._found(api, service)
        wanted = self._known_manifests(service)
        kinds = {*USUAL, *recorded_kinds(found.items), *((item["apiVersion"], item["kind"]) for item in wanted)}
        spaces = self._spaces(service, [*wanted, *found.items])
        self._remove(api, service, _kubernetes_prune.applied(api, self.context.project, service.name, kinds, spaces))
        self._await_end(api, service)

    def purge(self) -> list[str]:
        """Delete the volume claims of the installation, and namespaces made for it that hold nothing else.

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

    def _api(self, service: ServiceDefinition) -> Api:
        return self._clusters.api(self._clusters.of(service))

    def _manifests(self, service: ServiceDefinition) -> list[Manifest]:
        context = self.context
        versions = context.secrets.versions(to_dict(service))
        made = manifests_for(
            service, project=context.project, work_dir=context.work_dir, env=context.env, versions=versions
        )
        return placed(made, block(service).namespace)

    def _known_manifests(self, service: ServiceDefinition) -> list[Manifest]:
        """Return what is wanted; nothing where the definition is wrong, which keeps nobody from looking or leaving."""
        try:
            return self._manifests(service)
        except ConfigurationError:
            return []

    def _spaces(self, service: ServiceDefinition, items: Sequence[Mapping[str, Any]]) -> set[str]:
        spaces = {*namespaces_of(items), block(service).namespace}
        self._clusters.note(self._clusters.of(service), spaces)
        return spaces

    def _look(
        self,
        api: Api,
        services: Sequence[ServiceDefinition],
        wanted: Mapping[str, list[Manifest]],
        *,
        only_running: bool = False,
    ) -> dict[str, Found]:
        spaces = {space for service in services for space in self._spaces(service, wanted[service.name])}
        kinds = None
        if only_running:
            there = {item["kind"] for items in wanted.values() for item in items if item["kind"] in WORKLOADS}
            more = {"Pod", "Service", "ReplicaSet"} if "Deployment" in there else {"Pod"}
            kinds = {(WORKLOADS.get(kind, "v1"), kind) for kind in there | more}
        return look(api, self.context.project, wanted, spaces, kinds=kinds)

    def _found(self, api: Api, service: ServiceDefinition) -> Found:
        return self._look(api, [service], {service.name: self._known_manifests(service)})[service.name]

    def _pods(self, api: Api, service: ServiceDefinition) -> list[dict[str, Any]]:
        wanted = {service.name: self._known_manifests(service)}
        spaces = self._spaces(service, wanted[service.name])
        found = look(api, self.context.project, wanted, spaces, kinds=[("v1", "Pod")])
        return sorted(found[service.name].pods, key=lambda pod: str(pod["metadata"]["name"]))

    def _dressed(self, service: ServiceDefinition, manifests: Sequence[Manifest], digest: str) -> list[Manifest]:
        versions = self.context.secrets.versions(list(manifests))
        checksum = digest_of(versions) if versions else None
        return dressed(manifests, project=self.context.project, service=service.name, digest=digest, checksum=checksum)

    def _applier(self, api: Api, service: ServiceDefinition, *, fill: Callable[[Any], Any] | None = None) -> Applier:
        force = block(service).force_conflicts
        return Applier(api, service.name, fill=fill or self.context.secrets.fill, force=force, clock=self._clock)

    def _update(self, api: Api, service: ServiceDefinition, digest: str, found: Found) -> Update:
        wanted = self._dressed(service, self._manifests(service), digest)
        return Update(
            api,
            self._applier(api, service),
            service,
            wanted,
            found,
            project=self.context.project,
            namespaces=self._spaces(service, [*wanted, *found.items]),
            fill=self.context.secrets.fill,
            patience=_patience(service),
            sleep=self._sleep,
            clock=self._clock,
        )

    def _remove(self, api: Api, service: ServiceDefinition, items: Sequence[Mapping[str, Any]]) -> None:
        patience = _patience(service)
        _kubernetes_prune.remove(api, items, service=service.name, timeout=patience, sleep=self._sleep)

    def _await_end(self, api: Api, service: ServiceDefinition) -> None:
        left: list[str] = []

        def is_done() -> bool:
            pods = self._pods(api, service)
            left[:] = [pod["metadata"]["name"] for pod in pods if (pod.get("status") or {}).get("phase") not in _OVER]
            return not left

        if not _kubernetes_prune.wait(is_done, _patience(service), sleep=self._sleep):
            why = f"pods of it are still there after {_patience(service):g} s: {', '.join(left[:5])}"
            raise DriverError(Problem(service.name, why, "See what holds them with kubectl describe pod."))

    @contextmanager
    def _masked(self) -> Iterator[None]:
        """Keep secrets out of what the API says about the objects that hold them."""
        try:
            yield
        except DriverError as error:
            mask = self.context.secrets.masked
            raise DriverError(*(Problem(p.what, mask(p.why), p.remedy) for p in error.problems)) from None


#: What tells how far a service is; its Services tell which colour serves.
_JUDGED = frozenset({*WORKLOADS, "Service"})


def _explained(api: Api, service: str, seen: Observation, found: Found) -> Observation:
    """Add to a failure what the cluster warns of about the service's pods."""
    if seen.status != "failed":
        return seen
    told = warnings(api, found.pods, service=service)
    new = [text for text in told if text.partition(": ")[2] not in seen.detail]
    events = f"; events: {' / '.join(new)}" if new else ""
    return dataclasses.replace(seen, detail=f"{seen.detail}{events}")


def _patience(service: ServiceDefinition) -> float:
    return service.startup.stop_timeout + _kubernetes_prune.GRACE_SECONDS


def _as_it_is(value: Any) -> Any:
    return value
