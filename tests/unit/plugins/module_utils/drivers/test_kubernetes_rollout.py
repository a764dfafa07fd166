# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How far workloads are. The sequences of status were recorded from the controllers of Kubernetes 1.36."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils._drivers._kubernetes_rollout import (
    HOPELESS,
    current_pods,
    progress_of,
    remedy_for,
    trouble_of,
)

from tests.fixtures import kubernetes

RECORDED = json.loads((Path(next(iter(kubernetes.__path__))) / "statuses.json").read_text())
UNSEEN = "the cluster has not begun with it"


def story(name: str) -> list[tuple[str, str]]:
    """What is told of a recorded sequence, each thing once."""
    told = [(p.status, p.detail) for p in map(progress_of, RECORDED[name])]
    return list(dict.fromkeys(told))


@pytest.mark.parametrize(
    ("name", "told"),
    [
        (
            "Deployment created",
            [
                ("starting", UNSEEN),
                ("starting", "0 of 2 pods are made"),
                ("starting", "0 of 2 pods are available"),
                ("starting", "1 of 2 pods are available"),
                ("running", ""),
            ],
        ),
        (
            "Deployment updated",
            [
                ("starting", UNSEEN),
                ("starting", "1 of 2 pods are made"),
                ("starting", "1 pods of before are still there"),
                ("running", ""),
            ],
        ),
        (
            "StatefulSet created",
            [
                ("starting", UNSEEN),
                ("starting", "0 of 2 pods are ready"),
                ("starting", "1 of 2 pods are ready"),
                ("running", ""),
            ],
        ),
        (
            "DaemonSet updated",
            [
                ("starting", UNSEEN),
                ("starting", "0 of 1 pods are updated"),
                ("starting", "0 of 1 pods are available"),
                ("running", ""),
            ],
        ),
        ("Job created", [("starting", "0 pods begin"), ("starting", "1 pods begin"), ("stopped", "completed")]),
    ],
)
def test_a_rollout_is_told_from_its_first_to_its_last_status(name, told):
    assert story(name) == told


def test_a_stateful_set_is_not_ready_before_all_its_pods_are_of_the_new_revision():
    told = story("StatefulSet updated")
    assert ("starting", "1 of 2 pods are updated") in told
    assert told[-1] == ("running", "")


def test_a_rollout_that_makes_no_progress_fails():
    status, detail = story("Deployment stuck")[-1]
    assert status == "failed"
    assert detail.startswith("it made no progress: ReplicaSet")


def test_pods_that_cannot_be_made_fail_with_the_reason():
    status, detail = story("Deployment without room")[-1]
    assert status == "failed"
    assert "exceeded quota: q, requested: pods=1" in detail


def item(kind: str, spec: dict[str, Any] | None = None, status: dict[str, Any] | None = None) -> dict[str, Any]:
    return {
        "kind": kind,
        "metadata": {"name": "x", "uid": "u", "generation": 1},
        "spec": spec or {},
        "status": status or {},
    }


SEEN = {"observedGeneration": 1}
STOPPED_PODS = {"template": {"spec": {"nodeSelector": {"io.provisioning/stopped": "true"}}}}


@pytest.mark.parametrize(
    ("document", "status", "detail"),
    [
        (item("Deployment", {"replicas": 0}), "stopped", ""),
        (item("Deployment", {"replicas": 0}, {"replicas": 2}), "stopped", "2 pods of it are still ending"),
        (item("StatefulSet", {"replicas": 0}), "stopped", ""),
        (
            item("StatefulSet", {"replicas": 1, "updateStrategy": {"type": "OnDelete"}}, {**SEEN, "readyReplicas": 1}),
            "running",
            "",
        ),
        (
            item(
                "StatefulSet",
                {"replicas": 3, "updateStrategy": {"rollingUpdate": {"partition": 2}}},
                {**SEEN, "readyReplicas": 3, "updatedReplicas": 1, "updateRevision": "b", "currentRevision": "a"},
            ),
            "running",
            "",
        ),
        (
            item(
                "StatefulSet",
                {"replicas": 3, "updateStrategy": {"rollingUpdate": {"partition": 1}}},
                {**SEEN, "readyReplicas": 3, "updatedReplicas": 1},
            ),
            "starting",
            "1 pods are updated",
        ),
        (item("DaemonSet", STOPPED_PODS), "stopped", ""),
        (item("DaemonSet", {}, {**SEEN, "desiredNumberScheduled": 0}), "running", ""),
        (item("Job", {"suspend": True}), "stopped", "suspended"),
        (item("Job", {}, {"active": 1, "ready": 1}), "running", "1 pods work on it"),
        (
            item(
                "Job",
                {},
                {
                    "conditions": [
                        {"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded", "message": "too often"}
                    ]
                },
            ),
            "failed",
            "failed: BackoffLimitExceeded: too often",
        ),
        (item("CronJob"), "running", ""),
        (item("CronJob", {"suspend": True}), "stopped", "suspended"),
        (
            item("ReplicaSet", {"replicas": 2}, {**SEEN, "availableReplicas": 1}),
            "starting",
            "1 of 2 pods are available",
        ),
        (item("ReplicaSet", {"replicas": 2}, {**SEEN, "availableReplicas": 2}), "running", ""),
        (item("Pod", {}, {"phase": "Pending"}), "starting", "it is Pending and not ready"),
        (item("Pod", {}, {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}), "running", ""),
        (item("Pod", {}, {"phase": "Succeeded"}), "stopped", "completed"),
        (item("Pod", {}, {"phase": "Failed", "reason": "Evicted"}), "failed", "Evicted"),
        (item("PersistentVolumeClaim", {}, {"phase": "Pending"}), "running", ""),
        (item("ConfigMap"), "running", ""),
        (item("Gadget", {}, {"phase": "Whatever"}), "running", ""),
    ],
)
def test_every_kind_has_its_own_rule(document, status, detail):
    progress = progress_of(document)
    assert (progress.status, progress.detail) == (status, detail)


def pod(name: str = "p", waiting: str | None = None, *, init: bool = False, **state: Any) -> dict[str, Any]:
    container = {
        "name": "main",
        "state": {"waiting": {"reason": waiting, "message": "why"}} if waiting else {},
        **state,
    }
    return {
        "kind": "Pod",
        "metadata": {"name": name},
        "status": {f"{'initC' if init else 'c'}ontainerStatuses": [container]},
    }


@pytest.mark.parametrize(
    "reason",
    ["ImagePullBackOff", "ErrImagePull", "InvalidImageName", "CreateContainerConfigError", "ErrImageNeverPull"],
)
@pytest.mark.parametrize("init", [False, True])
def test_a_container_that_no_waiting_helps_ends_the_wait(reason, init):
    assert trouble_of(pod(waiting=reason, init=init), now=0) == f"{reason} in main of pod p: why"


@pytest.mark.parametrize("reason", ["ContainerCreating", "PodInitializing", None])
def test_a_container_that_may_still_come_does_not(reason):
    assert trouble_of(pod(waiting=reason), now=0) is None


def test_a_crash_is_told_with_its_exit_code():
    crashed = pod(waiting="CrashLoopBackOff", lastState={"terminated": {"exitCode": 137}})
    assert trouble_of(crashed, now=0) == "CrashLoopBackOff in main of pod p: it exited with code 137"


def unscheduled(message: str) -> dict[str, Any]:
    since = "2026-01-01T00:00:00Z"
    condition = {"type": "PodScheduled", "reason": "Unschedulable", "message": message, "lastTransitionTime": since}
    return {"metadata": {"name": "p"}, "status": {"conditions": [condition]}}


BEGIN = 1767225600.0


def test_a_pod_without_a_place_gets_some_seconds_for_what_leaves():
    full = unscheduled("0/1 nodes are available: 1 Insufficient memory.")
    assert trouble_of(full, now=BEGIN + 4) is None
    assert trouble_of(full, now=BEGIN + 6) == "Unschedulable pod p: 0/1 nodes are available: 1 Insufficient memory."
    assert trouble_of(RECORDED["Pod without room"][0], now=4e9).startswith("Unschedulable pod d4-")


def test_a_volume_that_is_bound_only_then_is_waited_for():
    unbound = unscheduled("pod has unbound immediate PersistentVolumeClaims")
    assert trouble_of(unbound, now=BEGIN + 600) is None
    waiting = {"kind": "StatefulSet", "metadata": {"generation": 1}, "spec": {"replicas": 1}}
    waiting["status"] = {"observedGeneration": 1, "readyReplicas": 0}
    seen = progress_of(waiting, [unbound], now=BEGIN + 600)
    assert seen.status == "starting"
    assert seen.detail == (
        "0 of 1 pods are ready; Unschedulable pod p: pod has unbound immediate PersistentVolumeClaims"
    )


def test_pods_of_an_earlier_revision_do_not_speak_for_the_present_one():
    def owned(name, owner, **labels):
        return {
            "kind": "Pod",
            "metadata": {"name": name, "uid": name, "labels": labels, "ownerReferences": [{"uid": owner}]},
        }

    def replica_set(name, revision):
        note = {"deployment.kubernetes.io/revision": revision}
        return {"metadata": {"name": name, "uid": name, "annotations": note, "ownerReferences": [{"uid": "u"}]}}

    deployment = item("Deployment")
    deployment["metadata"]["annotations"] = {"deployment.kubernetes.io/revision": "2"}
    sets = [replica_set("old", "1"), replica_set("new", "2")]
    pods = [owned("a", "old"), owned("b", "new"), owned("c", "foreign")]
    assert [p["metadata"]["name"] for p in current_pods(deployment, pods, sets)] == ["b"]
    ending = owned("d", "new")
    ending["metadata"]["deletionTimestamp"] = "now"
    assert [p["metadata"]["name"] for p in current_pods(deployment, [*pods, ending], sets)] == ["b"]
    stateful = item("StatefulSet", {}, {"updateRevision": "x2"})
    pods = [
        owned("a", "u", **{"controller-revision-hash": "x1"}),
        owned("b", "u", **{"controller-revision-hash": "x2"}),
    ]
    assert [p["metadata"]["name"] for p in current_pods(stateful, pods, [])] == ["b"]


def test_there_is_something_to_do_about_whatever_no_waiting_cures():
    assert all(remedy_for(f"{reason} in web of pod web-1: no", "web") for reason in HOPELESS)
    assert (
        remedy_for("ErrImagePull in a of pod b", "web")
        == "Correct the image of web, or see that its cluster can pull it."
    )
    assert remedy_for("0 of 1 pods are available", "web") == ""


def test_pods_of_before_are_no_trouble_until_the_cluster_has_begun_with_what_is_wanted_now():
    crash = {"name": "c", "state": {"waiting": {"reason": "CrashLoopBackOff"}}}
    pod = {"metadata": {"name": "x-1"}, "status": {"containerStatuses": [crash]}}
    begun = item("Deployment", {"replicas": 1}, {"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1})
    assert progress_of(begun, [pod]).status == "failed"
    assert progress_of({**begun, "status": {"observedGeneration": 0}}, [pod]).status == "starting"
