# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A process is started, seen, stopped and removed; its output is kept."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils import _process
from ansible_collections.provisioning.platform.plugins.module_utils._drivers._base import (
    ABSENT,
)
from ansible_collections.provisioning.platform.plugins.module_utils._plan import digest_of

from tests.fixtures.binary_host import Host, lives, pid_of, sh


def test_a_process_is_started_seen_stopped_and_started_again(host: Host) -> None:
    one = sh("one", "exec sleep 1000")
    assert host.observe(one) == ABSENT
    started = host.start(one)
    assert started.status == "running"
    assert started.digest == digest_of(host.driver.render(one))
    assert started.since is not None
    assert abs(started.since - time.time()) < 60
    assert host.observe(one) == started
    assert host.new_driver().observe([one])["one"] == started
    assert os.getsid(pid_of(started)) == os.getpgid(pid_of(started)) == pid_of(started)
    host.stop(one)
    assert not lives(pid_of(started))
    stopped = host.observe(one)
    assert (stopped.status, stopped.detail, stopped.exit_code) == ("stopped", "was stopped", -signal.SIGTERM)
    assert stopped.digest == started.digest
    host.stop(one)
    again = host.start(one)
    assert again.status == "running"
    assert again.id != started.id


def test_what_runs_is_left_alone_when_it_is_started_again(host: Host) -> None:
    one = sh("one", "exec sleep 1000")
    assert host.start(one).id == host.start(one).id


def test_what_has_changed_is_replaced(host: Host) -> None:
    before = host.start(sh("one", "exec sleep 1000"))
    after = host.start(sh("one", "exec sleep 2000"))
    assert after.status == "running"
    assert after.digest != before.digest
    assert not lives(pid_of(before))


def test_a_process_that_was_killed_is_seen_as_failed_by_whom_it_was_killed_and_only_it_is_started(host: Host) -> None:
    one, two = sh("one", "exec sleep 1000"), sh("two", "exec sleep 1000")
    first, second = host.start(one), host.start(two)
    os.kill(pid_of(first), signal.SIGKILL)
    host.until(lambda: host.observe(one).status == "failed")
    seen = host.observe(one)
    assert (seen.detail, seen.exit_code) == (f"pid {first.id} was killed by SIGKILL", -9)
    assert host.new_driver().observe([one])["one"].detail == seen.detail
    assert host.start(two).id == second.id
    assert host.start(one).id != first.id


def test_how_a_process_ended_is_unknown_to_whoever_did_not_start_it(host: Host) -> None:
    one = sh("one", "exec sleep 1000")
    started = host.start(one)
    stranger = host.new_driver()
    os.kill(pid_of(started), signal.SIGKILL)
    host.until(lambda: not lives(pid_of(started)))
    seen = stranger.observe([one])["one"]
    assert (seen.status, seen.detail, seen.exit_code) == ("failed", f"pid {started.id} is gone", None)


def test_how_a_process_ended_is_written_down_also_when_it_ends_while_it_is_looked_at(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = sh("one", "exec sleep 1000")
    started = host.start(one)

    def ends_now(identity: _process.ProcessIdentity) -> bool:
        monkeypatch.undo()
        os.kill(identity.pid, signal.SIGKILL)
        host.until(lambda: not lives(identity.pid))
        return _process.is_alive(identity)

    monkeypatch.setattr(_process, "is_alive", ends_now)
    seen = host.observe(one)
    assert (seen.status, seen.exit_code) == ("failed", -signal.SIGKILL)
    assert host.new_driver().observe([one])["one"].detail == f"pid {started.id} was killed by SIGKILL"


@pytest.mark.parametrize(
    ("script", "status", "code", "detail"),
    [
        ("exit 0", "stopped", 0, "exited with code 0"),
        ("echo cannot; exit 3", "failed", 3, "exited with code 3"),
        ("kill -SEGV $$", "failed", -11, "was killed by SIGSEGV"),
        ("kill -40 $$", "failed", -40, "was killed by signal 40"),
    ],
)
def test_a_process_that_ends_at_once_is_seen_with_its_exit_code(
    host: Host, script: str, status: str, code: int, detail: str
) -> None:
    one = sh("one", script)
    host.start(one)
    seen = host.until(lambda: (found := host.observe(one)).status != "running" and found)
    assert (seen.status, seen.exit_code) == (status, code)
    assert detail in seen.detail


def test_a_process_that_ignores_the_stop_signal_is_killed_when_its_time_is_up(host: Host) -> None:
    one = sh("one", "trap '' TERM; echo ready; while :; do sleep 0.1; done", startup={"stop_timeout": 0.2})
    pid = pid_of(host.start(one))
    host.until(lambda: host.log(one) == ["ready"])
    begin = time.monotonic()
    host.stop(one)
    assert 0.2 <= time.monotonic() - begin < 60
    assert not lives(pid)
    assert host.observe(one).exit_code == -signal.SIGKILL


def test_the_stop_signal_is_the_one_that_was_asked_for(host: Host) -> None:
    script = (
        "trap 'echo on INT; exit 0' INT; trap 'echo on TERM; exit 0' TERM; echo ready; while :; do sleep 0.01; done"
    )
    for name, wanted in (("SIGINT", "on INT"), ("int", "on INT"), ("SIGTERM", "on TERM")):
        one = sh("one", script, startup={"stop_signal": name})
        host.start(one)
        host.until(lambda one=one: host.log(one)[-1:] == ["ready"])
        host.stop(one)
        assert host.log(one)[-1] == wanted
        assert host.observe(one).exit_code == 0


def test_children_are_given_the_time_to_stop_too(host: Host, tmp_path: Path) -> None:
    mark = tmp_path / "stopped-in-order"
    child = f"trap 'sleep 0.2; touch {mark}; exit' TERM; echo ready; while :; do sleep 0.01; done"
    one = sh("one", f"({child}) & trap 'exit 0' TERM; wait")
    host.start(one)
    host.until(lambda: host.log(one) == ["ready"])
    host.stop(one)
    assert mark.exists()


def test_children_that_ignore_the_stop_signal_are_killed_with_their_parent(host: Host) -> None:
    one = sh("one", "(trap '' TERM; echo ready; sleep 1000) & wait", startup={"stop_timeout": 0.2})
    pid = pid_of(host.start(one))
    host.until(lambda: host.log(one) == ["ready"])
    host.new_driver().stop(one, host.observe(one))
    assert _process.group_members(pid) == []


def test_a_stopped_process_is_killed_as_well(host: Host) -> None:
    one = sh("one", "exec sleep 1000", startup={"stop_timeout": 0.1})
    pid = pid_of(host.start(one))
    os.kill(pid, signal.SIGSTOP)
    host.stop(one)
    assert not lives(pid)


def test_removing_leaves_nothing_but_data(host: Host) -> None:
    one = sh("one", "echo text; touch kept; exec sleep 1000", binary={"replicas": 3})
    host.start(one)
    host.until((host.layout.service_data("one") / "kept").exists)
    assert sorted(path.name for path in host.layout.logs.iterdir()) == ["one.2.log", "one.3.log", "one.log"]
    fewer = sh("one", "echo text; touch kept; exec sleep 1000")
    host.remove(fewer)
    files = [path for path in host.layout.root.rglob("*") if not path.is_dir()]
    assert files == [host.layout.service_data("one") / "kept"]
    assert host.observe(one) == ABSENT
    host.remove(fewer)


def test_output_and_errors_are_logged_together_and_kept_across_starts(host: Host) -> None:
    one = sh("one", "echo out; echo err >&2; exec sleep 1000")
    host.start(one)
    host.until(lambda: host.log(one) == ["out", "err"])
    host.stop(one)
    host.start(one)
    host.until(lambda: host.log(one) == ["out", "err"] * 2)
    assert [line.text for line in host.driver.logs(one, tail=3)] == ["err", "out", "err"]


def test_a_log_is_followed_until_the_service_ends(host: Host) -> None:
    one = sh("one", "for i in 1 2 3 4; do echo $i; sleep 0.05; done; printf last")
    host.start(one)
    assert [line.text for line in host.driver.logs(one, follow=True)] == ["1", "2", "3", "4", "last"]
