# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from provisioning_services.guard import Guard, name_in, name_in_origin
from starlette.responses import PlainTextResponse
from starlette.testclient import TestClient

ANSWER = PlainTextResponse("inside", headers={"Cache-Control": "no-cache"})


def ask(*, allowed: tuple[str, ...] = (), **headers: str):
    client = TestClient(Guard(ANSWER, allowed_hosts=allowed), base_url="http://127.0.0.1:8080")
    return client.get("/", headers=headers)


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("localhost", "localhost"),
        ("LocalHost:8080", "localhost"),
        ("example.org.:80", "example.org"),
        ("127.0.0.1:8080", "127.0.0.1"),
        ("[::1]", "::1"),
        ("[0:0:0:0:0:0:0:1]:8080", "::1"),
        ("", None),
        (":8080", None),
        ("localhost:", None),
        ("localhost:80:80", None),
        ("localhost:x", None),
        ("[::1", None),
        ("[::1]x", None),
        ("[localhost]", None),
    ],
)
def test_the_name_in_a_host_header_is_read_without_its_port(header, name):
    assert name_in(header) == name


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("http://localhost:8081", "localhost"),
        ("https://Example.org", "example.org"),
        ("null", None),
        ("file://", None),
        ("chrome-extension://abc", None),
        ("http://[", None),
        ("http://user@localhost", "user@localhost"),
    ],
)
def test_the_name_in_an_origin_is_read_only_from_web_origins(header, name):
    assert name_in_origin(header) == name


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:9", "127.0.0.1:8080", "127.8.9.1", "[::1]:8080", "0.0.0.0:8080"]
)
def test_loopback_is_answered(host):
    assert ask(Host=host).text == "inside"


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "10.1.2.3:8080", "[fe80::1]", "", "user@localhost"]
)
def test_any_other_name_is_refused_with_the_remedy(host):
    answer = ask(Host=host)

    assert answer.status_code == 421
    assert "--allowed-host" in answer.text


def test_a_name_that_is_allowed_is_answered_in_any_case_and_with_any_port():
    assert ask(allowed=("platform.example",), Host="Platform.Example:443").status_code == 200


def test_the_address_that_the_connection_came_in_on_is_answered():
    app = Guard(ANSWER)
    client = TestClient(app, base_url="http://10.1.2.3:8080")  # the client tells the same address as the server's

    assert client.get("/").status_code == 200


def test_a_request_from_a_page_of_another_origin_is_refused():
    assert ask(Origin="http://evil.example").status_code == 403
    assert ask(Origin="null").status_code == 403
    assert ask(Origin="http://localhost:8081").status_code == 200


def test_every_answer_carries_the_protective_headers_and_keeps_its_own():
    for answer in (ask(), ask(Host="evil.example")):
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["X-Frame-Options"] == "DENY"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert ask().headers.get_list("Cache-Control") == ["no-cache"]
    assert ask(Host="evil.example").headers["Cache-Control"] == "no-store"


def test_answers_are_counted_by_status():
    guard = Guard(ANSWER)
    client = TestClient(guard, base_url="http://127.0.0.1")
    for host in ("localhost", "localhost", "evil.example"):
        client.get("/", headers={"Host": host})

    assert guard.answers == {200: 2, 421: 1}
