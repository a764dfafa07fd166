from __future__ import annotations

import re

import pytest
from ansible_collections.provisioning.platform.plugins.plugin_utils.published import (
    Listener,
    listeners,
    parse_published,
)


@pytest.mark.parametrize(
    "text",
    ["80:80", "127.0.0.1:8080:80", "0.0.0.0:53:53/udp", "[::1]:80:80", "8000-8002:80", "localhost:1:65535"],
)
def test_a_published_port_is_written_as_it_was_read(text):
    assert str(parse_published(text)) == text


def test_an_ipv6_address_may_lack_its_brackets():
    assert str(parse_published("::1:8080:80")) == "[::1]:8080:80"
    assert str(parse_published(":::8080-8081:80")) == "[::]:8080-8081:80"
    assert str(parse_published("fd00::1:53:53/udp")) == "[fd00::1]:53:53/udp"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("80", "is not [address:]host:container[/udp]"),
        ("80:80/sctp", "is not [address:]host:container[/udp]"),
        ("host:80:80", "is not [address:]host:container[/udp]"),
        ("1:2:3:80:80", "1:2:3 is not an IP address"),
        ("80:80:80:80", "is not [address:]host:container[/udp]"),
        ("999.1.1.1:80:80", "999.1.1.1 is not an IP address"),
        ("0:80", "has a port that is none: they go from 1 to 65535"),
        ("80:70000", "has a port that is none: they go from 1 to 65535"),
        ("90-80:80", "has a range that ends before it begins"),
        ("", "is not [address:]host:container[/udp]"),
    ],
)
def test_what_is_no_published_port_is_told(text, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        parse_published(text)


@pytest.mark.parametrize(
    ("settings", "taken"),
    [
        ({"port": 80, "ports": {"ssh": 22}}, ["127.0.0.1:22/tcp", "127.0.0.1:80/tcp"]),
        ({"port": 80, "bind_address": "localhost"}, ["127.0.0.1:80/tcp"]),
        ({"port": 80, "bind_address": "::1"}, ["[::1]:80/tcp"]),
        ({"port": 80, "docker": {"image": "x"}}, []),
        ({"bind_address": "::1", "docker": {"image": "x", "ports": ["80:80"]}}, ["[::1]:80/tcp"]),
        (
            {"port": 80, "docker": {"image": "x", "ports": ["8080-8081:80", "[::1]:53:53/udp"]}},
            ["127.0.0.1:8080/tcp", "127.0.0.1:8081/tcp", "[::1]:53/udp"],
        ),
        ({"port": 80, "remote": {"url": "http://x"}}, []),
        ({}, []),
    ],
)
def test_a_service_takes_the_ports_it_listens_on(service, settings, taken):
    assert [str(listener) for listener in listeners(service("x", **settings))] == taken


@pytest.mark.parametrize(
    ("one", "other", "clash"),
    [
        (("127.0.0.1", 80), ("127.0.0.1", 80), True),
        (("127.0.0.1", 80), ("0.0.0.0", 80), True),
        (("::", 80), ("10.0.0.1", 80), True),
        (("::", 80), ("::1", 80), True),
        (("0.0.0.0", 80), ("::", 80), True),
        (("0.0.0.0", 80), ("::1", 80), False),
        (("::1", 80), ("127.0.0.1", 80), False),
        (("::1", 80), ("0:0:0:0:0:0:0:1", 80), True),
        (("127.0.0.1", 80), ("127.0.0.2", 80), False),
        (("127.0.0.1", 80), ("127.0.0.1", 81), False),
        (("127.0.0.1", 80, "udp"), ("127.0.0.1", 80, "tcp"), False),
    ],
)
def test_two_listeners_clash_on_one_port_of_one_address(one, other, clash):
    assert Listener(*one).clashes_with(Listener(*other)) is clash
