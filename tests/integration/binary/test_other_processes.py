# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is not ours is left alone, what ours have left behind is not."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils import _process
from ansible_collections.provisioning.platform.plugins.module_utils._drivers._base import (
    ABSENT,
)
from ansible_collections.provisioning.platform.plugins.module_utils._errors import DriverError
from ansible_collections.provisioning.platform.plugins.module_utils._process import ProcessIdentity
from ansible_collections.provisioning.platform.plugins.module_utils._state import PidRecord, PidStore

from tests.fixtures.binary_host import Host, lives, pid_of, sh
from tests.fixtures.ports import free_port


@contextlib.contextmanager
def _stranger() -> Iterator[subprocess.Popen[bytes]]:
    """A process that has nothing to do with us, with a session and a child of its own."""
    with subprocess.Popen(
        ["sh", "-c", "sleep 1000 & echo; wait"], stdout=subprocess.PIPE, start_new_session=True
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def _record(host: Host, name: str, identity: ProcessIdentity, digest: str = "x") -> None:
    PidStore(host.layout.pids).write(name, [PidRecord(identity, identity.pid, digest)])


@pytest.mark.parametrize("change", [{"start_time": 1}, {"boot_id": "another boot"}])
def test_who_got_the_pid_of_one_of_our_processes_later_is_never_signalled(host: Host, change: dict[str, Any]) -> None:
    one = sh("one", "exec sleep 1000")
    with _stranger() as stranger:
        identity = _process.identify(stranger.pid)
        assert identity is not None
        before = _process.group_members(stranger.pid)
        assert len(before) == 2
        stale = ProcessIdentity(**{**vars(identity), **change})
        for act in (host.stop, host.remove, host.start):
            _record(host, "one", stale)
            assert host.observe(one).status == "failed"
            assert host.observe(one).instances == ()
            act(one)
            time.sleep(0.02)
            assert stranger.poll() is None
            assert _process.group_members(stranger.pid) == before
        assert host.observe(one).id != str(stranger.pid)


def test_a_group_without_a_leader_that_is_not_ours_is_never_signalled(host: Host) -> None:
    one = sh("one", "exec sleep 1000")
    with _stranger() as stranger:
        members = _process.group_members(stranger.pid)
        stranger.send_signal(signal.SIGKILL)
        stranger.wait()
        for act in (host.stop, host.start):
            _record(host, "one", members[0])
            act(one)
            time.sleep(0.02)
            assert _process.group_members(stranger.pid) == members[1:]


def test_what_a_dead_process_left_behind_is_told_and_killed_before_the_next_start(host: Host) -> None:
    port = free_port()
    listen = f"s = socket.create_server(('127.0.0.1', {port}))"
    server = f"import socket, time; {listen}; print('ready', flush=True); time.sleep(1000)"
    script = f'{sys.executable} -c "{server}" & wait'
    one = sh("one", script, port=port)
    first = host.start(one)
    host.until(lambda: host.log(one) == ["ready"])
    os.kill(pid_of(first), signal.SIGKILL)
    seen = host.until(lambda: (found := host.new_driver().observe([one])["one"]).status == "failed" and found)
    assert len(seen.instances) == 1
    assert seen.detail.endswith("and left 1 processes behind")
    again = host.start(one)
    assert again.status == "running"
    assert not lives(int(seen.instances[0]))
    host.until(lambda: host.log(one) == ["ready", "ready"])


def test_what_a_dead_process_left_behind_is_stopped_with_it(host: Host) -> None:
    one = sh("one", "sleep 1000 & echo ready; wait")
    first = host.start(one)
    host.until(lambda: host.log(one) == ["ready"])
    os.kill(pid_of(first), signal.SIGKILL)
    host.until(lambda: not lives(pid_of(first)))
    host.new_driver().stop(one, ABSENT)
    assert _process.group_members(pid_of(first)) == []


def test_a_port_that_somebody_else_has_keeps_the_service_from_being_started(host: Host) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        one = sh("one", "exec sleep 1000", port=other.getsockname()[1])
        with pytest.raises(DriverError, match=rf"one: port \d+ is taken by pid {os.getpid()} \(.+\)\. Stop it, or set"):
            host.start(one)
        assert host.observe(one) == ABSENT
    assert host.start(one).status == "running"
