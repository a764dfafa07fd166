# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.provisioning.platform.plugins.plugin_utils.kubernetes_checks import kubernetes_problems

CHART = {"chart": "nginx", "repository": "https://charts.example"}


@pytest.mark.parametrize(
    ("name", "block", "settings"),
    [
        ("web", {}, {}),
        ("web", {"namespace": "team-a", "replicas": 0, "kubeconfig": "/etc/kube"}, {}),
        ("web", {"chart": CHART}, {}),
        ("web", {"chart": {"chart": "oci://registry.example/web", "version": "1.2"}}, {}),
        ("web", {"chart": {"chart": "/srv/chart", "release": "web-1"}}, {}),
        ("web", {"expose": {"type": "NodePort", "node_ports": {"ssh": 30022}}}, {"ports": {"ssh": 22}}),
        ("web", {"expose": {"type": "Ingress", "host": "*.example.org"}}, {}),
        ("web", {"storage": {"size": "1.5Ti"}, "requests": {"cpu": 0.5}}, {"resources": {"cpu": 0.5}}),
        ("web", {"tolerations": [{"key": "a", "tolerationSeconds": 3}], "node_selector": {"a.b/c": "d"}}, {}),
        ("web", {}, {"labels": {"example.org/team": "A_1"}, "annotations": {"example.org/text": "any text"}}),
    ],
)  # fmt: skip
def test_a_block_that_makes_sense_has_no_problems(service, name, block, settings):
    assert list(kubernetes_problems(service(name, kubernetes=block, port=80, **settings))) == []


@pytest.mark.parametrize(
    ("block", "settings", "message"),
    [
        ({"namespace": "Team"}, {}, "web.deployment.kubernetes.namespace: 'Team' is not a namespace"),
        ({"kubeconfig": "kube"}, {}, "kubeconfig: 'kube' is not an absolute path"),
        ({"replicas": -1}, {}, "replicas: -1 is too small"),
        ({"chart": {"chart": " "}}, {}, "chart.chart: is empty"),
        ({"chart": {**CHART, "repository": "x"}}, {}, "chart.repository: 'x' is not a URL"),
        ({"chart": {**CHART, "chart": "oci://a/b"}}, {}, "says itself where the chart is"),
        ({"chart": {"chart": "nginx"}}, {}, "Give its whole path, oci://registry/name, or a repository."),
        ({"chart": {**CHART, "release": "A"}}, {}, "chart.release: 'A' is not the name of a release"),
        ({"chart": CHART, "objects": [{}]}, {}, "has a chart and manifests"),
        ({"expose": {"type": "NodePort", "node_port": 0}}, {}, "expose.node_port: 0 is not a port"),
        ({"expose": {"node_port": 30080}}, {}, "has no meaning with the type ClusterIP. Set the type to NodePort."),
        ({"expose": {"type": "NodePort", "node_ports": {"shs": 30022}}}, {"ports": {"ssh": 22}}, "Did you mean ssh?"),
        ({"expose": {"type": "LoadBalancer"}}, {"port": None}, "leads to the main port, and there is none"),
        ({"expose": {"type": "Ingress"}}, {}, "expose.host: is missing"),
        ({"expose": {"type": "Ingress", "host": "a b"}}, {}, "'a b' is not a host's name"),
        ({"expose": {"type": "Ingress", "host": "a", "path": "x"}}, {}, "'x' does not begin with /"),
        ({"env": {"A-B": "1"}}, {}, "env.A-B: is not the name of an environment variable"),
        ({"tmpfs": ["run"]}, {}, "tmpfs[0]: 'run' is not an absolute path"),
        ({"tolerations": [{"kye": "a"}]}, {}, "tolerations[0].kye: is no part of a toleration. Did you mean key?"),
        ({"node_selector": {"a b": "c"}}, {}, "node_selector.a b: is not the name of a label"),
        ({"image_pull_secrets": ["A_B"]}, {}, "image_pull_secrets[0]: 'A_B' is not the name of an object"),
        ({"service_account": "A"}, {}, "service_account: 'A' is not the name of an object"),
        ({"storage": {"size": "much"}}, {}, "storage.size: 'much' is not a size. E.g. 10Gi."),
        ({"requests": {"cpu": 0}}, {}, "requests.cpu: 0 is not above zero"),
        ({"requests": {"cpu": 2}}, {"resources": {"cpu": 1}}, "2 is more than the limit of 1"),
        ({}, {"labels": {"a": "two words"}}, "web.labels.a: 'two words' is not the value of a label"),
        ({}, {"labels": {"-a": ""}}, "web.labels.-a: is not the name of a label"),
        ({}, {"annotations": {"a/b/c": ""}}, "annotations.a/b/c: is not the name of an annotation"),
    ],
)
def test_a_block_that_makes_no_sense_is_told_with_path_and_remedy(service, block, settings, message):
    faults = [str(p) for p in kubernetes_problems(service("web", kubernetes=block, **{"port": 80, **settings}))]
    assert len(faults) == 1
    assert message in faults[0]


@pytest.mark.parametrize("name", ["my_web", "3proxy", "web-", "w" * 53])
def test_a_name_that_a_cluster_does_not_take_is_told_where_it_matters(service, name):
    (problem,) = kubernetes_problems(service(name, kubernetes={"image": "x"}))
    assert "is not a name that a cluster takes" in str(problem)
    assert list(kubernetes_problems(service(name, binary={"command": "x"}, kubernetes={"image": "x"}))) == []
