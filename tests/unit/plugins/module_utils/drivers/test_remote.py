# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The mode ``remote`` and real servers on loopback, with and without TLS."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils._drivers._base import Context, Observation
from ansible_collections.provisioning.platform.plugins.module_utils._drivers.remote import (
    RemoteDriver,
    default_check,
    endpoint_of,
)
from ansible_collections.provisioning.platform.plugins.module_utils._errors import DriverError
from ansible_collections.provisioning.platform.plugins.module_utils._model import (
    HttpHealthCheck,
    ServiceDefinition,
    TcpHealthCheck,
)
from ansible_collections.provisioning.platform.plugins.module_utils._paths import WorkDir
from ansible_collections.provisioning.platform.plugins.module_utils._secrets import Secret, SecretStore
from ansible_collections.provisioning.platform.plugins.module_utils._wait import check_now

from tests.fixtures.authority import Authority, Pair, serving
from tests.fixtures.definitions import remote
from tests.fixtures.ports import free_port

TOKEN = "s3cr3t-t0ken"


@pytest.fixture
def driver(tmp_path: Path) -> RemoteDriver:
    secrets = SecretStore(tmp_path / "work" / "secrets")
    secrets.write("vault", {"token": Secret(TOKEN), "wrong": Secret("not-the-token")})
    return RemoteDriver(Context(WorkDir(tmp_path / "work"), secrets))


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ours"))


@pytest.fixture(scope="module")
def pair(authority: Authority) -> Pair:
    return authority.issue("server")


def reason(driver: RemoteDriver, definition: ServiceDefinition) -> str:
    result = check_now(definition, driver)
    assert not result.healthy
    return result.reason


# --- where it is -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "port", "expected"),
    [
        ("https://a.example", None, ("a.example", 443)),
        ("https://a.example", 8443, ("a.example", 443)),
        ("http://a.example:81/x", 8080, ("a.example", 81)),
        ("postgres://db.example/main", None, ("db.example", 5432)),
        ("postgres://db.example/main", 6000, ("db.example", 6000)),
        ("ftp://a.example", 21, ("a.example", 21)),
        ("tcp://[::1]:9000", None, ("::1", 9000)),
        ("ftp://a.example", None, None),
        ("https://a:b", None, None),
        ("nonsense", 80, None),
    ],
)
def test_host_and_port_follow_from_the_url_its_scheme_and_the_definition(url, port, expected):
    assert endpoint_of(url, port) == expected


def test_without_a_check_http_is_asked_and_everything_else_is_connected_to():
    http = default_check(remote("https://a.example/x"))
    assert isinstance(http, HttpHealthCheck)
    assert http.url == "https://a.example/x"
    assert default_check(remote("redis://a.example")) == TcpHealthCheck(type="tcp", host="a.example", port=6379)
    assert default_check(remote("ftp://a.example")) is None


# --- checks ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("status", "healthy"), [(200, True), (302, True), (404, True), (405, True), (500, False)])
def test_without_a_check_any_answer_but_a_servers_error_or_a_refusal_is_healthy(driver, status, healthy):
    with serving() as elsewhere:
        elsewhere.status = status
        assert check_now(remote(elsewhere.url), driver).healthy is healthy


def test_a_refusal_says_that_a_token_is_wanted_or_not_accepted(driver):
    with serving() as elsewhere:
        elsewhere.token = TOKEN
        assert reason(driver, remote(elsewhere.url)) == (
            f"{elsewhere.url} answered 401 Unauthorized: it wants a token (deployment.remote.token)"
        )
        wrong = {"token": "${secret.vault.wrong}"}
        said = reason(driver, remote(elsewhere.url, block=wrong))
        assert said == f"{elsewhere.url} answered 401 Unauthorized: it does not accept the token"
        right = {"token": "${secret.vault.token}"}
        assert check_now(remote(elsewhere.url, block=right), driver).healthy
        assert elsewhere.asked[-1] == ("/", f"Bearer {TOKEN}")


def test_a_check_of_its_own_is_made_with_the_token_of_the_block_unless_it_has_one(driver):
    block = {"token": "${secret.vault.token}"}
    with serving() as elsewhere:
        health: dict[str, Any] = {"type": "http", "url": f"{elsewhere.url}/health"}
        assert check_now(remote(elsewhere.url, block=block, health=health), driver).healthy
        health["headers"] = {"authorization": "Basic ${secret.vault.wrong}"}
        assert check_now(remote(elsewhere.url, block=block, health=health), driver).healthy
        assert elsewhere.asked == [("/health", f"Bearer {TOKEN}"), ("/health", "Basic not-the-token")]


def test_a_token_is_shown_to_nobody_but_the_services_own_host(driver):
    with serving() as elsewhere:
        health = {"type": "http", "url": f"http://localhost:{elsewhere.port}/"}
        assert check_now(remote(elsewhere.url, block={"token": "${secret.vault.token}"}, health=health), driver).healthy
        assert elsewhere.asked == [("/", None)]


def test_a_token_that_is_not_there_is_named(driver):
    with serving() as elsewhere:
        assert "there is no such secret" in reason(driver, remote(elsewhere.url, block={"token": "${secret.vault.no}"}))


def test_an_authority_of_ones_own_is_trusted_and_no_other(driver, authority, pair, tmp_path):
    other = Authority(tmp_path / "other")
    with serving(pair) as elsewhere:
        assert check_now(remote(elsewhere.url, block={"ca_file": str(authority.file)}), driver).healthy
        for block in ({}, {"ca_file": str(other.file)}):
            said = reason(driver, remote(elsewhere.url, block=block))
            assert said.startswith(f"the certificate of {elsewhere.url} is not trusted: ")
            assert "issuer" in said or "signature" in said or "self" in said


def test_an_expired_certificate_is_said_to_be_so(driver, authority):
    with serving(authority.issue("old", expired=True)) as elsewhere:
        said = reason(driver, remote(elsewhere.url, block={"ca_file": str(authority.file)}))
        assert said == f"the certificate of {elsewhere.url} is not trusted: certificate has expired"


def test_a_certificate_for_another_host_is_said_to_be_so(driver, authority):
    with serving(authority.issue("elsewhere", address="10.9.8.7")) as elsewhere:
        assert "mismatch" in reason(driver, remote(elsewhere.url, block={"ca_file": str(authority.file)}))


def test_a_server_that_wants_to_know_its_clients_is_shown_the_certificate(driver, authority, pair, tmp_path):
    ours = authority.issue("client")
    block = {"ca_file": str(authority.file)}
    shown = {**block, "client_certificate": str(ours.certificate), "client_key": str(ours.key)}
    stranger = Authority(tmp_path / "stranger").issue("client")
    strange = {**block, "client_certificate": str(stranger.certificate), "client_key": str(stranger.key)}
    with serving(pair, clients=authority.file) as elsewhere:
        assert check_now(remote(elsewhere.url, block=shown), driver).healthy
        assert "want" in (said := reason(driver, remote(elsewhere.url, block=block)))
        assert "a client certificate" in said
        said = reason(driver, remote(elsewhere.url, block=strange))
        assert "does not trust the client certificate" in said or "closed the connection" in said


def test_certificate_and_key_may_be_in_one_file(driver, authority, pair, tmp_path):
    ours = authority.issue("both")
    both = tmp_path / "both.pem"
    both.write_bytes(ours.certificate.read_bytes() + ours.key.read_bytes())
    with serving(pair, clients=authority.file) as elsewhere:
        block = {"ca_file": str(authority.file), "client_certificate": str(both)}
        assert check_now(remote(elsewhere.url, block=block), driver).healthy


def test_a_server_without_tls_is_said_to_be_so(driver):
    with serving() as elsewhere:
        url = f"https://127.0.0.1:{elsewhere.port}"
        assert reason(driver, remote(url)) == f"{url} does not speak TLS"


def test_verifications_get_the_certificates_too(driver, authority, pair):
    with serving(pair) as elsewhere:
        check = HttpHealthCheck(type="http", url=f"{elsewhere.url}/v2/")
        result = driver.judge(remote(elsewhere.url, block={"ca_file": str(authority.file)}), check)
        assert result is not None
        assert result.healthy


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        ({"ca_file": "/nowhere/ca.pem"}, "the file /nowhere/ca.pem is not there"),
        ({"client_key": "KEY"}, "has the key KEY and no client certificate"),
        ({"client_certificate": "CERTIFICATE", "client_key": "OTHER"}, "the key is not that of the certificate"),
        ({"client_certificate": "CERTIFICATE", "client_key": "LOCKED"}, "the key is encrypted"),
        ({"ca_file": "KEY"}, "cannot be used: it is not PEM, or holds nothing of the kind"),
    ],
)
def test_files_that_cannot_be_used_are_found_beforehand(driver, authority, tmp_path, block, expected):
    from cryptography.hazmat.primitives import serialization

    one, other = authority.issue("one"), authority.issue("another")
    key = serialization.load_pem_private_key(one.key.read_bytes(), None)
    locked = tmp_path / "locked.key"
    locked.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"hunter2"),
        )
    )
    names = {"KEY": one.key, "CERTIFICATE": one.certificate, "OTHER": other.key, "LOCKED": locked}
    files = {name: str(names.get(value, value)) for name, value in block.items()}
    (problem,) = driver.check(remote("https://a.example", block=files))
    assert expected.replace("KEY", str(one.key)) in problem.why


# --- what it is ------------------------------------------------------------------------------------------------------


def test_what_can_be_connected_to_runs_and_what_cannot_is_unreachable(driver):
    gone = free_port()
    with serving() as elsewhere:
        seen = driver.observe([remote(elsewhere.url, "up"), remote(f"tcp://127.0.0.1:{gone}", "down")])
    assert seen["up"] == Observation("running", detail="runs elsewhere")
    assert seen["down"] == Observation("unreachable", detail=f"127.0.0.1:{gone} refused the connection")
    assert not seen["down"].is_up


@contextlib.contextmanager
def deaf() -> Iterator[int]:
    """The port of a listener whose queue is full: whoever connects waits."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        address = listener.getsockname()
        with contextlib.ExitStack() as stack:
            for _ in range(3):
                filler = stack.enter_context(socket.socket())
                filler.setblocking(False)
                filler.connect_ex(address)
            time.sleep(0.05)
            yield address[1]


def test_many_that_do_not_answer_are_asked_at_the_same_time(driver):
    with deaf() as port:
        services = [remote(f"tcp://127.0.0.1:{port}", f"s{number}") for number in range(40)]
        begin = time.monotonic()
        seen = driver.observe(services)
        assert time.monotonic() - begin < 60  # one after the other: 80
    assert {one.status for one in seen.values()} == {"unreachable"}


def test_there_are_no_logs_here(driver):
    with pytest.raises(
        DriverError, match=r"vault: runs elsewhere, so there is no log of it here. Look where it runs: "
    ):
        driver.logs(remote("https://a.example"))
