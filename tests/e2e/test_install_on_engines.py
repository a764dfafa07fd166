# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All seven services with a container engine, through the life of one installation on each engine.

Each phase of that life is a fixture that runs a command once and notes what there was before and after it; the tests
look at what was noted, so that their order does not matter.
"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass, field

import docker
import pytest

from tests.fixtures.installations import CONTAINERS, PROCESSES, SERVICES, STEPS, Installation, Ran, changed, solo
from tests.fixtures.machine import watched_commands
from tests.fixtures.standins import build_standins

#: Where a secret may be: in its own file, and in the files of configuration that need it.
MAY_HOLD_SECRETS = {
    "secrets/gitea.json",
    "secrets/oci-registry.json",
    "config/gitea/app.ini",
    "config/oci-registry/htpasswd",
}
#: What services other than ours read holds no secret, and says so in the definition.
PUBLIC = {"config/api-gateway/Caddyfile", "config/coredns/Corefile", "config/coredns/zones/provisioning.zone"}
PUBLIC |= {"config/oci-registry/config.json"}


@dataclass(frozen=True)
class Phase:
    """One command, and what there was on the machine before and after it.

    :param texts: everything in which a secret could have been left, by a name for it.
    """

    ran: Ran
    before: dict[str, str]
    after: dict[str, str]
    answering: set[str] = field(default_factory=set)
    files: dict[str, str] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)

    @property
    def replaced(self) -> set[str]:
        """The services that are not what they were."""
        return {name for name in {*self.before, *self.after} if self.before.get(name) != self.after.get(name)}

    def lines(self, *words: str) -> list[str]:
        """The lines of the output that have all the words."""
        return [line for line in self.ran.stdout.splitlines() if all(word in line for word in words)]


@pytest.fixture(scope="module", params=["Docker", "Podman"])
def installation(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    url = request.getfixturevalue(f"{request.param.lower()}_url")
    build_standins(url, CONTAINERS)
    one = solo(tmp_path_factory.mktemp(request.param), engine_url=url, platform=request.param)
    try:
        yield one
    finally:
        one.clean()


@pytest.fixture(scope="module")
def installed(installation: Installation) -> Phase:
    with watched_commands() as commands:
        ran = installation.run("--json")
    return Phase(
        ran,
        {},
        installation.identities(),
        installation.answering(),
        installation.files(),
        installation.secrets(),
        {
            **installation.texts(),
            "what ps shows": "\n".join(commands),
            "what the engine tells": installation.inspected(),
            "stdout": ran.stdout,
            "stderr": ran.stderr,
        },
    )


@pytest.fixture(scope="module")
def again(installation: Installation, installed: Phase) -> Phase:
    ran = installation.playbook("install", "-vvv", "--diff")
    return Phase(ran, installed.after, installation.identities(), texts={"stdout": ran.stdout, "stderr": ran.stderr})


@pytest.fixture(scope="module")
def repaired(installation: Installation, again: Phase) -> Phase:
    os.kill(installation.pids()["orchestrator"], signal.SIGKILL)
    api = docker.APIClient(installation.engine_url, version="auto")
    api.remove_container(installation.containers()["gitea"], force=True)
    api.close()
    ran = installation.run()
    return Phase(ran, again.after, installation.identities(), installation.answering())


@pytest.fixture(scope="module")
def adjusted(installation: Installation, repaired: Phase) -> Phase:
    installation.service("gitea")["deployment"] = {"docker": {"env": {"GITEA_CUSTOM": "/var/lib/gitea/custom"}}}
    installation.service("coredns")["variables"] = {"ttl": 61}
    installation.service("mcp-server")["health"] = {"interval": 7, "timeout": 30}
    ran = installation.run()
    return Phase(ran, repaired.after, installation.identities(), installation.answering())


@pytest.fixture(scope="module")
def uninstalled(installation: Installation, adjusted: Phase) -> Phase:
    (installation.work_dir / "data/gitea/repository").write_text("of a user\n", encoding="utf-8")
    ran = installation.playbook("uninstall")
    return Phase(
        ran,
        adjusted.after,
        installation.identities(),
        files=installation.files(),
        texts=dict.fromkeys(installation.leftovers(), ""),
    )


@pytest.fixture(scope="module")
def purged(installation: Installation, uninstalled: Phase) -> Phase:
    ran = installation.playbook("uninstall", purge=True)
    return Phase(ran, {}, installation.identities(), texts=dict.fromkeys(installation.leftovers(), ""))


def test_all_seven_services_are_installed_and_healthy(installed):
    assert (installed.ran.returncode, installed.ran.stderr) == (0, "")
    assert set(installed.after) == set(SERVICES)
    assert installed.answering == set(SERVICES)


def test_the_events_tell_of_every_step_and_every_service(installation, installed):
    events = [json.loads(line) for line in installed.ran.stdout.splitlines()]
    assert (events[0]["kind"], events[-1]["kind"]) == ("run.started", "run.completed")
    assert [event["sequence"] for event in events] == list(range(1, len(events) + 1))
    steps = [step.replace("docker", installation.document["deployment"]["platform"].lower()) for step in STEPS]
    assert [event["step"] for event in events if event["kind"] == "step.completed"] == steps
    assert {event["step"] for event in events if event.get("service")} == {steps[4], steps[5]}
    assert {event["service"] for event in events if event["kind"] == "service.healthy"} == set(SERVICES)
    ending = events[-1]["data"]
    assert ending["degraded"] is False
    assert {name: service["status"] for name, service in ending["services"].items()} == dict.fromkeys(
        SERVICES, "healthy"
    )


def test_secrets_are_in_their_files_and_in_configuration_that_needs_them_and_nowhere_else(installed, again):
    assert set(installed.secrets) >= {"gitea.secret_key", "oci-registry.admin_password", "oci-registry.ci_htpasswd"}
    for name, value in installed.secrets.items():
        assert len(value) >= 32
        texts = {**installed.texts, **{f"{place} of -vvv": text for place, text in again.texts.items()}}
        holders = {place for place, text in texts.items() if value in text}
        assert holders <= MAY_HOLD_SECRETS, f"{name} is in {holders - MAY_HOLD_SECRETS}"
        assert holders >= {f"secrets/{name.partition('.')[0]}.json"}


def test_the_work_dir_is_closed_to_everybody_else(installation, installed):
    assert installation.work_dir.stat().st_mode & 0o777 == 0o700
    # What services store is theirs.
    ours = {name: mode for name, mode in installed.files.items() if not name.startswith("data/")}
    modes = {name: mode.partition(" ")[0] for name, mode in ours.items()}
    open_to_others = {name for name, mode in modes.items() if mode not in ("drwx------", "-rw-------")}
    assert open_to_others == PUBLIC


def test_a_second_run_changes_nothing(again):
    assert again.ran.returncode == 0
    assert changed(again.ran) == 0
    assert again.replaced == set()


def test_what_was_killed_and_removed_is_started_again_and_nothing_else(repaired):
    assert repaired.ran.returncode == 0
    assert repaired.replaced == {"orchestrator", "gitea"}
    assert repaired.answering == set(SERVICES)
    assert "is gone" in repaired.lines("orchestrator", "starting")[0]
    assert "gone" in repaired.lines("gitea", "starting")[0]
    assert {line.split()[2] for line in repaired.lines(" starting ")} == {"orchestrator", "gitea"}


def test_what_was_changed_is_recreated_and_nothing_else_and_the_output_says_why(adjusted):
    assert adjusted.ran.returncode == 0
    assert adjusted.replaced == {"gitea", "coredns"}
    assert adjusted.answering == set(SERVICES)
    assert "changed: env.GITEA_CUSTOM" in adjusted.lines("gitea", "starting")[0]
    assert "changed: config" in adjusted.lines("coredns", "starting")[0]
    assert {line.split()[2] for line in adjusted.lines(" starting ")} == {"gitea", "coredns"}


def test_an_uninstallation_leaves_data_and_the_secrets_it_depends_on(uninstalled):
    assert uninstalled.ran.returncode == 0
    assert uninstalled.after == {}
    assert uninstalled.texts == {}
    assert "data/gitea/repository" in uninstalled.files
    assert "secrets/gitea.json" in uninstalled.files
    top = {name.partition("/")[0] for name in uninstalled.files}
    assert top == {"data", "secrets"}


def test_a_purge_leaves_nothing_at_all(installation, purged):
    assert purged.ran.returncode == 0
    assert purged.texts == {}
    assert not installation.work_dir.exists()


def test_the_processes_are_processes_and_the_containers_containers(installed):
    assert {name for name, identity in installed.after.items() if identity.startswith("pid ")} == set(PROCESSES)
