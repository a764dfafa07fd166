# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Processes that go into the background, so that what answers is not what was started."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils import _process
from ansible_collections.provisioning.platform.plugins.module_utils._drivers import _marks
from ansible_collections.provisioning.platform.plugins.module_utils._manager import Manager
from ansible_collections.provisioning.platform.plugins.module_utils._model import ServiceDefinition
from ansible_collections.provisioning.platform.plugins.module_utils._wait import check_now, verify_service

from tests.fixtures.binary_host import Host, lives, python, sh
from tests.fixtures.definitions import services
from tests.fixtures.ports import free_port
from tests.fixtures.small_platform import results

# Its parent ends when the server listens; a real daemon leaves its session as well.
_DAEMON = """
import os, sys, time
from http.server import HTTPServer, BaseHTTPRequestHandler
server = HTTPServer(("127.0.0.1", {port}), BaseHTTPRequestHandler)
if os.fork():
    os._exit(0)
if {leaves}:
    os.setsid()
print(os.getpid(), flush=True)
server.serve_forever()
"""
_TOLD = "its process ended with exit code 0 while it was expected to stay; run it in the foreground"


def _daemon(*, leaves: bool = True) -> ServiceDefinition:
    port = free_port()
    check = {"type": "tcp", "port": port}
    script = _DAEMON.format(port=port, leaves=leaves)
    return python("one", script, port=port, health=check, verify=[check], startup={"timeout": 90})


def _daemon_pid(host: Host, one: ServiceDefinition) -> int:
    host.until(lambda: not host.observe(one).is_up)
    return int(host.until(lambda: host.log(one))[-1])


@pytest.mark.parametrize("leaves", [True, False])
def test_a_daemon_is_not_healthy_though_its_port_answers(host: Host, leaves: bool) -> None:
    one = _daemon(leaves=leaves)
    host.start(one)
    pid = _daemon_pid(host, one)
    assert check_now(one, host.driver).reason == _TOLD
    (result,) = verify_service(one, host.driver)
    assert (result.healthy, result.reason) == (False, _TOLD)
    assert check_now(one, host.driver, may_end=True).healthy
    assert [found.healthy for found in verify_service(one, host.driver, may_end=True)] == [True]
    seen = host.observe(one)
    assert seen.instances == (str(pid),)
    assert seen.detail.endswith("exited with code 0, and left 1 processes behind")


def test_the_wait_for_a_daemon_fails_and_so_does_every_later_look(tmp_path: Path) -> None:
    one = _daemon()
    host = Host(tmp_path)
    manager = Manager(tmp_path, services(one))
    try:
        outcome = manager.converge({"one": "started"})[1]["one"]
        pid = _daemon_pid(host, one)
        # Its port may answer before the parent has ended; then the next step tells.
        assert outcome.result == "healthy" or outcome.reason.startswith(_TOLD)
        later = Manager(tmp_path, services(one))
        assert not later.wait_for("one").healthy
        assert "run it in the foreground" in later.wait_for("one").reason
        assert "run it in the foreground" in later.verify()["one"][0].reason
        assert lives(pid)
        assert later.converge({"one": "absent"})[1]["one"].result == "removed"
        assert not lives(pid)
    finally:
        Manager(tmp_path, services(one)).converge({"one": "absent"})


def test_a_daemon_makes_way_for_the_same_service_in_the_foreground(host: Host) -> None:
    one = _daemon()
    host.start(one)
    pid = _daemon_pid(host, one)
    script = _DAEMON.format(port=one.port, leaves=False).replace("if os.fork()", "if False")
    foreground = python("one", script, port=one.port, health={"type": "tcp", "port": one.port})
    assert host.start(foreground).status == "running"
    assert not lives(pid)
    host.until(lambda: check_now(foreground, host.driver).healthy)
    assert host.observe(foreground).id == host.log(foreground)[-1]


def test_what_a_service_that_has_ended_had_started_later_is_left_alone(host: Host) -> None:
    one = sh("one", "exit 3")
    host.start(one)
    host.until(lambda: host.observe(one).status == "failed")
    mark = _marks.Mark(str(host.layout.root), "one", 1, "digest", _process.ticks_since_boot() - 100_000)
    with subprocess.Popen(["sleep", "1000"], env={_marks.VARIABLE: mark.to_text()}, start_new_session=True) as job:
        assert host.observe(one).instances == ()
        host.start(one)
        host.remove(one)
        assert job.poll() is None
        job.kill()


def test_a_task_may_have_ended_when_its_check_passes(tmp_path: Path) -> None:
    task = python("task", "open('done', 'w')", health={"type": "file", "path": f"{tmp_path}/data/task/done"})
    needy = python("needy", "import time; time.sleep(1000)", depends_on={"task": {"condition": "completed"}})
    manager = Manager(tmp_path, services(task, needy))
    try:
        outcomes = manager.converge({"task": "started", "needy": "started"})[1]
        assert results(outcomes) == {"task": "completed", "needy": "healthy"}
        for found in (manager, Manager(tmp_path, services(task, needy))):
            assert found.check_health()["task"].healthy
            assert found.wait_for("task").healthy
            assert found.verify() == {"task": [], "needy": []}
    finally:
        manager.converge({"task": "absent", "needy": "absent"})
