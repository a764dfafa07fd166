# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils._drivers._kubernetes_observe import Found
from ansible_collections.provisioning.platform.plugins.module_utils._drivers._kubernetes_onlooker import seen, trouble


def workload(name: str = "web", *, generation: int = 2, observed: int | None = None, kind: str = "StatefulSet") -> Any:
    metadata = {"name": name, "uid": f"uid-{name}", "generation": generation}
    status = {"observedGeneration": generation if observed is None else observed, "updateRevision": "new"}
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": metadata, "spec": {"replicas": 1}, "status": status}


def pod(reason: str, *, of: str = "web", restarts: int = 0, revision: str = "new") -> Any:
    state = {"waiting": {"reason": reason, "message": "so it is"}}
    return {
        "metadata": {
            "name": f"{of}-0",
            "labels": {"controller-revision-hash": revision},
            "ownerReferences": [{"uid": f"uid-{of}"}],
        },
        "status": {"containerStatuses": [{"name": "c", "state": state, "restartCount": restarts}]},
    }


def told(found: Found, before: Any = ()) -> tuple[str, bool] | None:
    wrong = trouble(found, seen(before), now=0.0)
    return None if wrong is None else (wrong.text, wrong.is_hopeless)


@pytest.mark.parametrize("reason", ["ImagePullBackOff", "InvalidImageName", "CreateContainerConfigError"])
def test_pods_that_will_not_come_up_are_hopeless(reason):
    found = Found([workload()], [pod(reason)])
    assert told(found) == (f"{reason} in c of pod web-0: so it is", True)
    wrong = trouble(found, seen([]), now=0.0)
    assert wrong is not None
    assert [one["metadata"]["name"] for one in wrong.pods] == ["web-0"]


def test_what_still_may_come_up_is_no_trouble():
    assert told(Found([workload()], [pod("ContainerCreating")])) is None
    assert told(Found()) is None


def test_what_helm_has_not_changed_yet_may_be_what_it_is_there_to_mend():
    before = workload(generation=1)
    assert told(Found([before], [pod("ImagePullBackOff")]), [before]) is None
    assert told(Found([workload(generation=2)], [pod("ImagePullBackOff")]), [before]) is not None


def test_what_was_made_anew_under_the_same_name_is_not_what_was_there():
    old = workload(generation=1)
    new = {**old, "metadata": {**old["metadata"], "uid": "other"}}
    mine = pod("ImagePullBackOff")
    mine["metadata"]["ownerReferences"] = [{"uid": "other"}]
    assert told(Found([new], [mine]), [old]) is not None


def test_pods_of_the_revision_before_say_nothing_of_the_new_one():
    assert told(Found([workload()], [pod("CrashLoopBackOff", revision="old")])) is None
    # Nor those that count as its own because the cluster has not begun with what was asked for last.
    assert told(Found([workload(generation=3, observed=2)], [pod("CrashLoopBackOff")])) is None


@pytest.mark.parametrize(("others", "restarts", "hopeless"), [(0, 1, True), (1, 1, False), (1, 4, True)])
def test_what_crashes_until_another_workload_is_there_is_given_some_attempts(others, restarts, hopeless):
    items = [workload(), *(workload(f"other-{number}") for number in range(others))]
    wrong = told(Found(items, [pod("CrashLoopBackOff", restarts=restarts)]))
    assert wrong is not None
    assert wrong[1] is hopeless


def test_of_several_troubles_the_hopeless_one_counts():
    pods = [pod("CrashLoopBackOff"), pod("InvalidImageName", of="b")]
    wrong = told(Found([workload(), workload("b")], pods))
    assert wrong == ("InvalidImageName in c of pod b-0: so it is", True)
