# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The profile cicd with everything in containers, the platform's own services in those of their own image."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from tests.fixtures.installations import CONTAINERS, SERVICES, Installation, Ran, team
from tests.fixtures.kubernetes.clusters import until
from tests.fixtures.own_image import build_own_image
from tests.fixtures.standins import build_standins

OWN = ("orchestrator", "control-center", "api-server", "mcp-server")
ALL = {*SERVICES, "postgres", "api-server"}

# The first test builds the image.
pytestmark = pytest.mark.timeout(900)


@dataclass(frozen=True)
class Installed:
    one: Installation
    ran: Ran

    def get(self, service: str, path: str) -> str:
        with urllib.request.urlopen(self.one.url(service, path), timeout=60) as answer:
            return answer.read().decode()


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory, docker_url: str) -> Iterator[Installed]:
    build_standins(docker_url, (*CONTAINERS, "postgres", "api-gateway"))
    image = build_own_image(docker_url)
    one = team(tmp_path_factory.mktemp("containers"), "CICD", engine_url=docker_url)
    for name in OWN:
        one.service(name).update(mode="docker", deployment={"docker": {"image": image}})
    one.service("api-gateway").update(mode="docker")
    try:
        yield Installed(one, one.run("--json"))
    finally:
        one.clean()


def test_all_nine_are_healthy_containers(installed):
    assert (installed.ran.returncode, installed.ran.stderr) == (0, "")
    assert set(installed.one.containers()) == ALL
    assert installed.one.pids() == {}


def is_healthy(view: Mapping[str, Any]) -> bool:
    return bool(view["verdict"] == "healthy")


def test_the_orchestrator_sees_all_of_them_from_its_container(installed):
    view = until(lambda: json.loads(installed.get("orchestrator", "/api/v1/status")), is_healthy)
    assert view["source"] == "the services themselves"
    assert {service["name"] for service in view["services"]} == ALL


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/api-server/api/v1/status", '"verdict":"healthy"'),
        ("/orchestrator/health", '"service":"orchestrator"'),
        ("/api/platform", "the orchestrator at http://orchestrator:"),
        ("/git/api/v1/version", "version"),
    ],
)
def test_the_gateway_leads_from_container_to_container(installed, path, said):
    # On a busy machine a service may be slow to answer its check once.
    until(lambda: installed.get("api-gateway", path).replace('": "', '":"'), lambda answer: said in answer)


def test_no_secret_is_where_our_own_services_could_see_it(installed):
    seen = {name: text for name, text in installed.one.texts().items() if name.startswith("config/orchestrator/")}
    assert set(seen) == {"config/orchestrator/platform.json"}
    secrets = installed.one.secrets().values()
    assert not any(secret in text for secret in secrets for text in (*seen.values(), installed.one.inspected()))
