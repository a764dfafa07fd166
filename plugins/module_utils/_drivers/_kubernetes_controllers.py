# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The objects that keep pods running: Deployment, StatefulSet and Job. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from .._model import ServiceDefinition
from ._kubernetes_mounts import Mounts, claim_spec
from ._kubernetes_network import headless_name
from ._kubernetes_workload import Workload, block

#: Ways of access that leave a volume to one node, or one pod, at a time.
ONE_NODE = ("ReadWriteOnce", "ReadWriteOncePod")
#: Kubernetes' own patience with a rollout, in seconds; a service that may take longer to start gets more.
_PROGRESS_DEADLINE = 600
_PROGRESS_MARGIN = 60


def workload_object(
    service: ServiceDefinition,
    workload: Workload,
    mounts: Mounts,
    metadata: Mapping[str, Any],
    selector: Mapping[str, str],
    pod: Mapping[str, Any],
) -> dict[str, Any]:
    """Return the workload of a service.

    :param metadata: labels, annotations and namespace of what is made.
    :param selector: labels of its pods.
    :param pod: the template of its pods.
    """
    if workload.kind == "Job":
        version, spec = "batch/v1", _job(workload)
    else:
        version = "apps/v1"
        own = (
            _deployment(service, mounts) if workload.kind == "Deployment" else _stateful_set(service, mounts, selector)
        )
        spec = {"replicas": workload.replicas, "selector": {"matchLabels": dict(selector)}, **own}
    return {
        "apiVersion": version,
        "kind": workload.kind,
        "metadata": {"name": service.name, **metadata},
        "spec": {**spec, "template": pod},
    }


def _deployment(service: ServiceDefinition, mounts: Mounts) -> dict[str, Any]:
    wanted = block(service)
    # A volume that one node alone may use is given up by the old pod before the new one gets it.
    one_at_a_time = bool(mounts.claims) and wanted.storage.access_mode in ONE_NODE
    strategy: dict[str, Any] = {"type": "Recreate"}
    if wanted.update != "recreate" and not one_at_a_time:
        strategy = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}
    deadline = max(_PROGRESS_DEADLINE, math.ceil(service.startup.timeout) + _PROGRESS_MARGIN)
    return {"strategy": strategy, "progressDeadlineSeconds": deadline}


def _stateful_set(service: ServiceDefinition, mounts: Mounts, identity: Mapping[str, str]) -> dict[str, Any]:
    # The claims outlive what made them, and are found by the labels that never change: nor may a template of claims.
    claims = [
        {"metadata": {"name": claim, "labels": dict(identity)}, "spec": claim_spec(service)} for claim in mounts.claims
    ]
    spec = {
        "serviceName": headless_name(service.name),
        # In order, a pod that never becomes ready would keep its own repair from being rolled out.
        "podManagementPolicy": "Parallel",
        "updateStrategy": {"type": "RollingUpdate"},
    }
    return {**spec, "volumeClaimTemplates": claims} if claims else spec


def _job(workload: Workload) -> dict[str, Any]:
    return {"completions": workload.replicas, "parallelism": workload.replicas, "backoffLimit": 0}
