# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import grp
import hashlib
import json
import os
import socketserver
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils._build import build
from ansible_collections.provisioning.platform.plugins.module_utils._drivers._base import Context
from ansible_collections.provisioning.platform.plugins.module_utils._drivers._docker_engine import (
    Candidate,
    Connection,
    Engine,
    candidates,
    connect,
    current_context,
)
from ansible_collections.provisioning.platform.plugins.module_utils._drivers._docker_places import certificate_problem
from ansible_collections.provisioning.platform.plugins.module_utils._drivers._docker_rootless import port_problems
from ansible_collections.provisioning.platform.plugins.module_utils._errors import DriverError
from ansible_collections.provisioning.platform.plugins.module_utils._model import ServiceDefinition
from ansible_collections.provisioning.platform.plugins.module_utils._paths import WorkDir
from ansible_collections.provisioning.platform.plugins.module_utils._secrets import SecretStore

HOME = Path("/home/ada")
NOT_FOUND: dict[str, object] = {}


@pytest.mark.parametrize(
    ("engine", "settings", "env", "uid", "expected"),
    [
        ("docker", {"engine_url": "tcp://a:1"}, {"DOCKER_HOST": "tcp://b:2"}, 1000, ["tcp://a:1"]),
        ("docker", {}, {"DOCKER_HOST": "tcp://b:2"}, 1000, ["tcp://b:2"]),
        ("docker", {"context": Candidate("unix:///ctx.sock")}, {"DOCKER_HOST": "tcp://b:2"}, 1000, ["tcp://b:2"]),
        ("docker", {"context": Candidate("unix:///ctx.sock")}, {}, 1000, ["unix:///ctx.sock"]),
        (
            "docker",
            {},
            {"XDG_RUNTIME_DIR": "/run/me"},
            1000,
            ["unix:///var/run/docker.sock", "unix:///home/ada/.docker/run/docker.sock", "unix:///run/me/docker.sock"],
        ),
        (
            "docker",
            {},
            {},
            7,
            [
                "unix:///var/run/docker.sock",
                "unix:///home/ada/.docker/run/docker.sock",
                "unix:///run/user/7/docker.sock",
            ],
        ),
        ("podman", {"engine_url": "unix:///p.sock"}, {"CONTAINER_HOST": "unix:///c.sock"}, 0, ["unix:///p.sock"]),
        ("podman", {}, {"CONTAINER_HOST": "unix:///c.sock"}, 0, ["unix:///c.sock"]),
        (
            "podman",
            {"context": Candidate("unix:///ctx.sock")},
            {},
            0,
            [
                "unix:///run/podman/podman.sock",
                "unix:///run/user/0/podman/podman.sock",
                "unix:///home/ada/.local/share/containers/podman/machine/podman.sock",
            ],
        ),
        (
            "podman",
            {},
            {"DOCKER_HOST": "unix:///d.sock"},
            1000,
            [
                "unix:///run/user/1000/podman/podman.sock",
                "unix:///run/podman/podman.sock",
                "unix:///home/ada/.local/share/containers/podman/machine/podman.sock",
                "unix:///d.sock",
            ],
        ),
        (
            "orbstack",
            {"context": Candidate("unix:///desktop.sock")},
            {},
            501,
            ["unix:///home/ada/.orbstack/run/docker.sock", "unix:///var/run/docker.sock"],
        ),
        ("orbstack", {}, {"DOCKER_HOST": "unix:///d.sock"}, 501, ["unix:///d.sock"]),
    ],
)
def test_an_engine_is_looked_for_where_it_was_named_else_in_its_usual_places(engine, settings, env, uid, expected):
    found = candidates(engine, env=env, home=HOME, uid=uid, **settings)
    assert [candidate.url for candidate in found] == expected


@pytest.mark.parametrize(
    ("url", "env", "folder", "verify"),
    [
        ("tcp://a:2376", {"DOCKER_TLS_VERIFY": "1"}, HOME / ".docker", True),
        ("tcp://a:2376", {"DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": "/certs"}, Path("/certs"), True),
        ("tcp://a:2376", {"DOCKER_CERT_PATH": "/certs"}, Path("/certs"), False),
        ("tcp://a:2375", {}, None, True),
        ("unix:///var/run/docker.sock", {"DOCKER_TLS_VERIFY": "1"}, None, True),
    ],
)
def test_the_environment_says_whether_a_remote_engine_is_reached_by_tls(url, env, folder, verify):
    (found,) = candidates("docker", engine_url=url, env=env, home=HOME, uid=0)
    assert (found.tls, found.verify) == (folder, verify)


def make_context(folder: Path, name: str, endpoint: dict[str, object], *, tls: bool = False) -> None:
    digest = hashlib.sha256(name.encode()).hexdigest()
    meta = folder / "contexts" / "meta" / digest
    meta.mkdir(parents=True)
    (meta / "meta.json").write_text(json.dumps({"Name": name, "Endpoints": {"docker": endpoint}}))
    if tls:
        (folder / "contexts" / "tls" / digest / "docker").mkdir(parents=True)


def test_the_current_context_of_the_docker_command_is_followed(tmp_path):
    (tmp_path / ".docker").mkdir()
    (tmp_path / ".docker" / "config.json").write_text('{"currentContext": "desktop"}')
    make_context(tmp_path / ".docker", "desktop", {"Host": "unix:///desktop.sock"})
    assert current_context({}, tmp_path) == Candidate("unix:///desktop.sock", "docker's context desktop")


def test_a_context_brings_its_certificates(tmp_path):
    make_context(tmp_path, "far", {"Host": "tcp://far:2376", "SkipTLSVerify": True}, tls=True)
    found = current_context({"DOCKER_CONFIG": str(tmp_path), "DOCKER_CONTEXT": "far"}, HOME)
    assert found is not None
    assert found.tls is not None
    assert found.tls.is_dir()
    assert not found.verify


@pytest.mark.parametrize("config", ['{"currentContext": "default"}', "{}", "[]", "not json"])
def test_without_a_usable_context_there_is_none(tmp_path, config):
    (tmp_path / ".docker").mkdir()
    (tmp_path / ".docker" / "config.json").write_text(config)
    assert current_context({}, tmp_path) is None


def test_a_context_that_does_not_exist_is_an_error_that_names_those_that_do(tmp_path):
    make_context(tmp_path, "far", {"Host": "tcp://far:2376"})
    make_context(tmp_path, "cluster", {})
    env = {"DOCKER_CONFIG": str(tmp_path), "DOCKER_CONTEXT": "gone"}
    with pytest.raises(DriverError) as caught:
        current_context(env, HOME)
    assert str(caught.value) == (
        f"Docker: the context gone, which DOCKER_CONTEXT names, does not exist in {tmp_path}/contexts. Choose one that "
        "does: default, cluster, far (docker context use NAME), or set deployment.engine_url."
    )
    with pytest.raises(DriverError, match="the context cluster, which DOCKER_CONTEXT names, names no engine in"):
        current_context({**env, "DOCKER_CONTEXT": "cluster"}, HOME)


@pytest.mark.parametrize(
    ("files", "place", "missing"),
    [
        (["ca.pem", "cert.pem", "key.pem"], {"source": "DOCKER_HOST"}, None),
        (["ca.pem"], {"source": "DOCKER_HOST"}, None),
        ([], {"source": "DOCKER_HOST", "verify": False}, None),
        ([], {"source": "docker's context far"}, None),
        ([], {"source": "DOCKER_HOST"}, ["ca.pem"]),
        (["ca.pem", "cert.pem"], {"source": "DOCKER_HOST"}, ["key.pem"]),
        (["key.pem"], {"source": "docker's context far"}, ["cert.pem"]),
    ],
)
def test_certificates_that_are_missing_are_named(tmp_path, files, place, missing):
    for name in files:
        (tmp_path / name).touch()
    problem = certificate_problem(Candidate("tcp://far:2376", tls=tmp_path, **place), "Docker")
    if missing is None:
        assert problem is None
        return
    assert problem is not None
    assert problem.why.endswith(f"are not there: {', '.join(str(tmp_path / name) for name in missing)}")
    with pytest.raises(DriverError, match=r"the certificates for tcp://far:2376 are not there"):
        connect("docker", [Candidate("tcp://far:2376", tls=tmp_path, **place)])


@pytest.mark.parametrize(
    ("url", "owner", "ports", "expected"),
    [
        ("unix:///x.sock", 1000, ["80:80", "8080:80"], ["80"]),
        ("unix:///x.sock", 1000, ["53:53/udp"], ["53/udp"]),
        ("unix:///x.sock", 0, ["80:80"], []),
        ("tcp://far:1", None, ["80:80"], []),
    ],
)
def test_without_roots_rights_low_ports_are_a_problem_with_its_remedy(url, owner, ports, expected):
    block = {"image": "x", "ports": ports}
    web = build(ServiceDefinition, {"name": "web", "deployment": {"mode": "docker", "docker": block}})
    found = port_problems(Engine(None, url, "Podman", (4,), owner), web, first_free=1024)
    assert [str(problem) for problem in found] == [
        f"web: port {port} is for root alone, and Podman runs here without root's rights. Publish one from 1024 on, or "
        f"let everybody have it: sysctl net.ipv4.ip_unprivileged_port_start={port.partition('/')[0]}, as root."
        for port in expected
    ]


# --- connecting ------------------------------------------------------------------------------------------------------


@pytest.fixture
def engine_at(tmp_path) -> Iterator[Callable[[dict[str, object]], str]]:
    """Serves ``/version`` on a socket, as an engine does that we cannot have here."""
    with ExitStack() as stack:

        def serve(version: dict[str, object], name: str = "engine.sock", headers: dict[str, str] | None = None) -> str:
            class Handler(BaseHTTPRequestHandler):
                protocol_version = "HTTP/1.1"

                def do_GET(self):
                    body = json.dumps(version).encode()
                    self.send_response(200 if version else 404)
                    self.send_header("Content-Type", "application/json")
                    self.send_header("Content-Length", str(len(body)))
                    for header, value in (headers or {}).items():
                        self.send_header(header, value)
                    self.end_headers()
                    self.wfile.write(body)

                def log_message(self, *args):
                    pass

            class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
                daemon_threads = True

            server = stack.enter_context(Server(str(tmp_path / name), Handler))
            thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
            thread.start()
            stack.callback(thread.join)
            stack.callback(server.shutdown)
            return f"unix://{tmp_path / name}"

        yield serve


def problem_of(engine: str, *urls: str, source: str = "") -> str:
    with pytest.raises(DriverError) as caught:
        connect(engine, [Candidate(url, source) for url in urls])
    return str(caught.value)


def test_when_no_engine_answers_the_error_says_what_was_tried_and_what_to_do(tmp_path):
    dead = tmp_path / "dead.sock"
    with socketserver.UnixStreamServer(str(dead), BaseHTTPRequestHandler):
        pass  # closed again: the file stays, and nobody listens
    none = tmp_path / "none.sock"
    assert problem_of("docker", f"unix://{none}", f"unix://{dead}") == (
        f"Docker: Docker does not answer (tried unix://{none}: not there; unix://{dead}: connection refused). "
        "Start it (systemctl start docker), or set deployment.engine_url."
    )


def test_an_engine_that_is_too_old_is_refused_with_the_version_needed(engine_at):
    url = engine_at({"Version": "18.09.1", "ApiVersion": "1.39"})
    assert problem_of("docker", url) == (
        f"Docker: Docker 18.09.1 at {url} speaks API 1.39, and 1.40 is needed. "
        "Install Docker 20.10 or Podman 4 or newer."
    )


def test_what_answers_but_is_no_engine_counts_as_no_answer(engine_at):
    assert "does not answer" in problem_of("docker", engine_at(NOT_FOUND))


def test_the_first_engine_that_answers_is_taken(engine_at, tmp_path):
    url = engine_at({"Version": "28.0.1", "ApiVersion": "1.48", "Components": [{"Name": "Engine"}]})
    engine = connect("docker", [Candidate(f"unix://{tmp_path}/none.sock"), Candidate(url)])
    assert (engine.url, engine.name, engine.version, engine.is_podman) == (url, "Docker", (28, 0, 1), False)
    assert engine.owner == os.getuid()
    engine.api.close()


def test_podman_is_told_from_docker_by_its_own_words(engine_at):
    url = engine_at({"Version": "4.3.1", "ApiVersion": "1.41", "Components": [{"Name": "Podman Engine"}]})
    engine = connect("podman", [Candidate(url)])
    assert engine.is_podman
    engine.api.close()


def test_podmans_version_is_read_off_any_answer_because_it_takes_long_to_ask_for_it(engine_at):
    url = engine_at(NOT_FOUND, headers={"Api-Version": "1.41", "Libpod-Api-Version": "4.3.1"})
    engine = connect("podman", [Candidate(url)])
    assert (engine.name, engine.version, engine.is_podman) == ("Podman", (4, 3, 1), True)
    engine.api.close()


def test_a_docker_engine_that_docker_host_names_is_not_taken_for_podman(engine_at):
    url = engine_at({"Version": "28.0.1", "ApiVersion": "1.48"})
    assert f"{url}: is Docker, not Podman" in problem_of("podman", url, source="DOCKER_HOST")


def test_without_the_docker_package_the_error_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "docker", None)
    text = problem_of("podman", "unix:///none.sock")
    assert f"the Python package docker, which {sys.executable} does not have" in text
    assert "pip install 'docker>=7.1'" in text


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody else")
def test_a_socket_that_the_user_may_not_use_is_named_with_the_remedy(engine_at):
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o711)
        path = f"{folder}/engine.sock"
        url = engine_at({"Version": "28.0.1", "ApiVersion": "1.48"}, path)
        os.chown(path, 0, grp.getgrnam("daemon").gr_gid)
        os.chmod(path, 0o660)
        text = as_nobody(lambda: problem_of("docker", url))
    assert f"Docker may not be used by uid 65534: its socket {path} denies it" in text
    assert "Add the user to the group daemon (usermod -aG daemon USER) and log in again, or run as root." in text


def as_nobody(work: Callable[[], str]) -> str:
    import docker  # noqa: F401 - imported before the rights to read it are given up

    source, sink = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
            os.write(sink, work().encode())
        finally:
            os._exit(0)
    os.close(sink)
    os.waitpid(child, 0)
    with os.fdopen(source) as stream:
        return stream.read()


def connection_to(url: str, folder: Path, clock: Callable[[], float]) -> Connection:
    context = Context(work_dir=WorkDir(folder), secrets=SecretStore(folder), engine_url=url)
    return Connection(context, clock=clock)


def test_a_connection_is_made_once(engine_at, tmp_path):
    url = engine_at({"Version": "28.0.1", "ApiVersion": "1.48"})
    connection = connection_to(url, tmp_path, lambda: 0.0)
    assert connection.engine() is connection.engine()
    connection.engine().api.close()


def test_a_dead_engine_is_asked_again_only_after_a_while(engine_at, tmp_path):
    now = 100.0
    connection = connection_to(f"unix://{tmp_path}/engine.sock", tmp_path, lambda: now)
    with pytest.raises(DriverError):
        connection.engine()
    engine_at({"Version": "28.0.1", "ApiVersion": "1.48"})
    now = 104.0
    with pytest.raises(DriverError):
        connection.engine()
    now = 106.0
    assert connection.engine().version == (28, 0, 1)
    connection.engine().api.close()
