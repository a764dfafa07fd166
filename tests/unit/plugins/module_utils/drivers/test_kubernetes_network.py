# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Under which ports and names a service on a cluster is reached."""

from __future__ import annotations

import pytest

from tests.unit.plugins.module_utils.drivers.kubernetes_service import (
    kinds,
    made,
    one,
)


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
