# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import contextlib
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils._health import HealthResult, check_health
from ansible_collections.provisioning.platform.plugins.module_utils._model import (
    HttpHealthCheck,
    TcpHealthCheck,
)
from ansible_collections.provisioning.platform.plugins.module_utils._secrets import Secret, SecretStore

from tests.fixtures.ports import free_port


def _http(url: str, **settings: Any) -> HealthResult:
    return check_health(HttpHealthCheck(type="http", url=url, **{"timeout": 60.0, **settings}))


class _Handler(BaseHTTPRequestHandler):
    """Answers ``/STATUS`` with that status, and everything with what it was asked."""

    def do_GET(self) -> None:
        first = self.path.strip("/").split("?")[0]
        status = int(first) if first.isdigit() else 200
        body = f"{self.command} {self.path} {self.headers.get('Authorization')} {self.headers['Host']}".encode()
        self.send_response(status)
        if 300 <= status < 400:
            self.send_header("Location", "/500")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_POST = do_HEAD = do_GET  # noqa: N815

    def log_message(self, *args: Any) -> None:
        pass


class _Server(ThreadingHTTPServer):
    """A web server that keeps to itself what clients do to it."""

    daemon_threads = True

    def handle_error(self, *args: Any) -> None:
        pass


@contextlib.contextmanager
def _serving(server: _Server) -> Iterator[int]:
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """The port of a web server."""
    with _serving(_Server(("127.0.0.1", 0), _Handler)) as found:
        yield found


@contextlib.contextmanager
def _talking(talk: Callable[[socket.socket], object]) -> Iterator[int]:
    """The port of a server that does with a connection what it is told, and then leaves it."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                with connection, contextlib.suppress(OSError):
                    connection.recv(4096)
                    talk(connection)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(5)


@pytest.mark.parametrize(
    ("path", "settings", "healthy", "reason"),
    [
        ("/", {}, True, "answered 200"),
        ("/204", {}, True, "answered 204"),
        ("/302", {}, True, "answered 302"),
        ("/302", {"expected_status": [200]}, False, "answered 302 Found"),
        ("/404", {}, False, "answered 404 Not Found"),
        ("/404", {"expected_status": [200, 404]}, True, "answered 404"),
        ("/500", {}, False, "answered 500 Internal Server Error"),
        ("/299", {}, True, "answered 299"),
        ("/?q=1", {"expected_body": "GET /?q=1"}, True, "answered 200"),
        ("", {"expected_body": "GET / "}, True, "answered 200"),
        ("/", {"expected_body": "absent"}, False, "answered 200 without the text 'absent'"),
        ("/", {"method": "POST", "expected_body": "POST /"}, True, "answered 200"),
        ("/", {"method": "HEAD"}, True, "answered 200"),
        ("/", {"headers": {"Authorization": "Bearer x"}, "expected_body": "Bearer x"}, True, "answered 200"),
    ],
)
def test_a_web_server_is_judged_by_status_and_text(
    port: int, path: str, settings: dict[str, Any], healthy: bool, reason: str
) -> None:
    url = f"http://127.0.0.1:{port}{path}"
    result = _http(url, **settings)
    assert (result.healthy, result.reason) == (healthy, f"{url} {reason}")
    assert 0 < result.duration_ms < 60_000


def test_a_redirect_is_not_followed(port: int) -> None:
    assert _http(f"http://127.0.0.1:{port}/301").healthy
    assert _http(f"http://127.0.0.1:{port}/301", expected_body="GET /301").healthy


def test_a_secret_in_a_header_is_filled_in_and_told_to_nobody_else(port: int, tmp_path: Path) -> None:
    secrets = SecretStore(tmp_path)
    secrets.write("a", {"token": Secret("t0ps3cret")})
    check = HttpHealthCheck(
        type="http",
        url=f"http://127.0.0.1:{port}/",
        headers={"Authorization": "${secret.a.token}"},
        expected_body="t0ps3",
    )
    result = check_health(check, secrets=secrets)
    assert result.healthy
    assert "t0ps3cret" not in result.reason
    missing = HttpHealthCheck(type="http", url="http://127.0.0.1:1/", headers={"A": "${secret.a.none}"})
    assert check_health(missing, secrets=secrets).reason == "there is no such secret on this host"


@pytest.mark.parametrize(
    ("url", "settings", "reason"),
    [
        ("ftp://127.0.0.1/", {}, "ftp://127.0.0.1/ is not an http or https URL"),
        ("http:///x", {}, "http:///x is not an http or https URL"),
        ("http://127.0.0.1:port/", {}, "http://127.0.0.1:port/: Port could not be cast to integer value as 'port'"),
        ("http://[::1/", {}, "http://[::1/: Invalid IPv6 URL"),
        ("http://127.0.0.1:{port}/a b", {}, "contain control characters"),
        ("http://127.0.0.1:{port}/", {"headers": {"A": "x\r\ny: z"}}, "Invalid header value"),
        ("http://127.0.0.1:{port}/", {"headers": {"A": "€"}}, "codec can't encode"),
        ("http://127.0.0.1:{port}/", {"method": "GET\n"}, "method can't contain control characters"),
    ],
)
def test_what_cannot_be_asked_is_unhealthy_with_a_reason_in_words(
    port: int, url: str, settings: dict[str, Any], reason: str
) -> None:
    result = _http(url.format(port=port), **settings)
    assert not result.healthy
    assert reason in result.reason


def test_a_name_that_is_nobody_s_is_said_to_be_unknown() -> None:
    result = _http("http://no-such-host.invalid:80/")
    assert not result.healthy
    assert result.reason.startswith("http://no-such-host.invalid:80/: ")
    assert "Errno" not in result.reason


def test_a_server_that_is_not_there_refuses() -> None:
    number = free_port()
    url = f"http://127.0.0.1:{number}/"
    assert _http(url) == HealthResult(False, f"{url} refused the connection", pytest.approx(0, abs=60_000))


def _drip(connection: socket.socket) -> None:
    """Send a byte now and then, so that each alone comes in time."""
    for byte in b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + b"x" * 1000:
        connection.send(bytes([byte]))
        time.sleep(0.02)


@pytest.mark.parametrize("talk", [lambda connection: connection.recv(4096), _drip], ids=["hangs", "drips"])
@pytest.mark.parametrize("body", [None, "y"])
def test_a_server_that_takes_too_long_is_unhealthy_when_its_time_is_up(
    talk: Callable[[socket.socket], object], body: str | None
) -> None:
    with _talking(talk) as number:
        url = f"http://127.0.0.1:{number}/"
        result = _http(url, timeout=0.1, expected_body=body)
    assert (result.healthy, result.reason) == (False, f"{url} did not answer within 0.1 s")
    assert 90 < result.duration_ms < 60_000


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"", "closed the connection without an answer"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "SSH-2.0-OpenSSH_9.2"),
        (b"HTTP/1.1 999999 X\r\n\r\n", "999999"),
        (b"HTTP/1.1 200 OK\r\n" + b"A: " + b"x" * 70000, "header line"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nshort", "answered 200 without the text"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "IncompleteRead"),
    ],
)
def test_what_is_no_answer_is_unhealthy(answer: bytes, reason: str) -> None:
    with _talking(lambda connection: connection.sendall(answer)) as number:
        result = _http(f"http://127.0.0.1:{number}/", expected_body="x" * 60)
    assert not result.healthy
    assert reason in result.reason


def test_an_ipv6_address_is_asked_too() -> None:
    class Server(_Server):
        address_family = socket.AF_INET6

    with _serving(Server(("::1", 0), _Handler)) as number:
        result = _http(f"http://[::1]:{number}/", expected_body=f"[::1]:{number}")
        assert result.healthy, result.reason
        assert check_health(TcpHealthCheck(type="tcp", host="::1", port=number)).reason == (
            f"[::1]:{number} accepts connections"
        )


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate for localhost, with its key in the same file."""
    folder = tmp_path_factory.mktemp("tls")
    key, path = folder / "key.pem", folder / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", path],
        check=True,
        capture_output=True,
    )  # fmt: skip
    path.write_text(path.read_text() + key.read_text())
    return path


@pytest.fixture(scope="module")
def tls_port(certificate: Path) -> Iterator[int]:
    server = _Server(("127.0.0.1", 0), _Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    with _serving(server) as found:
        yield found


def test_a_certificate_of_an_own_authority_is_trusted_if_that_is_given(tls_port: int, certificate: Path) -> None:
    url = f"https://localhost:{tls_port}/"
    assert _http(url, ca_file=str(certificate), expected_body="GET /").healthy
    assert _http(url, verify_tls=False).healthy
    result = _http(url)
    assert not result.healthy
    assert result.reason.startswith(f"the certificate of {url} is not trusted: self")


def test_a_certificate_for_another_name_is_not_trusted(tls_port: int, certificate: Path) -> None:
    url = f"https://127.0.0.1:{tls_port}/"
    result = _http(url, ca_file=str(certificate))
    assert not result.healthy
    assert result.reason.startswith(f"the certificate of {url} is not trusted: IP address mismatch")
    assert _http(url, ca_file=str(certificate), verify_tls=False).healthy


@pytest.mark.parametrize("content", [None, "not a certificate"])
def test_a_bundle_that_cannot_be_used_is_named(tls_port: int, tmp_path: Path, content: str | None) -> None:
    bundle = tmp_path / "ca.pem"
    if content is not None:
        bundle.write_text(content)
    result = _http(f"https://localhost:{tls_port}/", ca_file=str(bundle))
    assert not result.healthy
    assert f"the CA bundle {bundle} cannot be used: " in result.reason


def test_plain_text_where_tls_is_expected_is_unhealthy(port: int) -> None:
    result = _http(f"https://127.0.0.1:{port}/", verify_tls=False)
    assert not result.healthy
    assert result.reason == f"https://127.0.0.1:{port}/ does not speak TLS"
