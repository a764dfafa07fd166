from __future__ import annotations

import pytest
from ansible_collections.provisioning.platform.plugins.plugin_utils.platform_checks import platform_problems


def problems(*services, known=(), platform="Docker"):
    by_name = {service.name: service for service in services}
    return [str(problem) for problem in platform_problems(by_name, known=[*by_name, *known], platform=platform)]


def test_services_that_get_along_have_no_problems(service):
    assert problems(service("a", port=1), service("b", port=2, depends_on={"a": {}})) == []


def test_a_cycle_is_named_in_full(service):
    a, b = service("a", depends_on={"b": {}}), service("b", depends_on={"a": {}})
    assert problems(a, b) == ["a -> b -> a: these services wait for each other. Remove one of the dependencies."]


def test_what_runs_elsewhere_never_completes(service):
    vault = service("vault", remote={"url": "https://vault.example"})
    assert problems(vault, service("a", depends_on={"vault": {"condition": "started"}})) == []
    assert problems(vault, service("a", depends_on={"vault": {"condition": "completed"}})) == [
        (
            "a.depends_on.vault: vault runs elsewhere, and nobody here learns that it has completed. "
            "Write healthy or started."
        )
    ]


def test_a_service_that_needs_itself_is_a_cycle(service):
    assert problems(service("a", depends_on={"a": {}}))[0].startswith("a -> a: ")


@pytest.mark.parametrize(
    ("known", "message"),
    [
        (["postgres"], "a.depends_on.postgres: a needs postgres, which is not installed here. Enable postgres in"),
        (["postgresql"], "a.depends_on.postgres: there is no such service. Did you mean postgresql?"),
    ],
)
def test_a_dependency_that_is_missing_or_disabled_is_told(service, known, message):
    found = problems(service("a", depends_on={"postgres": {}}), known=known)
    assert len(found) == 1
    assert message in found[0]


@pytest.mark.parametrize(
    ("one", "other", "clash"),
    [
        ({"port": 80}, {"port": 80}, True),
        ({"port": 80}, {"ports": {"ssh": 80}}, True),
        ({"port": 80}, {"port": 80, "bind_address": "0.0.0.0"}, True),
        ({"port": 80}, {"port": 80, "bind_address": "10.0.0.1"}, False),
        ({"port": 80}, {"port": 80, "docker": {"image": "x"}}, False),
        ({"port": 80}, {"port": 90, "docker": {"image": "x", "ports": ["80:90"]}}, True),
        ({"port": 80}, {"port": 90, "docker": {"image": "x", "ports": ["80:90/udp"]}}, False),
        ({"port": 80}, {"port": 80, "remote": {"url": "http://x"}}, False),
    ],
)
def test_two_services_cannot_take_one_port(service, one, other, clash):
    found = problems(service("a", **one), service("b", **other))
    assert len(found) == int(clash)
    if clash:
        assert "b and a both take port 80 (tcp) on " in found[0]
        assert "Set deployment.services[b].port to another one." in found[0]


def test_a_service_cannot_take_a_port_twice(service):
    assert problems(service("a", docker={"image": "x", "ports": ["80:80", "80:81"]})) == [
        "a.ports: takes 127.0.0.1:80/tcp twice."
    ]


def test_a_conflict_is_told_when_the_other_is_installed(service):
    found = problems(service("coredns", conflicts=["dnsmasq", "127.0.0.1:53"]), service("dnsmasq"))
    assert found == ["coredns.conflicts: coredns cannot run beside dnsmasq. Disable one of them."]
    assert len(problems(service("a", conflicts=["a"]))) == 1


def test_orbstack_runs_no_processes(service):
    found = problems(service("a"), service("b", docker={"image": "x"}), platform="OrbStack")
    assert len(found) == 1
    assert found[0].startswith("a.deployment.mode: OrbStack means macOS")
