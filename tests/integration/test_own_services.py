# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The platform's own services as they really run: processes of the engine, made from the roles' definitions."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import anyio
import pytest
from ansible_collections.provisioning.platform.plugins.module_utils._manager import Manager
from ansible_collections.provisioning.platform.plugins.module_utils._settings import Settings
from ansible_collections.provisioning.platform.plugins.plugin_utils.config import from_mapping
from ansible_collections.provisioning.platform.plugins.plugin_utils.resolve import resolve
from mcp import Client

from tests.fixtures.ports import free_ports

ROOT = Path(__file__).resolve().parents[2]
PYTHON_PATH = os.pathsep.join([str(ROOT / "playbooks" / "collections"), str(ROOT / "python")])
NAMES = ("orchestrator", "control-center", "mcp-server")
# What no answer may show: it stands in a service's environment.
SECRET = "correct-horse-battery-staple"
CHROMIUM = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@dataclass
class Platform:
    manager: Manager
    ports: dict[str, int]

    def get(self, service: str, path: str, **headers: str) -> tuple[int, str]:
        return get(self.ports[service], path, **headers)

    def pid(self, service: str) -> int:
        [status] = self.manager.status([service], health=False)
        assert status.id is not None
        return int(status.id)


def get(port: int, path: str, **headers: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    with closing(connection):
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()


def until(condition: Callable[[], bool], *, seconds: float = 60.0) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return False


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """All three services, brought up by the engine."""
    folder = tmp_path_factory.mktemp("platform")
    ports = dict(zip(NAMES, free_ports(3), strict=True))
    patience = {"health": {"timeout": 30}, "startup": {"timeout": 240}}  # however busy the machine is
    services = [{"name": name, "port": port, **patience} for name, port in ports.items()]
    config = from_mapping({"deployment": {"services": services}}, env={}, base_dir=folder)
    wanted = resolve(
        config, home=str(folder), roles_dir=ROOT / "roles", env={}, work_dir=str(folder / "work"), only=list(NAMES)
    )
    # The processes run this checkout, whether or not the package is installed beside it.
    env = {"PYTHONPATH": PYTHON_PATH, "SOME_TOKEN": SECRET}
    manager = Manager(folder / "work", wanted.registry.services, Settings(env=env))
    manager.save_settings()
    try:
        yield Platform(manager, ports)
    finally:
        manager.converge(dict.fromkeys(NAMES, "absent"))


@pytest.fixture
def platform(installed: Platform) -> Platform:
    """All three services, healthy; what a test before has killed is started again."""
    _, outcomes = installed.manager.converge(dict.fromkeys(NAMES, "started"))
    assert all(outcome.is_well for outcome in outcomes.values()), outcomes
    return installed


def test_the_roles_definitions_give_three_services_that_pass_their_own_verification(platform):
    results = platform.manager.verify()

    assert {name: [(r.healthy, r.reason) for r in found if not r.healthy] for name, found in results.items()} == {
        name: [] for name in NAMES
    }
    assert all(results.values())


def test_the_api_shows_what_the_engine_sees(platform):
    status, body = platform.get("orchestrator", "/api/v1/status")
    view = json.loads(body)

    assert status == 200
    assert (view["verdict"], view["summary"]) == ("healthy", "All 3 services are up.")
    by_name = {service["name"]: service for service in view["services"]}
    assert list(by_name) == list(NAMES)
    for name, service in by_name.items():
        assert service["id"] == str(platform.pid(name))
        assert service["address"] == f"http://127.0.0.1:{platform.ports[name]}"
        assert service["health"] == "healthy"
        assert 0 <= time.time() - service["since"] < 300
        assert service["reason"]
    assert by_name["mcp-server"]["required"] is False
    assert by_name["control-center"]["depends_on"] == {"orchestrator": "healthy"}
    assert platform.get("orchestrator", "/api/v1/graph?format=text") == (
        200,
        "control-center\n└── orchestrator\nmcp-server\n└── orchestrator\n",
    )


def test_no_answer_shows_what_a_service_has_in_its_environment(platform):
    paths = {
        "orchestrator": ["/api/v1/status", "/api/v1/services/orchestrator", "/api/v1/graph", "/openapi.json"],
        "control-center": ["/", "/api/view", "/api/platform"],
        "mcp-server": ["/ready"],
    }
    answers = [platform.get(name, path) for name in NAMES for path in ["/health", "/metrics", *paths[name]]]

    assert {status for status, _ in answers} == {200}
    assert not any(SECRET in body or "PYTHONPATH" in body for _, body in answers)


def test_a_service_that_dies_is_seen_by_all_three(platform):
    os.kill(platform.pid("mcp-server"), signal.SIGKILL)

    assert until(lambda: json.loads(platform.get("control-center", "/api/platform")[1])["verdict"] == "degraded")
    metrics = platform.get("orchestrator", "/metrics")[1]
    assert re.search(r'provisioning_service_up\{service="mcp-server",.*\} 0', metrics)
    assert "not up (optional): mcp-server." in platform.get("control-center", "/")[1]


def test_the_control_center_says_that_the_orchestrator_is_away_and_shows_what_it_sees_itself(platform):
    os.kill(platform.pid("orchestrator"), signal.SIGKILL)
    assert until(lambda: "Please note." in platform.get("control-center", "/")[1])

    status, page = platform.get("control-center", "/")
    assert status == 200
    assert f"The orchestrator at http://127.0.0.1:{platform.ports['orchestrator']}: it cannot be reached" in page
    assert "Shown is what this host sees by itself." in page
    assert "not up (required): orchestrator." in page


def test_a_host_name_that_is_not_ours_is_refused_and_a_page_elsewhere_cannot_call_the_tools(platform):
    for name in NAMES:
        assert platform.get(name, "/health", Host="rebound.example")[0] == 421
    assert platform.get("mcp-server", "/mcp", Host="rebound.example")[0] == 421
    assert platform.get("mcp-server", "/mcp", Origin="https://evil.example")[0] == 403


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_a_real_client_uses_the_tools_over_http(platform, mode):
    async def scenario() -> None:
        async with Client(f"http://127.0.0.1:{platform.ports['mcp-server']}/mcp", mode=mode) as client:
            tools = (await client.list_tools()).tools
            assert {tool.name for tool in tools} == {
                "list_services",
                "service_status",
                "platform_status",
                "dependency_graph",
            }
            assert all(tool.annotations is not None and tool.annotations.read_only_hint for tool in tools)
            status = (await client.call_tool("platform_status")).structured_content
            assert status is not None
            assert status["summary"] == "All 3 services are up."
            one = (await client.call_tool("service_status", {"name": "orchestrator"})).structured_content
            assert one is not None
            assert one["id"] == str(platform.pid("orchestrator"))
            unknown = await client.call_tool("service_status", {"name": "nobody"})
            assert unknown.is_error

    anyio.run(scenario)


@pytest.mark.browser
def test_the_page_in_a_browser_keeps_itself_up_to_date_on_any_screen(platform):
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=CHROMIUM)
        page = browser.new_page(viewport={"width": 360, "height": 740})
        complaints: list[str] = []
        requests: list[str] = []
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: requests.append(request.url))
        page.goto(f"http://localhost:{platform.ports['control-center']}/")

        assert page.title() == "Provisioning control center"
        assert page.get_by_role("heading", name="Healthy").is_visible()
        assert page.get_by_role("row").filter(has_text="orchestrator").first.get_by_text("running").is_visible()
        assert page.get_by_text("Live", exact=True).is_visible()
        assert page.locator("svg g.box").count() == 3
        for width in (320, 360, 768, 1280):
            page.set_viewport_size({"width": width, "height": 740})
            assert page.evaluate("document.documentElement.scrollWidth") <= width
        link = page.locator("#address-orchestrator")
        link.focus()

        os.kill(platform.pid("mcp-server"), signal.SIGKILL)
        page.get_by_role("heading", name="Degraded").wait_for(timeout=90_000)
        assert page.evaluate("document.activeElement.id") == "address-orchestrator"

        os.kill(platform.pid("control-center"), signal.SIGKILL)
        page.get_by_text("The control center does not answer").wait_for(timeout=90_000)
        assert page.get_by_role("heading", name="Degraded").is_visible()
        browser.close()

    # A refused connection is the browser's to report; anything else would be ours: blocked by policy, or broken.
    assert [text for text in complaints if "ERR_CONNECTION_REFUSED" not in text] == []
    assert all(url.startswith(f"http://localhost:{platform.ports['control-center']}/") for url in requests)


# --- the commands ----------------------------------------------------------------------------------------------------


def command(name: str, *arguments: str) -> subprocess.Popen[str]:
    module = name.replace("-", "_")
    return subprocess.Popen(
        [sys.executable, "-c", f"from provisioning_services.{module} import main; main()", *arguments],
        env={**os.environ, "PYTHONPATH": PYTHON_PATH},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def answers(port: int) -> bool:
    try:
        return get(port, "/health")[0] == 200
    except ConnectionRefusedError:
        return False


@pytest.mark.parametrize("name", NAMES)
def test_a_command_serves_logs_requests_and_stops_gracefully_on_sigterm(name, tmp_path):
    [port] = free_ports(1)
    process = command(name, f"--port={port}", f"--work-dir={tmp_path / 'none'}")
    assert until(lambda: answers(port))
    # A client that keeps its connection open does not hold the service up.
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as idle:
        idle.request("GET", "/nowhere")
        idle.getresponse().read()
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=60)

    assert process.returncode == 0
    assert err == ""
    assert f"provisioning-{name} " in out
    assert f"on http://127.0.0.1:{port}, work dir {tmp_path / 'none'}" in out
    assert '"GET /nowhere HTTP/1.1" 404' in out
    assert "GET /health" not in out
    assert out.endswith("stopped by SIGTERM\n")


def test_a_port_that_is_taken_is_told_in_one_line_with_its_remedy(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        process = command("orchestrator", f"--port={port}", f"--work-dir={tmp_path}")
        out, err = process.communicate(timeout=60)

    assert process.returncode == 3
    assert out == ""
    assert err == (
        f"provisioning-orchestrator: cannot listen on 127.0.0.1 port {port}: Address already in use."
        " Stop what uses it, or choose another with --host or --port.\n"
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--port=eighty"], "argument --port: 'eighty' is not a port"),
        (["--host=no-such-host.invalid"], "--host no-such-host.invalid: "),
    ],
)
def test_a_bad_argument_ends_the_command_with_one_line_and_exit_code_2(arguments, said):
    process = command("mcp-server", *arguments)
    out, err = process.communicate(timeout=60)

    assert (process.returncode, out) == (2, "")
    assert err.startswith(f"provisioning-mcp-server: {said}")
    assert err.count("\n") == 1


def test_beyond_loopback_a_service_listens_only_when_told_and_warns_of_it(tmp_path):
    [port] = free_ports(1)
    process = command("orchestrator", "--host=0.0.0.0", f"--port={port}", f"--work-dir={tmp_path}")
    assert until(lambda: answers(port))
    assert get(port, "/health", Host=f"0.0.0.0:{port}")[0] == 200
    assert get(port, "/health", Host="platform.example")[0] == 421
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=60)

    assert "WARNING provisioning-orchestrator can be reached from other machines, and asks nobody who they are" in out
