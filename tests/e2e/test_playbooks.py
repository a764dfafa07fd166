# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbooks, and the module for one service, on a small installation that runs.

Each test begins and ends with everything running.
"""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator

import pytest

from tests.fixtures.installations import Installation, Ran, changed, small, web
from tests.fixtures.machine import tree
from tests.fixtures.ports import free_port

ALL = {"base", "middle", "top", "alone"}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    services = {
        "base": web(free_port()),
        "middle": web(free_port(), depends_on=["base"]),
        "top": web(free_port(), depends_on=["middle"]),
        "alone": web(free_port()),
    }
    one = small(tmp_path_factory.mktemp("playbooks"), services)
    try:
        assert one.playbook("install").returncode == 0
        yield one
    finally:
        one.clean()


def replaced(before: dict[str, int], after: dict[str, int]) -> set[str]:
    return {name for name in {*before, *after} if before.get(name) != after.get(name)}


def done(ran: Ran) -> Ran:
    assert ran.returncode == 0
    assert "Traceback" not in ran.stdout + ran.stderr
    return ran


def test_stopping_is_refused_while_something_that_runs_needs_it(running):
    before = running.pids()
    ran = running.playbook("stop", service_names=["base"])
    assert ran.returncode == 2
    assert re.search(r"base: is needed by (top, middle|middle, top)\.", ran.stdout + ran.stderr)
    assert "with_dependents" in ran.stdout + ran.stderr
    assert running.pids() == before


def test_stopping_takes_dependents_along_if_asked_and_starting_brings_dependencies(running):
    before = running.pids()
    stopped = done(running.playbook("stop", "-e", "service_names=base", "-e", "with_dependents=true"))
    assert running.pids() == {"alone": before["alone"]}
    order = re.findall(r"(\w+): stopped", stopped.stdout)
    assert order == ["top", "middle", "base"]
    started = done(running.playbook("start", "-e", "service_names=top"))
    assert running.pids().keys() == ALL
    assert running.pids()["alone"] == before["alone"]
    assert re.findall(r"(\w+): starting", started.stdout) == ["base", "middle", "top"]


def test_restarting_some_leaves_the_others_alone(running):
    before = running.pids()
    done(running.playbook("restart", service_names=["middle", "alone"]))
    assert replaced(before, running.pids()) == {"middle", "alone"}


def test_the_status_tells_what_does_not_run_and_a_start_brings_it_back(running):
    before = running.pids()
    os.kill(before["top"], signal.SIGKILL)
    shown = done(running.playbook("status")).stdout
    lines = {name: line for line in shown.splitlines() for name in ALL if re.search(rf"\b{name} ", line)}
    assert lines.keys() == ALL
    assert all("healthy" in lines[name] and "running" in lines[name] for name in ALL - {"top"})
    assert "failed" in lines["top"]
    assert "running" not in lines["top"]
    assert changed(done(running.playbook("start"))) == 1
    assert replaced(before, running.pids()) == {"top"}


def test_all_can_be_stopped_and_started_again(running):
    assert changed(done(running.playbook("stop"))) == 1
    assert running.pids() == {}
    assert changed(done(running.playbook("stop"))) == 0
    done(running.playbook("start"))
    assert running.pids().keys() == ALL


def test_check_mode_shows_what_would_be_done_and_does_nothing(running):
    before, files = running.pids(), tree(running.work_dir)
    running.registry["alone"]["resources"] = {"open_files": 512}
    running.registry["new"] = web(free_port())
    try:
        ran = done(running.playbook("install", "--check", "--diff"))
    finally:
        running.registry["alone"].pop("resources")
        del running.registry["new"]
    assert running.pids() == before
    assert tree(running.work_dir) == files
    assert "--- before: alone (recreate: changed: open_files)" in ran.stdout
    assert '+  "open_files": 512,' in ran.stdout
    assert "--- before: new (create: new)" in ran.stdout
    assert not re.search(r"before: (base|middle|top)", ran.stdout)
    assert changed(ran) == 1


def test_one_service_can_be_told_by_an_ad_hoc_call(running):
    before = running.pids()
    ran = done(running.ad_hoc("service", name="middle", state="restarted"))
    assert "CHANGED" in ran.stdout
    assert replaced(before, running.pids()) == {"middle"}
    unknown = running.ad_hoc("service", name="midle")
    assert unknown.returncode != 0
    assert "midle" in unknown.stdout
    assert "middle" in unknown.stdout


def test_a_service_can_be_defined_and_removed_by_ad_hoc_calls(running):
    before, port = running.pids(), free_port()
    block = {"command": "/bin/busybox", "args": ["httpd", "-f", "-p", f"127.0.0.1:{port}"]}
    definition = {"deployment": {"mode": "binary", "binary": block}, "health": {"type": "tcp", "port": port}}
    done(running.ad_hoc("service", name="guest", definition=definition))
    assert replaced(before, running.pids()) == {"guest"}
    again = done(running.ad_hoc("service", name="guest", definition=definition))
    assert "changed: false" in again.stdout
    done(running.ad_hoc("service", name="guest", state="absent"))
    assert running.pids() == before
