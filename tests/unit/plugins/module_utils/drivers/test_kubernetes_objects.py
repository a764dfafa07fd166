# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is added to manifests, and the colours of blue-green updates."""

from __future__ import annotations

from ansible_collections.provisioning.platform.plugins.module_utils._drivers._kubernetes_colours import (
    can_be_coloured,
    colour_of,
    coloured,
    other,
)
from ansible_collections.provisioning.platform.plugins.module_utils._drivers._kubernetes_objects import (
    dressed,
    is_applied_by_us,
    placed,
    recorded_kinds,
)

OWNER = {"io.provisioning/project": "p", "io.provisioning/service": "web"}


def deployment(name: str = "web") -> dict:
    template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": []}}
    spec = {"selector": {"matchLabels": {"app": "web"}}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "namespace": "n"}, "spec": spec}


def service(**selector: str) -> dict:
    spec = {"selector": selector or {"app": "web"}, "ports": [{"port": 80}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web", "namespace": "n"}, "spec": spec}


def dress(*items: dict, checksum: str | None = None) -> list[dict]:
    return dressed(items, project="p", service="web", digest="d1", checksum=checksum)


def test_all_objects_and_their_pods_say_whose_they_are():
    (item,) = dress(deployment())
    assert item["metadata"]["labels"] == OWNER
    assert item["metadata"]["annotations"]["io.provisioning/digest"] == "d1"
    assert item["spec"]["template"]["metadata"]["labels"] == {"app": "web", **OWNER}
    assert "annotations" not in item["spec"]["template"]["metadata"]
    assert item["spec"]["selector"] == {"matchLabels": {"app": "web"}}


def test_pods_are_rolled_by_a_checksum_unless_they_have_one():
    (item,) = dress(deployment(), checksum="c1")
    assert item["spec"]["template"]["metadata"]["annotations"] == {"io.provisioning/checksum": "c1"}
    own = deployment()
    own["spec"]["template"]["metadata"]["annotations"] = {"io.provisioning/checksum": "own"}
    assert dress(own, checksum="c1")[0]["spec"]["template"]["metadata"]["annotations"] == {
        "io.provisioning/checksum": "own"
    }


def test_a_namespace_and_claims_are_shared_or_kept_and_carry_no_digest():
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "n"}}
    claim = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "c", "namespace": "n"}}
    items = dress(claim, namespace)
    assert [item["kind"] for item in items] == ["Namespace", "PersistentVolumeClaim"]
    assert items[0]["metadata"] == {"name": "n", "labels": {"io.provisioning/project": "p"}}
    assert items[1]["metadata"]["labels"] == OWNER
    assert "annotations" not in items[1]["metadata"]


def test_what_others_need_is_applied_first():
    kinds = [
        "Deployment",
        "Ingress",
        "Secret",
        "Namespace",
        "Service",
        "CustomResourceDefinition",
        "RoleBinding",
        "Role",
    ]
    items = dress(*({"apiVersion": "v1", "kind": kind, "metadata": {"name": "x"}} for kind in kinds))
    assert [item["kind"] for item in items] == [
        "Namespace",
        "CustomResourceDefinition",
        "Role",
        "RoleBinding",
        "Secret",
        "Service",
        "Ingress",
        "Deployment",
    ]


def test_kinds_beyond_the_usual_ones_are_written_down():
    gadget = {"apiVersion": "example.com/v1", "kind": "Gadget", "metadata": {"name": "g"}}
    assert recorded_kinds(dress(deployment(), gadget)) == {("example.com/v1", "Gadget")}
    damaged = [{"kind": "Deployment", "metadata": {"annotations": {"io.provisioning/kinds": "[1, 2"}}}]
    assert recorded_kinds(damaged) == set()


def test_objects_without_a_namespace_get_the_services_own():
    cluster_wide = {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "v"}}
    named = deployment()
    bare = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}}
    spaces = [item["metadata"].get("namespace") for item in placed([cluster_wide, named, bare], "mine")]
    assert spaces == [None, "n", "mine"]
    assert "namespace" not in bare["metadata"]


def test_only_what_our_field_manager_applied_is_ours():
    def managed(manager, operation="Apply", **more):
        return {"metadata": {"managedFields": [{"manager": manager, "operation": operation}], **more}}

    assert is_applied_by_us(managed("provisioning-platform"))
    assert not is_applied_by_us(managed("provisioning-platform", "Update"))
    assert not is_applied_by_us(managed("kube-controller-manager", "Update"))
    assert not is_applied_by_us(managed("provisioning-platform", ownerReferences=[{"uid": "u"}]))
    assert not is_applied_by_us({"metadata": {"labels": OWNER}})


def test_a_colour_is_given_to_the_deployment_its_pods_and_those_that_mean_it():
    scaler = {"kind": "HorizontalPodAutoscaler", "metadata": {"name": "s"}}
    scaler["spec"] = {"scaleTargetRef": {"kind": "Deployment", "name": "web"}}
    plain = [deployment(), service(), service(app="other"), scaler]
    blue, chosen, foreign, scaled = coloured(plain, "blue")
    mark = {"io.provisioning/colour": "blue"}
    assert blue["metadata"]["name"] == "web-blue"
    assert blue["metadata"]["labels"] == mark
    assert blue["spec"]["selector"]["matchLabels"] == {"app": "web", **mark}
    assert blue["spec"]["template"]["metadata"]["labels"] == {"app": "web", **mark}
    assert chosen["spec"]["selector"] == {"app": "web", **mark}
    assert foreign == plain[2]
    assert scaled["spec"]["scaleTargetRef"]["name"] == "web-blue"
    assert plain[0]["metadata"]["name"] == "web"
    assert colour_of([blue, chosen]) == "blue"


def test_colours_take_turns():
    assert [other(None), other("blue"), other("green")] == ["blue", "green", "blue"]


def test_what_has_nothing_to_switch_stays_as_it_is():
    assert not can_be_coloured([deployment()])
    assert not can_be_coloured([deployment(), deployment("two"), service()])
    assert coloured([deployment()], "blue") == [deployment()]
    assert coloured([deployment(), service()], None) == [deployment(), service()]
    assert colour_of([service()]) is None
