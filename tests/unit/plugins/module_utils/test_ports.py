# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import socket
from typing import Any

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils import _process
from ansible_collections.provisioning.platform.plugins.module_utils._ports import (
    Port,
    holder,
    holders,
    is_free,
    needed,
    problems,
    published,
)

from tests.fixtures.definitions import service
from tests.fixtures.ports import free_port

ME = f"pid {os.getpid()} ({_process.command_name(os.getpid())})"


@pytest.mark.parametrize(
    ("text", "ports"),
    [
        ("80:8080", [Port("127.0.0.1", 80, "tcp", 8080)]),
        ("0.0.0.0:80:8080/tcp", [Port("0.0.0.0", 80, "tcp", 8080)]),
        ("53:5353/udp", [Port("127.0.0.1", 53, "udp", 5353)]),
        ("[::1]:80:8080", [Port("::1", 80, "tcp", 8080)]),
        ("::1:80:8080", [Port("::1", 80, "tcp", 8080)]),
        (":::80:8080/udp", [Port("::", 80, "udp", 8080)]),
        ("localhost:80:8080", [Port("localhost", 80, "tcp", 8080)]),
        ("8000-8001:80-81", [Port("127.0.0.1", 8000, "tcp", 80), Port("127.0.0.1", 8001, "tcp", 81)]),
    ],
)
def test_a_published_port_is_read(text: str, ports: list[Port]) -> None:
    assert published(text, "127.0.0.1") == ports


@pytest.mark.parametrize(
    "text", ["80", "x:80", ":80:80", "80:80/icmp", "80:", "1.2.3.4:80", "80:80:80:80", "80 :80", ""]
)
def test_what_is_no_published_port_is_an_error_that_shows_the_form(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a published port; write \[address:\]host:container\[/udp\]"):
        published(text, "127.0.0.1")
    with pytest.raises(ValueError, match="maps 2 ports to 3"):
        published("80-81:1-3", "127.0.0.1")


def test_a_process_needs_its_ports_once_and_a_container_those_that_are_published() -> None:
    process = service("a", port=80, ports={"ssh": 22, "again": 80}, bind_address="::1")
    assert needed(process) == [Port("::1", 80), Port("::1", 22)]
    container = service("a", port=80, deployment={"mode": "docker", "docker": {"image": "x", "ports": ["90:80"]}})
    assert needed(container) == [Port("127.0.0.1", 90, "tcp", 80)]
    assert needed(service("a", port=80, deployment={"mode": "remote", "remote": {"url": "http://x"}})) == []
    assert needed(service("a")) == []


def _bound(address: str, kind: socket.SocketKind = socket.SOCK_STREAM) -> socket.socket:
    found = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, kind)
    found.bind((address, 0))
    if kind == socket.SOCK_STREAM:
        found.listen()
    return found


@pytest.mark.parametrize(
    ("server", "asked", "free"),
    [
        ("127.0.0.1", "127.0.0.1", False),
        ("0.0.0.0", "127.0.0.1", False),
        ("127.0.0.1", "0.0.0.0", False),
        ("127.0.0.2", "127.0.0.1", True),
        ("::1", "::1", False),
        ("::1", "127.0.0.1", True),
        ("::", "127.0.0.1", False),
        ("127.0.0.1", "localhost", False),
    ],
)
def test_a_port_is_taken_where_addresses_overlap_and_it_is_known_by_whom(server: str, asked: str, free: bool) -> None:
    with _bound(server) as taken:
        port = Port(asked, taken.getsockname()[1])
        assert is_free(port) == free
        assert list(holders(port)) == ([] if free else [os.getpid()])
        assert holder(port) == ("another process" if free else ME)
    assert is_free(port)


def test_udp_and_tcp_do_not_take_each_other_s_ports() -> None:
    with _bound("127.0.0.1", socket.SOCK_DGRAM) as taken:
        number = taken.getsockname()[1]
        assert not is_free(Port("127.0.0.1", number, "udp"))
        assert holder(Port("127.0.0.1", number, "udp")) == ME
        assert is_free(Port("127.0.0.1", number))
    assert str(Port("127.0.0.1", 53, "udp")) == "53/udp"
    assert str(Port("127.0.0.1", 53)) == "53"


def test_a_port_where_only_connections_of_before_linger_is_free() -> None:
    with _bound("127.0.0.1") as server:
        address = server.getsockname()
        with socket.create_connection(address) as client:
            connection, _ = server.accept()
            connection.close()  # the server leaves first, so that its port lingers
            client.recv(1)
    assert is_free(Port("127.0.0.1", address[1]))


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"port": 70000}, "a: 70000 is not the number of a port. Choose one from 1 to 65535."),
        ({"port": -1}, "a: -1 is not the number of a port."),
        ({"port": 8080, "bind_address": "192.0.2.1"}, "a: 192.0.2.1 is not an address of this host: Cannot assign"),
        (
            {"port": 8080, "bind_address": "no-such-host.invalid"},
            "a: no-such-host.invalid is not an address of this host",
        ),
        (
            {"deployment": {"mode": "docker", "docker": {"image": "x", "ports": ["nonsense"]}}},
            "a: 'nonsense' is not a published port; write [address:]host:container[/udp]. Correct",
        ),
    ],
)
def test_a_port_that_cannot_be_had_is_a_problem_in_words(settings: dict[str, Any], problem: str) -> None:
    (found,) = problems(service("a", **settings))
    assert str(found).startswith(problem)


def test_who_has_a_port_is_a_problem_unless_it_is_what_is_left_of_the_service() -> None:
    with _bound("127.0.0.1") as server:
        definition = service("a", port=server.getsockname()[1], ports={"other": free_port()})
        (found,) = problems(definition)
        assert found.why == f"port {definition.port} is taken by {ME}"
        assert found.remedy == "Stop it, or set deployment.services[a].port."
        assert problems(definition, ours=[str(os.getpid())]) == []
        assert problems(definition, ours=[str(os.getpgid(0))]) == []
        assert problems(definition, ours=["1"]) == [found]
