from __future__ import annotations

import pytest
from ansible_collections.provisioning.platform.plugins.plugin_utils.placement import Inventory

INVENTORY = Inventory(("a", "b"), {"db": ("b",)}, {"a": "192.0.2.1", "b": "192.0.2.2"})


def process(**more):
    return {"deployment": {"mode": "binary", "binary": {"command": "x", "env": more.pop("env", {})}}, **more}


def container(*ports, **more):
    block = {"image": "x", "ports": list(ports), "env": more.pop("env", {})}
    return {"deployment": {"mode": "docker", "docker": block}, **more}


def db(**more):
    return process(port=5432, bind_address="0.0.0.0", secrets={"password": {}}, **more)


@pytest.fixture
def on(install):
    """Resolve an installation for one of two hosts."""

    def run(host, services, **settings):
        return install(services, inventory=INVENTORY, host=host, **settings)

    return run


def test_each_host_gets_its_own_services_and_knows_where_the_others_are(on):
    services = {"db": db(), "app": process(port=80, depends_on=["db"])}
    a, b = on("a", services), on("b", services)
    assert list(a.registry.services) == ["app"]
    assert a.elsewhere == {"db": ["b"]}
    assert list(b.registry.services) == ["db"]
    assert b.elsewhere == {"app": ["a"]}
    assert (a.rounds, b.rounds) == (2, 2)
    assert (a.awaited, b.awaited) == ((), ("db",))


def test_what_is_needed_of_another_host_is_asked_there_and_no_longer_a_dependency_here(on):
    services = {
        "db": db(),
        "web": process(
            port=81,
            hosts=["b"],
            bind_address="0.0.0.0",
            health={"type": "http", "url": "${self.url}/health", "expected_status": [204]},
        ),
        "near": process(),
        "app": process(depends_on={"db": "healthy", "web": "healthy", "near": "started"}),
    }
    app = on("a", services).registry.services["app"]
    assert list(app.depends_on) == ["near"]
    assert app.round == 1
    assert {name: need.host for name, need in app.elsewhere.items()} == {"db": "b", "web": "b"}
    tcp, http = app.elsewhere["db"].check, app.elsewhere["web"].check
    assert (tcp.type, tcp.host, tcp.port) == ("tcp", "192.0.2.2", 5432)
    assert (http.url, http.expected_status) == ("http://192.0.2.2:81/health", [204])


@pytest.mark.parametrize(
    ("asker", "target", "url"),
    [
        (process, process(port=80, bind_address="0.0.0.0"), "http://192.0.2.2:80"),
        (process, process(port=80, bind_address="10.0.0.5"), "http://10.0.0.5:80"),
        (container, process(port=80, bind_address="0.0.0.0"), "http://192.0.2.2:80"),
        (container, container("0.0.0.0:8080:80", port=80), "http://192.0.2.2:8080"),
        (process, container("0.0.0.0:8080:80", port=80), "http://192.0.2.2:8080"),
    ],
)
def test_a_service_on_another_host_is_reached_by_that_hosts_address(on, asker, target, url):
    services = {"db": target, "app": asker(env={"V": "${service.db.url}"})}
    deployment = on("a", services).registry.services["app"].deployment
    assert (deployment.binary or deployment.docker).env["V"] == url


@pytest.mark.parametrize(
    ("services", "words"),
    [
        ({"db": process(port=80), "app": process(depends_on=["db"])}, "db: listens on 127.0.0.1 alone"),
        ({"db": container("80:80", port=80), "app": process(env={"V": "${service.db.url}"})}, "listens on 127.0.0.1"),
        (
            {"db": process(), "app": process(depends_on=["db"])},
            "app.depends_on.db: db is on another host and has no port",
        ),
        (
            {"db": db(), "app": process(depends_on={"db": "completed"})},
            "app.depends_on.db: db is on another host, where it cannot be seen to complete",
        ),
        ({"app": process(hosts=["nowhere"])}, "app.hosts: the platform has no host or group nowhere"),
        (
            {"app": process(elsewhere={"db": {"host": "b", "check": {"type": "tcp", "port": 1}}})},
            "app.elsewhere: is worked",
        ),
    ],
)
def test_what_cannot_be_reached_or_placed_is_told_before_anything_is_touched(on, faults_of, services, words):
    faults = faults_of(on, "a", services)
    assert len(faults) == 1
    assert words in faults[0]


def test_ports_clash_only_on_the_same_host(on, faults_of):
    apart = {"db": db(), "app": process(port=5432)}
    assert list(on("a", apart).registry.services) == ["app"]
    together = {"one": process(port=80), "two": process(port=80)}
    assert "both take port 80" in faults_of(on, "a", together)[0]
    assert list(on("b", together).registry.services) == []


def test_secrets_that_are_made_on_another_host_are_named(on):
    services = {"db": db(), "app": process(env={"PASSWORD": "${secret.db.password}"}), "beside": process(hosts=["b"])}
    assert on("a", services).secrets_elsewhere == {"db": "b"}
    assert on("b", services).secrets_elsewhere == {}


def test_without_an_inventory_everything_is_on_one_host(install):
    platform = install({"db": db(), "app": process(hosts=["localhost"], depends_on=["db"])})
    assert list(platform.registry.services) == ["db", "app"]
    assert (platform.elsewhere, platform.rounds) == ({}, 1)
