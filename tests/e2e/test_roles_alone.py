# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The collection used by others: roles in playbooks of their own, and inventories."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fixtures.installations import Installation, Ran, changed, small, web
from tests.fixtures.machine import answers
from tests.fixtures.ports import free_port

GATEWAY, ORCHESTRATOR, CENTER = "api-gateway", "orchestrator", "control-center"


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """An installation that is described as who uses a role does it: by variables."""
    one = small(tmp_path_factory.mktemp("roles"), {})
    del one.document["deployment"]["services"]
    for name in (GATEWAY, ORCHESTRATOR, CENTER):
        one.document[f"{name.replace('-', '_')}_service"] = {"port": free_port()}
    try:
        yield one
    finally:
        one.clean()


def play(one: Installation, *roles: str) -> Ran:
    """Run a playbook that has nothing but roles of services."""
    path = one.folder / "site.yml"
    names = [f"provisioning.platform.{role.replace('-', '_')}" for role in roles]
    path.write_text(json.dumps([{"hosts": "localhost", "gather_facts": False, "roles": names}]), encoding="utf-8")
    ran = one.playbook(path)
    assert ran.returncode == 0
    return ran


def port_of(one: Installation, name: str) -> int:
    return int(one.document[f"{name.replace('-', '_')}_service"]["port"])


@pytest.fixture(scope="module")
def first(alone: Installation) -> dict[str, int]:
    """The processes after a playbook with the role of the gateway alone."""
    play(alone, GATEWAY)
    return alone.pids()


def test_a_role_brings_what_its_service_depends_on_and_nothing_else(alone, first):
    assert first.keys() == {GATEWAY, ORCHESTRATOR}


def test_a_variable_of_the_service_changes_its_definition(alone, first):
    assert answers(f"http://127.0.0.1:{port_of(alone, GATEWAY)}/health")
    assert answers(f"http://127.0.0.1:{port_of(alone, GATEWAY)}/orchestrator/health")
    assert answers(f"http://127.0.0.1:{port_of(alone, ORCHESTRATOR)}/health")


def test_further_roles_add_their_services_and_touch_no_others(alone, first):
    play(alone, GATEWAY, CENTER)
    now = alone.pids()
    assert now.keys() == {GATEWAY, ORCHESTRATOR, CENTER}
    assert {name: now[name] for name in first} == first
    assert answers(f"http://127.0.0.1:{port_of(alone, CENTER)}/health")


def inventory(folder: Path, group: str) -> Path:
    path = folder / "hosts.yml"
    # Not whatever Python is found first: on this machine it is the one that Ansible runs on.
    hosts = {"box": {"ansible_connection": "local", "ansible_python_interpreter": "{{ ansible_playbook_python }}"}}
    path.write_text(json.dumps({"all": {"children": {group: {"hosts": hosts}}}}), encoding="utf-8")
    return path


def test_an_inventory_without_the_group_is_refused_before_anything_is_touched(make, tmp_path):
    one = make({"web": web(free_port())})
    ran = one.playbook("install", "-i", str(inventory(tmp_path, "machines")))
    assert ran.returncode == 2
    assert "no group named platform" in ran.stdout + ran.stderr
    assert "Put the hosts to install on into the group platform" in ran.stdout + ran.stderr
    assert one.leftovers() == []
    assert {name.partition("/")[0] for name in one.files()} <= {"installations"}


def test_hosts_of_the_group_are_installed_on(make, tmp_path):
    one = make({"web": web(free_port())})
    path = inventory(tmp_path, "platform")
    ran = one.run("--inventory", str(path))
    assert (ran.returncode, ran.stderr) == (0, "")
    assert one.pids().keys() == {"web"}
    before = one.pids()
    again = one.playbook("install", "-i", str(path))
    assert again.returncode == 0
    assert "box" in again.stdout
    assert changed(again) == 0
    assert one.pids() == before


def test_check_mode_of_a_first_installation_makes_nothing(make):
    one = make({"web": web(free_port())})
    ran = one.playbook("install", "--check", "--diff")
    assert ran.returncode == 0
    assert "web" in ran.stdout
    assert changed(ran) >= 1
    assert not one.work_dir.exists()
    assert one.leftovers() == []
