# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command on the hosts of an inventory: two that are this machine, each with a work dir of its own."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils._manager import Manager
from ansible_collections.provisioning.platform.plugins.module_utils._settings import Operation, Settings

from tests.fixtures.command import PROGRAM, Command, Ended
from tests.fixtures.small_platform import Platform

BACKUP = {"backup": Operation(requires=["a", "c"])}


class Pair:
    """Two hosts: the first has ``a``, the second ``b`` and ``c``, which needs it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.one, self.two = Platform(folder / "one"), Platform(folder / "two")
        self.one.definitions = {"a": self.one.definitions["a"]}
        self.two.definitions = {
            "c": self.two.definitions["c"],
            "b": dataclasses.replace(self.two.definitions["b"], depends_on={}),
        }
        self.one.start()
        self.two.start()
        for platform, others in ((self.one, {"b": ["two"], "c": ["two"]}), (self.two, {"a": ["one"]})):
            settings = Settings(elsewhere=others, operations=BACKUP)
            Manager(platform.folder, platform.definitions, settings).save_settings()
        hosts = {name: {"ansible_connection": "local", "work_dir": str(folder / name)} for name in ("one", "two")}
        self.inventory = folder / "hosts.yml"
        self.inventory.write_text(json.dumps({"platform": {"hosts": hosts}}))

    def __call__(self, *words: str) -> Ended:
        return OnHosts(self.folder, HOME=str(self.folder))(*words, "--inventory", str(self.inventory))

    def close(self) -> None:
        self.one.close()
        self.two.close()


class OnHosts(Command):
    """Calls the command for what the inventory says."""

    def line(self, *words: str) -> list[str]:
        return [*PROGRAM, *words]


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    found = Pair(tmp_path)
    yield found
    found.close()


def test_services_of_several_hosts_are_operated_as_one_platform(pair: Pair) -> None:
    seen = pair("platform", "status")
    assert seen.code == 0, seen.err
    header, *rows = seen.out.splitlines()
    assert header.split()[:2] == ["HOST", "SERVICE"]
    assert [row.split()[:2] for row in rows[:3]] == [["one", "a"], ["two", "b"], ["two", "c"]]

    refused = pair("services", "stop", "b")
    assert refused.code == 3
    assert "error: two: b: is needed by c. Stop those too: --with-dependents." in refused.err

    stopped = pair("services", "stop", "b", "--with-dependents", "--json")
    assert (stopped.code, stopped.of("result")) == (0, {"c": "stopped", "b": "stopped"})
    assert stopped.of("host") == {"c": "two", "b": "two"}
    assert list(pair.two.pids()) == []

    checked = pair("services", "check", "backup", "--json")
    assert checked.code == 0, checked.err
    needs = {one["service"]: (one["host"], one["state"]) for one in checked.document["needs"]}
    assert needs == {"a": ("one", "ready"), "c": ("two", "started")}
    assert sorted(pair.two.pids()) == ["b", "c"]

    drawn = pair("services", "dependencies", "c")
    assert (drawn.code, drawn.out.splitlines()) == (0, ["c", "└── b"])


def test_a_host_that_does_not_answer_keeps_nobody_from_seeing_the_others(pair: Pair) -> None:
    document = json.loads(pair.inventory.read_text())
    document["platform"]["hosts"]["two"] = {"ansible_host": "127.0.0.1", "ansible_port": 1}
    pair.inventory.write_text(json.dumps(document))
    seen = pair("platform", "status", "--json")
    assert (seen.code, seen.of("health")) == (3, {"a": "healthy"})
    assert "error: two: cannot be reached: " in seen.err
