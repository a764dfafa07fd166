# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path

import anyio
import pytest
from ansible_collections.provisioning.platform.plugins.module_utils._errors import DriverError, Problem
from mcp import Client
from provisioning_services.apps import api_server, control_center, mcp_server, orchestrator
from provisioning_services.options import Options
from provisioning_services.platform_view import PlatformView
from provisioning_services.sources import Observer
from starlette.testclient import TestClient

AWAY = DriverError(Problem("docker", "the engine does not answer", "Start it."))
APPLICATIONS = {
    "orchestrator": orchestrator.application,
    "api-server": api_server.application,
    "control-center": control_center.application,
    "mcp-server": mcp_server.application,
}


class Source:
    def __init__(self, outcome: PlatformView | Exception) -> None:
        self.outcome = outcome

    def fetch(self) -> PlatformView:
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome


def client_of(name: str, outcome: PlatformView | Exception | Source) -> TestClient:
    options = Options(service=name, host="127.0.0.1", port=0, work_dir=Path("/nowhere"))
    source = outcome if isinstance(outcome, Source) else Source(outcome)
    return TestClient(APPLICATIONS[name](options, source), base_url="http://127.0.0.1")


@pytest.fixture
def view(seen, view_of) -> PlatformView:
    return view_of(seen("db", since=3.0), seen("web", {"db": "healthy"}, address="http://127.0.0.1:80"))


# --- what all have in common -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", APPLICATIONS)
def test_health_tells_who_answers_and_does_not_look_at_the_platform(name):
    answer = client_of(name, AWAY).get("/health")

    assert answer.status_code == 200
    assert answer.json()["status"] == "healthy"
    assert answer.json()["service"] == name
    assert answer.json()["uptime_seconds"] >= 0
    assert set(answer.json()) == {"status", "service", "version", "uptime_seconds"}


@pytest.mark.parametrize("name", APPLICATIONS)
def test_health_answers_head(name, view):
    assert client_of(name, view).head("/health").status_code == 200


@pytest.mark.parametrize("name", APPLICATIONS)
def test_metrics_are_there_with_the_platform_and_without(name, view):
    seen_well, away = client_of(name, view).get("/metrics"), client_of(name, AWAY).get("/metrics")

    assert seen_well.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert 'provisioning_service_up{service="web"' in seen_well.text
    assert away.status_code == 200
    assert "provisioning_platform_observable 0" in away.text


@pytest.mark.parametrize("name", APPLICATIONS)
@pytest.mark.parametrize("path", ["/health", "/mcp", "/", "/api/v1/status", "/nowhere"])
def test_a_foreign_host_name_is_refused_everywhere(name, path, view):
    assert client_of(name, view).get(path, headers={"Host": "evil.example"}).status_code == 421


# --- the orchestrator ------------------------------------------------------------------------------------------------


def test_the_api_tells_of_the_platform_and_of_one_service(view):
    client = client_of("orchestrator", view)

    status = client.get("/api/v1/status").json()
    assert (status["verdict"], status["summary"]) == ("healthy", "All 2 services are up.")
    assert status["services"] == client.get("/api/v1/services").json()
    assert [service["name"] for service in status["services"]] == ["db", "web"]
    web = client.get("/api/v1/services/web").json()
    assert web == status["services"][1]
    assert (web["depends_on"], web["address"]) == ({"db": "healthy"}, "http://127.0.0.1:80")


@pytest.mark.parametrize(
    ("language", "kind", "begin"),
    [
        ("text", "text/plain; charset=utf-8", "web\n└── db\n"),
        ("mermaid", "text/plain; charset=utf-8", "flowchart LR\n"),
        ("dot", "text/plain; charset=utf-8", "digraph services {\n"),
        ("json", "application/json", '{"nodes":[{"name":"db"'),
    ],
)
def test_the_graph_comes_in_the_format_asked_for(language, kind, begin, view):
    answer = client_of("orchestrator", view).get("/api/v1/graph", params={"format": language})

    assert answer.headers["Content-Type"] == kind
    assert answer.text.startswith(begin)


@pytest.mark.parametrize(
    ("path", "outcome", "status", "said"),
    [
        ("/api/v1/services/x", None, 404, "x: there is no such service. Known services: db, web."),
        ("/api/v1/graph?format=png", None, 422, "format: Input should be 'json', 'mermaid', 'dot' or 'text'"),
        ("/api/v1/status", AWAY, 503, "docker: the engine does not answer. Start it."),
        ("/api/v1/services", PermissionError(13, "Permission denied", "/w"), 503, "[Errno 13] Permission denied: '/w'"),
    ],
)
def test_an_error_is_one_sentence_with_its_status(path, outcome, status, said, view):
    answer = client_of("orchestrator", outcome or view).get(path)

    assert (answer.status_code, answer.json()) == (status, {"error": said})


def test_the_api_describes_itself_without_pages_that_load_from_elsewhere(view):
    client = client_of("orchestrator", view)

    description = client.get("/openapi.json").json()
    assert "/api/v1/services/{name}" in description["paths"]
    assert "ServiceView" in description["components"]["schemas"]
    assert client.get("/docs").status_code == client.get("/redoc").status_code == 404


def test_nothing_can_be_changed(view):
    client = client_of("orchestrator", view)

    for method in ("POST", "PUT", "PATCH", "DELETE"):
        assert client.request(method, "/api/v1/services/web").status_code == 405


# --- the control center ----------------------------------------------------------------------------------------------


def test_the_page_comes_with_a_strict_policy_and_its_assets_are_there(view):
    client = client_of("control-center", view)

    answer = client.get("/")
    assert "All 2 services are up." in answer.text
    assert "script-src 'self'; style-src 'self'" in answer.headers["Content-Security-Policy"]
    assert "unsafe" not in answer.headers["Content-Security-Policy"]
    for name, kind in (("css", "text/css"), ("js", "text/javascript")):
        assert client.get(f"/assets/control-center.{name}").headers["Content-Type"].startswith(kind)
    assert client.get("/assets/icon.svg").headers["Content-Type"] == "image/svg+xml"
    assert client.get("/assets/../page.py").status_code == 404


def test_an_asset_that_has_not_changed_is_not_sent_again(view):
    client = client_of("control-center", view)
    tag = client.get("/assets/control-center.js").headers["ETag"]

    assert client.get("/assets/control-center.js", headers={"If-None-Match": tag}).status_code == 304


def test_what_changes_is_served_alone_and_as_json(view):
    client = client_of("control-center", view)

    assert client.get("/api/view").text.startswith("<section")
    assert client.get("/api/platform").json()["verdict"] == "healthy"


def test_a_platform_that_cannot_be_looked_at_any_more_stays_on_the_page_with_the_reason(view):
    async def scenario() -> PlatformView:
        source = Source(view)
        shown = control_center.Shown(Observer(source, max_age=0))
        await shown.view()
        source.outcome = AWAY
        return await shown.view()

    later = anyio.run(scenario)
    assert later.services == view.services
    assert later.notice == "docker: the engine does not answer. Start it. Shown is what was last seen."


def test_the_page_says_why_nothing_is_known():
    assert "docker: the engine does not answer. Start it." in client_of("control-center", AWAY).get("/").text


# --- the MCP server --------------------------------------------------------------------------------------------------


def call(outcome: PlatformView | Exception, tool: str, **arguments: object):
    async def scenario():
        async with Client(mcp_server.tools(Observer(Source(outcome)))) as client:
            return await client.call_tool(tool, arguments)

    return anyio.run(scenario)


def test_all_tools_are_described_and_marked_as_reading_only(view):
    async def scenario():
        async with Client(mcp_server.tools(Observer(Source(view)))) as client:
            return (await client.list_tools()).tools

    tools = anyio.run(scenario)

    assert {tool.name for tool in tools} == {"list_services", "service_status", "platform_status", "dependency_graph"}
    for tool in tools:
        assert tool.description
        assert tool.annotations is not None
        assert tool.annotations.read_only_hint is True
        assert tool.annotations.destructive_hint is False


def test_the_tools_tell_what_the_api_tells(view):
    names = [service["name"] for service in call(view, "list_services").structured_content["result"]]
    assert names == ["db", "web"]
    assert call(view, "service_status", name="web").structured_content["address"] == "http://127.0.0.1:80"
    assert call(view, "platform_status").structured_content["verdict"] == "healthy"
    assert call(view, "dependency_graph").content[0].text == "web\n└── db"
    assert call(view, "dependency_graph", format="mermaid").content[0].text.startswith("flowchart LR")


@pytest.mark.parametrize(
    ("outcome", "tool", "arguments", "said"),
    [
        (None, "service_status", {"name": "x"}, "x: there is no such service. Known services: db, web."),
        (AWAY, "platform_status", {}, "docker: the engine does not answer. Start it."),
        (AWAY, "dependency_graph", {}, "docker: the engine does not answer. Start it."),
    ],
)
def test_a_tool_that_fails_says_why(outcome, tool, arguments, said, view):
    result = call(outcome or view, tool, **arguments)

    assert result.is_error
    assert result.content[0].text == f"Error executing tool {tool}: {said}"


def test_readiness_is_a_tool_used_through_the_protocol(view):
    ready, failing = client_of("mcp-server", view).get("/ready"), client_of("mcp-server", AWAY).get("/ready")

    assert (ready.status_code, ready.json()["status"]) == (200, "ready")
    assert "list_services" in ready.json()["tools"]
    assert failing.status_code == 503
    assert failing.json()["reason"].endswith("docker: the engine does not answer. Start it.")


def test_the_api_server_tells_what_the_orchestrator_tells_under_a_name_of_its_own(view):
    paths = ["/api/v1/status", "/api/v1/services", "/api/v1/services/web", "/api/v1/graph?format=mermaid", "/nowhere"]
    clients = [client_of(name, view) for name in ("orchestrator", "api-server")]
    for path in paths:
        told = [client.get(path) for client in clients]
        assert told[0].status_code == told[1].status_code
        assert told[0].text == told[1].text
    described = [client.get("/openapi.json").json() for client in clients]
    assert described[0]["paths"] == described[1]["paths"]
    assert described[0]["info"]["title"] != described[1]["info"]["title"]
