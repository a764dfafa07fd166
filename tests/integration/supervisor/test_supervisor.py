# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The supervisor as a process, over real processes: b depends on a and is restarted with it."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils import _supervised
from ansible_collections.provisioning.platform.plugins.plugin_utils.notify.target import WebhookTarget
from ansible_collections.provisioning.platform.plugins.plugin_utils.supervisor.archive import archive

from tests.fixtures.command import Command
from tests.fixtures.definitions import service, services
from tests.fixtures.ports import free_port
from tests.fixtures.receiver import Receiver
from tests.fixtures.supervised import Supervised, still_runs, take_pid, under_supervision, until

STARTUP = {"timeout": 30, "stop_timeout": 1, "limits": {"burst": 20, "delay": 0.1, "max_delay": 0.2}}


def web(name: str, **more: object):
    port = free_port()
    check = {"type": "http", "url": f"http://127.0.0.1:{port}/", "expected_status": [404]}
    timing = {"interval": 0.5, "timeout": 2, "retries": 2}
    args = ["httpd", "-f", "-p", f"127.0.0.1:{port}"]
    return service(
        name, command="busybox", args=args, port=port, **{"startup": STARTUP, "health": check | timing, **more}
    )


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Supervised]:
    definitions = services(web("a"), web("b", depends_on={"a": {"restart": True}}), web("c"))
    with under_supervision(tmp_path_factory.mktemp("supervised") / "work", definitions) as one:
        yield one


def test_a_process_that_died_comes_back_and_what_follows_it_is_restarted(platform):
    before = platform.processes()
    platform.kill("a")
    until(lambda: "restarted" in platform.told("b") and platform.is_well(), "all well again")
    after = platform.processes()
    assert {name: len(pids) for name, pids in after.items()} == {"a": 1, "b": 1, "c": 1}
    assert (after["a"] != before["a"], after["b"] != before["b"]) == (True, True)
    assert after["c"] == before["c"]
    assert platform.told("a")[0] == "down"
    until(lambda: platform.states.read("a").restarts == 1, "it counts")
    until(lambda: platform.states.read("a").last_error, "why it was restarted is known")
    audit = platform.layout.audit.read_text(encoding="utf-8")
    assert '"run": "supervisor", "action": "start", "service": "a"' in audit


def test_a_process_that_hangs_is_unhealthy_and_restarted(platform):
    pid = platform.kill("c", signal.SIGSTOP)
    until(lambda: not still_runs(pid) and platform.is_well("c"), "another one in its place")
    assert "unhealthy" in platform.told("c")
    until(lambda: platform.told("c")[-1] == "recovered", "its recovery is told")


def test_a_persons_stop_is_respected_although_the_service_had_just_died(platform):
    platform.put_to_sleep()  # so that it sees the death and the stop at the same time
    restarts = len(platform.restarts("c"))
    platform.kill("c")
    platform.operate("stop", "c")
    os.kill(platform.supervisor, signal.SIGCONT)
    platform.kill("a")  # what else it does shows that it had the time
    until(lambda: platform.is_well("a", "b"), "the others well")
    assert "c" not in platform.processes()
    platform.operate("start", "c")
    until(platform.is_well, "all well")
    assert len(platform.restarts("c")) == restarts


def test_nothing_is_done_while_an_operator_is_at_it(platform):
    restarts = len(platform.restarts("c"))
    for _round in range(3):
        platform.operate("restart", "c")
    until(platform.is_well, "all well")
    assert len(platform.restarts("c")) == restarts


def test_a_second_supervisor_is_refused_with_the_pid_of_the_first(platform):
    program = next(_supervised.folder_of(platform.layout).glob("*.pyz"))
    ran = _run(program, platform.layout.root)
    assert ran.returncode == 3
    assert f"pid {platform.supervisor} " in ran.stderr


def test_a_pid_that_went_to_somebody_else_is_neither_taken_for_the_service_nor_touched(platform):
    platform.put_to_sleep()
    pid = platform.kill("c")
    until(lambda: not Path(f"/proc/{pid}").exists(), "its number is free")
    stranger = take_pid(pid, ["sleep", "1000"])
    try:
        os.kill(platform.supervisor, signal.SIGCONT)
        until(lambda: platform.processes().get("c") and platform.is_well("c"), "the service runs again")
        assert platform.pid("c") != pid
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_a_receiver_is_told_of_trouble_and_its_end_also_of_what_happened_while_it_was_away(platform):
    receiver = Receiver()
    target = WebhookTarget(url=receiver.url, notify_progress=False, timeout=5, platform="test")
    pid = platform.supervisor
    assert platform.supervise(webhook=target.to_dict()) != pid
    recovered = platform.told("c").count("recovered")
    platform.kill("c")
    until(lambda: platform.told("c").count("recovered") > recovered, "it is well again")
    outbox = _supervised.folder_of(platform.layout) / "outbox.jsonl"
    until(lambda: outbox.exists() and len(outbox.read_text(encoding="utf-8").splitlines()) == 2, "both wait")
    with receiver:
        until(lambda: not outbox.exists(), "nothing waits any more")
    failed, completed = receiver.payloads
    assert (failed["event"], completed["event"]) == ("failed", "completed")
    assert (failed["metadata"]["service"], completed["metadata"]["status"]) == ("c", "recovered")
    assert "c is down" in failed["error"]
    assert (_supervised.settings_path(platform.layout).stat().st_mode & 0o777) == 0o600


def test_what_it_knows_is_published_on_a_port_and_in_a_file(platform, tmp_path):
    port, file = free_port(), tmp_path / "provisioning.prom"
    platform.supervise(metrics={"port": port, "bind_address": "127.0.0.1", "textfile": str(file)})
    platform.kill("c")

    def published() -> str:
        with contextlib.suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as it:
            return str(it.read().decode())
        return ""

    until(lambda: 'supervisor_state{service="c",mode="binary",state="healthy"} 1' in published(), "c is healthy again")
    text = published()
    assert 'provisioning_supervisor_restarts_total{service="c",mode="binary",reason="died"} 1' in text
    assert 'provisioning_service_up{service="a",mode="binary",required="true"} 1' in text
    assert 'provisioning_build_info{service="supervisor",version="' in text
    until(lambda: file.exists() and 'provisioning_service_up{service="b"' in file.read_text(encoding="utf-8"), "a file")
    platform.supervise()
    assert not file.exists()


def test_one_with_the_same_settings_is_left_alone_and_one_that_was_ended_can_be_resumed(platform):
    settings = _supervised.read_settings(platform.layout)
    assert settings is not None
    assert _supervised.is_as_wanted(platform.layout, settings)
    before = platform.processes()
    assert _supervised.stop(platform.layout)
    assert platform.processes() == before  # its end is none of theirs
    platform.kill("c")
    assert _supervised.resume(platform.layout)
    until(platform.is_well, "what died meanwhile is back")
    assert not _supervised.resume(platform.layout)


def test_a_person_who_starts_the_platform_starts_it_too(platform):
    os.kill(platform.supervisor, signal.SIGKILL)
    until(lambda: _supervised.running(platform.layout) is None, "it is gone")
    command = Command(platform.layout.root)
    for words in (("platform", "status"), ("services", "readiness")):
        looked = command(*words)
        assert (looked.code, "supervisor: does not run" in looked.out) == (4, True), looked
    started = Command(platform.layout.root)("platform", "start")
    assert started.code == 0
    assert "supervisor: did not run and was started" in started.err
    assert _supervised.running(platform.layout) is not None
    supervision = command("platform", "status", "--json").document["supervision"]
    assert (supervision["running"], supervision["pid"], supervision["problem"]) == (True, platform.supervisor, "")


def test_a_damaged_state_keeps_it_from_restarting_that_service_alone(platform):
    path = platform.layout.state / "c.json"
    text = path.read_text(encoding="utf-8")
    path.with_name("c").write_text("{", encoding="utf-8")
    path.with_name("c").rename(path)
    until(lambda: platform.told("c")[-1] == "warning", "it says so")
    platform.kill("c")
    platform.kill("b")
    until(lambda: platform.is_well("b"), "another one is restarted")
    until(lambda: "could not be restarted" in str(platform.events()), "it says why this one is not")
    assert "c" not in platform.processes()
    path.with_name("c").write_text(text, encoding="utf-8")
    path.with_name("c").rename(path)
    until(lambda: platform.is_well("a", "b", "c"), "all well")


def test_it_ends_when_the_installation_is_gone(tmp_path):
    one = Supervised(tmp_path / "work", services(web("a")))
    one.install()
    pid = one.supervise()
    shutil.move(_supervised.folder_of(one.layout), tmp_path / "away")
    until(lambda: not still_runs(pid), "it has ended")
    one.close()


def test_where_nothing_is_installed_it_says_so(tmp_path):
    program = tmp_path / "supervisor.pyz"
    program.write_bytes(archive())
    ran = _run(program, tmp_path)
    assert ran.returncode == 3
    assert "holds no installation" in ran.stderr


def _run(program: Path, work_dir: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(program), "--work-dir", str(work_dir)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
