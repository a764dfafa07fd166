# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a further run, a stop and a removal change, and what they leave alone."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils import _process
from ansible_collections.provisioning.platform.plugins.module_utils._errors import (
    BusyError,
    PrerequisiteError,
)
from ansible_collections.provisioning.platform.plugins.module_utils._manager import Manager
from ansible_collections.provisioning.platform.plugins.module_utils._paths import WorkDir
from ansible_collections.provisioning.platform.plugins.module_utils._plan import Goal
from ansible_collections.provisioning.platform.plugins.module_utils._secrets import Secret, SecretStore
from ansible_collections.provisioning.platform.plugins.module_utils._state import locked

from tests.fixtures.definitions import service
from tests.fixtures.small_platform import Platform, results, until_gone, web

# Answers who knows its token, and nobody else.
_GUARDED = """
import os
from http.server import BaseHTTPRequestHandler, HTTPServer
class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.headers.get("Authorization") == os.environ["TOKEN"] else 401)
        self.end_headers()
    def log_message(self, *args):
        pass
HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""


def test_a_second_run_changes_nothing_and_one_after_a_kill_or_a_change_only_what_it_must(platform: Platform) -> None:
    outcomes = platform.start()
    assert results(outcomes) == {"a": "healthy", "b": "healthy", "c": "healthy"}
    first = platform.pids()

    platform.events.clear()
    outcomes = platform.start()
    assert results(outcomes) == {"a": "unchanged", "b": "unchanged", "c": "unchanged"}
    assert not any(outcome.changed for outcome in outcomes.values())
    assert platform.pids() == first
    assert {event.kind for event in platform.events} == {"service.unchanged", "service.healthy"}

    os.kill(first["b"], signal.SIGKILL)
    until_gone(first["b"])
    outcomes = platform.start()
    assert results(outcomes) == {"a": "unchanged", "b": "healthy", "c": "unchanged"}
    assert outcomes["b"].reason in (f"pid {first['b']} is gone", f"pid {first['b']} was killed by SIGKILL")
    second = platform.pids()
    assert {name for name in "abc" if first[name] != second[name]} == {"b"}

    changed = web("a", port=platform.ports["a"], env={"GREETING": "changed", "API_TOKEN": "t0ps3cret"})
    plan = platform.manager(a=changed).plan(dict.fromkeys("abc", "started"))
    assert [(action.service, action.verb) for action in plan.changes] == [("a", "recreate")]
    assert plan.actions["a"].changes == ("env.API_TOKEN: unset -> ***", 'env.GREETING: "a" -> "changed"')
    outcomes = platform.start(a=changed)
    assert results(outcomes) == {"a": "healthy", "b": "unchanged", "c": "unchanged"}
    assert outcomes["a"].reason == "changed: env.API_TOKEN, env.GREETING"
    third = platform.pids()
    assert {name for name in "abc" if second[name] != third[name]} == {"a"}


def test_a_change_that_does_not_touch_the_process_is_remembered_and_touches_nothing(platform: Platform) -> None:
    platform.start("a")
    pid = platform.pids()["a"]
    changed = web("a", port=platform.ports["a"], description="new")
    assert not platform.start("a", a=changed)["a"].changed
    assert platform.pids()["a"] == pid
    assert Manager.open(platform.folder).definition("a").description == "new"


def test_a_new_version_of_a_secret_restarts_who_uses_it_and_nobody_else(platform: Platform) -> None:
    secrets = SecretStore(WorkDir(platform.folder).secrets)
    secrets.write("a", {"token": Secret("first-token")})
    port = platform.ports["a"]
    health = {"type": "http", "url": f"http://127.0.0.1:{port}/", "headers": {"Authorization": "${secret.a.token}"}}
    guarded = service(
        "a",
        command=sys.executable,
        args=["-c", _GUARDED],
        binary={"env": {"TOKEN": "${secret.a.token}", "PORT": port}},
        health=health,
        verify=[health],
        startup={"timeout": 90},
    )
    platform.start(a=guarded)
    before = platform.pids()
    assert {status.name: status.health for status in platform.manager().status()} == dict.fromkeys("abc", "healthy")
    assert [result.healthy for result in platform.manager().verify(["a"])["a"]] == [True]
    secrets.write("a", {"token": Secret("second-token", 2)})
    outcomes = platform.start()
    assert outcomes["a"].reason == "changed: secrets.a.token"
    after = platform.pids()
    assert {name for name in "abc" if before[name] != after[name]} == {"a"}
    for path in platform.folder.rglob("*"):
        if path.is_file() and path.parent.name != "secrets":
            assert b"-token" not in path.read_bytes()
    assert "second-token" not in str(platform.events)


def test_what_is_needed_is_not_stopped_unless_its_dependents_are_or_it_is_forced(platform: Platform) -> None:
    platform.start()
    with pytest.raises(
        PrerequisiteError, match=r"a: is needed by c, b. Stop those too \(with_dependents\), or force it"
    ):
        platform.operate("stop", "a")
    assert set(platform.pids()) == {"a", "b", "c"}
    platform.events.clear()
    assert results(platform.operate("stop", "b", with_dependents=True)) == {"c": "stopped", "b": "stopped"}
    told = [event.service for event in platform.events if event.kind == "service.stopped"]
    assert told == ["c", "b"]
    assert set(platform.pids()) == {"a"}
    assert results(platform.operate("stop", "a")) == {"a": "stopped"}
    platform.start()
    assert results(platform.operate("stop", "a", force=True)) == {"a": "stopped"}
    assert set(platform.pids()) == {"b", "c"}
    statuses = {status.name: status.status for status in Manager.open(platform.folder).status()}
    assert statuses == {"a": "stopped", "b": "running", "c": "running"}


def test_a_restart_gives_new_processes_to_those_that_were_named(platform: Platform) -> None:
    platform.start()
    before = platform.pids()
    assert results(platform.operate("restart", "b")) == {"a": "unchanged", "b": "healthy"}
    after = platform.pids()
    assert {name for name in "abc" if before[name] != after[name]} == {"b"}


def test_starting_brings_up_what_is_needed_too(platform: Platform) -> None:
    platform.start()
    platform.operate("stop")
    assert platform.pids() == {}
    assert results(platform.operate("start", "b")) == {"a": "healthy", "b": "healthy"}


def test_removing_leaves_no_process_no_record_and_no_log(platform: Platform) -> None:
    platform.start()
    pids = platform.pids()
    platform.operate("stop", "c")
    assert set(results(platform.operate("remove")).values()) == {"removed"}
    assert not any(_process.identify(pid) for pid in pids.values())
    left = {str(path.relative_to(platform.folder)) for path in platform.folder.rglob("*") if not path.is_dir()}
    assert left == {"audit.jsonl", "services/locks/run.lock", "services/settings.json"}
    assert Manager.open(platform.folder).services() == {}
    assert results(platform.start()) == {"a": "healthy", "b": "healthy", "c": "healthy"}


def test_two_runs_at_the_same_time_are_refused_with_the_pid_of_the_first(platform: Platform) -> None:
    lock = WorkDir(platform.folder).locks / "run.lock"
    with locked(lock), pytest.raises(BusyError, match=rf"another run is in progress: pid {os.getpid()}"):
        platform.start()
    assert platform.pids() == {}
    assert set(results(platform.start()).values()) == {"healthy"}


def test_nothing_to_do_leaves_nothing_behind(tmp_path: Path) -> None:
    goals: dict[str, Goal] = {}
    assert Manager(tmp_path / "work", {}).converge(goals)[1] == {}
    assert not (tmp_path / "work").exists()


def test_who_did_what_is_in_the_audit_log(platform: Platform) -> None:
    platform.start("a")
    platform.operate("stop", "a")
    lines = [json.loads(line) for line in (platform.folder / "audit.jsonl").read_text().splitlines()]
    assert [(line["action"], line["service"], line["result"], line["reason"]) for line in lines] == [
        ("start", "a", "ok", "new"),
        ("stop", "a", "ok", "asked to stop"),
    ]
    assert lines[0]["run"] == "test"


def test_a_task_is_run_once_and_again_when_it_changes(platform: Platform) -> None:
    mark = platform.folder / "data" / "task" / "runs"
    task = service("task", command="sh", args=["-c", "echo run >> runs"], startup={"timeout": 90})
    needy = service("needy", {"task": "completed"}, startup={"timeout": 90})
    for expected in (["run"], ["run"]):
        outcomes = platform.start("needy", task=task, needy=needy)
        assert outcomes["task"].result == "completed"
        assert mark.read_text().split() == expected
    changed = service("task", command="sh", args=["-c", "echo again >> runs"], startup={"timeout": 90})
    assert platform.start("needy", task=changed)["task"].changed
    assert mark.read_text().split() == ["run", "again"]


def test_processes_go_on_when_the_run_that_started_them_is_killed(platform: Platform) -> None:
    port = platform.ports["a"]
    script = f"""
import sys
sys.path[:0] = {sys.path!r}
from pathlib import Path
from tests.fixtures.definitions import services
from ansible_collections.provisioning.platform.plugins.module_utils._manager import Manager
from tests.fixtures.small_platform import web
manager = Manager(Path({str(platform.folder)!r}), services(web("a", port={port})))
manager.converge({{"a": "started"}})
print("up", flush=True)
sys.stdin.read()
"""
    with subprocess.Popen(
        [sys.executable, "-c", script],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[3],
    ) as run:
        assert run.stdout is not None
        assert run.stdout.readline() == "up\n"
        run.kill()
    before = platform.pids()
    assert results(platform.start("a")) == {"a": "unchanged"}
    assert platform.pids() == before
