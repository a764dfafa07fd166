# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The gateway's configuration, in the real Caddy and before small upstreams."""

from __future__ import annotations

import http.client
import http.server
import json
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

BEHIND = ("orchestrator", "control-center", "mcp-server", "gitea", "oci-registry")
_BESIDE = Path(sys.executable).with_name("caddy")
CADDY = str(_BESIDE) if _BESIDE.exists() else shutil.which("caddy") or "caddy"


@pytest.fixture(scope="module")
def caddyfile(resolved, text_of):
    return lambda changes=None, **deployment: text_of(resolved(changes, **deployment)["api-gateway"], "Caddyfile")


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {name: {"enabled": False} for name in ("mcp-server", "gitea", "oci-registry", "coredns")},
        {"api-gateway": {"variables": {"access_log": True, "allowed_hosts": ["platform.example.com"]}}},
        {
            "api-gateway": {"mode": "docker"},
            **{name: {"bind_address": "0.0.0.0"} for name in ("orchestrator", "control-center", "mcp-server")},
        },
        {
            "api-gateway": {"bind_address": "::1"},
            "orchestrator": {"bind_address": "::1"},
            "gitea": {"bind_address": "::"},
        },
        {"gitea": {"mode": "remote", "deployment": {"remote": {"url": "https://git.example.com"}}}},
        {
            "orchestrator": {"port": 8280, "deployment": {"binary": {"replicas": 2}}},
            "mcp-server": {"deployment": {"binary": {"replicas": 3}}},
        },
    ],
    ids=["all", "few", "variables", "container", "ipv6", "remote", "replicas"],
)
def test_caddy_accepts_the_configuration_and_finds_it_well_formatted(caddyfile, changes, tmp_path):
    path = tmp_path / "Caddyfile"
    path.write_text(caddyfile(changes))
    command = [CADDY, "validate", "--config", str(path), "--adapter", "caddyfile"]
    verdict = subprocess.run(command, capture_output=True, text=True, timeout=120, env={"HOME": str(tmp_path)})
    assert verdict.returncode == 0, verdict.stderr
    assert "not formatted" not in verdict.stderr


def test_replicas_are_all_named_and_a_client_of_the_mcp_server_stays_with_one(caddyfile):
    replicas = {"deployment": {"binary": {"replicas": 2}}}
    text = caddyfile({"orchestrator": {"port": 8280, **replicas}, "mcp-server": replicas})
    assert re.findall(r"reverse_proxy (.*) \{\n\s+#.*\n\s+lb_policy (\w+)", text) == [
        ("http://127.0.0.1:8280 http://127.0.0.1:8281", "least_conn"),
        ("http://127.0.0.1:8084 http://127.0.0.1:8085", "client_ip_hash"),
    ]


def test_what_is_not_installed_has_no_path(caddyfile):
    text = caddyfile({name: {"enabled": False} for name in ("mcp-server", "gitea", "oci-registry")})
    assert re.findall(r"reverse_proxy (\S+)", text) == ["http://127.0.0.1:8080", "http://127.0.0.1:8081"]


def test_nothing_can_change_a_running_gateway(caddyfile):
    assert re.search(r"^\tadmin off$", caddyfile(), re.M)


def test_it_listens_on_the_bind_address_as_a_process_and_everywhere_in_a_container(caddyfile):
    beyond = {name: {"bind_address": "0.0.0.0"} for name in ("orchestrator", "control-center", "mcp-server")}
    assert re.search(r"^\tbind 127\.0\.0\.2$", caddyfile(bind_address="127.0.0.2"), re.M)
    assert "\tbind " not in caddyfile({"api-gateway": {"mode": "docker"}, **beyond})


def test_in_a_container_it_calls_processes_by_the_hosts_name_and_containers_by_theirs(caddyfile):
    beyond = {name: {"bind_address": "0.0.0.0"} for name in ("orchestrator", "control-center", "mcp-server")}
    text = caddyfile({"api-gateway": {"mode": "docker"}, **beyond})
    assert "reverse_proxy http://host.docker.internal:8080 {" in text
    assert "reverse_proxy http://gitea:3000 {" in text


# ---- and running


class Upstream(http.server.BaseHTTPRequestHandler):
    """Tells who was asked for what, under which name."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        seen = {"service": self.server.service, "path": self.path, "host": self.headers["Host"]}
        body = json.dumps(seen).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments) -> None:
        pass


@pytest.fixture(scope="module")
def ports():
    """Small servers in place of the services behind the gateway, and the gateway's own port."""
    servers = {}
    for service in BEHIND:
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Upstream)
        server.service = service
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers[service] = server
    # Nobody listens where Gitea should be.
    servers["gitea"].shutdown()
    servers["gitea"].server_close()
    with socket.socket() as own:
        own.bind(("127.0.0.1", 0))
        number = own.getsockname()[1]
    yield {**{service: server.server_address[1] for service, server in servers.items()}, "api-gateway": number}
    for service, server in servers.items():
        if service != "gitea":
            server.shutdown()
            server.server_close()


@pytest.fixture(scope="module")
def gateway(resolved, ports, tmp_path_factory):
    """The gateway as its definition says: command, arguments, environment and configuration."""
    folder = tmp_path_factory.mktemp("gateway")
    service = resolved({name: {"port": port} for name, port in ports.items()}, work_dir=folder)["api-gateway"]
    for file in service.config:
        Path(file.dest).parent.mkdir(parents=True, exist_ok=True)
        Path(file.dest).write_text(file.content)
    block = service.deployment.binary
    with (folder / "log").open("w") as log:
        process = subprocess.Popen([CADDY, *block.args], env=dict(block.env), stderr=log)
    try:
        wait_for(ports["api-gateway"], process, folder / "log")
        yield ports["api-gateway"]
    finally:
        process.terminate()
        assert process.wait(60) == 0
    written = [path.relative_to(folder).parts[0] for path in folder.rglob("*")]
    assert set(written) <= {"config", "data", "log"}, "it keeps nothing outside its data folder"


def wait_for(port: int, process: subprocess.Popen, log: Path) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as client:
            if client.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.01)
    pytest.fail(f"Caddy does not listen:\n{log.read_text()}")


def get(port: int, path: str, host: str = "localhost") -> tuple[int, str]:
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        client.request("GET", path, headers={"Host": f"{host}:{port}"})
        answer = client.getresponse()
        return answer.status, answer.read().decode()
    finally:
        client.close()


@pytest.mark.parametrize(
    ("path", "service", "received"),
    [
        ("/orchestrator/health", "orchestrator", "/health"),
        ("/orchestrator/api/v1/services?status=running", "orchestrator", "/api/v1/services?status=running"),
        ("/", "control-center", "/"),
        ("/api/platform", "control-center", "/api/platform"),
        ("/mcp", "mcp-server", "/mcp"),
        ("/v2/", "oci-registry", "/v2/"),
        ("/v2/team/app/tags/list", "oci-registry", "/v2/team/app/tags/list"),
        ("/orchestrators", "control-center", "/orchestrators"),
    ],
)
def test_a_path_leads_to_its_service(gateway, path, service, received):
    status, body = get(gateway, path)
    assert status == 200
    assert (json.loads(body)["service"], json.loads(body)["path"]) == (service, received)


@pytest.mark.parametrize("path", ["/orchestrator/x", "/", "/mcp"])
def test_the_platforms_own_services_are_called_by_a_name_of_loopback(gateway, ports, path):
    _, body = get(gateway, path, host="api.provisioning.local")
    seen = json.loads(body)
    assert seen["host"] == f"localhost:{ports[seen['service']]}"


def test_other_services_see_the_name_that_was_asked_for(gateway):
    _, body = get(gateway, "/v2/", host="registry.provisioning.local")
    assert json.loads(body)["host"].startswith("registry.provisioning.local")


def test_the_gateway_answers_for_its_own_health_whatever_it_is_called(gateway):
    status, body = get(gateway, "/health", host="anything.example")
    assert (status, json.loads(body)) == (200, {"status": "healthy", "service": "api-gateway"})


@pytest.mark.parametrize("path", ["/", "/orchestrator/health", "/v2/", "/mcp"])
def test_the_name_of_a_stranger_is_refused_on_every_path(gateway, path):
    status, body = get(gateway, path, host="attacker.example")
    assert status == 421
    assert "allowed_hosts" in body


def test_a_service_that_is_down_is_said_to_be(gateway):
    status, body = get(gateway, "/git/")
    assert status in (502, 503)
    assert "not running or not healthy" in body
