# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which objects a service becomes, whose they say they are, and what cannot run on a cluster."""

from __future__ import annotations

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils._build import build
from ansible_collections.provisioning.platform.plugins.module_utils._model import ServiceDefinition

from tests.unit.plugins.module_utils.drivers.kubernetes_rules import broken_controls
from tests.unit.plugins.module_utils.drivers.kubernetes_service import (
    CONFIG,
    HTTP,
    PASSWORD,
    container_of,
    faults,
    kinds,
    made,
    one,
    pod_of,
    service,
)

# What there is


def test_a_bare_container_needs_a_namespace_an_account_and_a_deployment():
    assert kinds(made()) == ["Namespace", "ServiceAccount", "Deployment"]


def test_everything_that_can_be_asked_for_is_made_and_valid():
    manifests = made(
        {
            "env": {"TOKEN": PASSWORD, "PLAIN": 1},
            "volumes": ["/w/config/web:/etc/web:ro", "/w/data/web:/data", "cache:/cache"],
            "ports": ["127.0.0.1:8080:80", "127.0.0.1:8053:53/udp"],
            "user": "1000:1000",
            "tmpfs": ["/run:size=64m"],
            "extra_hosts": {"db.example": "192.0.2.7"},
            "working_dir": "/data",
        },
        {
            "replicas": 3,
            "expose": {"type": "Ingress", "host": "web.example", "ingress_class": "nginx", "tls_secret": "web-tls"},
            "requests": {"cpu": 0.1, "memory": "64m"},
            "node_selector": {"disk": "ssd"},
            "tolerations": [{"key": "gpu", "operator": "Exists"}],
            "image_pull_secrets": ["registry"],
        },
        port=8080,
        ports={"dns": 8053},
        config=CONFIG,
        health=HTTP,
        resources={"cpu": 0.5, "memory": "512m"},
        labels={"team": "web"},
        annotations={"example.org/owner": "web"},
    )
    assert kinds(manifests) == [
        "Namespace",
        "ServiceAccount",
        "ConfigMap",
        "Secret",
        "Secret",
        "Service",
        "Service",
        "StatefulSet",
        "PodDisruptionBudget",
        "Ingress",
    ]
    assert broken_controls(manifests) == []


@pytest.mark.parametrize(
    ("volumes", "kubernetes", "kind"),
    [
        ([], {}, "Deployment"),
        (["/w/config/web:/etc/web"], {}, "Deployment"),
        (["/w/data/web:/data"], {}, "StatefulSet"),
        (["cache:/cache"], {}, "StatefulSet"),
        (["cache:/cache"], {"kind": "Deployment"}, "Deployment"),
    ],
)
def test_what_keeps_data_is_a_stateful_set_unless_its_owner_says_otherwise(volumes, kubernetes, kind):
    found = {"Deployment", "StatefulSet"} & set(kinds(made({"volumes": volumes}, kubernetes)))
    assert found == {kind}


def test_a_service_that_is_not_to_be_started_again_is_a_job():
    job = one(made(startup={"restart": "no"}), "Job")
    assert job["spec"]["backoffLimit"] == 0
    assert job["spec"]["template"]["spec"]["restartPolicy"] == "Never"


@pytest.mark.parametrize(
    ("kubernetes", "strategy"),
    [
        ({}, "RollingUpdate"),
        ({"update": "recreate"}, "Recreate"),
    ],
)
def test_a_deployment_without_data_rolls_unless_it_is_to_be_recreated(kubernetes, strategy):
    assert one(made({}, kubernetes), "Deployment")["spec"]["strategy"]["type"] == strategy


@pytest.mark.parametrize(("mode", "strategy"), [("ReadWriteOnce", "Recreate"), ("ReadWriteMany", "RollingUpdate")])
def test_a_deployment_whose_volume_one_node_alone_may_use_is_recreated(mode, strategy):
    manifests = made({"volumes": ["/w/data/web:/data"]}, {"kind": "Deployment", "storage": {"access_mode": mode}})
    assert one(manifests, "Deployment")["spec"]["strategy"]["type"] == strategy
    assert one(manifests, "PersistentVolumeClaim")["spec"]["accessModes"] == [mode]


def test_a_claim_has_the_size_and_class_that_are_asked_for():
    storage = {"size": "5Gi", "storage_class": "fast"}
    manifests = made({"volumes": ["/w/data/web/db:/db", "/w/data/web:/data:ro"]}, {"storage": storage})
    (claim,) = one(manifests, "StatefulSet")["spec"]["volumeClaimTemplates"]
    assert claim["spec"] == {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": "5Gi"}},
        "storageClassName": "fast",
    }
    assert container_of(manifests)["volumeMounts"][:2] == [
        {"name": "data", "mountPath": "/db", "subPath": "db"},
        {"name": "data", "mountPath": "/data", "readOnly": True},
    ]


def test_the_template_of_claims_never_changes_with_labels():
    claims = [
        one(made({"volumes": ["a:/a"]}, labels=labels), "StatefulSet")["spec"]["volumeClaimTemplates"]
        for labels in ({}, {"team": "a"})
    ]
    assert claims[0] == claims[1]
    assert claims[0][0]["metadata"]["labels"]["io.provisioning/service"] == "web"


def test_a_named_volume_is_not_taken_for_the_data_folder():
    manifests = made({"volumes": ["data:/a", "/w/data/web:/b"]})
    assert len(one(manifests, "StatefulSet")["spec"]["volumeClaimTemplates"]) == 2


# Labels


def test_every_object_says_whose_it_is_but_for_the_namespace_which_is_shared():
    for manifest in made({"volumes": ["/w/data/web:/data"]}, {"replicas": 2}, port=80, labels={"team": "a"}):
        labels = manifest["metadata"]["labels"]
        assert labels["app.kubernetes.io/part-of"] == labels["io.provisioning/project"] == "shop"
        assert labels["app.kubernetes.io/managed-by"] == "provisioning"
        shared = manifest["kind"] == "Namespace"
        assert (
            labels.get("io.provisioning/service") == labels.get("app.kubernetes.io/name") == (None if shared else "web")
        )
        assert labels.get("team") == (None if shared else "a")


def test_labels_and_annotations_reach_the_pods_so_that_a_mesh_can_be_switched_on():
    labels, annotations = {"sidecar.istio.io/inject": "true"}, {"linkerd.io/inject": "enabled"}
    metadata = pod_of(made(labels=labels, annotations=annotations))["metadata"]
    assert labels.items() <= metadata["labels"].items()
    assert annotations.items() <= metadata["annotations"].items()


def test_a_label_of_the_users_does_not_take_the_place_of_ours():
    assert (
        pod_of(made(labels={"io.provisioning/service": "other"}))["metadata"]["labels"]["io.provisioning/service"]
        == "web"
    )


@pytest.mark.parametrize("kubernetes", [{}, {"replicas": 4, "image": "web:2"}])
def test_the_selector_of_the_pods_never_changes(kubernetes):
    selector = one(made({}, kubernetes), "Deployment")["spec"]["selector"]["matchLabels"]
    assert selector == {"io.provisioning/project": "shop", "io.provisioning/service": "web"}


@pytest.mark.parametrize("name", ["default", "kube-system"])
def test_a_namespace_of_the_clusters_own_is_left_alone(name):
    assert "Namespace" not in kinds(made({}, {"namespace": name}))


# The user's own objects


def test_the_users_objects_take_the_place_of_generated_ones_and_are_labelled():
    mine = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "mine", "labels": {"a": "b"}}}
    manifests = made({}, {"objects": [mine]})
    assert kinds(manifests) == ["Namespace", "ConfigMap"]
    assert manifests[1]["metadata"]["labels"] == {
        "a": "b", "io.provisioning/project": "shop", "io.provisioning/service": "web",
    }  # fmt: skip
    assert mine["metadata"]["labels"] == {"a": "b"}


def test_a_namespace_among_the_users_objects_is_the_one_that_is_made():
    mine = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "provisioning", "labels": {"a": "b"}}}
    (namespace,) = made({}, {"objects": [mine]})
    assert namespace["metadata"]["labels"] == {"a": "b", "io.provisioning/project": "shop"}


# What cannot run there


@pytest.mark.parametrize(
    ("definition", "words"),
    [
        (service({"volumes": ["/var/run/docker.sock:/var/run/docker.sock"]}), "a path of one machine"),
        (service({"volumes": ["/w/data/other:/x"]}), "a path of one machine"),
        (service({"volumes": ["/w/config/other:/x"]}), "a path of one machine"),
        (service({"user": "postgres"}), 'Set kubernetes.user of web to "uid:gid".'),
        (service({"command": ["--password", PASSWORD]}), "write $(NAME) in kubernetes.command"),
        (service({"extra_hosts": {"me": "host-gateway"}}), "a pod has no such machine"),
        (service({}, {"ports": ["80:80/sctp"]}), "write [port:]container[/udp]"),
        (service({"tmpfs": ["/run:size=much"]}), "not an amount of memory"),
        (service({"volumes": ["a:/x"], "tmpfs": ["/x"]}), "mounts /x twice"),
        (service({"volumes": ["a:/x"]}, {"kind": "Deployment", "replicas": 2}), "share a volume that one node alone"),
        (service({"volumes": ["a:/x"]}, {"update": "blue-green"}), "Set kubernetes.update of web to rolling."),
        (service(config=[{"dest": "/w/config/web/x", "content": "x" * (1 << 21)}]), "takes 1048576 at most"),
        (service(health={"type": "command", "command": ["x"]}), "with inside: true"),
        (service(health={"type": "file", "path": "/x"}), "cannot be made of a pod"),
        (service(health={**HTTP, "headers": {"Authorization": PASSWORD}}), "would read in the probe"),
    ],
)  # fmt: skip
def test_what_cannot_run_on_a_cluster_is_told_with_the_remedy(definition, words):
    (fault,) = faults(definition)
    assert words in fault


def test_a_service_without_an_image_says_so():
    definition = build(ServiceDefinition, {"name": "web", "deployment": {"mode": "kubernetes", "kubernetes": {}}})
    (fault,) = faults(definition)
    assert fault.startswith("web: has no image to run on the cluster. Set kubernetes.image of web")


def test_all_that_is_wrong_is_told_at_once():
    assert len(faults(service({"volumes": ["/a:/a", "/b:/b"], "command": [PASSWORD]}))) == 3
