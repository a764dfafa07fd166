# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Metrics over HTTP: what is answered, to whom, and that nobody can keep others from being answered."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import threading
from collections.abc import Iterator

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils._errors import PrerequisiteError
from ansible_collections.provisioning.platform.plugins.module_utils._metrics import ServiceSample, Snapshot
from ansible_collections.provisioning.platform.plugins.module_utils._metrics_server import MetricsServer
from ansible_collections.provisioning.platform.plugins.module_utils._status import ServiceStatus

SERVICES = tuple(
    ServiceSample(status=ServiceStatus(f"service-{number}", "binary", "running", "healthy", ""))
    for number in range(300)
)
SNAPSHOT = Snapshot(publisher="supervisor", version="1", observed_at=1000.0, services=SERVICES)


@pytest.fixture
def server() -> Iterator[MetricsServer]:
    with MetricsServer("127.0.0.1", 0, lambda: SNAPSHOT, stale_after=60, clock=lambda: 1010.0) as running:
        yield running


def ask(server: MetricsServer, path: str, method: str = "GET") -> tuple[http.client.HTTPResponse, str]:
    connection = http.client.HTTPConnection(server.host, server.port, timeout=60)
    with contextlib.closing(connection):
        connection.request(method, path)
        answer = connection.getresponse()
        return answer, answer.read().decode()


def test_metrics_are_shown_whole_and_not_kept_by_anybody(server: MetricsServer) -> None:
    answer, body = ask(server, "/metrics?x=1")
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert answer.headers["Cache-Control"] == "no-store"
    assert body.count("provisioning_service_up{") == 300


def test_a_head_is_the_answer_without_its_body(server: MetricsServer) -> None:
    answer, body = ask(server, "/metrics", "HEAD")
    assert (answer.status, body) == (200, "")
    assert int(answer.headers["Content-Length"]) > 10_000


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/", 404), ("GET", "/metrics/x", 404), ("POST", "/metrics", 405)]
)
def test_anything_else_is_refused(server: MetricsServer, method: str, path: str, status: int) -> None:
    assert ask(server, path, method)[0].status == status


@pytest.mark.parametrize(
    ("observed_at", "now", "status", "word"),
    [(1000.0, 1010.0, 200, "ok"), (1000.0, 1061.0, 503, "stale"), (None, 9999.0, 200, "ok")],
)
def test_health_is_about_the_last_look_at_the_services(
    observed_at: float | None, now: float, status: int, word: str
) -> None:
    seen = Snapshot(publisher="supervisor", version="1", observed_at=observed_at)
    with MetricsServer("127.0.0.1", 0, lambda: seen, stale_after=60, clock=lambda: now) as server:
        answer, body = ask(server, "/health")
    assert (answer.status, json.loads(body)["status"]) == (status, word)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"GET",
        b"GET /metrics HTTP/1.1\r\n",
        b"\x16\x03\x01\x02\r\n\r\n",
        b"GET /metrics FTP/1\r\n\r\n",
        b"x" * 100_000,
        b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 20_000,
    ],
    ids=["nothing", "a word", "half", "tls", "no http", "one long line", "many headers"],
)
def test_what_is_no_request_disturbs_nobody(server: MetricsServer, text: bytes) -> None:
    with socket.create_connection((server.host, server.port), timeout=60) as client:
        with contextlib.suppress(OSError):  # it may have hung up before all was sent
            client.sendall(text)
        assert ask(server, "/metrics")[0].status == 200


def test_clients_that_never_finish_do_not_keep_others_from_being_answered(server: MetricsServer) -> None:
    with contextlib.ExitStack() as stack:
        for number in range(130):
            client = stack.enter_context(socket.create_connection((server.host, server.port), timeout=60))
            with contextlib.suppress(OSError):  # it was made to give way
                client.sendall(b"GET /metrics HTTP/1.1\r\n" if number % 2 else b"GET /metrics HTTP/1.1\r\n\r\n")
        assert len(ask(server, "/metrics")[1]) > 10_000
        assert threading.active_count() < 20


def test_a_port_that_is_taken_is_one_clear_error_and_another_server_goes_on(server: MetricsServer) -> None:
    second = MetricsServer("127.0.0.1", server.port, lambda: SNAPSHOT)
    with pytest.raises(PrerequisiteError) as raised:
        second.start()
    assert str(raised.value) == (
        f"deployment.metrics.port: metrics cannot be shown on 127.0.0.1 port {server.port}: Address already in use. "
        "Stop what uses it, or choose another port."
    )
    second.stop()
    assert ask(server, "/metrics")[0].status == 200


def test_stopping_cuts_off_who_waits_and_frees_the_port() -> None:
    server = MetricsServer("127.0.0.1", 0, lambda: SNAPSHOT)
    server.start()
    with socket.create_connection((server.host, server.port), timeout=60) as client:
        client.sendall(b"GET /met")
        server.stop()
        with contextlib.suppress(ConnectionResetError):
            assert client.recv(1) == b""
    with MetricsServer("127.0.0.1", server.port, lambda: SNAPSHOT) as again:
        assert ask(again, "/health")[0].status in (200, 503)


def test_it_listens_on_ipv6_too() -> None:
    with MetricsServer("::1", 0, lambda: SNAPSHOT) as server:
        assert ask(server, "/metrics")[0].status == 200
