# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checking, drawing, validating and watching services, which are real processes."""

from __future__ import annotations

import dataclasses
import json
import signal
from pathlib import Path
from typing import IO, Any
from xml.etree import ElementTree

from ansible_collections.provisioning.platform.plugins.module_utils._manager import Manager
from ansible_collections.provisioning.platform.plugins.module_utils._settings import Operation, Settings

from tests.fixtures.command import Command, OnTerminal
from tests.fixtures.small_platform import Platform

OPERATIONS = {
    "backup": Operation(requires=["b"], description="Save it"),
    "restore": Operation(requires=["c"], may_start=False),
}


def with_operations(platform: Platform, provisioning_path: str | None = None) -> None:
    settings = Settings(operations=OPERATIONS, provisioning_path=provisioning_path)
    Manager(platform.folder, platform.definitions, settings).save_settings()


def test_what_an_operation_needs_is_started_if_it_may(platform: Platform, provisioning: Command) -> None:
    platform.start("a")
    platform.manager().remember("abc")
    with_operations(platform)

    looked = provisioning("services", "check", "backup", "--no-start")
    assert (looked.code, list(platform.pids())) == (3, ["a"])
    refused = provisioning("services", "check", "restore", "--json")
    assert (refused.code, refused.document["can_go_ahead"]) == (3, False)

    started = provisioning("services", "check", "backup", "--json")
    assert (started.code, started.document["needs"][0]["state"]) == (0, "started")
    assert sorted(platform.pids()) == ["a", "b"]
    again = provisioning("services", "check", "backup")
    assert (again.code, again.out.splitlines()[-1]) == (0, "backup can go ahead.")

    listed = provisioning("services", "check", "--json")
    assert {one["name"]: one["requires"] for one in listed.document["operations"]} == {
        "backup": ["b"],
        "restore": ["c"],
    }
    unknown = provisioning("services", "check", "backupp")
    assert (unknown.code, unknown.out) == (2, "")
    assert "Known operations: backup, restore." in unknown.err


def test_an_operation_that_can_go_ahead_is_carried_out_by_the_command_of_the_configuration(
    platform: Platform, provisioning: Command, tmp_path: Path
) -> None:
    platform.start("a")
    platform.manager().remember("abc")
    command = tmp_path / "tool"
    for told, problem in ((None, "provisioning_path: is not set"), (str(command), f"{command} is not an executable")):
        with_operations(platform, told)
        refused = provisioning("services", "check", "backup", "--run")
        assert refused.code in (2, 3)
        assert problem in refused.err
        assert list(platform.pids()) == ["a"]

    command.write_text('#!/bin/sh\necho "$@"\nkill -PIPE $$\n')
    command.chmod(0o700)
    ran = provisioning("services", "check", "backup", "--run", "--", "--to", "a shelf")
    assert (ran.code, ran.out) == (-signal.SIGPIPE, "backup --to a shelf\n")
    assert sorted(platform.pids()) == ["a", "b"]

    blocked = provisioning("services", "check", "restore", "--run", "now")
    assert (blocked.code, blocked.out.splitlines()[0]) == (3, "restore")
    forgotten = provisioning("services", "check", "backup", "now")
    assert (forgotten.code, forgotten.err) == (
        2,
        "error: now: is more than the name of an operation. Add --run to call it.\n",
    )


def test_dependencies_are_drawn_and_are_data(platform: Platform, provisioning: Command) -> None:
    platform.start()
    assert provisioning("services", "dependencies").out.splitlines() == ["c", "└── b", "    └── a"]
    assert provisioning("services", "dependencies", "b", "--reverse").out.splitlines() == ["b", "└── c"]
    image = provisioning("services", "dependencies", "--format", "svg")
    assert ElementTree.fromstring(image.out).tag.endswith("svg")
    assert provisioning("services", "dependencies", "b", "--json").document["order"] == ["a", "b"]


def test_what_is_in_the_way_is_told_with_its_remedy(platform: Platform, provisioning: Command) -> None:
    platform.start("a")
    platform.manager(b=dataclasses.replace(platform.definitions["b"], conflicts=["a"])).remember("bc")

    valid = provisioning("services", "validate", "a", "--json")
    assert (valid.code, valid.document["valid"]) == (0, True)
    invalid = provisioning("services", "validate", "--json")
    assert invalid.code == 3
    assert [one["what"] for one in invalid.document["problems"]] == ["b", "c"]
    assert "error: b: conflicts with a, which runs. Stop a." in provisioning("services", "validate").out

    found = provisioning("services", "readiness", "--output", "yaml")
    assert found.code == 1
    assert "ready: false" in found.out
    assert set(provisioning("services", "readiness", "--json").document["missing"]) == {"b", "c"}


def test_watching_writes_changes_until_it_is_interrupted(platform: Platform, provisioning: Command) -> None:
    platform.start()
    watching = provisioning.begin("services", "monitor", "--interval", "0.2", "--json")
    assert watching.stdout is not None
    try:
        first = [json.loads(watching.stdout.readline()) for _ in "abc"]
        assert {(one["service"], one["status"], one["health"]) for one in first} == {
            (name, "running", "healthy") for name in "abc"
        }
        platform.operate("stop", "c")
        change = until(watching.stdout, "c", "stopped")
        assert change["before"]["status"] == "running"
        platform.start("c")
        until(watching.stdout, "c", "running")
    finally:
        watching.send_signal(signal.SIGINT)
    _out, said = watching.communicate(timeout=60)
    assert (watching.returncode, said) == (0, "")
    assert sorted(platform.pids()) == ["a", "b", "c"]


def until(lines: IO[str], service: str, status: str) -> dict[str, Any]:
    """Read lines to the one that tells that a service is something; between two looks it may be something else."""
    for line in lines:
        found: dict[str, Any] = json.loads(line)
        if (found["service"], found["status"]) == (service, status):
            return found
    raise AssertionError(f"{service} was never {status}")


def test_watching_in_a_terminal_is_in_place_and_leaves_it_whole(platform: Platform, provisioning: Command) -> None:
    platform.start()
    watching = OnTerminal(provisioning, "services", "monitor", "--interval", "0.2")
    watching.until(lambda text: text.count("3 of 3 well") > 1)
    watching.process.send_signal(signal.SIGINT)
    assert watching.end() == 0
    assert "Traceback" not in watching.text
    assert watching.text.count("\x1b[?25l") == watching.text.count("\x1b[?25h")  # the cursor is back


def test_who_has_seen_enough_ends_the_watch(platform: Platform, provisioning: Command) -> None:
    platform.start("a")
    watching = provisioning.begin("services", "monitor", "--interval", "0.1")
    assert watching.stdout is not None
    watching.stdout.readline()
    watching.stdout.close()
    try:
        platform.operate("stop", "a")
        assert watching.wait(60) == 0
    finally:
        watching.kill()
