# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the pods of a service are, and what they may do."""

from __future__ import annotations

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils._build import build
from ansible_collections.provisioning.platform.plugins.module_utils._model import ServiceDefinition

from tests.unit.plugins.module_utils.drivers.kubernetes_rules import broken_controls, check_schema
from tests.unit.plugins.module_utils.drivers.kubernetes_service import (
    container_of,
    generate,
    kinds,
    made,
    one,
    pod_of,
    service,
)

# Containers


def test_the_container_is_that_of_the_docker_block():
    docker = {"entrypoint": ["/web"], "command": ["run", "$(x)"], "pull": "never", "working_dir": "/srv"}
    container = container_of(made(docker))
    assert (container["image"], container["imagePullPolicy"]) == ("web:1", "Never")
    assert (container["command"], container["args"], container["workingDir"]) == (["/web"], ["run", "$$(x)"], "/srv")


def test_the_kubernetes_block_wins_over_the_docker_block():
    docker = {"command": ["a"], "env": {"A": "1", "B": "1"}, "user": "1", "volumes": ["/srv:/srv"], "replicas": 2}
    kubernetes = {"image": "web:2", "command": ["$(A)"], "env": {"B": "2"}, "user": "2", "volumes": [], "replicas": 1}
    manifests = made(docker, {**kubernetes, "pull": "always"})
    container = container_of(manifests)
    assert (container["image"], container["args"], container["imagePullPolicy"]) == ("web:2", ["$(A)"], "Always")
    assert container["env"] == [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]
    assert pod_of(manifests)["spec"]["securityContext"]["runAsUser"] == 2
    assert one(manifests, "Deployment")["spec"]["replicas"] == 1


def test_a_kubernetes_block_is_enough():
    definition = build(
        ServiceDefinition,
        {
            "name": "web",
            "port": 53,
            "deployment": {"mode": "kubernetes", "kubernetes": {"image": "dns:1", "ports": ["53:1053/udp", "53:1053"]}},
        },
    )
    manifests = generate(definition)
    check_schema(manifests)
    ports = [(p["port"], p["targetPort"], p["protocol"]) for p in one(manifests, "Service")["spec"]["ports"]]
    assert sorted(ports) == [(53, 1053, "TCP"), (53, 1053, "UDP")]


def test_env_vars_of_the_installation_give_way_to_the_services_own():
    manifests = generate(service({"env": {"A": "own"}}), env={"A": "all", "B": True})
    assert container_of(manifests)["env"] == [{"name": "A", "value": "own"}, {"name": "B", "value": "true"}]


def test_the_pod_is_given_nothing_of_the_clusters_own():
    spec = pod_of(made())["spec"]
    assert spec["automountServiceAccountToken"] is spec["enableServiceLinks"] is False
    assert one(made(), "ServiceAccount")["automountServiceAccountToken"] is False


def test_an_existing_account_is_used_and_not_made():
    manifests = made({}, {"service_account": "robot"})
    assert "ServiceAccount" not in kinds(manifests)
    assert pod_of(manifests)["spec"]["serviceAccountName"] == "robot"


@pytest.mark.parametrize(("stop_timeout", "seconds"), [(10, 10), (0, 1), (2.5, 3)])
def test_a_pod_has_the_services_time_to_stop(stop_timeout, seconds):
    spec = pod_of(made(startup={"stop_timeout": stop_timeout}))["spec"]
    assert spec["terminationGracePeriodSeconds"] == seconds


@pytest.mark.parametrize(
    ("resources", "requests", "expected"),
    [
        ({}, {}, None),
        ({"memory": "512m"}, {}, {"limits": {"memory": "512Mi"}, "requests": {"memory": "512Mi"}}),
        (
            {"cpu": 1.5, "memory": "1g"},
            {"cpu": 0.25},
            {"limits": {"cpu": "1500m", "memory": "1Gi"}, "requests": {"cpu": "250m", "memory": "1Gi"}},
        ),
        ({"cpu": 2}, {"memory": 1000}, {"limits": {"cpu": "2"}, "requests": {"cpu": "2", "memory": "1000"}}),
    ],
)
def test_limits_are_set_aside_unless_less_is_asked_for(resources, requests, expected):
    assert container_of(made({}, {"requests": requests}, resources=resources)).get("resources") == expected


# Security


@pytest.mark.parametrize(
    ("user", "expected"),
    [
        (None, {}),
        ("1000:2000", {"runAsUser": 1000, "runAsGroup": 2000, "fsGroup": 2000}),
        ("65532", {"runAsUser": 65532, "fsGroup": 65532}),
    ],
)
def test_a_pod_runs_as_the_containers_user_and_never_as_root(user, expected):
    context = pod_of(made({"user": user}))["spec"]["securityContext"]
    assert context["runAsNonRoot"] is True
    assert {key: context[key] for key in context if key in ("runAsUser", "runAsGroup", "fsGroup")} == expected


def test_a_pod_keeps_to_the_restricted_standard():
    docker = {"user": "1:1", "cap_add": ["NET_BIND_SERVICE"], "no_new_privileges": False, "ports": ["8053:53/udp"]}
    assert broken_controls(made(docker)) == []


def test_root_is_given_only_to_who_asks_for_it_and_is_told_by_the_standard():
    assert broken_controls(made({"user": "0:0"})) == ["runs as non-root", "user"]


@pytest.mark.parametrize(
    ("docker", "kubernetes", "paths"),
    [
        ({}, {}, {"/tmp": {}}),
        ({"tmpfs": ["/run:size=64m"]}, {}, {"/run": {"medium": "Memory", "sizeLimit": "64Mi"}, "/tmp": {}}),
        ({"tmpfs": ["/tmp"]}, {}, {"/tmp": {"medium": "Memory"}}),
        ({}, {"read_only": False}, {}),
        ({"tmpfs": ["/run"]}, {"tmpfs": ["/x"], "read_only": False}, {"/x": {"medium": "Memory"}}),
    ],
)
def test_a_read_only_system_leaves_tmp_and_what_is_kept_in_memory(docker, kubernetes, paths):
    manifests = made(docker, kubernetes)
    container = container_of(manifests)
    assert container["securityContext"]["readOnlyRootFilesystem"] is kubernetes.get("read_only", True)
    volumes = {v["name"]: v.get("emptyDir") for v in pod_of(manifests)["spec"].get("volumes", ())}
    assert {m["mountPath"]: volumes[m["name"]] for m in container.get("volumeMounts", ())} == paths


# Several pods


@pytest.mark.parametrize("replicas", [0, 1])
def test_one_pod_needs_no_budget_and_no_spread(replicas):
    manifests = made({}, {"replicas": replicas})
    assert "PodDisruptionBudget" not in kinds(manifests)
    assert "topologySpreadConstraints" not in pod_of(manifests)["spec"]


def test_several_pods_are_spread_and_go_down_one_at_a_time():
    manifests = made({"replicas": 2})
    assert one(manifests, "PodDisruptionBudget")["spec"]["maxUnavailable"] == 1
    keys = [spread["topologyKey"] for spread in pod_of(manifests)["spec"]["topologySpreadConstraints"]]
    assert keys == ["kubernetes.io/hostname", "topology.kubernetes.io/zone"]
