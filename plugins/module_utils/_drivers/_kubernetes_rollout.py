# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How far a workload is, from its own status and that of its pods. Pure: nothing here asks an API.

The rules are those of ``kubectl rollout status``, with an early end where waiting is of no use.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ._base import Status
from ._kubernetes_objects import STOPPED, annotations_of, labels_of, pod_templates

#: Reasons of waiting containers that no waiting cures.
HOPELESS = frozenset(
    {
        "CrashLoopBackOff",
        "CreateContainerConfigError",
        "CreateContainerError",
        "ErrImageNeverPull",
        "ErrImagePull",
        "ImagePullBackOff",
        "InvalidImageName",
    }
)
#: What can be done about them.
_REMEDIES = (
    (
        ("ErrImageNeverPull", "ErrImagePull", "ImagePullBackOff"),
        "Correct the image of {0}, or see that its cluster can pull it.",
    ),
    (("InvalidImageName",), "Correct the image of {0}."),
    (("CreateContainerConfigError", "CreateContainerError"), "Correct what the containers of {0} ask for."),
    (("CrashLoopBackOff",), "Look at the log of {0}."),
)
#: How long a pod may find no place: what was there before may be leaving just now.
UNSCHEDULABLE_SECONDS = 5.0
#: What a pod's place may wait for, and then gets.
_PASSING = ("unbound immediate PersistentVolumeClaims", "persistentvolumeclaim", "waiting for first consumer")
_REVISION = "deployment.kubernetes.io/revision"
#: Kinds that say up to which change of theirs the cluster has come.
_OBSERVED = ("DaemonSet", "Deployment", "ReplicaSet", "StatefulSet")
_GENERATION = "deprecated.daemonset.template.generation"  # there is no other way to tell which pods are of now

Item = Mapping[str, Any]


@dataclass(frozen=True)
class Progress:
    """How far something is.

    :param detail: in words, for people.
    :param exit_code: 0 where it has done all that it was to do.
    """

    status: Status
    detail: str = ""
    exit_code: int | None = None


READY = Progress("running")


def progress_of(item: Item, pods: Sequence[Item] = (), *, now: float = 0.0) -> Progress:
    """Return how far an object is; what runs nothing is ready as soon as it exists.

    :param pods: those of its current revision.
    :param now: unix time in seconds.
    """
    rule = _RULES.get(item.get("kind", ""))
    if rule is None:
        return READY
    progress = rule(item)
    if progress.status != "starting" or (item["kind"] in _OBSERVED and _is_unseen(item)):
        return progress  # until the cluster has begun, its pods are those of what it was before
    for pod in pods:
        trouble = trouble_of(pod, now=now)
        if trouble is not None:
            return Progress("failed", trouble)
    unplaced = [words for pod in pods if (words := _unplaced(pod, now=now)) is not None]
    return Progress("starting", f"{progress.detail}; {unplaced[0]}") if unplaced else progress


def trouble_of(pod: Item, *, now: float) -> str | None:
    """Return in words why a pod will not come up; None where it still may."""
    name, status = pod["metadata"]["name"], pod.get("status") or {}
    for container in [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]:
        waiting = (container.get("state") or {}).get("waiting") or {}
        if waiting.get("reason") in HOPELESS:
            said = waiting.get("message") or ""
            before = (container.get("lastState") or {}).get("terminated") or {}
            if waiting["reason"] == "CrashLoopBackOff" and before:
                said = f"it exited with code {before.get('exitCode')}"
            return f"{waiting['reason']} in {container['name']} of pod {name}" + (f": {said}" if said else "")
    unplaced = _unplaced(pod, now=now)
    return None if unplaced is None or any(words in unplaced for words in _PASSING) else unplaced


def remedy_for(reason: str, service: str) -> str:
    """Return what can be done about a reason that :func:`trouble_of` gave; nothing about others."""
    return next((remedy.format(service) for words, remedy in _REMEDIES if reason.startswith(words)), "")


def _unplaced(pod: Item, *, now: float) -> str | None:
    """Return in words that a pod has not been given a node for some time; None where it has, or soon may."""
    for condition in (pod.get("status") or {}).get("conditions") or []:
        if condition.get("type") == "PodScheduled" and condition.get("reason") == "Unschedulable":
            lasted = now - _seconds(condition.get("lastTransitionTime"))
            if lasted >= UNSCHEDULABLE_SECONDS:
                return f"Unschedulable pod {pod['metadata']['name']}: {condition.get('message') or ''}"
    return None


def current_pods(item: Item, pods: Iterable[Item], replica_sets: Iterable[Item]) -> list[Item]:
    """Return the pods of an object's present revision; those of an earlier one are on their way out.

    :param pods: all of the service.
    :param replica_sets: all of the service.
    """
    mine = [pod for pod in pods if not pod["metadata"].get("deletionTimestamp")]
    kind, uid = item["kind"], item["metadata"].get("uid")
    if kind == "Pod":
        return [pod for pod in mine if pod["metadata"]["name"] == item["metadata"]["name"]]
    if kind == "Deployment":
        revision = annotations_of(item).get(_REVISION)
        owners = {
            owned["metadata"].get("uid")
            for owned in replica_sets
            if _is_owned(owned, {uid}) and annotations_of(owned).get(_REVISION) == revision
        }
        return [pod for pod in mine if _is_owned(pod, owners)]
    mine = [pod for pod in mine if _is_owned(pod, {uid})]
    if kind == "StatefulSet":
        revision = (item.get("status") or {}).get("updateRevision")
        return [pod for pod in mine if revision in (None, labels_of(pod).get("controller-revision-hash"))]
    if kind == "DaemonSet":
        generation = annotations_of(item).get(_GENERATION)
        return [pod for pod in mine if generation in (None, labels_of(pod).get("pod-template-generation"))]
    return mine


def _is_owned(item: Item, owners: set[Any]) -> bool:
    return any(reference.get("uid") in owners for reference in item["metadata"].get("ownerReferences") or [])


# --- a rule for each kind --------------------------------------------------------------------------------------------


def _is_unseen(item: Item) -> bool:
    seen: int = (item.get("status") or {}).get("observedGeneration", 0)
    return seen < int(item["metadata"].get("generation", 0))


def _deployment(item: Item) -> Progress:
    wanted, status = _wanted(item), item.get("status") or {}
    if wanted == 0:
        return _emptying(status.get("replicas", 0))
    if _is_unseen(item):
        return Progress("starting", "the cluster has not begun with it")
    conditions = _conditions(item)
    if (conditions.get("Progressing") or {}).get("reason") == "ProgressDeadlineExceeded":
        return Progress("failed", f"it made no progress: {conditions['Progressing'].get('message', '')}".rstrip(": "))
    if (conditions.get("ReplicaFailure") or {}).get("status") == "True":
        return Progress("failed", f"no pod can be made: {conditions['ReplicaFailure'].get('message', '')}")
    updated, total, available = (status.get(n, 0) for n in ("updatedReplicas", "replicas", "availableReplicas"))
    if updated < wanted:
        return Progress("starting", f"{updated} of {wanted} pods are made")
    if total > updated:
        return Progress("starting", f"{total - updated} pods of before are still there")
    if available < updated:
        return Progress("starting", f"{available} of {updated} pods are available")
    return READY


def _stateful_set(item: Item) -> Progress:
    spec, status, wanted = item.get("spec") or {}, item.get("status") or {}, _wanted(item)
    if wanted == 0:
        return _emptying(status.get("replicas", 0))
    if _is_unseen(item):
        return Progress("starting", "the cluster has not begun with it")
    ready = status.get("readyReplicas", 0)
    if ready < wanted:
        return Progress("starting", f"{ready} of {wanted} pods are ready")
    strategy = spec.get("updateStrategy") or {}
    if strategy.get("type") == "OnDelete":
        return READY
    partition = (strategy.get("rollingUpdate") or {}).get("partition") or 0
    updated = status.get("updatedReplicas", 0)
    if partition > 0:
        return READY if updated >= wanted - partition else Progress("starting", f"{updated} pods are updated")
    if status.get("updateRevision") != status.get("currentRevision"):
        return Progress("starting", f"{updated} of {wanted} pods are updated")
    return READY


def _daemon_set(item: Item) -> Progress:
    spec, status = item.get("spec") or {}, item.get("status") or {}
    if is_held(item):
        return _emptying(status.get("currentNumberScheduled", 0))
    if _is_unseen(item):
        return Progress("starting", "the cluster has not begun with it")
    wanted = status.get("desiredNumberScheduled", 0)
    updated, available = status.get("updatedNumberScheduled", 0), status.get("numberAvailable", 0)
    if (spec.get("updateStrategy") or {}).get("type") != "OnDelete" and updated < wanted:
        return Progress("starting", f"{updated} of {wanted} pods are updated")
    if available < wanted:
        return Progress("starting", f"{available} of {wanted} pods are available")
    return READY


def _job(item: Item) -> Progress:
    conditions, status = _conditions(item), item.get("status") or {}
    if _is_true(conditions, "Complete"):
        return Progress("stopped", "completed", 0)
    if _is_true(conditions, "Failed"):
        condition = conditions["Failed"]
        words = ": ".join(filter(None, (condition.get("reason"), condition.get("message"))))
        return Progress("failed", f"failed: {words}" if words else "failed", 1)
    if (item.get("spec") or {}).get("suspend"):
        return Progress("stopped", "suspended")
    # Ready is counted since Kubernetes 1.24.
    if status.get("ready", 0) > 0:
        return Progress("running", f"{status['ready']} pods work on it")
    return Progress("starting", f"{status.get('active', 0)} pods begin")


def _cron_job(item: Item) -> Progress:
    return Progress("stopped", "suspended") if (item.get("spec") or {}).get("suspend") else READY


def _replica_set(item: Item) -> Progress:
    wanted, status = _wanted(item), item.get("status") or {}
    if wanted == 0:
        return _emptying(status.get("replicas", 0))
    if _is_unseen(item):
        return Progress("starting", "the cluster has not begun with it")
    if _is_true(_conditions(item), "ReplicaFailure"):
        return Progress("failed", f"no pod can be made: {_conditions(item)['ReplicaFailure'].get('message', '')}")
    available = status.get("availableReplicas", 0)
    return READY if available >= wanted else Progress("starting", f"{available} of {wanted} pods are available")


def _pod(item: Item) -> Progress:
    status = item.get("status") or {}
    phase = status.get("phase")
    if phase == "Succeeded":
        return Progress("stopped", "completed", 0)
    if phase == "Failed":
        return Progress("failed", status.get("message") or status.get("reason") or "a container of it failed")
    if _is_true(_conditions(item), "Ready"):
        return READY
    return Progress("starting", f"it is {phase or 'new'} and not ready")


_RULES: dict[str, Callable[[Item], Progress]] = {
    "CronJob": _cron_job,
    "DaemonSet": _daemon_set,
    "Deployment": _deployment,
    "Job": _job,
    "Pod": _pod,
    "ReplicaSet": _replica_set,
    "StatefulSet": _stateful_set,
}


def _wanted(item: Item) -> int:
    replicas = (item.get("spec") or {}).get("replicas")
    return 1 if replicas is None else int(replicas)


def _emptying(left: int) -> Progress:
    return Progress("stopped", f"{left} pods of it are still ending" if left else "")


def is_held(item: Item) -> bool:
    """Whether a DaemonSet was stopped by us: its pods are asked to run where no node is."""
    return any(STOPPED in ((t.get("spec") or {}).get("nodeSelector") or {}) for t in pod_templates(item))


def _conditions(item: Item) -> dict[str, Item]:
    return {condition["type"]: condition for condition in (item.get("status") or {}).get("conditions") or []}


def _is_true(conditions: Mapping[str, Item], name: str) -> bool:
    return (conditions.get(name) or {}).get("status") == "True"


def _seconds(text: Any) -> float:
    """Return a time as the API writes it as unix time; long ago where it says none."""
    try:
        return datetime.fromisoformat(str(text)).timestamp()
    except ValueError:
        return 0.0
