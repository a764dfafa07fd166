# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The profiles multi-user and cicd on one machine: installed, installed again, and taken away."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.fixtures.installations import CONTAINERS, SERVICES, Installation, Ran, changed, team
from tests.fixtures.standins import build_standins

#: What each has beside the solo profile's.
MORE = {"MultiUser": {"postgres"}, "CICD": {"postgres", "api-server"}}


@dataclass(frozen=True)
class Installed:
    mode: str
    one: Installation
    ran: Ran
    identities: dict[str, str]

    @property
    def services(self) -> set[str]:
        return {*SERVICES, *MORE[self.mode]}


@pytest.fixture(scope="module", params=list(MORE))
def installed(request: pytest.FixtureRequest, tmp_path_factory, docker_url: str) -> Iterator[Installed]:
    build_standins(docker_url, (*CONTAINERS, "postgres"))
    one = team(tmp_path_factory.mktemp(request.param), request.param, engine_url=docker_url)
    try:
        ran = one.run("--json")
        yield Installed(request.param, one, ran, one.identities())
    finally:
        one.clean()


def test_every_service_of_the_profile_is_installed_and_healthy(installed):
    assert (installed.ran.returncode, installed.ran.stderr) == (0, "")
    ending = json.loads(installed.ran.stdout.splitlines()[-1])
    assert (ending["kind"], ending["data"]["degraded"]) == ("run.completed", False)
    statuses = {name: service["status"] for name, service in ending["data"]["services"].items()}
    assert statuses == dict.fromkeys(installed.services, "healthy")
    assert set(installed.identities) == installed.services


def test_gitea_starts_after_the_database_that_it_is_told_to_use(installed):
    events = [json.loads(line) for line in installed.ran.stdout.splitlines()]
    order = [(event["kind"], event.get("service")) for event in events]
    assert order.index(("service.healthy", "postgres")) < order.index(("service.starting", "gitea"))
    ini = (installed.one.work_dir / "config/gitea/app.ini").read_text(encoding="utf-8")
    assert "DB_TYPE = postgres" in ini
    assert installed.one.secrets()["postgres.gitea_password"] in ini


def test_passwords_are_in_their_files_and_in_configuration_that_needs_them_and_nowhere_else(installed):
    may_hold = {
        "secrets/postgres.json",
        "config/postgres/password",
        "config/postgres/databases.sql",
        "config/gitea/app.ini",
    }
    texts = {
        **installed.one.texts(),
        "what the engine tells": installed.one.inspected(),
        "stdout": installed.ran.stdout,
    }
    for name, value in installed.one.secrets().items():
        if name.startswith("postgres."):
            assert {place for place, text in texts.items() if value in text} <= may_hold, name


def test_the_api_server_tells_what_the_orchestrator_sees(installed):
    if installed.mode != "CICD":
        assert "api-server" not in installed.identities
        return
    with urllib.request.urlopen(installed.one.url("api-server", "/api/v1/status"), timeout=60) as answer:
        view = json.load(answer)
    assert (view["verdict"], {service["name"] for service in view["services"]}) == ("healthy", installed.services)


def test_again_nothing_changes_and_an_uninstallation_leaves_nothing(installed):
    again = installed.one.run()
    assert (again.returncode, changed(again)) == (0, 0)
    assert installed.one.identities() == installed.identities
    assert installed.one.playbook("uninstall", purge=True).returncode == 0
    assert installed.one.leftovers() == []
    assert not installed.one.work_dir.exists()
