# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several replicas of a service behind the real gateway: one is killed, and requests go on."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
import urllib.request
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
import pytest
from ansible_collections.provisioning.platform.plugins.module_utils._config_writer import ConfigWriter
from ansible_collections.provisioning.platform.plugins.module_utils._manager import Manager
from ansible_collections.provisioning.platform.plugins.module_utils._model import ServiceOperation
from ansible_collections.provisioning.platform.plugins.module_utils._settings import Settings
from ansible_collections.provisioning.platform.plugins.plugin_utils.config import from_mapping
from ansible_collections.provisioning.platform.plugins.plugin_utils.resolve import resolve

from tests.fixtures.images import build_image
from tests.fixtures.ports import free_port, free_ports
from tests.fixtures.standins import build_standins

ROLES = Path(__file__).parents[2] / "roles"
IMAGE = f"provisioning-test/replica-{uuid.uuid4().hex[:10]}:1"

# Says which replica it is, at the place of the orchestrator.
_REPLICA = """
import os, sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        text = os.environ["REPLICA"].encode()
        is_called_right = self.path == "/health" or self.headers["Host"] == "localhost:" + sys.argv[1]
        self.send_response(200 if is_called_right else 421)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)
    def log_message(self, *args):
        pass
assert os.environ["OWN_PORT"] == sys.argv[1]
ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


def process(port: int) -> dict[str, Any]:
    block = {
        "command": sys.executable,
        "args": ["-c", _REPLICA, "${replica.port}"],
        "env": {"OWN_PORT": "${replica.port}"},
        "replicas": 2,
    }
    health = {"type": "http", "url": "${self.url}/health"}
    return {"port": port, "deployment": {"mode": "binary", "binary": block}, "health": health}


def container(port: int, *, published: bool) -> dict[str, Any]:
    block = {"image": IMAGE, "replicas": 2, "ports": [f"{port}-{port + 1}:8080"] if published else []}
    health = {"type": "http", "url": "${self.url}/health"} if published else None
    return {"port": port if published else 8080, "deployment": {"mode": "docker", "docker": block}, "health": health}


def two_ports() -> int:
    """Return the first of two ports in a row."""
    while True:
        one, other = free_ports(2)
        if abs(one - other) == 1:
            return min(one, other)


@dataclass
class Gateway:
    """A gateway and the two replicas behind it, on this machine."""

    manager: Manager
    api: docker.APIClient | None

    def start(self) -> None:
        _, outcomes = self.manager.converge(self.manager.goals_of(ServiceOperation(operation="start")))
        assert all(outcome.is_well for outcome in outcomes.values()), outcomes

    def replicas(self) -> tuple[str, ...]:
        return self.manager.observe(["orchestrator"])[0]["orchestrator"].instances

    def kill(self, number: int) -> None:
        instance = self.replicas()[number - 1]
        if self.api is None:
            os.kill(int(instance), signal.SIGKILL)
        else:
            self.api.kill(instance)

    def ask(self, times: int) -> Counter[str]:
        """Ask so often for who is there; each request must be answered."""
        url = f"{self.manager.definition('api-gateway').url}/orchestrator"
        path = "/who" if self.api is None else "/cgi-bin/who"
        answers: Counter[str] = Counter()
        for _ in range(times):
            with urllib.request.urlopen(f"{url}{path}", timeout=30) as answer:
                answers[answer.read().decode().strip()] += 1
        return answers

    def ask_until_all_answer(self) -> None:
        deadline = time.monotonic() + 60
        while len(self.ask(10)) < 2:
            assert time.monotonic() < deadline, "only one replica is asked"
            time.sleep(0.2)


Make = Callable[..., Gateway]


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Make]:
    """Makes a gateway in front of a definition that takes the orchestrator's place."""
    with ExitStack() as stack:

        def make(definition: dict[str, Any], *, mode: str = "binary", engine: str = "docker", url: str = "") -> Gateway:
            registry = tmp_path / "registry.yml"
            given = {key: value for key, value in definition.items() if value is not None}
            registry.write_text(json.dumps({"services": {"orchestrator": given}}))
            left_out = ("control-center", "mcp-server", "coredns", "gitea", "oci-registry")
            services: list[dict[str, Any]] = [{"name": name, "enabled": False} for name in left_out]
            services.append({"name": "api-gateway", "port": free_port(), "mode": mode})
            project = f"replicas-{uuid.uuid4().hex[:8]}"
            document = {
                "work_dir": str(tmp_path / "work"),
                "registry": [str(registry)],
                "deployment": {"project": project, "services": services},
            }
            config = from_mapping(document, env={}, base_dir=tmp_path)
            platform = resolve(config, home=str(tmp_path), roles_dir=ROLES, env={})
            settings = Settings(project=project, engine=engine, engine_url=url or None)
            manager = Manager(tmp_path / "work", platform.registry.services, settings)
            writer = ConfigWriter(manager.work_dir)
            for change in writer.changes(platform.registry.services["api-gateway"]):
                writer.apply(change)
            api = stack.enter_context(closing(docker.APIClient(url, version="auto", timeout=60))) if url else None
            if api is not None:
                build_image(
                    api,
                    IMAGE,
                    files={"/www/health": "ok\n"},
                    cgi={"who": "printf 'Content-Type: text/plain\\n\\n'; echo $REPLICA"},
                )
                stack.callback(api.remove_image, IMAGE, force=True)
            stack.callback(manager.clean)
            stack.callback(manager.converge, dict.fromkeys(platform.registry.services, "absent"))
            return Gateway(manager, api)

        yield make


def goes_on(gateway: Gateway) -> None:
    gateway.start()
    assert set(gateway.ask(20)) == {"1", "2"}
    gateway.kill(2)
    assert gateway.ask(40) == {"1": 40}
    status = gateway.manager.status(["orchestrator"])[0]
    assert status.status in ("failed", "stopped"), status
    first = gateway.replicas()[0]
    gateway.start()
    assert gateway.replicas()[0] == first
    gateway.ask_until_all_answer()


def test_requests_go_on_when_one_of_two_processes_is_killed(gateway):
    goes_on(gateway(process(two_ports())))


def test_requests_go_on_when_one_of_two_published_containers_is_killed(gateway, docker_url):
    goes_on(gateway(container(two_ports(), published=True), url=docker_url))


@pytest.mark.parametrize("engine", ["docker", "podman"])
def test_requests_go_on_when_one_of_two_containers_beside_the_gateway_is_killed(gateway, engine, request):
    url = request.getfixturevalue(f"{engine}_url")
    build_standins(url, ["api-gateway"])
    goes_on(gateway(container(8080, published=False), mode="docker", engine=engine, url=url))


def test_all_replicas_must_be_healthy(gateway):
    port = two_ports()
    definition = process(port)
    # The second one runs, and listens somewhere else than where it is looked for.
    args = ["-c", _REPLICA.replace("int(sys.argv[1])", f"{port} if sys.argv[1] == '{port}' else 0"), "${replica.port}"]
    definition["deployment"]["binary"]["args"] = args
    definition["startup"] = {"timeout": 1}
    one = gateway(definition)
    _, outcomes = one.manager.converge(one.manager.goals_of(ServiceOperation(operation="start")))
    assert outcomes["orchestrator"].result == "failed"
    assert f"replica 2 of 2: http://127.0.0.1:{port + 1}/health refused the connection" in (
        outcomes["orchestrator"].reason
    )
