# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The objects of a service on a cluster, from its definition. Pure: nothing is asked, nothing is touched.

Secrets stay placeholders: in ``stringData`` of Secrets alone, where :func:`with_secrets` fills them in. A ``${serial}``
in a configuration file stays too: whoever applies it fills it with ``_config_files.fill_serial`` and the text that the
cluster has.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any

from .._errors import ConfigurationError, Problem
from .._model import Scalar, ServiceDefinition
from .._paths import WorkDir
from .._secrets import references
from ._kubernetes_controllers import ONE_NODE, workload_object
from ._kubernetes_mounts import LARGEST_BYTES, Mounts, claim_spec, config_name, entries_of, mounts_of
from ._kubernetes_names import ANNOTATION_CHECKSUM, FOREIGN_NAMESPACES, common_labels, identity, object_name
from ._kubernetes_network import ingresses, services
from ._kubernetes_pods import environment, pod_spec, secret_environment
from ._kubernetes_probes import probe_problems
from ._kubernetes_workload import Workload, block, workload_of

#: Disruption budgets and spread make sense from this many pods on.
_SEVERAL = 2


def manifests_for(
    service: ServiceDefinition,
    *,
    project: str,
    work_dir: WorkDir,
    env: Mapping[str, Scalar],
    versions: Mapping[str, int] | None = None,
) -> list[dict[str, Any]]:
    """Return the objects of a service, in the order they are applied in; the user's own where the block has them.

    The namespace carries no service's label, for it is shared. Claims of a StatefulSet are made by the cluster, with
    the labels of the service, and so are those that are listed: they hold data, and whoever prunes leaves them alone.

    :param work_dir: of the installation; tells configuration and data from other paths.
    :param env: the installation's ``env_vars``, which the service's own variables win over.
    :param versions: of secrets, by ``service.name``, as ``SecretStore.versions`` gives them; more than are used do no
        harm. A new version of one that is used rolls the pods.
    :raises ConfigurationError: it cannot run on a cluster as it is defined; every reason is in it.
    """
    wanted = block(service)
    namespace = _namespace(wanted.namespace, project)
    if wanted.chart is not None or wanted.manifests or wanted.objects:
        own = [_labelled(document, service.name, project) for document in wanted.objects]
        has_namespace = any(_identity_of(document) == _identity_of(namespace) for document in own)
        return own if has_namespace else [*own_namespace(wanted.namespace, project), *own]
    workload = workload_of(service, work_dir)
    mounts = mounts_of(service, workload, work_dir)
    variables = environment(workload, env)
    problems = _problems(service, workload, mounts, work_dir)
    if problems:
        raise ConfigurationError(*problems)
    metadata = _metadata(service, project)
    selector = identity(project, service.name)
    checksum = _checksum(service, variables, versions or {})
    pod = {
        "metadata": {
            "labels": metadata["labels"],
            "annotations": {**metadata.get("annotations", {}), ANNOTATION_CHECKSUM: checksum},
        },
        "spec": pod_spec(service, workload, mounts, variables, selector),
    }
    return [
        *own_namespace(wanted.namespace, project),
        *_account(service, metadata),
        *_configuration(service, metadata, work_dir),
        *_secret_variables(service, metadata, variables),
        *_claims(service, workload, mounts, metadata),
        *services(service, workload, metadata, selector),
        workload_object(service, workload, mounts, metadata, selector, pod),
        *_budget(service, workload, metadata, selector),
        *ingresses(service, workload.ports, metadata),
    ]


def own_namespace(name: str, project: str) -> list[dict[str, Any]]:
    """Return a namespace as it is made where it is missing; nothing for the cluster's own."""
    return [] if name in FOREIGN_NAMESPACES else [_namespace(name, project)]


def with_secrets(document: dict[str, Any], fill: Callable[[Any], Any]) -> dict[str, Any]:
    """Return an object ready to be applied: in a Secret, placeholders filled and texts encoded; others as they are.

    :param fill: ``SecretStore.fill``.
    :raises ConfigurationError: a secret does not exist.
    """
    if document.get("kind") != "Secret" or document.get("apiVersion") != "v1":
        return document
    filled = {key: fill(value) if key in ("stringData", "data") else value for key, value in document.items()}
    texts = filled.pop("stringData", None) or {}
    encoded = {name: base64.b64encode(text.encode()).decode() for name, text in texts.items()}
    # Applied as data: the API forgets who owns the keys of stringData, and would never take one away.
    return {**filled, "data": {**(filled.get("data") or {}), **encoded}}


def _problems(service: ServiceDefinition, workload: Workload, mounts: Mounts, work_dir: WorkDir) -> list[Problem]:
    problems = [*mounts.problems, *probe_problems(service)]
    for key, words in (("entrypoint", workload.entrypoint), ("command", workload.command)):
        if references(words):
            why = f"its {key} holds a secret, which all who may look at pods would read"
            remedy = f"Give it as an environment variable, NAME, and write $(NAME) in kubernetes.{key}."
            problems.append(Problem(service.name, why, remedy))
    for name, address in workload.extra_hosts.items():
        if address == "host-gateway":
            why = f"the host called {name} is the machine of a container; a pod has no such machine"
            problems.append(Problem(service.name, why, f"Take {name} out of docker.extra_hosts, or give its address."))
    size = sum(len(entry.content.encode()) for entry in entries_of(service, work_dir))
    if size > LARGEST_BYTES:
        why = f"its configuration has {size} bytes, and a cluster takes {LARGEST_BYTES} at most"
        problems.append(Problem(service.name, why, "Put what is large into its image or on a volume."))
    access_mode = block(service).storage.access_mode
    if workload.kind == "Deployment" and workload.replicas > 1 and mounts.claims and access_mode in ONE_NODE:
        why = f"its {workload.replicas} pods share a volume that one node alone may use ({access_mode})"
        remedy = f"Set kubernetes.kind of {service.name} to StatefulSet, or storage.access_mode to ReadWriteMany."
        problems.append(Problem(service.name, why, remedy))
    shareable = not mounts.claims or access_mode == "ReadWriteMany"
    if block(service).update == "blue-green" and not (workload.kind == "Deployment" and shareable):
        why = f"update blue-green runs old and new at once, which a {workload.kind} with its data cannot"
        problems.append(Problem(service.name, why, f"Set kubernetes.update of {service.name} to rolling."))
    return problems


def _metadata(service: ServiceDefinition, project: str) -> dict[str, Any]:
    labels = {**service.labels, **common_labels(project, service.name)}
    metadata: dict[str, Any] = {"namespace": block(service).namespace, "labels": labels}
    return {**metadata, "annotations": dict(service.annotations)} if service.annotations else metadata


def _namespace(name: str, project: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": common_labels(project)}}


def _labelled(document: dict[str, Any], service: str, project: str) -> dict[str, Any]:
    """A user's object, with the labels by which it is found again."""
    metadata = document.get("metadata") or {}
    labels = {**(metadata.get("labels") or {}), **identity(project, service)}
    if document.get("kind") == "Namespace":
        labels = {**(metadata.get("labels") or {}), **identity(project)}
    return {**document, "metadata": {**metadata, "labels": labels}}


def _identity_of(document: Mapping[str, Any]) -> tuple[Any, Any]:
    return document.get("kind"), (document.get("metadata") or {}).get("name")


def _account(service: ServiceDefinition, metadata: Mapping[str, Any]) -> list[dict[str, Any]]:
    if block(service).service_account is not None:
        return []
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": service.name, **metadata}}
    return [{**account, "automountServiceAccountToken": False}]


def _configuration(service: ServiceDefinition, metadata: Mapping[str, Any], work_dir: WorkDir) -> list[dict[str, Any]]:
    entries = entries_of(service, work_dir)
    head = {"apiVersion": "v1", "metadata": {"name": config_name(service.name), **metadata}}
    plain = {entry.key: entry.content for entry in entries if not entry.secret}
    secret = {entry.key: entry.content for entry in entries if entry.secret}
    found = [{**head, "kind": "ConfigMap", "data": plain}] if plain else []
    return [*found, {**head, "kind": "Secret", "type": "Opaque", "stringData": secret}] if secret else found


def _secret_variables(
    service: ServiceDefinition, metadata: Mapping[str, Any], variables: Mapping[str, str]
) -> list[dict[str, Any]]:
    values = {name: text for name, text in variables.items() if references(text)}
    if not values:
        return []
    head = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": secret_environment(service.name), **metadata}}
    return [{**head, "type": "Opaque", "stringData": values}]


def _claims(
    service: ServiceDefinition, workload: Workload, mounts: Mounts, metadata: Mapping[str, Any]
) -> list[dict[str, Any]]:
    if workload.kind == "StatefulSet":
        return []
    head = {"apiVersion": "v1", "kind": "PersistentVolumeClaim"}
    return [
        {**head, "metadata": {"name": object_name(claim), **metadata}, "spec": claim_spec(service)}
        for claim in mounts.claims
    ]


def _budget(
    service: ServiceDefinition, workload: Workload, metadata: Mapping[str, Any], selector: Mapping[str, str]
) -> list[dict[str, Any]]:
    if workload.kind == "Job" or workload.replicas < _SEVERAL:
        return []
    head = {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": service.name, **metadata}}
    return [{**head, "spec": {"maxUnavailable": 1, "selector": {"matchLabels": dict(selector)}}}]


def _checksum(service: ServiceDefinition, variables: Mapping[str, str], versions: Mapping[str, int]) -> str:
    """Digest of what pods read only when they start: configuration and variables from secrets, and their versions."""
    files = sorted([file.dest, file.mode, file.content or ""] for file in service.config)
    secret = {name: text for name, text in variables.items() if references(text)}
    used = {f"{owner}.{name}": versions.get(f"{owner}.{name}", 0) for owner, name in references([files, secret])}
    return hashlib.sha256(json.dumps([files, secret, used], sort_keys=True).encode()).hexdigest()
