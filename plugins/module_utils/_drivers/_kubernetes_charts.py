# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Services that are Helm charts: Helm brings and takes their objects; what they run, we look at, stop and restart."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from .._errors import DriverError, PrerequisiteError, Problem
from .._model import ServiceDefinition
from .._state import valid_name
from ._base import Observation
from ._kubernetes_apply import Applier
from ._kubernetes_clusters import OnClusters, stand_in
from ._kubernetes_logs import read_logs
from ._kubernetes_manifests import own_namespace
from ._kubernetes_objects import WORKLOADS, Manifest, key_of, placed
from ._kubernetes_observe import Found, explained, worst
from ._kubernetes_onlooker import Onlooker, Trouble, seen
from ._kubernetes_workload import block
from .helm import HelmReleases

_MADE = (("apps/v1", "ReplicaSet"), ("v1", "Pod"))
_LINES = 5


class ChartServices(OnClusters):
    """Looks at services, brings them to what is wanted and takes them away."""

    def set_up(self) -> None:
        """Make what speaks to Helm."""
        self._releases = HelmReleases(self._context, sleep=self._sleep, clock=self._clock)

    # --- looking -----------------------------------------------------------------------------------------------------

    def check(self, service: ServiceDefinition) -> list[Problem]:
        """Return what keeps the chart from being installed."""
        return self._releases.check(service)

    def observe(self, services: Sequence[ServiceDefinition]) -> dict[str, Observation]:
        """Return what each release is; what is deployed, as what it runs is.

        :raises DriverError: there is no helm, or the cluster does not answer or refuses.
        """
        try:
            releases = self._releases.observe(services)
        except PrerequisiteError as error:
            raise DriverError(*error.problems) from None
        for service in services:
            self._clusters.note(self._clusters.of(service), [block(service).namespace])
        return {service.name: self._observation(service, releases[service.name]) for service in services}

    def find(self, recorded: Sequence[ServiceDefinition] = ()) -> list[ServiceDefinition]:
        """Return the services that have releases of ours where those recorded are or were.

        :raises DriverError: there were charts, and there is no helm, or the cluster does not answer or refuses.
        """
        charts = {service.name: service for service in recorded if block(service).chart is not None}
        places = {(self._clusters.of(one), block(one).namespace): one for one in recorded}
        try:
            return [one for place in places.values() for one in self._found_at(place, charts)]
        except PrerequisiteError as error:
            if charts:
                raise DriverError(*error.problems) from None
            return []
        except DriverError:
            if charts:
                raise
            return []

    def render(self, service: ServiceDefinition) -> dict[str, Any]:
        """Return what is asked of Helm, secrets still as placeholders."""
        return {"chart": self._releases.render(service)}

    def preview(self, service: ServiceDefinition) -> tuple[str, str]:
        """Return the manifests of a release as they are and as they would be.

        :raises ProvisioningError: there is no helm, the chart cannot be rendered, or the cluster does not answer.
        """
        return self._releases.preview(service)

    def ready(self, service: ServiceDefinition) -> Observation:
        """Return how far a service is.

        :raises DriverError: there is no helm, or the cluster does not answer or refuses.
        """
        return self.observe([service])[service.name]

    def pods(self, service: ServiceDefinition) -> list[dict[str, Any]]:
        """Return a service's pods.

        :raises DriverError: the cluster does not answer, or refuses.
        """
        return self._found(service).pods

    def workloads(self, service: ServiceDefinition) -> list[Mapping[str, Any]]:
        """Return the objects of a service that run something.

        :raises DriverError: the cluster does not answer, or refuses.
        """
        return self._found(service).workloads()

    def manifests(self, service: ServiceDefinition) -> list[Manifest]:
        """Return the objects of a release as Helm has made them; none where there is no release.

        :raises DriverError: the cluster does not answer, or refuses.
        """
        return self._manifests(service)

    # --- doing -------------------------------------------------------------------------------------------------------

    def start(self, service: ServiceDefinition, observation: Observation, digest: str) -> Observation:
        """Install or upgrade the release; what was only stopped runs again, and what runs as wanted is restarted.

        :raises DriverError: Helm or the cluster refuses.
        :raises ConfigurationError: a secret does not exist.
        """
        applier = self._applier(service)
        if observation.digest != digest or observation.status not in ("stopped", "running", "starting"):
            for namespace in own_namespace(block(service).namespace, self._context.project):
                applier.apply(namespace)  # before Helm makes it, so that it is known as ours when it is empty
            return self._installed(service, observation, digest)
        for item in self.workloads(service):
            if observation.status == "stopped":
                applier.resume(item, {})
            else:
                applier.restart(item)
        return Observation("starting", digest, observation.id, self._clock())

    def remove(self, service: ServiceDefinition) -> None:
        """Uninstall the release.

        :raises DriverError: Helm refuses.
        """
        self._releases.remove(service, self._releases.observe([service])[service.name])

    # --- helpers -----------------------------------------------------------------------------------------------------

    def _applier(self, service: ServiceDefinition) -> Applier:
        return Applier(self._api(service), service.name, fill=lambda value: value, clock=self._clock)

    def _installed(self, service: ServiceDefinition, observation: Observation, digest: str) -> Observation:
        """Have Helm do it, and look on meanwhile: it waits for what is lost, and takes back what says why."""
        there = self._found(service, hooks=True)
        if observation.status == "failed" and observation.digest == digest:
            applier = self._applier(service)
            for item in there.workloads():  # for Helm nothing has changed, so it would wait for the same pods
                applier.restart(item)
        look, explain = partial(self._coming, service, {}), partial(self._explained, service)
        onlooker = Onlooker(look, seen(there.items), explain, clock=self._clock)

        def hopeless() -> Problem | None:
            if not onlooker.is_hopeless:
                return None
            remedy = f"Correct what it asks for: kubernetes.chart.values of {service.name}, or the chart."
            return Problem(service.name, onlooker.last, remedy)

        try:
            with onlooker:
                return self._releases.start(service, observation, digest, hopeless=hopeless)
        except DriverError as error:
            first, *others = error.problems
            if not onlooker.last or onlooker.is_hopeless:
                raise
            why = f"{first.why}; before that: {onlooker.last}"
            raise DriverError(Problem(first.what, why, first.remedy), *others) from None

    def _coming(self, service: ServiceDefinition, known: dict[int, list[Manifest]]) -> Found | None:
        """Return what there is of the revision that Helm is bringing up; None where it does not.

        :param known: what each revision that was seen consists of.
        """
        number = self._releases.in_progress(service)
        if number is None:
            return None
        if number not in known:
            known[number] = self._manifests(service, hooks=True)
        return self._found_of(service, known[number])

    def _explained(self, service: ServiceDefinition, wrong: Trouble) -> str:
        """Add to what is wrong with a service what the cluster warns of and its pods have said last."""
        api = self._api(service)
        failed, found = Observation("failed", detail=wrong.text), Found(pods=[dict(pod) for pod in wrong.pods])
        told = explained(api, service.name, failed, found).detail
        try:
            lines = [line.text for line in read_logs(api, wrong.pods, service.name, tail=_LINES)]
        except DriverError:  # they have gone meanwhile, or their logs may not be read
            lines = []
        words = f"; its last words: {' / '.join(lines)}" if lines else ""
        return self._context.secrets.masked(f"{told}{words}")

    def _found_at(
        self, place: ServiceDefinition, charts: Mapping[str, ServiceDefinition]
    ) -> Iterator[ServiceDefinition]:
        cluster, namespace = self._clusters.of(place), block(place).namespace
        self._clusters.note(cluster, [namespace])
        for release in self._releases.names(place):
            name = self._releases.owner(stand_in(release, cluster, namespace, release))
            if name is not None and valid_name(name):
                known = charts.get(name)
                is_known = known is not None and block(known).namespace == namespace
                yield known if known is not None and is_known else stand_in(name, cluster, namespace, release)

    def _observation(self, service: ServiceDefinition, release: Observation) -> Observation:
        if release.status != "running":
            return release
        found = self._found(service)
        progress, _speaker = worst(found.items, found, self._clock())
        seen = dataclasses.replace(
            release,
            status=progress.status,
            detail=progress.detail or release.detail,
            exit_code=progress.exit_code,
            instances=tuple(pod["metadata"]["name"] for pod in found.pods),
        )
        return explained(self._api(service), service.name, seen, found)

    def _manifests(self, service: ServiceDefinition, *, hooks: bool = False) -> list[Manifest]:
        items = [item for item in self._releases.objects(service, hooks=hooks) if item.get("kind")]
        return placed(items, block(service).namespace)

    def _found(self, service: ServiceDefinition, *, hooks: bool = False) -> Found:
        return self._found_of(service, self._manifests(service, hooks=hooks))

    def _found_of(self, service: ServiceDefinition, manifests: Sequence[Manifest]) -> Found:
        """Return the workloads of a release as they are, with the pods that they choose."""
        api, applier = self._api(service), self._applier(service)
        found = Found()
        for wanted in manifests:
            item = applier.read(wanted) if wanted["kind"] in WORKLOADS else None
            if item is None:
                continue
            found.items.append({"apiVersion": wanted["apiVersion"], "kind": wanted["kind"], **item})
            selector = ((item.get("spec") or {}).get("selector") or {}).get("matchLabels") or {}
            for version, kind in _MADE if selector else ():
                made = api.list(
                    api.kind(version, kind, service=service.name),
                    key_of(wanted).namespace,
                    labels=selector,
                    service=service.name,
                )
                (found.pods if kind == "Pod" else found.replica_sets).extend(made)
        return found
