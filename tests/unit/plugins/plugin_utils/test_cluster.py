# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

WEB = {"mode": "docker", "docker": {"image": "web:1"}}


def cluster(**settings):
    return {"platform": "Kubernetes", "kubernetes": settings}


def block_of(platform, name="web"):
    return platform.registry.services[name].deployment.kubernetes


def test_what_all_services_have_in_common_reaches_the_ones_that_say_nothing(install):
    common = {
        "namespace": "tools",
        "kubeconfig": "~/.kube/other",
        "context": "prod",
        "node_address": "10.0.0.9",
        "storage_class": "fast",
        "ingress_class": "nginx",
        "image_pull_secrets": ["registry"],
    }
    own = {"namespace": "mine", "context": "test", "storage": {"storage_class": "slow"}, "image_pull_secrets": ["mine"]}
    ingress = {"expose": {"type": "Ingress", "host": "web.example"}}
    services = {
        "web": {"port": 80, "deployment": {**WEB, "kubernetes": ingress}},
        "own": {"deployment": {**WEB, "kubernetes": own}},
    }
    platform = install(services, deployment=cluster(**common))
    web, mine = block_of(platform), block_of(platform, "own")
    assert (web.namespace, web.kubeconfig, web.context) == ("tools", "/home/me/.kube/other", "prod")
    assert (web.node_address, web.storage.storage_class, web.expose.ingress_class) == ("10.0.0.9", "fast", "nginx")
    assert web.image_pull_secrets == ["registry"]
    assert (mine.namespace, mine.context, mine.storage.storage_class) == ("mine", "test", "slow")
    assert (mine.image_pull_secrets, mine.expose.ingress_class) == (["mine"], None)


@pytest.mark.parametrize(
    ("platform", "settings", "context"),
    [
        ("OrbStack", {}, "orbstack"),
        ("OrbStack", {"context": "mine"}, "mine"),
        ("OrbStack", {"kubeconfig": "/k"}, None),
        ("Docker", {}, None),
    ],
)
def test_orbstack_brings_a_cluster_of_its_own(install, platform, settings, context):
    services = {"web": {"deployment": {"mode": "kubernetes", "kubernetes": {"image": "web:1", "user": "1000"}}}}
    assert block_of(install(services, deployment={"platform": platform, "kubernetes": settings})).context == context


def test_the_domain_leads_to_a_cluster_of_which_no_more_is_said(install):
    expose = {"expose": {"type": "LoadBalancer"}}
    deployment = {"mode": "kubernetes", "kubernetes": {"image": "web:1", "user": "1000", **expose}}
    services = {"web": {"port": 80, "deployment": deployment}}
    platform = install(services, deployment={"platform": "Kubernetes", "domain": "cluster.example"})
    web = platform.registry.services["web"]
    assert web.deployment.kubernetes.node_address == "cluster.example"
    assert web.url == "http://cluster.example:80"


def test_a_service_that_is_not_on_the_cluster_is_left_as_it_is(install):
    services = {"web": {"deployment": {**WEB, "kubernetes": {}}}}
    assert block_of(install(services, deployment={"kubernetes": {"namespace": "tools"}})).namespace == "provisioning"


@pytest.mark.parametrize("kubeconfig", ["relative/path", "x"])
def test_a_kubeconfig_is_a_whole_path(install, faults_of, kubeconfig):
    (fault,) = faults_of(install, {"web": {"deployment": WEB}}, deployment=cluster(kubeconfig=kubeconfig))
    assert fault.startswith("deployment.kubernetes.kubeconfig: ")


def test_a_pod_is_told_of_others_by_their_names_on_the_cluster(install):
    docker = {"image": "web:1", "env": {"DB": "${service.db.url}"}}
    services = {
        "db": {"port": 5432, "deployment": {"mode": "docker", "docker": {"image": "db:1"}}},
        "web": {"deployment": {"mode": "docker", "docker": docker}},
    }
    platform = install(services, deployment=cluster(namespace="tools"))
    assert platform.registry.services["web"].deployment.docker.env == {"DB": "http://db.tools.svc:5432"}


def test_a_process_finds_a_service_on_the_cluster_at_its_node_port(install, faults_of):
    exposed = {"expose": {"type": "NodePort", "node_port": 30432}}
    services = {
        "db": {"port": 5432, "deployment": {**WEB, "kubernetes": exposed}},
        "web": {"deployment": {"mode": "binary", "binary": {"command": "x", "args": ["${service.db.url}"]}}},
    }
    platform = install(services, deployment=cluster(node_address="10.0.0.9"))
    assert platform.registry.services["web"].deployment.binary.args == ["http://10.0.0.9:30432"]
    (fault,) = faults_of(install, services, deployment=cluster())
    assert "nothing says under which address port 30432 of the cluster is reached" in fault


def test_what_cannot_run_on_the_cluster_is_told_with_the_way_out(install, faults_of):
    socket = {"mode": "docker", "docker": {"image": "x", "volumes": ["/run/x.sock:/run/x.sock"]}}
    (fault,) = faults_of(install, {"web": {"deployment": socket}}, deployment=cluster())
    assert "mounts /run/x.sock, a path of one machine" in fault
    assert fault.endswith("Or leave it off the cluster: set deployment.services[web].mode to docker.")
    chosen = {**socket, "mode": "kubernetes", "kubernetes": {}}
    (fault,) = faults_of(install, {"web": {"deployment": chosen}})
    assert "Or leave it" not in fault


def test_manifests_are_read_beside_the_definition_and_rendered(install, tmp_path):
    folder = tmp_path / "manifests"
    folder.mkdir()
    (folder / "a.yaml").write_text("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: plain}\n")
    (folder / "b.yaml.j2").write_text(
        "apiVersion: v1\nkind: Secret\nmetadata: {name: {{ service.name }}-x}\n"
        "stringData: {key: '{{ secret.key }}', db: '{{ services.db.url }}'}\n"
    )
    services = {
        "db": {"port": 5432, "deployment": WEB},
        "web": {
            "deployment": {"mode": "kubernetes", "kubernetes": {"manifests": ["manifests"]}},
            "secrets": {"key": {}},
        },
    }
    block = block_of(install(services, deployment=cluster()))
    assert block.manifests == []
    assert [document["metadata"]["name"] for document in block.objects] == ["plain", "web-x"]
    assert block.objects[1]["stringData"] == {"key": "${secret.web.key}", "db": "http://db.provisioning.svc:5432"}


def test_a_manifest_that_is_wrong_is_a_fault_like_any_other(install, faults_of, tmp_path):
    (tmp_path / "a.yaml.j2").write_text("kind: {{ nothing }}\n")
    web = {"mode": "kubernetes", "kubernetes": {"manifests": ["a.yaml.j2", "gone.yaml"]}}
    faults = faults_of(install, {"web": {"deployment": web}})
    assert f"{tmp_path}/a.yaml.j2:1: 'nothing' is undefined" in faults[0]
    assert "gone.yaml: there is no such file or folder" in faults[1]


def test_paths_of_the_block_may_begin_at_home_and_those_in_pods_and_values_stay(install):
    chart = {"chart": "~/charts/web", "values": {"path": "~/x"}}
    web = {"mode": "kubernetes", "kubernetes": {"kubeconfig": "~/kube", "chart": chart}}
    block = block_of(install({"web": {"deployment": web}}))
    assert (block.kubeconfig, block.chart.chart) == ("/home/me/kube", "/home/me/charts/web")
    assert block.chart.values == {"path": "~/x"}


NODE_PORT = {"expose": {"type": "NodePort", "node_port": 30080}}
INGRESS = {"expose": {"type": "Ingress", "host": "x.example"}}
CHART = {"chart": {"chart": "/c", "release": "r"}}


@pytest.mark.parametrize(
    ("one", "other", "clash"),
    [
        (NODE_PORT, NODE_PORT, "both take port 30080 of the nodes"),
        (NODE_PORT, {**NODE_PORT, "context": "other"}, None),
        (NODE_PORT, {"expose": {"type": "NodePort", "node_port": 30081}}, None),
        (INGRESS, INGRESS, "both take the ingress x.example/"),
        (INGRESS, {"expose": {**INGRESS["expose"], "path": "/b"}}, None),
        (CHART, CHART, "both take the release r"),
        (CHART, {**CHART, "namespace": "other"}, None),
    ],
)
def test_two_services_cannot_have_one_thing_of_a_cluster(install, faults_of, one, other, clash):
    services = {
        "a": {"port": 80, "deployment": {**WEB, "kubernetes": one}},
        "b": {"port": 80, "deployment": {**WEB, "kubernetes": other}},
    }
    if clash is None:
        install(services, deployment=cluster())
    else:
        (fault,) = faults_of(install, services, deployment=cluster())
        assert clash in fault


@pytest.mark.parametrize(("user", "warned"), [(None, False), ("0", True), ("0:0", True), ("1000:0", False)])
def test_pods_that_run_as_root_are_warned_of(install, user, warned):
    docker = {"mode": "docker", "docker": {"image": "x", **({"user": user} if user else {})}}
    warnings = install({"web": {"deployment": docker}}, deployment=cluster()).warnings
    assert any("run as root" in warning for warning in warnings) is warned
    assert install({"web": {"deployment": docker}}).warnings == ()


def test_what_stays_off_the_cluster_is_told(install):
    services = {"web": {"deployment": WEB}, "a": {"deployment": {"mode": "binary", "binary": {"command": "x"}}}}
    (warning,) = install(services, deployment=cluster()).warnings
    assert warning.startswith("a: stays a process on the host")
