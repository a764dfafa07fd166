# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An installation as it comes: supervised. Installed, installed again, changed, restarted with the machine, removed."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fixtures.installations import Installation, changed, small, web
from tests.fixtures.ports import free_port
from tests.fixtures.supervised import still_runs, until


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    names = ("one", "two")
    definitions = {name: web(free_port()) for name in names}
    one = small(tmp_path_factory.mktemp("supervised"), definitions, supervise=True)
    try:
        assert one.run().returncode == 0
        yield one
    finally:
        one.clean()


def supervisor(one: Installation) -> int:
    path = one.work_dir / "supervisor" / "supervisor.json"
    return int(json.loads(path.read_text(encoding="utf-8"))[0]["pid"])


def told(one: Installation) -> str:
    path = one.work_dir / "supervisor" / "events.jsonl"  # made when there is something to tell
    return path.read_text(encoding="utf-8") if path.exists() else ""


def test_the_supervisor_runs_on_its_own_out_of_the_work_dir(installed):
    pid = supervisor(installed)
    assert still_runs(pid)
    assert os.getsid(pid) == pid
    command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    assert command[1].decode().startswith(f"{installed.work_dir}/supervisor/provisioning-supervisor-")
    assert b"GITHUB" not in Path(f"/proc/{pid}/environ").read_bytes()


def test_a_second_run_leaves_everything_alone_and_says_so(installed):
    before = (supervisor(installed), installed.identities())
    ran = installed.playbook("install")
    assert (ran.returncode, changed(ran)) == (0, 0)
    assert (supervisor(installed), installed.identities()) == before


def test_what_dies_comes_back_without_anybodys_doing(installed):
    before = installed.pids()
    os.kill(before["one"], signal.SIGKILL)
    until(lambda: "service.recovered" in told(installed), "it is back")
    after = installed.pids()
    assert after["one"] != before["one"]
    assert after["two"] == before["two"]


def test_the_platforms_stop_is_respected_and_its_start_brings_the_supervisor_with_it(installed):
    pid = supervisor(installed)
    assert installed.playbook("stop").returncode == 0
    assert installed.pids() == {}
    assert still_runs(pid)
    os.kill(pid, signal.SIGKILL)  # as if the machine had been restarted
    until(lambda: not still_runs(pid), "it is gone")
    assert installed.playbook("start").returncode == 0
    assert installed.pids().keys() == {"one", "two"}
    assert still_runs(supervisor(installed))
    assert supervisor(installed) != pid


def test_other_settings_of_its_own_restart_the_supervisor_and_no_service(installed):
    before = installed.pids()
    pid = supervisor(installed)
    installed.document["notifications"] = {"webhook_url": "http://127.0.0.1:9/hook?key=s3cret", "retry_attempts": 0}
    ran = installed.playbook("install", "-v")
    assert (ran.returncode, changed(ran)) == (0, 1)
    assert "s3cret" not in ran.stdout
    assert supervisor(installed) != pid
    until(lambda: not still_runs(pid), "the old one is gone")
    assert installed.pids() == before
    settings = installed.work_dir / "supervisor" / "settings.json"
    assert "s3cret" in settings.read_text(encoding="utf-8")
    assert settings.stat().st_mode & 0o077 == 0


def test_who_wants_none_gets_none(installed):
    pid = supervisor(installed)
    installed.document["deployment"]["supervise"] = False
    assert installed.run().returncode == 0
    until(lambda: not still_runs(pid), "it is gone")
    installed.document["deployment"]["supervise"] = True
    assert installed.run().returncode == 0
    assert still_runs(supervisor(installed))


def test_nothing_of_it_is_left_after_an_uninstallation(installed):
    pid = supervisor(installed)
    assert installed.playbook("uninstall", purge=True).returncode == 0
    assert not still_runs(pid)
    assert installed.leftovers() == []
    assert not installed.work_dir.exists()
