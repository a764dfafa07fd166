# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Services whose objects we apply ourselves: generated from their definitions, or the user's own manifests."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from .._build import to_dict
from .._errors import ConfigurationError, DriverError, Problem
from .._model import ServiceDefinition
from .._plan import digest_of
from .._state import valid_name
from . import _kubernetes_prune
from ._base import Observation
from ._kubernetes_apply import Applier
from ._kubernetes_client import Api
from ._kubernetes_clusters import OnClusters, stand_in
from ._kubernetes_colours import BLUE, can_be_coloured, coloured
from ._kubernetes_manifests import manifests_for
from ._kubernetes_names import LABEL_OF_SERVICE
from ._kubernetes_objects import (
    KEPT,
    USUAL,
    WORKLOADS,
    Manifest,
    document,
    dressed,
    key_of,
    labels_of,
    namespaces_of,
    placed,
    recorded_kinds,
)
from ._kubernetes_observe import Found, explained, look, observation
from ._kubernetes_preview import preview
from ._kubernetes_update import Update
from ._kubernetes_workload import block

#: What tells how far a service is; its Services tell which colour serves.
_JUDGED = frozenset({*WORKLOADS, "Service"})
_RUNNING = frozenset((version, kind) for kind, version in WORKLOADS.items())


class AppliedServices(OnClusters):
    """Looks at services, brings them to what is wanted and takes them away."""

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
            return preview(applier, wanted, project=self._context.project, replaces=replaces)
        except (ConfigurationError, DriverError) as error:
            return list(error.problems)

    def observe(self, services: Sequence[ServiceDefinition]) -> dict[str, Observation]:
        """Return what each service is, with one request for each kind and namespace for all of them.

        :raises DriverError: the cluster does not answer, or refuses.
        """
        seen: dict[str, Observation] = {}
        for cluster, group in self._clusters.grouped(services).items():
            api = self._clusters.api(cluster)
            wanted = {service.name: self.manifests(service) for service in group}
            found = self._look(api, group, wanted)
            for service in group:
                now = observation(wanted[service.name], found[service.name], now=self._clock())
                seen[service.name] = explained(api, service.name, now, found[service.name])
        return seen

    def find(self, recorded: Sequence[ServiceDefinition] = ()) -> list[ServiceDefinition]:
        """Return the services that have objects of ours where those recorded are or were.

        :raises DriverError: a cluster does not answer, or refuses.
        """
        names: dict[str, ServiceDefinition] = {}
        for cluster, group in self._clusters.grouped(recorded).items():
            known = {service.name: service for service in group}
            wanted = {service.name: self.manifests(service) for service in group}
            spaces = {space for service in group for space in self._spaces(service, wanted[service.name])}
            made, api = _kinds_of(wanted.values()), self._clusters.api(cluster)
            for item in _kubernetes_prune.applied(api, self._context.project, None, made, spaces, also=_RUNNING):
                name = labels_of(item).get(LABEL_OF_SERVICE, "")
                if valid_name(name):
                    names.setdefault(name, known.get(name) or stand_in(name, cluster, key_of(item).namespace))
        return list(names.values())

    def render(self, service: ServiceDefinition) -> dict[str, Any]:
        """Return what would be applied, by kind and name, secrets still as placeholders.

        :raises ConfigurationError: the definition cannot be made into objects.
        """
        manifests = self._manifests(service)
        versions = self._context.secrets.versions(manifests)
        return {"objects": document(manifests), **({"secrets": versions} if versions else {})}

    def ready(self, service: ServiceDefinition) -> Observation:
        """Return how far a service is, with as few requests as that takes.

        :raises DriverError: the cluster does not answer, or refuses.
        """
        manifests = self.manifests(service)
        judged = [item for item in manifests if item["kind"] in _JUDGED]
        runs = any(item["kind"] in WORKLOADS for item in judged)  # else being there is all that can be expected of it
        found = self._look(self._api(service), [service], {service.name: manifests}, only_running=runs)
        return observation(judged if runs else manifests, found[service.name], now=self._clock())

    def pods(self, service: ServiceDefinition) -> list[dict[str, Any]]:
        """Return a service's pods.

        :raises DriverError: the cluster does not answer, or refuses.
        """
        wanted = {service.name: self.manifests(service)}
        spaces = self._spaces(service, wanted[service.name])
        found = look(self._api(service), self._context.project, wanted, spaces, kinds=[("v1", "Pod")])
        return found[service.name].pods

    def workloads(self, service: ServiceDefinition) -> list[Mapping[str, Any]]:
        """Return the objects of a service that run something.

        :raises DriverError: the cluster does not answer, or refuses.
        """
        return self._found(self._api(service), service).workloads()

    def manifests(self, service: ServiceDefinition) -> list[Manifest]:
        """Return what is wanted; nothing where the definition is wrong, which keeps nobody from looking or leaving."""
        try:
            return self._manifests(service)
        except ConfigurationError:
            return []

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

    def remove(self, service: ServiceDefinition) -> None:
        """Delete all that was applied for it, volume claims apart, and wait until it is gone.

        :raises DriverError: the cluster refuses, or something does not go.
        """
        api = self._api(service)
        found = self._found(api, service)
        wanted = self.manifests(service)
        kinds = recorded_kinds(found.items) | {(item["apiVersion"], item["kind"]) for item in [*wanted, *found.items]}
        spaces = self._spaces(service, [*wanted, *found.items])
        items = _kubernetes_prune.applied(api, self._context.project, service.name, kinds, spaces)
        patience = _kubernetes_prune.patience_for(service)
        _kubernetes_prune.remove(api, items, service=service.name, timeout=patience, sleep=self._sleep)

    # --- helpers -----------------------------------------------------------------------------------------------------

    def _manifests(self, service: ServiceDefinition) -> list[Manifest]:
        context = self._context
        versions = context.secrets.versions(to_dict(service))
        made = manifests_for(
            service, project=context.project, work_dir=context.work_dir, env=context.env, versions=versions
        )
        return placed(made, block(service).namespace)

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
        own = {service.name: self._spaces(service, wanted[service.name]) for service in services}
        kinds = None
        if not all(wanted.values()):  # of some nothing is known but what they have
            kinds = {*_kinds_of(wanted.values()), *USUAL, *_RUNNING}
        if only_running:
            there = {item["kind"] for items in wanted.values() for item in items if item["kind"] in WORKLOADS}
            more = {"Pod", "Service", "ReplicaSet"} if "Deployment" in there else {"Pod"}
            kinds = {(WORKLOADS.get(kind, "v1"), kind) for kind in there | more}
        found = look(api, self._context.project, wanted, set().union(*own.values()), kinds=kinds)
        # What a service has where only others are is what it has left there.
        return {name: there.within(own[name]) for name, there in found.items()}

    def _found(self, api: Api, service: ServiceDefinition) -> Found:
        return self._look(api, [service], {service.name: self.manifests(service)})[service.name]

    def _dressed(self, service: ServiceDefinition, manifests: Sequence[Manifest], digest: str) -> list[Manifest]:
        versions = self._context.secrets.versions(list(manifests))
        checksum = digest_of(versions) if versions else None
        return dressed(manifests, project=self._context.project, service=service.name, digest=digest, checksum=checksum)

    def _applier(self, api: Api, service: ServiceDefinition, *, fill: Callable[[Any], Any] | None = None) -> Applier:
        force = block(service).force_conflicts
        return Applier(api, service.name, fill=fill or self._context.secrets.fill, force=force, clock=self._clock)

    def _update(self, api: Api, service: ServiceDefinition, digest: str, found: Found) -> Update:
        wanted = self._dressed(service, self._manifests(service), digest)
        return Update(
            api,
            self._applier(api, service),
            service,
            wanted,
            found,
            project=self._context.project,
            namespaces=self._spaces(service, [*wanted, *found.items]),
            fill=self._context.secrets.fill,
            patience=_kubernetes_prune.patience_for(service),
            sleep=self._sleep,
            clock=self._clock,
        )

    @contextmanager
    def _masked(self) -> Iterator[None]:
        """Keep secrets out of what the API says about the objects that hold them."""
        try:
            yield
        except DriverError as error:
            mask = self._context.secrets.masked
            raise DriverError(*(Problem(p.what, mask(p.why), p.remedy) for p in error.problems)) from None


def _kinds_of(manifests: Iterable[Sequence[Manifest]]) -> set[tuple[str, str]]:
    """Return the kinds of objects that go with their services."""
    return {(item["apiVersion"], item["kind"]) for items in manifests for item in items if item["kind"] not in KEPT}


def _as_it_is(value: Any) -> Any:
    return value
