# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils import _process
from ansible_collections.provisioning.platform.plugins.module_utils._process import ProcessIdentity


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    """A process of ours in a session of its own."""
    process = subprocess.Popen(["sleep", "1000"], start_new_session=True)
    yield process
    process.kill()
    process.wait()


def _identity(process: subprocess.Popen[bytes]) -> ProcessIdentity:
    found = _process.identify(process.pid)
    assert found is not None
    return found


def test_a_process_is_known_by_pid_start_time_and_boot(child: subprocess.Popen[bytes]) -> None:
    identity = _identity(child)
    assert identity.pid == child.pid
    assert identity.boot_id == _process.boot_id()
    assert 0 < identity.start_time <= _process.ticks_since_boot()
    assert abs(_process.started_at(identity) - time.time()) < 60
    assert _process.is_alive(identity)


@pytest.mark.parametrize("change", [{"start_time": 1}, {"start_time": -1}, {"boot_id": "another"}])
def test_a_process_that_got_the_pid_later_is_another_one_and_is_not_signalled(
    child: subprocess.Popen[bytes], change: dict[str, object]
) -> None:
    stranger = replace(_identity(child), **change)
    assert not _process.is_alive(stranger)
    assert not _process.send_signal(stranger, signal.SIGKILL)
    assert _process.wait_until_gone(stranger, 10)
    time.sleep(0.01)
    assert child.poll() is None


def test_a_zombie_does_not_live(child: subprocess.Popen[bytes]) -> None:
    identity = _identity(child)
    child.send_signal(signal.SIGKILL)
    assert _process.wait_until_gone(identity, 60)  # before its parent has asked
    assert child.returncode is None
    assert not _process.is_alive(identity)
    assert _process.identify(child.pid) is None
    assert identity not in _process.group_members(child.pid)
    assert not _process.send_signal(identity, signal.SIGTERM)


def test_a_process_that_is_gone_is_gone(child: subprocess.Popen[bytes]) -> None:
    identity = _identity(child)
    child.kill()
    child.wait()
    assert not _process.is_alive(identity)
    assert not _process.send_signal(identity, signal.SIGTERM)
    assert _process.wait_until_gone(identity, 10)
    assert _process.command_name(child.pid) == ""
    assert _process.group_of(child.pid) is None


def test_a_pid_that_has_become_a_thread_s_is_nobody_s(child: subprocess.Popen[bytes]) -> None:
    done = threading.Event()
    thread = threading.Thread(target=done.wait)
    thread.start()
    assert thread.native_id is not None
    identity = _identity(child)
    record = replace(identity, pid=thread.native_id, start_time=identity.start_time - 100)
    try:
        assert not _process.is_alive(record)
        assert not _process.send_signal(record, signal.SIGKILL)
        assert _process.wait_until_gone(record, 10)
    finally:
        done.set()
        thread.join()


def test_a_signal_reaches_the_process_and_its_end_is_noticed(child: subprocess.Popen[bytes]) -> None:
    identity = _identity(child)
    assert not _process.wait_until_gone(identity, 0)
    assert _process.send_signal(identity, signal.SIGTERM)
    assert _process.wait_until_gone(identity, 60)
    assert child.wait() == -signal.SIGTERM


def test_a_wait_ends_with_its_time_and_takes_any_length_of_it(child: subprocess.Popen[bytes]) -> None:
    identity = _identity(child)
    begin = time.monotonic()
    assert not _process.wait_until_gone(identity, 0.02)
    assert not _process.wait_until_gone(identity, -5)
    assert time.monotonic() - begin < 60
    threading.Timer(0.02, child.kill).start()
    assert _process.wait_until_gone(identity, 1e12)


def test_the_members_of_a_group_are_found_its_leader_first() -> None:
    leader = subprocess.Popen(
        ["sh", "-c", "sleep 1000 & sleep 1000 & echo; wait"], stdout=subprocess.PIPE, start_new_session=True
    )
    assert leader.stdout is not None
    leader.stdout.readline()
    try:
        members = _process.group_members(leader.pid)
        assert members[0].pid == leader.pid
        assert len(members) == 3
        assert {_process.group_of(member.pid) for member in members} == {leader.pid}
    finally:
        os.killpg(leader.pid, signal.SIGKILL)
        leader.wait()
        leader.stdout.close()


def test_a_command_name_may_hold_parentheses_and_spaces(tmp_path) -> None:
    command = tmp_path / "a) R 1 (b"
    command.symlink_to(sys.executable)
    process = subprocess.Popen([str(command), "-c", "input()"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    try:
        identity = _identity(process)
        assert identity.start_time > 1
        assert _process.command_name(process.pid) == "a) R 1 (b"
        assert process.pid in _process.find_by_name("a) R 1 (b")
    finally:
        process.communicate()


def test_commands_are_found_by_name_unless_they_are_dead(child: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while child.pid not in _process.find_by_name("sleep"):  # the kernel names it a moment after it tells its parent
        assert time.monotonic() < deadline
    assert _process.find_by_name("no-such-command-at-all") == []
    identity = _identity(child)
    child.send_signal(signal.SIGKILL)
    _process.wait_until_gone(identity, 60)
    assert child.pid not in _process.find_by_name("sleep")


def test_who_has_a_file_open_is_known(tmp_path) -> None:
    path, other = tmp_path / "log", tmp_path / "other"
    other.touch()
    with path.open("w") as stream:
        process = subprocess.Popen(["sleep", "1000"], stdout=stream)
    try:
        assert _process.has_open(process.pid, path)
        assert not _process.has_open(process.pid, other)
        assert not _process.has_open(process.pid, tmp_path / "missing")
        assert not _process.has_open(999999999, path)
    finally:
        process.kill()
        process.wait()


def test_signals_that_are_ignored_or_blocked_here_are_known() -> None:
    ignored, blocked = _process.unusual_signals()
    assert signal.SIGPIPE in ignored  # as Python has it
    before_ignored = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    before_blocked = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1, signal.SIGRTMAX])
    try:
        assert _process.unusual_signals() == (ignored | {signal.SIGHUP}, blocked | {signal.SIGUSR1, signal.SIGRTMAX})
    finally:
        signal.signal(signal.SIGHUP, before_ignored)
        signal.pthread_sigmask(signal.SIG_SETMASK, before_blocked)


def test_the_parent_of_a_process_and_whether_a_group_has_members_are_known(child: subprocess.Popen[bytes]) -> None:
    assert _process.parent_of(child.pid) == os.getpid()
    assert _process.group_exists(child.pid)
    child.kill()
    child.wait()
    assert _process.parent_of(child.pid) is None
    assert not _process.group_exists(child.pid)
