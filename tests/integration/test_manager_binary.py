# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine's front door with services that are processes."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils import _process
from ansible_collections.provisioning.platform.plugins.module_utils._converge import Options, Outcome
from ansible_collections.provisioning.platform.plugins.module_utils._errors import (
    BusyError,
    ConfigurationError,
    DriverError,
    PrerequisiteError,
    Problem,
)
from ansible_collections.provisioning.platform.plugins.module_utils._events import Event
from ansible_collections.provisioning.platform.plugins.module_utils._manager import Manager
from ansible_collections.provisioning.platform.plugins.module_utils._model import ServiceDefinition, ServiceOperation
from ansible_collections.provisioning.platform.plugins.module_utils._paths import WorkDir
from ansible_collections.provisioning.platform.plugins.module_utils._plan import Goal
from ansible_collections.provisioning.platform.plugins.module_utils._secrets import Secret, SecretStore
from ansible_collections.provisioning.platform.plugins.module_utils._settings import Settings
from ansible_collections.provisioning.platform.plugins.module_utils._state import locked

from tests.fixtures.definitions import free_port, service, services
from tests.fixtures.disks import small_disk

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


def web(name: str, needs: Any = (), *, port: int, env: dict[str, Any] | None = None, **more: Any) -> ServiceDefinition:
    """A service that is a web server, of files of which there are none."""
    health = {"type": "http", "url": f"http://127.0.0.1:{port}/", "expected_status": [404]}
    return service(
        name,
        needs,
        command="busybox",
        args=["httpd", "-f", "-p", f"127.0.0.1:{port}"],
        binary={"env": {"GREETING": name, **(env or {})}},
        port=port,
        **{"health": health, "startup": {"timeout": 20}, **more},
    )


class Platform:
    """A small platform: c needs b, and b needs a."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ports = {name: free_port() for name in "abc"}
        self.definitions = services(
            web("a", port=self.ports["a"]),
            web("b", ["a"], port=self.ports["b"]),
            web("c", ["b"], port=self.ports["c"]),
        )
        self.events: list[Event] = []

    def manager(self, **changed: ServiceDefinition) -> Manager:
        """A manager as the next run would have it."""
        self.definitions |= changed
        return Manager(self.folder, self.definitions, sinks=[self.events.append], run="test")

    def start(self, *names: str, options: Options | None = None, **changed: ServiceDefinition) -> dict[str, Outcome]:
        manager = self.manager(**changed)
        manager.save_settings()
        goals = manager.goals_of(ServiceOperation(operation="start", services=names))
        return manager.converge(goals, options)[1]

    def operate(self, operation: Any, *names: str, **settings: Any) -> dict[str, Outcome]:
        manager = Manager.open(self.folder, sinks=[self.events.append])
        return manager.converge(manager.goals_of(ServiceOperation(operation=operation, services=names, **settings)))[1]

    def pids(self) -> dict[str, int]:
        seen, _ = self.manager().observe()
        return {name: int(found.id) for name, found in seen.items() if found.is_up and found.id}

    def close(self) -> None:
        with contextlib.suppress(ConfigurationError):
            manager = Manager.open(self.folder)
            manager.converge(dict.fromkeys(manager.services(), "absent"), Options(fail_fast=False))


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[Platform]:
    found = Platform(tmp_path / "work")
    yield found
    found.close()


def _results(outcomes: dict[str, Outcome]) -> dict[str, str]:
    return {name: outcome.result for name, outcome in outcomes.items()}


# --- starting again --------------------------------------------------------------------------------------------------


def test_a_second_run_changes_nothing_and_one_after_a_kill_or_a_change_only_what_it_must(platform: Platform) -> None:
    outcomes = platform.start()
    assert _results(outcomes) == {"a": "healthy", "b": "healthy", "c": "healthy"}
    first = platform.pids()

    platform.events.clear()
    outcomes = platform.start()
    assert _results(outcomes) == {"a": "unchanged", "b": "unchanged", "c": "unchanged"}
    assert not any(outcome.changed for outcome in outcomes.values())
    assert platform.pids() == first
    assert {event.kind for event in platform.events} == {"service.unchanged", "service.healthy"}

    os.kill(first["b"], signal.SIGKILL)
    _until_gone(first["b"])
    outcomes = platform.start()
    assert _results(outcomes) == {"a": "unchanged", "b": "healthy", "c": "unchanged"}
    assert outcomes["b"].reason in (f"pid {first['b']} is gone", f"pid {first['b']} was killed by SIGKILL")
    second = platform.pids()
    assert {name for name in "abc" if first[name] != second[name]} == {"b"}

    changed = web("a", port=platform.ports["a"], env={"GREETING": "changed", "API_TOKEN": "t0ps3cret"})
    plan = platform.manager(a=changed).plan(dict.fromkeys("abc", "started"))
    assert [(action.service, action.verb) for action in plan.changes] == [("a", "recreate")]
    assert plan.actions["a"].changes == ("env.API_TOKEN: unset -> ***", 'env.GREETING: "a" -> "changed"')
    outcomes = platform.start(a=changed)
    assert _results(outcomes) == {"a": "healthy", "b": "unchanged", "c": "unchanged"}
    assert outcomes["a"].reason == "changed: env.API_TOKEN, env.GREETING"
    third = platform.pids()
    assert {name for name in "abc" if second[name] != third[name]} == {"a"}


def _until_gone(pid: int) -> None:
    identity = _process.identify(pid)
    assert identity is None or _process.wait_until_gone(identity, 10)


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
        startup={"timeout": 20},
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


# --- stopping --------------------------------------------------------------------------------------------------------


def test_what_is_needed_is_not_stopped_unless_its_dependents_are_or_it_is_forced(platform: Platform) -> None:
    platform.start()
    with pytest.raises(
        PrerequisiteError, match=r"a: is needed by c, b. Stop those too \(with_dependents\), or force it"
    ):
        platform.operate("stop", "a")
    assert set(platform.pids()) == {"a", "b", "c"}
    platform.events.clear()
    assert _results(platform.operate("stop", "b", with_dependents=True)) == {"c": "stopped", "b": "stopped"}
    told = [event.service for event in platform.events if event.kind == "service.stopped"]
    assert told == ["c", "b"]
    assert set(platform.pids()) == {"a"}
    assert _results(platform.operate("stop", "a")) == {"a": "stopped"}
    platform.start()
    assert _results(platform.operate("stop", "a", force=True)) == {"a": "stopped"}
    assert set(platform.pids()) == {"b", "c"}
    statuses = {status.name: status.status for status in Manager.open(platform.folder).status()}
    assert statuses == {"a": "stopped", "b": "running", "c": "running"}


def test_a_restart_gives_new_processes_to_those_that_were_named(platform: Platform) -> None:
    platform.start()
    before = platform.pids()
    assert _results(platform.operate("restart", "b")) == {"a": "unchanged", "b": "healthy"}
    after = platform.pids()
    assert {name for name in "abc" if before[name] != after[name]} == {"b"}


def test_starting_brings_up_what_is_needed_too(platform: Platform) -> None:
    platform.start()
    platform.operate("stop")
    assert platform.pids() == {}
    assert _results(platform.operate("start", "b")) == {"a": "healthy", "b": "healthy"}


def test_removing_leaves_no_process_no_record_and_no_log(platform: Platform) -> None:
    platform.start()
    pids = platform.pids()
    platform.operate("stop", "c")
    assert set(_results(platform.operate("remove")).values()) == {"removed"}
    assert not any(_process.identify(pid) for pid in pids.values())
    left = {str(path.relative_to(platform.folder)) for path in platform.folder.rglob("*") if not path.is_dir()}
    assert left == {"audit.jsonl", "services/locks/run.lock", "services/settings.json"}
    assert Manager.open(platform.folder).services() == {}
    assert _results(platform.start()) == {"a": "healthy", "b": "healthy", "c": "healthy"}


# --- failing ---------------------------------------------------------------------------------------------------------


def test_a_service_that_ends_at_once_fails_with_its_exit_code_and_its_last_words(platform: Platform) -> None:
    broken = service(
        "a",
        command="sh",
        args=["-c", "echo loading; echo no such table >&2; exit 3"],
        health={"type": "tcp", "port": platform.ports["a"]},
        startup={"timeout": 20},
    )
    begin = time.monotonic()
    outcomes = platform.start(a=broken)
    assert time.monotonic() - begin < 10
    assert outcomes["a"].result == "failed"
    assert outcomes["a"].reason.endswith("exited with code 3; its last words: loading / no such table")
    assert _results(outcomes) == {"a": "failed", "b": "cancelled", "c": "cancelled"}
    (status,) = platform.manager().status(["a"])
    assert (status.status, status.last_error) == ("failed", outcomes["a"].reason)
    without_check = service("unchecked", command="sh", args=["-c", "exit 3"])
    assert platform.start("unchecked", unchecked=without_check)["unchecked"].reason.endswith("exited with code 3")


def test_a_missing_binary_is_known_before_anything_is_touched(platform: Platform) -> None:
    missing = service("b", ["a"], command="no-such-command")
    with pytest.raises(PrerequisiteError, match="b: the command no-such-command is not there or not executable"):
        platform.start(b=missing)
    assert platform.pids() == {}
    outcomes = platform.start(options=Options(fail_fast=False))
    assert _results(outcomes) == {"a": "healthy", "b": "skipped", "c": "skipped"}
    assert outcomes["c"].remedy == outcomes["b"].remedy == "Install it, or set deployment.binary.command to its path."
    optional = service("b", ["a"], command="no-such-command", required=False)
    assert _results(platform.start(b=optional)) == {"a": "unchanged", "b": "skipped", "c": "skipped"}


def test_a_port_that_is_taken_fails_with_who_has_it(platform: Platform) -> None:
    with socket.create_server(("127.0.0.1", platform.ports["b"])):
        outcomes = platform.start(options=Options(fail_fast=False))
        assert _results(outcomes) == {"a": "healthy", "b": "failed", "c": "skipped"}
        name = _process.command_name(os.getpid())
        assert outcomes["b"].reason == f"port {platform.ports['b']} is taken by pid {os.getpid()} ({name})"
    assert _results(platform.start()) == {"a": "unchanged", "b": "healthy", "c": "healthy"}


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
        "b", ["a"], port=platform.ports["b"], health={"type": "tcp", "port": free_port()}, startup={"timeout": 60}
    )
    cancelled = threading.Event()
    threading.Timer(0.5, cancelled.set).start()
    begin = time.monotonic()
    outcomes = platform.start(b=never, options=Options(cancelled=cancelled))
    assert time.monotonic() - begin < 20
    assert _results(outcomes) == {"a": "healthy", "b": "cancelled", "c": "cancelled"}
    assert outcomes["b"].reason == "started, but not waited for: the run was cancelled"


# --- looking ---------------------------------------------------------------------------------------------------------


def test_the_status_tells_what_is_and_why(platform: Platform) -> None:
    platform.start("b")
    a, b, c = platform.manager().status()
    assert (a.name, a.status, a.health, a.reason) == ("a", "running", "healthy", "new")
    assert a.address == f"http://127.0.0.1:{platform.ports['a']}"
    assert a.health_reason == f"http://127.0.0.1:{platform.ports['a']}/ answered 404"
    assert (c.status, c.health, c.since) == ("absent", "unknown", None)
    assert b.since is not None
    assert abs(time.time() - b.since) < 60
    os.kill(int(str(b.id)), signal.SIGSTOP)
    stuck = web("b", ["a"], port=platform.ports["b"], health={"type": "tcp", "port": free_port(), "timeout": 0.2})
    (status,) = platform.manager(b=stuck).status(["b"])
    assert (status.status, status.health) == ("running", "unhealthy")
    assert status.health_reason.endswith("refused the connection")
    json.dumps([found.to_dict() for found in (a, b, c)])
    os.kill(int(str(b.id)), signal.SIGCONT)


def test_what_is_installed_is_known_from_its_records_alone(platform: Platform) -> None:
    platform.start()
    found = Manager.open(platform.folder)
    assert list(found.services()) == ["a", "b", "c"]
    assert found.services() == platform.definitions
    assert found.is_running("a")
    assert sorted(found.running()) == ["a", "b", "c"]
    assert {status.health for status in found.status()} == {"healthy"}
    assert found.wait_for("c").healthy
    assert found.plan(dict.fromkeys("abc", "started")).changes == []


def test_records_that_are_damaged_are_an_error_with_their_path(platform: Platform) -> None:
    platform.start("a")
    path = WorkDir(platform.folder).state / "a.json"
    text = path.read_text()
    path.write_text(text[:-5])
    with pytest.raises(ConfigurationError, match=f"{path}: is damaged"):
        Manager.open(platform.folder)
    path.write_text(text)
    settings = WorkDir(platform.folder).root / "services" / "settings.json"
    settings.write_text("{")
    with pytest.raises(ConfigurationError, match=f"{settings}: is damaged"):
        Manager.open(platform.folder)
    settings.unlink()


def test_settings_are_kept_for_those_who_come_without_configuration(tmp_path: Path) -> None:
    settings = Settings(project="mine", env={"LOG_LEVEL": "debug", "NUMBER": 7})
    Manager(tmp_path, {}, settings).save_settings()
    assert Manager.open(tmp_path).settings == settings


@pytest.mark.parametrize(
    "ask",
    [
        lambda manager: manager.definition("x"),
        lambda manager: manager.is_running("x"),
        lambda manager: manager.status(["x"]),
        lambda manager: manager.check_health(["x"]),
        lambda manager: manager.wait_for("x"),
        lambda manager: manager.verify(["x"]),
        lambda manager: manager.logs("x"),
        lambda manager: manager.preflight(["x"]),
        lambda manager: manager.plan({"x": "started"}),
        lambda manager: manager.goals_of(ServiceOperation(operation="stop", services=("x",))),
        lambda manager: manager.goals_of(ServiceOperation(operation="start", services=("x",))),
    ],
)
def test_an_unknown_name_is_the_same_error_everywhere(platform: Platform, ask: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"x: there is no such service. Known services: a, b, c"):
        ask(platform.manager())


def test_a_mode_that_is_not_available_is_said_to_be_so_everywhere(tmp_path: Path) -> None:
    definition = service("a", deployment={"mode": "remote", "remote": {"url": "http://x"}}, required=False)
    manager = Manager(tmp_path, services(definition))
    why = "the mode remote is not available"
    assert manager.status()[0].status == "absent"
    assert manager.check_health()["a"].reason == why
    assert manager.wait_healthy()["a"].reason == why
    assert manager.verify()["a"][0].reason == why
    assert manager.preflight().services["a"] == [Problem("a", why, "Choose one of: binary, docker.")]
    with pytest.raises(DriverError, match=why):
        manager.logs("a")
    outcome = manager.converge({"a": "started"})[1]["a"]
    assert (outcome.result, outcome.reason) == ("skipped", why)


def test_the_output_of_a_service_can_be_read(platform: Platform) -> None:
    talker = service("a", command="sh", args=["-c", "echo one; echo two; exec sleep 1000"])
    platform.start("a", a=talker)
    assert [line.text for line in platform.manager().logs("a", tail=1)] == ["two"]


# --- before ----------------------------------------------------------------------------------------------------------


def test_preflight_names_what_is_in_the_way_and_by_whom(platform: Platform, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", platform.ports["b"])):
        report = platform.manager().preflight()
    (taken,) = report.services["b"]
    assert str(taken) == (
        f"b: port {platform.ports['b']} is taken by pid {os.getpid()} ({_process.command_name(os.getpid())}). "
        "Stop it, or set deployment.services[b].port."
    )
    assert report.services["c"][0].why == f"needs b, which cannot run: {taken.why}"
    assert "a" not in report.services
    assert report.blocking(platform.definitions) == [*report.services["b"], *report.services["c"]]
    assert not platform.folder.exists()


def test_preflight_does_not_mind_our_own_processes_nor_what_they_left_behind(platform: Platform) -> None:
    serve = f"{sys.executable} -m http.server --bind 127.0.0.1 {platform.ports['a']} & wait"
    parent = service(
        "a",
        command="sh",
        args=["-c", serve],
        port=platform.ports["a"],
        conflicts=[f"127.0.0.1:{platform.ports['a']}"],
        health={"type": "tcp", "port": platform.ports["a"]},
        startup={"timeout": 20},
    )
    platform.start("a", a=parent)
    assert platform.manager().preflight(["a"]).services == {}
    pid = platform.pids()["a"]
    os.kill(pid, signal.SIGKILL)
    _until_gone(pid)
    unconflicted = service("a", command="sh", args=["-c", serve], port=platform.ports["a"])
    assert platform.manager(a=unconflicted).preflight(["a"]).services == {}


def test_preflight_finds_conflicts_with_services_processes_and_addresses(platform: Platform) -> None:
    platform.start("a")
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        rival = service("c", conflicts=["a", address, _process.command_name(os.getpid()), "no-such-process"])
        problems = platform.manager(c=rival).preflight(["c"]).services["c"]
    assert [problem.why for problem in problems][:2] == [
        "conflicts with a, which runs",
        f"something answers at {address}",
    ]
    assert problems[2].why.startswith(f"conflicts with {_process.command_name(os.getpid())}, which runs as pid ")


def test_preflight_finds_what_is_missing(platform: Platform, tmp_path: Path) -> None:
    changed = {
        "a": service("a", command="no-such-command"),
        "b": service("b", ["a", "nobody", "off"]),
        "off": service("off", enabled=False),
    }
    (tmp_path / "file").touch()
    manager = Manager(tmp_path / "file" / "work", {**platform.definitions, **changed})
    report = manager.preflight(["a", "b"], provisioning_path="/no/such/provisioning")
    assert [problem.why for problem in report.platform] == [
        f"{tmp_path / 'file'} is not a folder",
        "/no/such/provisioning is not an executable",
    ]
    assert report.services["a"][0].why == "the command no-such-command is not there or not executable"
    assert [problem.why for problem in report.services["b"]] == [
        "needs nobody, which is not defined",
        "needs off, which is not enabled",
    ]
    json.dumps(report.to_dict())


def test_a_work_dir_without_space_is_a_problem_of_the_platform() -> None:
    with small_disk("1m") as disk:
        (problem,) = Manager(disk / "work", {}).preflight().platform
    assert problem.why.startswith(f"{disk} has ")
    assert problem.why.endswith("MiB of free space; 100 are needed")


def test_more_memory_than_there_is_is_a_warning(tmp_path: Path) -> None:
    large = services(service("a", resources={"memory": "900g"}), service("b", resources={"memory": "900g"}))
    (warning,) = Manager(tmp_path, large).preflight().warnings
    assert warning.why.startswith("the services may use 1843200 MiB together; ")


# --- two at a time ---------------------------------------------------------------------------------------------------


def test_two_runs_at_the_same_time_are_refused_with_the_pid_of_the_first(platform: Platform) -> None:
    lock = WorkDir(platform.folder).locks / "run.lock"
    with locked(lock), pytest.raises(BusyError, match=rf"another run is in progress: pid {os.getpid()}"):
        platform.start()
    assert platform.pids() == {}
    assert set(_results(platform.start()).values()) == {"healthy"}


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
    task = service("task", command="sh", args=["-c", "echo run >> runs"], startup={"timeout": 20})
    needy = service("needy", {"task": "completed"}, startup={"timeout": 20})
    for expected in (["run"], ["run"]):
        outcomes = platform.start("needy", task=task, needy=needy)
        assert outcomes["task"].result == "completed"
        assert mark.read_text().split() == expected
    changed = service("task", command="sh", args=["-c", "echo again >> runs"], startup={"timeout": 20})
    assert platform.start("needy", task=changed)["task"].changed
    assert mark.read_text().split() == ["run", "again"]


def test_processes_go_on_when_the_run_that_started_them_is_killed(platform: Platform) -> None:
    port = platform.ports["a"]
    script = f"""
import sys
sys.path[:0] = {sys.path!r}
from pathlib import Path
from tests.fixtures.definitions import services
from tests.integration.test_manager_binary import Manager, web
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
        cwd=Path(__file__).parents[2],
    ) as run:
        assert run.stdout is not None
        assert run.stdout.readline() == "up\n"
        run.kill()
    before = platform.pids()
    assert _results(platform.start("a")) == {"a": "unchanged"}
    assert platform.pids() == before
