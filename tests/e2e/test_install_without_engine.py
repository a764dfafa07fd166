# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The solo profile on a machine without a container engine: four services of seven, and that is a success of its own.

Each phase is a fixture that runs a command once; the tests look at what it noted, so that their order does not matter.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.fixtures.installations import CONTAINERS, PROCESSES, Installation, Ran, changed, solo


@dataclass(frozen=True)
class Phase:
    """One command and what there was after it."""

    ran: Ran
    after: dict[str, str]
    events: list[dict[str, Any]] = field(default_factory=list)
    answering: set[str] = field(default_factory=set)
    leftovers: list[str] = field(default_factory=list)
    files: dict[str, str] = field(default_factory=dict)

    @property
    def ending(self) -> dict[str, Any]:
        assert self.events[-1]["kind"] == "run.completed"
        data: dict[str, Any] = self.events[-1]["data"]
        return data


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    one = solo(tmp_path_factory.mktemp("alone"))
    try:
        yield one
    finally:
        one.clean()


@pytest.fixture(scope="module")
def installed(installation: Installation) -> Phase:
    ran = installation.run()
    return Phase(ran, installation.identities(), installation.events(), installation.answering())


@pytest.fixture(scope="module")
def again(installation: Installation, installed: Phase) -> Phase:
    ran = installation.run("--quiet")
    return Phase(ran, installation.identities(), installation.events())


@pytest.fixture(scope="module")
def adjusted(installation: Installation, again: Phase) -> Phase:
    installation.service("orchestrator")["resources"] = {"memory": "320m"}
    ran = installation.run()
    return Phase(ran, installation.identities(), installation.events(), installation.answering())


@pytest.fixture(scope="module")
def uninstalled(installation: Installation, adjusted: Phase) -> list[Phase]:
    phases = []
    for _ in range(2):
        ran = installation.playbook("uninstall")
        files = installation.files() if installation.work_dir.exists() else {}
        phases.append(Phase(ran, installation.identities(), leftovers=installation.leftovers(), files=files))
    return phases


def test_the_four_that_are_processes_are_installed_and_the_exit_code_says_that_others_are_missing(installed):
    assert installed.ran.returncode == 4
    assert set(installed.after) == set(PROCESSES)
    assert installed.answering == set(PROCESSES)
    assert "4 of 7 services; 3 need a container engine" in installed.ran.stdout.splitlines()


def test_the_output_names_what_is_missing_with_the_reason_and_the_remedy(installed):
    lines = installed.ran.stdout.splitlines()
    told = [line for line in lines if set(line.partition(":")[0].strip().split(", ")) == set(CONTAINERS)]
    assert len(told) == 1
    assert "Docker does not answer" in told[0]
    assert "deployment.engine_url" in told[0]


def test_the_last_event_is_completed_and_degraded(installed):
    assert installed.ending["degraded"] is True
    services = installed.ending["services"]
    assert {name: services[name]["status"] for name in PROCESSES} == dict.fromkeys(PROCESSES, "healthy")
    for name in CONTAINERS:
        assert services[name]["status"] == "skipped"
        assert "does not answer" in services[name]["reason"]
        assert services[name]["remedy"]


def test_nothing_but_the_log_of_the_run_goes_to_stderr(installed):
    assert installed.ran.stderr == ""


def test_a_second_run_changes_nothing(installed, again):
    assert again.ran.returncode == 4
    assert again.after == installed.after
    assert again.ending["changed"] == 0


def test_a_changed_setting_recreates_one_service_and_the_output_says_why(again, adjusted):
    assert adjusted.ran.returncode == 4
    assert {name for name in PROCESSES if adjusted.after[name] != again.after[name]} == {"orchestrator"}
    assert adjusted.answering == set(PROCESSES)
    starting = [line for line in adjusted.ran.stdout.splitlines() if " starting " in line]
    assert len(starting) == 1
    assert "orchestrator" in starting[0]
    assert "changed: memory" in starting[0]


def test_an_uninstallation_leaves_nothing_but_data(uninstalled):
    first = uninstalled[0]
    assert first.ran.returncode == 0
    assert (first.after, first.leftovers) == ({}, [])
    # Of the four only the gateway stores anything.
    assert {name for name in first.files if not f"{name}/".startswith("data/api-gateway/")} <= {"data"}


def test_an_uninstallation_of_nothing_does_nothing(uninstalled):
    first, second = uninstalled
    assert second.ran.returncode == 0
    assert changed(second.ran) == 0
    assert (second.files, second.leftovers) == (first.files, [])
