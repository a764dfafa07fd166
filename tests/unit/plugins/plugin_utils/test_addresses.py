from __future__ import annotations

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils._errors import Problem
from ansible_collections.provisioning.platform.plugins.plugin_utils.addresses import (
    Address,
    address_of,
    place_of,
    replica_addresses,
)

IMAGE = {"image": "x"}


def process(bind="127.0.0.1"):
    return {"binary": {"command": "x"}, "bind_address": bind}


def container(*ports, bind="127.0.0.1"):
    return {"docker": {"image": "x", "ports": list(ports)}, "bind_address": bind}


CLUSTER = {"kubernetes": {"namespace": "tools"}}


def exposed(kind, node_address=None, **expose):
    block = {"expose": {"type": kind, **expose}, "node_address": node_address}
    return {"kubernetes": block, "ports": {"ssh": 22}}


REMOTE = {"remote": {"url": "https://x.example/base/"}}
COMPOSE = {"compose": {"file": "/srv/compose.yml"}}


@pytest.mark.parametrize(
    ("asker", "target", "url"),
    [
        ("host", process(), "http://127.0.0.1:80"),
        ("host", process("0.0.0.0"), "http://127.0.0.1:80"),
        ("host", process("::"), "http://[::1]:80"),
        ("host", process("::1"), "http://[::1]:80"),
        ("host", container("80:80", bind="::1"), "http://[::1]:80"),
        ("host", container("[::]:8300:80"), "http://[::1]:8300"),
        ("host", container("8300:80", bind="::"), "http://[::1]:8300"),
        ("host", process("10.0.0.5"), "http://10.0.0.5:80"),
        ("host", container("80:80"), "http://127.0.0.1:80"),
        ("host", container("8300:80"), "http://127.0.0.1:8300"),
        ("host", container("80:3000"), "http://127.0.0.1:80"),
        ("host", container("10.0.0.5:8300:80"), "http://10.0.0.5:8300"),
        ("host", container("0.0.0.0:8300:80"), "http://127.0.0.1:8300"),
        ("host", container("8300-8302:80"), "http://127.0.0.1:8300"),
        ("host", container("5353:80/udp", "8300:80"), "http://127.0.0.1:8300"),
        ("host", COMPOSE, "http://127.0.0.1:80"),
        ("host", REMOTE, "https://x.example/base"),
        ("container", process("0.0.0.0"), "http://host.docker.internal:80"),
        ("container", process("::"), "http://host.docker.internal:80"),
        ("container", process("fd00::5"), "http://[fd00::5]:80"),
        ("container", process("10.0.0.5"), "http://10.0.0.5:80"),
        ("container", container(), "http://x:80"),
        ("container", container("8300:80"), "http://x:80"),
        ("container", container("80:3000"), "http://x:3000"),
        ("container", COMPOSE, "http://x:80"),
        ("container", REMOTE, "https://x.example/base"),
        ("cluster", process("10.0.0.5"), "http://10.0.0.5:80"),
        ("cluster", process("0.0.0.0"), "http://box.example:80"),
        ("cluster", container("8300:80", bind="0.0.0.0"), "http://box.example:8300"),
        ("cluster", CLUSTER, "http://x.tools.svc:80"),
        ("cluster", exposed("Ingress", host="x.example"), "http://x.provisioning.svc:80"),
        ("host", exposed("NodePort", node_port=30080), "http://box.example:30080"),
        ("host", exposed("NodePort", node_port=30080, node_address="10.0.0.9"), "http://10.0.0.9:30080"),
        ("host", exposed("NodePort", node_port=30080, node_address="a", address="b"), "http://b:30080"),
        ("host", exposed("NodePort", node_port=30080, address="127.0.0.1"), "http://127.0.0.1:30080"),
        ("host", exposed("LoadBalancer", address="10.0.0.9"), "http://10.0.0.9:80"),
        ("host", exposed("LoadBalancer"), "http://box.example:80"),
        ("host", exposed("Ingress", host="x.example"), "http://x.example"),
        ("elsewhere", exposed("Ingress", host="x.example", path="/x/", tls_secret="t"), "https://x.example/x"),
        ("container", exposed("NodePort", node_port=30080), "http://box.example:30080"),
        ("container", exposed("Ingress", host="x.example"), "http://x.example"),
        ("cluster", REMOTE, "https://x.example/base"),
        ("elsewhere", process(), "http://127.0.0.1:80"),
    ],
)
def test_a_service_is_reached_where_the_one_who_asks_can_reach_it(service, asker, target, url):
    reached = address_of(asker, service("x", port=80, **target), domain="box.example")
    assert isinstance(reached, Address)
    assert reached.url == url


@pytest.mark.parametrize(
    ("asker", "target", "message"),
    [
        ("host", container(), 'x: publishes no port 80, so that only containers reach it. Add "127.0.0.1:80:80" to'),
        ("host", container("80:80/udp"), "publishes no port 80"),
        ("host", CLUSTER, "x: runs on the cluster and is not published beyond it"),
        ("container", process(), "Set deployment.services[x].bind_address to 0.0.0.0 or to an address of the host."),
        ("container", {**process(), **container()}, "or run x as a container too (mode: docker)."),
        ("container", process("::1"), "x: listens on ::1 alone, where no container reaches it"),
        ("container", CLUSTER, "runs on the cluster"),
        ("host", exposed("NodePort"), "x.deployment.kubernetes.expose.node_port: port 80 of x has a port of the nodes"),
        ("host", exposed("NodePort", node_port=1), "deployment.kubernetes.node_address or deployment.domain."),
        ("host", exposed("LoadBalancer"), "Set x.deployment.kubernetes.expose.address or deployment.domain."),
        ("host", exposed("Ingress", host="*.example"), "names no single host"),
        ("container", exposed("NodePort", node_port=1, address="127.0.0.1"), "127.0.0.1 is not the cluster where a"),
        ("container", {"remote": {"url": "http://localhost:1"}}, "localhost is not x where a container looks it up"),
        ("cluster", process(), "x: listens on 127.0.0.1 alone, where no pod reaches it"),
        ("cluster", container("80:80"), "x: listens on 127.0.0.1 alone, where no pod reaches it"),
        ("cluster", process("0.0.0.0"), "deployment.domain: localhost is no name by which a pod finds the host of x"),
        ("host", {"remote": {"url": "ftp://x"}, "port": None}, "does not say where to connect to"),
        ("host", {**process(), "port": None}, "x.port: x has no such port"),
    ],
)
def test_what_cannot_be_reached_is_a_problem_with_its_remedy(service, asker, target, message):
    reached = address_of(asker, service("x", **{"port": 80, **target}))
    assert isinstance(reached, Problem)
    assert message in str(reached)
    assert reached.remedy


def test_a_further_port_is_asked_for_by_name(service):
    target = service("x", port=80, ports={"ssh": 2222}, docker={"image": "x", "ports": ["80:80", "2022:2222"]})
    assert address_of("host", target, port="ssh") == Address("127.0.0.1", 2022, "http://127.0.0.1:2022")
    assert isinstance(address_of("host", target, port="admin"), Problem)


@pytest.mark.parametrize(
    ("block", "place"),
    [
        (process(), "host"),
        (container(), "container"),
        (COMPOSE, "container"),
        (CLUSTER, "cluster"),
        (REMOTE, "elsewhere"),
    ],
)
def test_a_mode_says_where_a_service_stands(service, block, place):
    assert place_of(service("x", **block)) == place


def test_the_port_of_a_remote_service_follows_from_its_scheme(service):
    reached = address_of("host", service("db", remote={"url": "postgres://db.example/main"}))
    assert reached == Address("db.example", 5432, "postgres://db.example/main")


@pytest.mark.parametrize(
    ("target", "found"),
    [
        (exposed("NodePort", node_ports={"ssh": 30022}), 30022),
        (exposed("LoadBalancer"), 22),
        (exposed("NodePort", node_port=30080), "x.deployment.kubernetes.expose.node_ports.ssh"),
        (exposed("Ingress", host="x.example"), "port 22 is not the main port"),
    ],
)
def test_a_further_port_of_the_cluster_is_reached_where_it_is_published(service, target, found):
    reached = address_of("host", service("x", port=80, **target), domain="box.example", port="ssh")
    assert reached.port == found if isinstance(reached, Address) else found in str(reached)


PROCESSES = {"binary": {"command": "x", "replicas": 2}}
CONTAINERS = {"docker": {"image": "x", "replicas": 2, "ports": ["8100-8101:80"]}}
HIDDEN = {"docker": {"image": "x", "replicas": 2}}


@pytest.mark.parametrize(
    ("asker", "target", "expected"),
    [
        ("host", PROCESSES, ["http://127.0.0.1:80", "http://127.0.0.1:81"]),
        ("container", {**PROCESSES, "bind_address": "0.0.0.0"}, [f"http://host.docker.internal:{n}" for n in (80, 81)]),
        ("host", CONTAINERS, ["http://127.0.0.1:8100", "http://127.0.0.1:8101"]),
        ("container", CONTAINERS, ["http://shop-x-1:80", "http://shop-x-2:80"]),
        ("container", HIDDEN, ["http://shop-x-1:80", "http://shop-x-2:80"]),
        ("host", {"binary": {"command": "x"}}, ["http://127.0.0.1:80"]),
        ("container", REMOTE, ["https://x.example/base"]),
        ("host", {"kubernetes": {"replicas": 2}}, "runs on the cluster and is not published beyond it"),
        ("host", HIDDEN, "publishes no port 80"),
    ],
)
def test_each_replica_has_an_address(service, asker, target, expected):
    found = replica_addresses(asker, service("x", port=80, **target), project="shop")
    if isinstance(found, Problem):
        assert expected in found.why
    else:
        assert [address.url for address in found] == expected
