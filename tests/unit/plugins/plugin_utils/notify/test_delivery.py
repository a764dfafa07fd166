# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import datetime
import json
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils._errors import ConfigurationError
from ansible_collections.provisioning.platform.plugins.plugin_utils.notify.delivery import (
    LONGEST_RETRY_AFTER,
    Outcome,
    Sender,
    backoff,
    judge,
    proxy_for,
)
from ansible_collections.provisioning.platform.plugins.plugin_utils.notify.target import Address, WebhookTarget
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.fixtures.receiver import Receiver

BODY = b'{"event": "started"}'
PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate and its key, for 127.0.0.1 and hooks.example.test."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "receiver")])
    now = datetime.datetime.now(datetime.UTC)
    hosts = [x509.DNSName("hooks.example.test"), x509.IPAddress(__import__("ipaddress").ip_address("127.0.0.1"))]
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(hosts), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "receiver.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(built.public_bytes(serialization.Encoding.PEM) + private)
    return path


def send(receiver: Receiver, **settings: object) -> Outcome:
    sender = Sender(WebhookTarget(receiver.url, **settings), clock=lambda: 1_700_000_000.9)  # type: ignore[arg-type]
    try:
        return sender.send(BODY, "solo-1-7")
    finally:
        sender.close()


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        (200, "delivered"),
        (202, "delivered"),
        (204, "delivered"),
        (101, "refused"),
        (301, "refused"),
        (302, "refused"),
        (303, "refused"),
        (307, "refused"),
        (308, "refused"),
        (400, "refused"),
        (401, "refused"),
        (404, "refused"),
        (408, "retry"),
        (410, "gone"),
        (425, "retry"),
        (429, "retry"),
        (500, "retry"),
        (502, "retry"),
        (503, "retry"),
        (504, "retry"),
    ],
)
def test_a_status_means_one_thing(status, verdict):
    outcome = judge(status, None, receiver="https://h.example/***", now=0.0)
    assert outcome.verdict == verdict
    assert outcome.error == "" if verdict == "delivered" else str(status) in outcome.error


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("3", 3.0),
        ("0", 0.0),
        ("86400", LONGEST_RETRY_AFTER),
        ("Thu, 01 Jan 1970 00:16:50 GMT", 10.0),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0),
        ("soon", None),
        ("-5", None),
    ],
)
def test_retry_after_is_seconds_or_a_date_and_has_a_bound(header, seconds):
    assert judge(429, header, receiver="r", now=1000.0).retry_after == seconds


def test_backoff_doubles_has_full_jitter_and_a_bound():
    longest = [backoff(tries, retry_after=None, random=lambda: 1.0) for tries in range(1, 9)]
    assert longest == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 20.0, 20.0]
    assert backoff(5, retry_after=None, random=lambda: 0.0) == 0.0


def test_backoff_waits_as_long_as_the_receiver_asks_but_not_for_ever():
    assert backoff(1, retry_after=7.0, random=lambda: 1.0) == 7.0
    assert backoff(1, retry_after=9999.0, random=lambda: 1.0) == LONGEST_RETRY_AFTER
    assert backoff(6, retry_after=1.0, random=lambda: 1.0) == 16.0


def test_the_exact_bytes_arrive_with_our_headers():
    with Receiver() as receiver:
        assert send(receiver) == Outcome("delivered")
    (delivery,) = receiver.deliveries
    assert delivery.body == BODY
    assert delivery.path == "/hooks/s3cret-path?key=s3cret-query"
    assert delivery.headers["content-type"] == "application/json"
    assert delivery.headers["user-agent"].startswith("provisioning-platform")
    assert delivery.headers["webhook-id"] == "solo-1-7"
    assert delivery.headers["webhook-timestamp"] == "1700000000"


def test_custom_headers_are_sent_and_win_over_ours_but_not_over_the_transport():
    headers = {
        "Authorization": "Bearer t0ken",
        "Content-Type": "application/json; charset=utf-8",
        "Content-Length": "3",
        "Webhook-Id": "mine",
    }
    with Receiver() as receiver:
        assert send(receiver, headers=headers).verdict == "delivered"
    sent = receiver.deliveries[0].headers
    assert sent["authorization"] == "Bearer t0ken"
    assert sent["content-type"] == "application/json; charset=utf-8"
    assert sent["content-length"] == str(len(BODY))
    assert sent["webhook-id"] == "solo-1-7"


def test_user_and_password_of_the_url_become_basic_authorization():
    with Receiver() as receiver:
        url = receiver.url.replace("http://", "http://ci:p%40ss@")
        assert Sender(WebhookTarget(url)).send(BODY, "i-1").verdict == "delivered"
    assert receiver.deliveries[0].headers["authorization"] == "Basic Y2k6cEBzcw=="


def test_a_redirect_is_a_failure_and_is_not_followed():
    with Receiver("redirect") as receiver:
        outcome = send(receiver)
    assert outcome.verdict == "refused"
    assert "redirect" in outcome.error
    assert len(receiver.deliveries) == 1


@pytest.mark.parametrize("mode", ["500", "429", "404", "410", "redirect", "down", "hangs", "trickle", "drop"])
def test_an_error_shows_neither_the_path_nor_the_headers(mode):
    with Receiver(mode) as receiver:
        outcome = send(receiver, headers={"X-Key": "s3cret-header"}, timeout=0.2)
    assert outcome.verdict != "delivered"
    assert outcome.error.startswith(f"http://127.0.0.1:{receiver.port}/***: ")
    assert "s3cret" not in outcome.error


@pytest.mark.parametrize("mode", ["hangs", "trickle"])
def test_a_receiver_that_does_not_come_to_an_end_is_given_up_after_the_timeout(mode):
    with Receiver(mode) as receiver:
        begun = time.monotonic()
        outcome = send(receiver, timeout=0.3)
        took = time.monotonic() - begun
    assert outcome.verdict == "retry"
    assert "no answer in time" in outcome.error
    assert 0.25 < took < 50


def test_the_connection_is_kept_between_deliveries():
    with Receiver() as receiver:
        sender = Sender(WebhookTarget(receiver.url))
        for number in range(5):
            assert sender.send(BODY, f"i-{number}").verdict == "delivered"
        sender.close()
    assert receiver.connections == 1


def test_a_kept_connection_that_the_receiver_has_closed_is_opened_again_at_once():
    with Receiver(answers=("ok", "drop")) as receiver:
        sender = Sender(WebhookTarget(receiver.url))
        assert sender.send(BODY, "i-1").verdict == "delivered"
        assert sender.send(BODY, "i-2").verdict == "delivered"
        sender.close()
    assert [delivery.headers["webhook-id"] for delivery in receiver.deliveries] == ["i-1", "i-2", "i-2"]


def test_what_is_no_http_is_an_error_and_not_a_traceback():
    def answer() -> None:
        connection, _peer = server.accept()
        connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")
        connection.close()

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=answer, daemon=True).start()
        outcome = Sender(WebhookTarget(f"http://127.0.0.1:{server.getsockname()[1]}/")).send(BODY, "i-1")
    assert outcome.verdict == "retry"


def test_a_target_that_cannot_be_used_is_refused_when_the_sender_is_made():
    with pytest.raises(ConfigurationError, match="unencrypted"):
        Sender(WebhookTarget("http://hooks.example.com/"))


def test_a_certificate_that_is_not_trusted_is_refused(certificate):
    with Receiver(certificate=str(certificate)) as receiver:
        outcome = send(receiver)
    assert outcome.verdict == "refused"
    assert "certificate is not valid" in outcome.error
    assert receiver.deliveries == []


def test_a_certificate_that_the_machine_trusts_is_accepted(certificate, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with Receiver(certificate=str(certificate)) as receiver:
        assert send(receiver) == Outcome("delivered")


def test_the_certificate_must_be_for_the_host(certificate, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with Receiver(certificate=str(certificate)) as receiver:
        url = receiver.url.replace("127.0.0.1", "localhost")
        assert Sender(WebhookTarget(url)).send(BODY, "i-1").verdict == "refused"


class Proxy:
    """An HTTP proxy that knows CONNECT, and takes every name for this machine."""

    def __init__(self, port: int) -> None:
        self.target = port
        self.requests: list[str] = []
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        client, _peer = self._server.accept()
        head = b""
        while b"\r\n\r\n" not in head:
            head += client.recv(4096)
        self.requests.append(head.decode())
        client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        upstream = socket.create_connection(("127.0.0.1", self.target))
        threading.Thread(target=_pump, args=(upstream, client), daemon=True).start()
        _pump(client, upstream)


def _pump(source: socket.socket, sink: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass


@pytest.fixture
def tls_receiver(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with Receiver(certificate=str(certificate)) as receiver:
        yield receiver


def test_the_proxy_of_the_environment_is_used_for_https(tls_receiver, monkeypatch):
    proxy = Proxy(tls_receiver.port)
    monkeypatch.setenv("HTTPS_PROXY", f"http://me:pw@127.0.0.1:{proxy.port}")
    sender = Sender(WebhookTarget("https://hooks.example.test/hook"))
    assert sender.send(BODY, "i-1") == Outcome("delivered")
    sender.close()
    assert proxy.requests[0].startswith("CONNECT hooks.example.test:443 HTTP/1.")
    assert "Proxy-Authorization: Basic bWU6cHc=" in proxy.requests[0]
    assert json.loads(tls_receiver.deliveries[0].body) == {"event": "started"}


def test_loopback_never_goes_through_a_proxy(tls_receiver, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    assert send(tls_receiver) == Outcome("delivered")


@pytest.mark.parametrize(
    ("environment", "proxy"),
    [
        ({}, None),
        ({"HTTPS_PROXY": "http://proxy.example:3128"}, ("proxy.example", 3128)),
        ({"https_proxy": "proxy.example:3128"}, ("proxy.example", 3128)),
        ({"ALL_PROXY": "http://proxy.example"}, ("proxy.example", 80)),
        ({"HTTP_PROXY": "http://proxy.example:3128"}, None),
        ({"HTTPS_PROXY": "http://proxy.example:3128", "NO_PROXY": ".example.com"}, None),
        ({"HTTPS_PROXY": "http://proxy.example:3128", "NO_PROXY": "other.com"}, ("proxy.example", 3128)),
    ],
)
def test_proxy_settings_mean_what_they_mean_to_other_clients(environment, proxy, monkeypatch):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    found = proxy_for(Address.of("https://hooks.example.com/hook"))
    assert (found and (found.host, found.port)) == proxy
