# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The platform's own services in containers of their own image, on a real engine."""

from __future__ import annotations

import http.client
import json
import uuid
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import docker
import pytest
from ansible_collections.provisioning.platform.plugins.module_utils._config_writer import ConfigWriter
from ansible_collections.provisioning.platform.plugins.module_utils._manager import Manager
from ansible_collections.provisioning.platform.plugins.module_utils._paths import WorkDir, make_directory
from ansible_collections.provisioning.platform.plugins.module_utils._settings import Settings
from ansible_collections.provisioning.platform.plugins.plugin_utils.config import from_mapping
from ansible_collections.provisioning.platform.plugins.plugin_utils.resolve import resolve

from tests.fixtures.own_image import build_own_image
from tests.fixtures.ports import free_ports

ROOT = Path(__file__).resolve().parents[2]
NAMES = ("orchestrator", "control-center", "api-server", "mcp-server")
SECRET = "correct-horse-battery-staple"

# The first test builds the image.
pytestmark = [pytest.mark.docker, pytest.mark.timeout(900)]


@dataclass
class Platform:
    manager: Manager
    ports: dict[str, int]
    project: str
    engine_url: str
    image: str

    def get(self, service: str, path: str, **headers: str) -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.ports[service], timeout=60)
        with closing(connection):
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()

    def inspected(self, service: str) -> dict:
        api = docker.APIClient(self.engine_url, version="auto")
        try:
            return api.inspect_container(f"{self.project}-{service}")
        finally:
            api.close()


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory, docker_url: str) -> Iterator[Platform]:
    folder = tmp_path_factory.mktemp("own-image")
    image = build_own_image(docker_url)
    ports = dict(zip(NAMES, free_ports(len(NAMES)), strict=True))
    patience = {"health": {"timeout": 30}, "startup": {"timeout": 240}}  # however busy the machine is
    services = [{"name": name, "port": port, "mode": "docker", **patience} for name, port in ports.items()]
    project = f"own-{uuid.uuid4().hex[:6]}"
    config = from_mapping(
        {"deployment": {"services": services, "project": project}}, env={"PROVISIONING_IMAGE": image}, base_dir=folder
    )
    wanted = resolve(
        config,
        home=str(folder),
        roles_dir=ROOT / "roles",
        env={"PROVISIONING_IMAGE": image},
        work_dir=str(folder / "work"),
        only=list(NAMES),
    ).registry.services
    layout = WorkDir(folder / "work")
    make_directory(layout.root)
    writer = ConfigWriter(layout)
    for service in wanted.values():
        for change in writer.changes(service):
            writer.apply(change)
    manager = Manager(layout.root, wanted, Settings(project=project, engine_url=docker_url, env={"SOME_TOKEN": SECRET}))
    manager.save_settings()
    try:
        _, outcomes = manager.converge(dict.fromkeys(NAMES, "started"))
        assert all(outcome.is_well for outcome in outcomes.values()), outcomes
        yield Platform(manager, ports, project, docker_url, image)
    finally:
        manager.converge(dict.fromkeys(NAMES, "absent"))
        manager.clean(purge=True)


def test_all_four_pass_their_verification(platform):
    results = platform.manager.verify()
    assert {name: [r.reason for r in found if not r.healthy] for name, found in results.items()} == {
        name: [] for name in NAMES
    }


@pytest.mark.parametrize("name", NAMES)
def test_one_runs_as_nobody_on_a_system_that_it_cannot_write_to_and_is_published_on_loopback(platform, name):
    found = platform.inspected(name)
    host = found["HostConfig"]
    assert found["Config"]["User"] == "10001:10001"
    assert host["ReadonlyRootfs"] is True
    assert (host["CapDrop"], host["CapAdd"], host["SecurityOpt"]) == (["ALL"], None, ["no-new-privileges"])
    assert {entry["HostIp"] for entries in host["PortBindings"].values() for entry in entries} == {"127.0.0.1"}
    assert all(not mount["RW"] for mount in found["Mounts"])


def test_no_container_sees_the_work_dir_or_the_engine(platform):
    mounts = [mount["Source"] for name in NAMES for mount in platform.inspected(name)["Mounts"]]
    assert [Path(source).parts[-2:] for source in mounts] == [("config", "orchestrator")]


def test_the_orchestrator_sees_the_services_through_the_network(platform):
    view = json.loads(platform.get("orchestrator", "/api/v1/status")[1])
    assert (view["verdict"], view["source"]) == ("healthy", "the services themselves")
    assert {service["name"]: service["health"] for service in view["services"]} == dict.fromkeys(NAMES, "healthy")
    for service in view["services"]:
        assert service["address"] == f"http://127.0.0.1:{platform.ports[service['name']]}"


@pytest.mark.parametrize(("name", "path"), [("control-center", "/api/platform"), ("api-server", "/api/v1/status")])
def test_the_others_see_what_the_orchestrator_sees(platform, name, path):
    view = json.loads(platform.get(name, path)[1])
    assert view["source"] == "the orchestrator at http://orchestrator:" + str(platform.ports["orchestrator"])
    assert (view["verdict"], view["notice"]) == ("healthy", "")


def test_the_mcp_server_uses_its_own_tools(platform):
    status, body = platform.get("mcp-server", "/ready")
    assert (status, json.loads(body)["status"]) == (200, "ready")


def test_the_api_describes_itself(platform):
    description = json.loads(platform.get("api-server", "/openapi.json")[1])
    assert description["info"]["title"] == "Provisioning API"
    assert "/api/v1/services/{name}" in description["paths"]


@pytest.mark.parametrize("name", NAMES)
def test_a_strangers_name_is_refused_and_the_services_own_is_answered(platform, name):
    assert platform.get(name, "/health", Host="attacker.example")[0] == 421
    assert platform.get(name, "/health", Host=f"{name}:{platform.ports[name]}")[0] == 200
    assert platform.get(name, "/health", Host="attacker.example", Origin="https://attacker.example")[0] == 421
    assert platform.get(name, "/health", Origin="https://attacker.example")[0] == 403


def test_no_answer_shows_the_environment(platform):
    answers = [platform.get(name, path)[1] for name in NAMES for path in ("/health", "/metrics")]
    answers.append(platform.get("orchestrator", "/api/v1/status")[1])
    assert not any(SECRET in answer for answer in answers)


def test_a_service_that_dies_is_seen(platform):
    api = docker.APIClient(platform.engine_url, version="auto")
    try:
        api.stop(f"{platform.project}-mcp-server", timeout=5)
        view = json.loads(platform.get("orchestrator", "/api/v1/services/mcp-server")[1])
        assert (view["status"], view["ok"]) in {("failed", False), ("running", True)}  # what was seen a moment ago
        platform.manager.converge({"mcp-server": "started"})
    finally:
        api.close()
