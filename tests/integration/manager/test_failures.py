# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What becomes of services when one of them, or the run, fails."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
import time
from dataclasses import replace

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils import _process, _wait
from ansible_collections.provisioning.platform.plugins.module_utils._cleanup import take_back
from ansible_collections.provisioning.platform.plugins.module_utils._converge import Options
from ansible_collections.provisioning.platform.plugins.module_utils._drivers.binary import BinaryDriver
from ansible_collections.provisioning.platform.plugins.module_utils._errors import (
    DriverError,
    PrerequisiteError,
    Problem,
)
from ansible_collections.provisioning.platform.plugins.module_utils._ledger import Ledger
from ansible_collections.provisioning.platform.plugins.module_utils._manager import Manager
from ansible_collections.provisioning.platform.plugins.module_utils._model import (
    DockerDeployment,
    ServiceDefinition,
    ServiceDeployment,
)
from ansible_collections.provisioning.platform.plugins.module_utils._paths import WorkDir
from ansible_collections.provisioning.platform.plugins.module_utils._settings import Settings

from tests.fixtures.definitions import service
from tests.fixtures.disks import small_disk
from tests.fixtures.ports import free_port
from tests.fixtures.small_platform import Platform, results, web


def test_a_service_that_ends_at_once_fails_with_its_exit_code_and_its_last_words(platform: Platform) -> None:
    broken = service(
        "a",
        command="sh",
        args=["-c", "echo loading; echo no such table >&2; exit 3"],
        health={"type": "tcp", "port": platform.ports["a"]},
        startup={"timeout": 600},
    )
    begin = time.monotonic()
    outcomes = platform.start(a=broken)
    assert time.monotonic() - begin < 240
    assert outcomes["a"].result == "failed"
    assert outcomes["a"].reason.endswith("exited with code 3; its last words: loading / no such table")
    assert results(outcomes) == {"a": "failed", "b": "cancelled", "c": "cancelled"}
    (status,) = platform.manager().status(["a"])
    assert (status.status, status.last_error) == ("failed", outcomes["a"].reason)
    without_check = service("unchecked", command="sh", args=["-c", "exit 3"])
    for _ in range(20):  # it may be looked at before it has ended
        outcome = platform.start("unchecked", unchecked=without_check)["unchecked"]
        if outcome.result == "failed":
            break
    assert outcome.reason.endswith("exited with code 3")


def test_a_service_that_does_not_do_its_work_is_told_as_one_that_failed(platform: Platform, monkeypatch) -> None:
    monkeypatch.setattr(_wait, "_VERIFY_SECONDS", 0.1)
    url = f"http://127.0.0.1:{platform.ports['a']}/nothing"
    a = web("a", port=platform.ports["a"], verify=[{"type": "http", "url": url}])
    b = web("b", port=platform.ports["b"], verify=[{"type": "tcp", "port": platform.ports["b"]}])
    platform.start("a", "b", a=a, b=b)
    platform.events.clear()
    assert [result.healthy for result in platform.manager().verify(["a", "b"])["a"]] == [False]
    (told,) = platform.events
    assert (told.kind, told.service, told.data["action"]) == ("service.failed", "a", "verify")
    assert told.data["error"].startswith("does not do its work: not healthy within 0.1 s: ")
    assert f"{url} answered 404" in told.data["error"]
    audited = [json.loads(line) for line in (platform.folder / "audit.jsonl").read_text().splitlines()][-1]
    assert (audited["action"], audited["service"], audited["result"]) == ("verify", "a", "failed")


def test_a_missing_binary_is_known_before_anything_is_touched(platform: Platform) -> None:
    missing = service("b", ["a"], command="no-such-command")
    with pytest.raises(PrerequisiteError, match="b: the command no-such-command is not there or not executable"):
        platform.start(b=missing)
    assert platform.pids() == {}
    outcomes = platform.start(options=Options(fail_fast=False))
    assert results(outcomes) == {"a": "healthy", "b": "skipped", "c": "skipped"}
    assert outcomes["c"].remedy == outcomes["b"].remedy == "Install it, or set deployment.binary.command to its path."
    optional = service("b", ["a"], command="no-such-command", required=False)
    assert results(platform.start(b=optional)) == {"a": "unchanged", "b": "skipped", "c": "skipped"}


def test_what_cannot_run_where_it_is_to_move_stays_where_it_is(platform: Platform) -> None:
    platform.start()
    before = platform.pids()
    nowhere = Settings(engine_url="unix:///nonexistent/engine.sock")
    boxed = {
        name: replace(
            platform.definitions[name],
            required=False,
            deployment=ServiceDeployment(mode="docker", docker=DockerDeployment(image="boxed")),
        )
        for name in "bc"
    }
    definitions = {**platform.definitions, **boxed}
    moved = Manager(platform.folder, definitions, nowhere, sinks=[platform.events.append])
    platform.events.clear()
    outcomes = moved.converge(dict.fromkeys("abc", "started"))[1]
    assert results(outcomes) == {"a": "unchanged", "b": "skipped", "c": "skipped"}
    assert "service.removed" not in {event.kind for event in platform.events}
    assert {one.name: one.status for one in Manager.open(platform.folder).status()} == dict.fromkeys("abc", "running")
    assert platform.pids() == before


def test_what_cannot_be_cleaned_up_is_told_and_keeps_its_files(platform: Platform, monkeypatch) -> None:
    platform.start("a", "b")
    layout = WorkDir(platform.folder)
    Ledger(layout, "run-1").add(paths=[layout.pids.parent], services=["a", "b"])

    def survives(_driver: object, one: ServiceDefinition, _seen: object) -> None:
        if one.name == "a":
            raise DriverError(Problem("a", "its process belongs to another user", "Run as that user or as root."))
        stop(_driver, one, _seen)

    stop = BinaryDriver.remove
    with monkeypatch.context() as patched:
        patched.setattr(BinaryDriver, "remove", survives)
        with pytest.raises(DriverError, match="a: could not be cleaned up: its process belongs to another user"):
            take_back(layout, "run-1")
    assert list(platform.pids()) == ["a"]
    assert take_back(layout, "run-1") == ["a", str(layout.pids.parent)]
    assert platform.pids() == {}


def test_a_port_that_is_taken_fails_with_who_has_it(platform: Platform) -> None:
    with socket.create_server(("127.0.0.1", platform.ports["b"])):
        outcomes = platform.start(options=Options(fail_fast=False))
        assert results(outcomes) == {"a": "healthy", "b": "failed", "c": "skipped"}
        name = _process.command_name(os.getpid())
        assert outcomes["b"].reason == f"port {platform.ports['b']} is taken by pid {os.getpid()} ({name})"
    assert results(platform.start()) == {"a": "unchanged", "b": "healthy", "c": "healthy"}


def test_a_full_disk_is_one_clear_error_and_what_runs_goes_on() -> None:
    with small_disk("1m") as disk:
        platform = Platform(disk / "work")
        platform.start("a")
        pid = platform.pids()["a"]
        with (disk / "filler").open("wb", buffering=0) as filler, contextlib.suppress(OSError):
            while filler.write(b"x" * 512):
                pass
        try:
            with pytest.raises(OSError, match="No space"):
                platform.start()
            assert platform.pids() == {"a": pid}
        finally:
            (disk / "filler").unlink()
            platform.close()


def test_a_cancelled_run_ends_soon_and_says_what_was_begun(platform: Platform) -> None:
    never = web(
        "b", ["a"], port=platform.ports["b"], health={"type": "tcp", "port": free_port()}, startup={"timeout": 600}
    )
    cancelled = threading.Event()

    def cancel() -> None:
        while not any((event.kind, event.service) == ("service.started", "b") for event in platform.events):
            time.sleep(0.01)
        cancelled.set()

    threading.Thread(target=cancel, daemon=True).start()
    begin = time.monotonic()
    outcomes = platform.start(b=never, options=Options(cancelled=cancelled))
    assert time.monotonic() - begin < 240
    assert results(outcomes) == {"a": "healthy", "b": "cancelled", "c": "cancelled"}
    assert outcomes["b"].reason == "started, but not waited for: the run was cancelled"
