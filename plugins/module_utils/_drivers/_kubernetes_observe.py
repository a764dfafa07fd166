# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What there is of services on a cluster: a fixed number of lists for all of them, then a look at each."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from .._errors import DriverError
from ._base import ABSENT, Observation
from ._kubernetes_client import Api
from ._kubernetes_colours import colour_of, coloured
from ._kubernetes_errors import ApiError
from ._kubernetes_names import LABEL_OF_SERVICE, identity
from ._kubernetes_objects import (
    DIGEST,
    KEPT,
    LABEL_COLOUR,
    WORKLOADS,
    Key,
    Manifest,
    annotations_of,
    is_applied_by_us,
    key_of,
    labels_of,
    workloads,
)
from ._kubernetes_rollout import READY, Progress, current_pods, progress_of

_THREADS = 8
_MADE = ("ReplicaSet", "Pod")
_SEVERITY = {"failed": 0, "stopped": 1, "starting": 2, "running": 3}


@dataclass
class Found:
    """What a cluster has of one service.

    :param items: what we applied.
    :param pods: all its pods, of earlier revisions too.
    """

    items: list[dict[str, Any]] = field(default_factory=list)
    pods: list[dict[str, Any]] = field(default_factory=list)
    replica_sets: list[dict[str, Any]] = field(default_factory=list)

    def within(self, namespaces: Collection[str]) -> Found:
        """Return what of it is in namespaces, or in none."""
        spaces = {"", *namespaces}
        lists = (self.items, self.pods, self.replica_sets)
        return Found(*([item for item in items if key_of(item).namespace in spaces] for items in lists))

    def workloads(self) -> list[Mapping[str, Any]]:
        """Return those of the objects that run something."""
        return workloads(self.items)

    def current_pods(self, item: Mapping[str, Any]) -> list[Mapping[str, Any]]:
        """Return the pods of a workload's present revision."""
        return current_pods(item, self.pods, self.replica_sets)


def look(
    api: Api,
    project: str,
    wanted: Mapping[str, Sequence[Manifest]],
    namespaces: Collection[str],
    *,
    kinds: Collection[tuple[str, str]] | None = None,
) -> dict[str, Found]:
    """Return what the cluster has of services: one request for each kind and namespace, whatever their number.

    :param wanted: what they are to be.
    :param kinds: only these; all that they have, and all that run something, by default.
    :raises DriverError: the API does not answer, or may not be asked for a kind that is wanted.
    """
    needed = {(i["apiVersion"], i["kind"]) for items in wanted.values() for i in items if i["kind"] not in KEPT}
    asked = set(kinds) if kinds is not None else needed | {(version, kind) for kind, version in WORKLOADS.items()}
    only = next(iter(wanted)) if len(wanted) == 1 else None
    labels = identity(project, only)
    found: dict[str, Found] = {name: Found() for name in wanted}

    def one(target: tuple[str, str, str | None]) -> list[dict[str, Any]]:
        version, kind, namespace = target
        return listed(api, (version, kind), namespace, labels, service=only or "kubernetes", needed=needed)

    targets = [(version, kind, space) for version, kind in sorted(asked) for space in sorted(namespaces)]
    with ThreadPoolExecutor(_THREADS) as pool:
        for items in pool.map(one, targets):
            for item in items:
                place = found.get(labels_of(item).get(LABEL_OF_SERVICE, ""))
                if place is not None:
                    _put(place, item)
    return found


def listed(
    api: Api,
    kind: tuple[str, str],
    namespace: str | None,
    labels: Mapping[str, str],
    *,
    service: str,
    needed: Collection[tuple[str, str]] = (),
) -> list[dict[str, Any]]:
    """Return the objects of a kind with these labels; none of a kind that the cluster lacks.

    :param needed: kinds that we must be allowed to see; what may not be seen of others was not made by us.
    :raises DriverError: the API does not answer, or may not be asked.
    """
    try:
        served = api.kind(*kind, service=service)
    except ApiError:
        raise
    except DriverError as error:
        if "has no kind" in error.problems[0].why:
            return []
        raise
    try:
        return api.list(served, namespace, labels=labels, service=service)
    except ApiError as error:
        if error.is_missing or (error.is_forbidden and kind not in needed):
            return []
        raise


def observation(wanted: Sequence[Manifest], found: Found, *, now: float) -> Observation:
    """Return what a service is.

    :param wanted: what it is to be, without our annotations.
    :param now: unix time in seconds.
    """
    own = [item for item in found.items if item["kind"] not in KEPT]
    if not own:
        return ABSENT
    wanted = coloured(wanted, colour_of(own))
    there = {key_of(item): item for item in own}
    keys = [key_of(item) for item in wanted if item["kind"] not in KEPT]
    missing = [key for key in keys if key not in there]
    mine = [there[key] for key in keys if key in there]
    progress, speaker = worst(mine or own, found, now)
    if speaker is None and any(key.kind in WORKLOADS for key in missing):
        progress = Progress("stopped")
    digests = {annotations_of(item).get(DIGEST) for item in mine}
    item = speaker or own[0]
    return Observation(
        status=progress.status,
        digest=digests.pop() if len(digests) == 1 else None,
        id=f"{key_of(item).namespace}/{item['kind'].lower()}/{key_of(item).name}",
        since=_since(item, found),
        exit_code=progress.exit_code,
        detail=progress.detail,
        drift=_drift(own, keys),
        instances=tuple(pod["metadata"]["name"] for pod in found.pods),
    )


def _drift(own: Sequence[Mapping[str, Any]], wanted: Collection[Key]) -> str:
    """Say what somebody has taken away, or an interrupted update has left."""
    there = {key_of(item) for item in own}
    missing = [key for key in wanted if key not in there]
    if missing:
        return f"{missing[0]} is gone" + (f", and {len(missing) - 1} more" if len(missing) > 1 else "")
    if any(LABEL_COLOUR in labels_of(item) and key_of(item) not in wanted for item in own):
        return "an update was interrupted"
    return ""


def worst(items: Iterable[Mapping[str, Any]], found: Found, now: float) -> tuple[Progress, Mapping[str, Any] | None]:
    """Return the progress of the workload that is worst off; tasks that are done say nothing about the others."""
    running = workloads(items)
    states = [(progress_of(item, found.current_pods(item), now=now), item) for item in running]
    busy = [state for state in states if state[0].exit_code != 0]
    if not (busy or states):
        return READY, None
    return min(busy or states, key=lambda state: _SEVERITY[state[0].status])


def _since(item: Mapping[str, Any], found: Found) -> float | None:
    made = [pod["metadata"].get("creationTimestamp") for pod in found.current_pods(item)] if found.pods else []
    latest = max(filter(None, made), default=item["metadata"].get("creationTimestamp"))
    return datetime.fromisoformat(latest).timestamp() if latest else None


def _put(place: Found, item: dict[str, Any]) -> None:
    if item["kind"] == "Pod":
        place.pods.append(item)
    elif item["kind"] == "ReplicaSet":
        place.replica_sets.append(item)
    if is_applied_by_us(item):
        place.items.append(item)


def warnings(api: Api, pods: Iterable[Mapping[str, Any]], *, service: str, limit: int = 3) -> list[str]:
    """Return the last warnings that a cluster has about pods, each once; for a message, so failing is no error."""
    told: dict[str, None] = {}
    for pod in list(pods)[:limit]:
        key = key_of(pod)
        fields = f"involvedObject.name={key.name},type=Warning"
        try:
            events = api.list(
                api.kind("v1", "Event", service=service), key.namespace, labels={}, service=service, fields=fields
            )
        except DriverError:
            continue
        for event in events[-limit:]:
            message = " ".join(str(event.get("message", "")).split())
            told[f"{event.get('reason')}: {message}"[:300]] = None
    return list(told)[-limit:]


def explained(api: Api, service: str, seen: Observation, found: Found) -> Observation:
    """Add to a failure what the cluster warns of about the service's pods."""
    if seen.status != "failed":
        return seen
    told = warnings(api, found.pods, service=service)
    new = [text for text in told if text.partition(": ")[2] not in seen.detail]
    events = f"; events: {' / '.join(new)}" if new else ""
    return dataclasses.replace(seen, detail=f"{seen.detail}{events}")
