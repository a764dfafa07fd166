# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils._build import build
from ansible_collections.provisioning.platform.plugins.module_utils._drivers._kubernetes_manifests import (
    manifests_for,
    with_secrets,
)
from ansible_collections.provisioning.platform.plugins.module_utils._errors import ConfigurationError
from ansible_collections.provisioning.platform.plugins.module_utils._model import ServiceDefinition
from ansible_collections.provisioning.platform.plugins.module_utils._paths import WorkDir

from tests.unit.plugins.module_utils.drivers.kubernetes_rules import broken_controls, check_schema

WORK_DIR = WorkDir(Path("/w"))
PASSWORD = "${secret.web.password}"
CONFIG = [
    {"dest": "/w/config/web/web.conf", "content": "workers 2"},
    {"dest": "/w/config/web/sites/a.conf", "content": f"password {PASSWORD}", "mode": "0600"},
    {"dest": "/w/config/web/hook.sh", "content": "#!/bin/sh", "mode": "0755"},
]
HTTP = {"type": "http", "url": "http://web.provisioning.svc:8080/health?deep=1"}


def service(docker: dict[str, Any] | None = None, kubernetes: dict[str, Any] | None = None, **settings: Any):
    blocks = {"docker": {"image": "web:1", **(docker or {})}, "kubernetes": kubernetes or {}}
    document = {"name": "web", "deployment": {"mode": "kubernetes", **blocks}, **settings}
    return build(ServiceDefinition, document)


def generate(definition: ServiceDefinition, **options: Any) -> list[dict[str, Any]]:
    return manifests_for(definition, project="shop", work_dir=WORK_DIR, **{"env": {}, **options})


def made(docker: dict[str, Any] | None = None, kubernetes: dict[str, Any] | None = None, **settings: Any):
    manifests = generate(service(docker, kubernetes, **settings))
    check_schema(manifests)
    return manifests


def kinds(manifests: list[dict[str, Any]]) -> list[str]:
    return [manifest["kind"] for manifest in manifests]


def one(manifests: list[dict[str, Any]], kind: str, name: str | None = None) -> dict[str, Any]:
    (found,) = [m for m in manifests if m["kind"] == kind and name in (None, m["metadata"]["name"])]
    return found


def pod_of(manifests: list[dict[str, Any]]) -> dict[str, Any]:
    (found,) = [m["spec"]["template"] for m in manifests if "template" in m.get("spec", {})]
    return found


def container_of(manifests: list[dict[str, Any]]) -> dict[str, Any]:
    return pod_of(manifests)["spec"]["containers"][0]


def faults(definition: ServiceDefinition) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        generate(definition)
    return [str(problem) for problem in caught.value.problems]


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


# Configuration and secrets


def test_files_without_secrets_are_in_the_config_map_and_those_with_one_in_the_secret():
    manifests = made(config=CONFIG)
    assert one(manifests, "ConfigMap")["data"] == {"web.conf": "workers 2", "hook.sh": "#!/bin/sh"}
    assert one(manifests, "Secret")["stringData"] == {"sites_a.conf": f"password {PASSWORD}"}


def test_the_configuration_folder_is_one_volume_with_all_files_in_their_places():
    manifests = made({"volumes": ["/w/config/web:/etc/web:ro"], "user": "7:7"}, config=CONFIG)
    assert container_of(manifests)["volumeMounts"][0] == {"name": "config", "mountPath": "/etc/web", "readOnly": True}
    plain, secret = pod_of(manifests)["spec"]["volumes"][0]["projected"]["sources"]
    assert plain["configMap"]["items"] == [
        {"key": "web.conf", "path": "web.conf", "mode": 0o444},
        {"key": "hook.sh", "path": "hook.sh", "mode": 0o555},
    ]
    assert secret["secret"]["items"] == [{"key": "sites_a.conf", "path": "sites/a.conf", "mode": 0o440}]


def test_a_single_file_is_mounted_by_its_sub_path():
    manifests = made({"volumes": ["/w/config/web/sites/a.conf:/etc/a.conf"]}, config=CONFIG)
    mount = container_of(manifests)["volumeMounts"][0]
    assert mount == {"name": "config-files", "mountPath": "/etc/a.conf", "subPath": "sites/a.conf", "readOnly": True}


def test_a_folder_of_the_configuration_has_only_what_is_in_it():
    manifests = made({"volumes": ["/w/config/web/sites:/etc/sites"]}, config=CONFIG)
    (source,) = pod_of(manifests)["spec"]["volumes"][0]["projected"]["sources"]
    assert [item["path"] for item in source["secret"]["items"]] == ["a.conf"]


def test_no_secret_is_anywhere_but_in_secrets():
    docker = {"env": {"TOKEN": PASSWORD, "URL": f"db://x:{PASSWORD}@db"}, "volumes": ["/w/config/web:/etc/web"]}
    for manifest in made(docker, config=CONFIG):
        assert manifest["kind"] == "Secret" or "${secret." not in str(manifest)


def test_a_variable_with_a_secret_comes_from_the_secret():
    manifests = made({"env": {"TOKEN": PASSWORD}})
    reference = {"secretKeyRef": {"name": "web-env", "key": "TOKEN"}}
    assert container_of(manifests)["env"] == [{"name": "TOKEN", "valueFrom": reference}]
    assert one(manifests, "Secret", "web-env")["stringData"] == {"TOKEN": PASSWORD}


def test_a_secret_is_filled_in_and_encoded_where_it_is_applied():
    secret = one(made({"env": {"TOKEN": PASSWORD}}), "Secret")
    ready = with_secrets(secret, lambda value: dict.fromkeys(value, "s3cret") if value else value)
    assert ready["data"] == {"TOKEN": base64.b64encode(b"s3cret").decode()}
    assert "stringData" not in ready
    config_map = one(made(config=CONFIG), "ConfigMap")
    assert with_secrets(config_map, lambda value: "filled") is config_map


def checksum(definition: ServiceDefinition, **options: Any) -> str:
    return pod_of(generate(definition, **options))["metadata"]["annotations"]["io.provisioning/checksum"]


@pytest.mark.parametrize(
    "changes",
    [
        {"config": [{**CONFIG[0], "content": "workers 3"}, *CONFIG[1:]]},
        {"config": CONFIG[:2]},
        {"versions": {"web.password": 2}},
        {"docker": {"env": {"TOKEN": f"Bearer {PASSWORD}"}}},
    ],
)
def test_pods_roll_when_configuration_or_the_version_of_a_secret_changes(changes):
    settings = {"docker": {"env": {"TOKEN": PASSWORD}}, "config": CONFIG, "versions": {"web.password": 1}}
    before, after = ({**settings, **change} for change in ({}, changes))
    sums = [checksum(service(s["docker"], config=s["config"]), versions=s["versions"]) for s in (before, after)]
    assert sums[0] != sums[1]


def test_pods_do_not_roll_for_a_secret_of_somebody_else():
    definition = service(config=CONFIG)
    one_version = checksum(definition, versions={"web.password": 1, "db.password": 1})
    assert one_version == checksum(definition, versions={"web.password": 1, "db.password": 2})


# Network


@pytest.mark.parametrize(
    ("docker_ports", "settings", "expected"),
    [
        ([], {"port": 80}, [("http", 80, 80, "TCP")]),
        (["127.0.0.1:8080:80"], {"port": 8080}, [("http", 8080, 80, "TCP")]),
        (["127.0.0.1:8080:80"], {"port": 80}, [("http", 80, 80, "TCP")]),
        (["8081-8083:80"], {"port": 8081}, [("http", 8081, 80, "TCP")]),
        (
            ["8053:53", "8053:53/udp"],
            {"port": 8053, "scheme": "dns"},
            [("dns", 8053, 53, "TCP"), ("dns-udp", 8053, 53, "UDP")],
        ),
        (["9000:9000"], {"port": 80}, [("http", 80, 80, "TCP"), ("port-9000", 9000, 9000, "TCP")]),
        (
            [],
            {"port": 80, "ports": {"http": 81, "SSH_x": 22}},
            [("main", 80, 80, "TCP"), ("http", 81, 81, "TCP"), ("ssh-x", 22, 22, "TCP")],
        ),
        (["9000:9000"], {}, [("port-9000", 9000, 9000, "TCP")]),
    ],
)
def test_the_service_leads_from_the_ports_others_know_to_those_in_the_container(docker_ports, settings, expected):
    spec = one(made({"ports": docker_ports}, **settings), "Service")["spec"]
    assert [(p["name"], p["port"], p["targetPort"], p["protocol"]) for p in spec["ports"]] == expected


def test_a_service_without_ports_has_no_address():
    assert "Service" not in kinds(made())


def test_a_stateful_set_has_a_headless_service_too():
    manifests = made({"volumes": ["/w/data/web:/data"]}, port=80)
    assert one(manifests, "Service", "web-headless")["spec"]["clusterIP"] == "None"
    assert one(manifests, "StatefulSet")["spec"]["serviceName"] == "web-headless"
    assert one(manifests, "Service", "web")["spec"]["type"] == "ClusterIP"


def test_node_ports_are_those_that_are_asked_for():
    expose = {"type": "NodePort", "node_port": 30080, "node_ports": {"ssh": 30022}}
    spec = one(made({}, {"expose": expose}, port=80, ports={"ssh": 22, "other": 99}), "Service")["spec"]
    assert spec["type"] == "NodePort"
    assert [port.get("nodePort") for port in spec["ports"]] == [30080, 30022, None]


def test_an_ingress_leads_to_the_main_port():
    expose = {"type": "Ingress", "host": "web.example", "path": "/x", "ingress_class": "n", "tls_secret": "t"}
    manifests = made({}, {"expose": expose}, port=80)
    spec = one(manifests, "Ingress")["spec"]
    (path,) = spec["rules"][0]["http"]["paths"]
    assert (spec["rules"][0]["host"], path["path"]) == ("web.example", "/x")
    assert path["backend"] == {"service": {"name": "web", "port": {"number": 80}}}
    assert (spec["ingressClassName"], spec["tls"]) == ("n", [{"secretName": "t", "hosts": ["web.example"]}])
    assert one(manifests, "Service")["spec"]["type"] == "ClusterIP"


def test_a_load_balancer_is_asked_for_by_the_service():
    assert one(made({}, {"expose": {"type": "LoadBalancer"}}, port=80), "Service")["spec"]["type"] == "LoadBalancer"


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
