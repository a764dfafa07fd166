# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The docker driver and an engine that is reached over TCP with TLS, as the docker command reaches it."""

from __future__ import annotations

import hashlib
import json
import socket
import socketserver
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils._drivers._docker_engine import (
    candidates,
    connect,
    current_context,
)
from ansible_collections.provisioning.platform.plugins.module_utils._errors import DriverError

from tests.fixtures.authority import Authority


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as DOCKER_CERT_PATH has it; the same certificate serves both sides."""
    folder = tmp_path_factory.mktemp("certificates")
    Authority(folder).issue("cert").key.rename(folder / "key.pem")
    return folder


@pytest.fixture(scope="module")
def remote_url(docker_url: str, certificates: Path) -> Iterator[str]:
    """The engine of this machine behind TLS that wants to know its clients."""
    path = docker_url.removeprefix("unix://")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates / "cert.pem", certificates / "key.pem")
    context.load_verify_locations(certificates / "ca.pem")
    context.verify_mode = ssl.CERT_REQUIRED

    class Relay(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            try:
                client = context.wrap_socket(self.request, server_side=True)
            except (ssl.SSLError, OSError):
                return
            with client, socket.socket(socket.AF_UNIX) as engine:
                engine.connect(path)
                back = threading.Thread(target=_copy, args=[engine, client], daemon=True)
                back.start()
                _copy(client, engine)
                back.join(5)

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

    with Server(("127.0.0.1", 0), Relay) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        yield f"tcp://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def _copy(source: socket.socket, sink: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def test_an_engine_behind_tls_is_reached_with_the_certificates_of_the_environment(remote_url, certificates):
    env = {"DOCKER_HOST": remote_url, "DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": str(certificates)}
    engine = connect("docker", candidates("docker", env=env, home=Path("/nowhere"), uid=0))
    assert engine.api.ping()
    assert not engine.is_local
    engine.api.close()


@pytest.mark.parametrize(
    ("settings", "files", "expected"),
    [
        ({}, (), "Where it wants TLS, set DOCKER_TLS_VERIFY=1 and DOCKER_CERT_PATH"),
        ({"DOCKER_TLS_VERIFY": "1"}, (), r"the certificates for .* are not there: \S+/ca.pem"),
        ({"DOCKER_TLS_VERIFY": "1"}, ("ca.pem",), "wants a client certificate|closed the connection"),
        ({"DOCKER_TLS_VERIFY": "1"}, ("strange/ca.pem",), "the certificate of it is not trusted"),
    ],
)
def test_an_engine_behind_tls_is_not_reached_without_them(
    remote_url, certificates, tmp_path, settings, files, expected
):
    strange = Authority(tmp_path / "elsewhere")
    for name in files:
        source = strange.file if name.startswith("strange") else certificates / name
        (tmp_path / Path(name).name).write_bytes(source.read_bytes())
    env = {"DOCKER_HOST": remote_url, **settings, **({"DOCKER_CERT_PATH": str(tmp_path)} if settings else {})}
    with pytest.raises(DriverError, match=expected):
        connect("docker", candidates("docker", env=env, home=tmp_path, uid=0))


def test_a_context_with_certificates_is_followed(remote_url, certificates, tmp_path):
    digest = hashlib.sha256(b"far").hexdigest()
    meta, tls = tmp_path / "contexts/meta" / digest, tmp_path / "contexts/tls" / digest / "docker"
    meta.mkdir(parents=True)
    tls.mkdir(parents=True)
    (meta / "meta.json").write_text(json.dumps({"Name": "far", "Endpoints": {"docker": {"Host": remote_url}}}))
    for name in ("ca.pem", "cert.pem", "key.pem"):
        (tls / name).write_bytes((certificates / name).read_bytes())
    context = current_context({"DOCKER_CONFIG": str(tmp_path), "DOCKER_CONTEXT": "far"}, tmp_path)
    engine = connect("docker", candidates("docker", env={}, home=tmp_path, uid=0, context=context))
    assert engine.api.ping()
    assert engine.environment == {"DOCKER_HOST": remote_url, "DOCKER_CERT_PATH": str(tls), "DOCKER_TLS_VERIFY": "1"}
    engine.api.close()


def test_orbstacks_socket_is_found_in_the_home_of_the_user(docker_url, tmp_path):
    folder = tmp_path / ".orbstack" / "run"
    folder.mkdir(parents=True)
    (folder / "docker.sock").symlink_to(docker_url.removeprefix("unix://"))
    engine = connect("orbstack", candidates("orbstack", env={}, home=tmp_path, uid=501))
    assert engine.url == f"unix://{folder}/docker.sock"
    assert engine.api.ping()
    engine.api.close()
