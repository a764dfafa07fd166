# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What we add to manifests before they are applied, and how objects are known again. Pure.

An object is known by kind, namespace and name. Ours carry labels of project and service; the digest of what was asked
for, and the kinds that were applied with it, are annotations.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from ._kubernetes_client import FIELD_MANAGER, Kind
from ._kubernetes_names import ANNOTATION_CHECKSUM, identity

Manifest = dict[str, Any]

LABEL_COLOUR = "io.provisioning/colour"
DIGEST = "io.provisioning/digest"
KINDS = "io.provisioning/kinds"
REPLICAS = "io.provisioning/replicas"
STOPPED = "io.provisioning/stopped"
RESTARTED = "kubectl.kubernetes.io/restartedAt"

#: Kinds that run something, in the order in which they speak for their service.
WORKLOADS: dict[str, str] = {
    "Deployment": "apps/v1",
    "StatefulSet": "apps/v1",
    "DaemonSet": "apps/v1",
    "Job": "batch/v1",
    "CronJob": "batch/v1",
    "ReplicaSet": "apps/v1",
    "Pod": "v1",
}
#: Kinds in which we look for what we applied before, where nothing says which there were.
USUAL: tuple[tuple[str, str], ...] = (
    ("v1", "ConfigMap"),
    ("v1", "Secret"),
    ("v1", "Service"),
    ("v1", "ServiceAccount"),
    ("apps/v1", "Deployment"),
    ("apps/v1", "StatefulSet"),
    ("apps/v1", "DaemonSet"),
    ("batch/v1", "Job"),
    ("batch/v1", "CronJob"),
    ("policy/v1", "PodDisruptionBudget"),
    ("networking.k8s.io/v1", "Ingress"),
    ("networking.k8s.io/v1", "NetworkPolicy"),
)
#: Never taken away with a service: the first holds others' things, the second data.
KEPT = frozenset({"Namespace", "PersistentVolumeClaim"})
_CLUSTER_WIDE = frozenset(
    {
        "APIService",
        "ClusterRole",
        "ClusterRoleBinding",
        "CustomResourceDefinition",
        "IngressClass",
        "MutatingWebhookConfiguration",
        "Namespace",
        "PersistentVolume",
        "PriorityClass",
        "RuntimeClass",
        "StorageClass",
        "ValidatingWebhookConfiguration",
    }
)
_FIRST = (
    "Namespace",
    "CustomResourceDefinition",
    "ServiceAccount",
    "ClusterRole",
    "Role",
    "ClusterRoleBinding",
    "RoleBinding",
    "Secret",
    "ConfigMap",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "Service",
)


class Key(NamedTuple):
    """What an object is known by; the namespace is empty for those of the whole cluster."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


def placed(manifests: Iterable[Manifest], namespace: str) -> list[Manifest]:
    """Return manifests in which those that leave their namespace open have one."""
    return [
        item
        if item["kind"] in _CLUSTER_WIDE or (item.get("metadata") or {}).get("namespace")
        else {**item, "metadata": {**(item.get("metadata") or {}), "namespace": namespace}}
        for item in manifests
    ]


def key_of(item: Mapping[str, Any]) -> Key:
    """Return what an object is known by."""
    metadata = item.get("metadata") or {}
    return Key(str(item.get("kind", "")), str(metadata.get("namespace") or ""), str(metadata.get("name", "")))


def labels_of(item: Mapping[str, Any]) -> dict[str, str]:
    """Return an object's labels."""
    return (item.get("metadata") or {}).get("labels") or {}


def annotations_of(item: Mapping[str, Any]) -> dict[str, str]:
    """Return an object's annotations."""
    return (item.get("metadata") or {}).get("annotations") or {}


def is_applied_by_us(item: Mapping[str, Any]) -> bool:
    """Whether an object was applied by us, and did not only inherit our labels, as pods and endpoints do."""
    metadata = item.get("metadata") or {}
    managers = metadata.get("managedFields") or []
    return not metadata.get("ownerReferences") and any(
        entry.get("manager") == FIELD_MANAGER and entry.get("operation") == "Apply" for entry in managers
    )


def dressed(
    manifests: Iterable[Manifest], *, project: str, service: str, digest: str, checksum: str | None
) -> list[Manifest]:
    """Return manifests as they are applied, in the order in which that is done: with our labels and annotations.

    :param digest: of all that is wanted.
    :param checksum: of what pods read only when they start; it rolls them when it changes.
    """
    wanted = sorted(copy.deepcopy(list(manifests)), key=_rank)
    owner = identity(project, service)
    kinds = json.dumps(sorted({(item["apiVersion"], item["kind"]) for item in wanted} - set(USUAL)))
    for item in wanted:
        metadata = item.setdefault("metadata", {})
        shared = item["kind"] == "Namespace"
        metadata["labels"] = {**(metadata.get("labels") or {}), **(identity(project) if shared else owner)}
        if item["kind"] in KEPT:
            continue
        metadata["annotations"] = {**(metadata.get("annotations") or {}), DIGEST: digest, KINDS: kinds}
        for template in pod_templates(item):
            inside = template.setdefault("metadata", {})
            inside["labels"] = {**(inside.get("labels") or {}), **owner}
            if checksum is not None:
                inside["annotations"] = {ANNOTATION_CHECKSUM: checksum, **(inside.get("annotations") or {})}
        for claim in claim_templates(item):
            inside = claim.setdefault("metadata", {})
            inside["labels"] = {**(inside.get("labels") or {}), **owner}
    return wanted


def pod_templates(item: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the templates of the pods that an object makes."""
    spec = item.get("spec") or {}
    if item.get("kind") in ("Deployment", "StatefulSet", "DaemonSet", "Job", "ReplicaSet"):
        return [spec["template"]] if isinstance(spec.get("template"), dict) else []
    if item.get("kind") == "CronJob":
        job = (spec.get("jobTemplate") or {}).get("spec") or {}
        return [job["template"]] if isinstance(job.get("template"), dict) else []
    return []


def claim_templates(item: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the templates of the volume claims that an object makes."""
    return (item.get("spec") or {}).get("volumeClaimTemplates") or [] if item.get("kind") == "StatefulSet" else []


def workloads(items: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return those that run something, those that speak for their service first."""
    order = list(WORKLOADS)
    return sorted((item for item in items if item["kind"] in WORKLOADS), key=lambda item: order.index(item["kind"]))


def recorded_kinds(items: Iterable[Mapping[str, Any]]) -> set[tuple[str, str]]:
    """Return the kinds, beside the usual ones, that objects say were applied with them."""
    found: set[tuple[str, str]] = set()
    for item in items:
        try:
            entries = json.loads(annotations_of(item).get(KINDS, "[]"))
            found |= {(str(version), str(kind)) for version, kind in entries}
        except (ValueError, TypeError):  # somebody has changed it: then the usual ones have to do
            continue
    return found


def namespaces_of(items: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the namespaces that objects are in, each once."""
    return list(dict.fromkeys(key.namespace for item in items if (key := key_of(item)).namespace))


def place(item: Mapping[str, Any], kind: Kind) -> str:
    """Return the path of an object in the API."""
    key = key_of(item)
    return kind.path(key.namespace or "default", key.name)


def document(manifests: Sequence[Manifest]) -> dict[str, Any]:
    """Return manifests by what they are known by, which makes differences readable."""
    found: dict[str, Any] = {}
    for item in manifests:
        key = key_of(item)
        found[f"{key.kind}/{key.name}"] = item
    return found


def _rank(item: Mapping[str, Any]) -> tuple[int, int]:
    kind = item["kind"]
    return (_FIRST.index(kind) if kind in _FIRST else len(_FIRST), kind in WORKLOADS)
