# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import http.server
import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils._errors import ConfigurationError, DriverError
from provisioning_services.options import Options
from provisioning_services.probes import ProbeSource
from provisioning_services.sources import source_for


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/health?deep=1" else 503)
        self.end_headers()

    def log_message(self, *arguments: Any) -> None:
        pass


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


@pytest.fixture
def nobody() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


@pytest.fixture
def view(tmp_path):
    """Gives the view of the services that a file names, by name."""

    def look(**services: dict[str, Any]):
        path = tmp_path / "platform.json"
        named = [{"name": name, "mode": "docker", "depends_on": {}, **service} for name, service in services.items()]
        path.write_text(json.dumps({"services": named}))
        return ProbeSource(path).fetch()

    return look


def test_a_service_is_what_it_answers(view, port, nobody):
    seen = view(
        well={"probe": f"http://127.0.0.1:{port}/health?deep=1", "address": "http://people.example:80"},
        sick={"probe": f"http://127.0.0.1:{port}/health"},
        gone={"probe": f"http://127.0.0.1:{nobody}/health"},
        database={"connect": f"127.0.0.1:{port}"},
        silent={"connect": f"127.0.0.1:{nobody}", "required": False},
        hidden={},
    )
    found = {service.name: (service.status, service.health, service.ok) for service in seen.services}
    assert found == {
        "well": ("running", "healthy", True),
        "sick": ("failed", "unhealthy", False),
        "gone": ("failed", "unhealthy", False),
        "database": ("running", "healthy", True),
        "silent": ("failed", "unhealthy", False),
        "hidden": ("unknown", "unknown", False),
    }
    details = {service.name: service.detail for service in seen.services}
    assert "503" in details["sick"]
    assert "refused the connection" in details["gone"]
    assert details["hidden"] == "it cannot be reached from here"
    assert next(service.address for service in seen.services if service.name == "well") == "http://people.example:80"


def test_services_stand_in_the_order_in_which_they_start(view, port):
    probe = f"http://127.0.0.1:{port}/health?deep=1"
    seen = view(
        web={"probe": probe, "depends_on": {"database": "healthy"}, "start_order": 1},
        database={"probe": probe, "start_order": 50},
    )
    assert [service.name for service in seen.services] == ["database", "web"]
    assert seen.verdict == "healthy"
    assert seen.services[1].depends_on == {"database": "healthy"}


def test_no_services_are_an_empty_platform(view):
    assert view().verdict == "empty"


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"services": [{"name": "x"}]}', '{"services": [{"name": "x", "colour": 1}]}', '{"services": 1}'],
)
def test_a_file_that_is_no_list_of_services_is_told_with_its_remedy(tmp_path, text):
    path = tmp_path / "platform.json"
    path.write_text(text)
    with pytest.raises(
        ConfigurationError, match=r"platform\.json: does not name services: .*Install the platform again"
    ):
        ProbeSource(path).fetch()


def test_a_file_that_is_not_there_is_told(tmp_path):
    with pytest.raises(DriverError, match=r"none.json: cannot be read: No such file"):
        ProbeSource(tmp_path / "none.json").fetch()


def test_who_is_given_such_a_file_asks_the_services(tmp_path):
    options = Options(
        service="orchestrator", host="127.0.0.1", port=0, work_dir=Path("/nowhere"), platform_file=tmp_path / "p.json"
    )
    assert isinstance(source_for(options), ProbeSource)
