# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Processes as units of systemd, which is a program here that starts real processes and restarts none by itself."""

from __future__ import annotations

import dataclasses
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils._drivers import _units
from ansible_collections.provisioning.platform.plugins.module_utils._drivers.binary import BinaryDriver
from ansible_collections.provisioning.platform.plugins.module_utils._secrets import Secret

from tests.fixtures import systemctl
from tests.fixtures.binary_host import Host, lives, pid_of, sh


class SystemdHost(Host):
    """A host that systemd runs.

    :param units: where its units are.
    """

    def __init__(self, folder: Path, units: Path) -> None:
        self.units = units
        super().__init__(folder)

    def new_driver(self) -> BinaryDriver:
        driver = super().new_driver()
        driver._units = _units.Units(self.layout, is_root=True, folder=self.units)
        return driver

    def names(self) -> list[str]:
        return sorted(path.name for path in self.units.glob("*.service"))


@pytest.fixture
def systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SystemdHost]:
    systemctl.install(tmp_path / "bin", tmp_path / "units", monkeypatch)
    host = SystemdHost(tmp_path / "work", tmp_path / "units")
    yield host
    host.close()


def test_a_process_is_a_unit_that_comes_up_with_the_machine_until_it_is_stopped_and_is_gone_when_it_is_removed(systemd):
    one = sh("one", "echo began; exec sleep 1000")
    started = systemd.start(one)
    assert (started.status, started.kept_by) == ("running", "systemd")
    (name,) = systemd.names()
    link = systemd.units / "multi-user.target.wants" / name
    assert link.resolve() == systemd.units / name
    assert systemd.new_driver().observe([one])["one"] == systemd.observe(one) == started
    systemd.until(lambda: systemd.log(one) == ["began"])
    systemd.stop(one)
    assert not lives(pid_of(started))
    assert not link.is_symlink()
    assert (systemd.observe(one).status, systemd.observe(one).detail) == ("stopped", "was stopped")
    again = systemd.start(one)
    assert link.is_symlink()
    systemd.remove(one)
    assert not lives(pid_of(again))
    assert systemd.names() == []
    assert not link.is_symlink()
    assert list(systemd.layout.secrets.glob("*")) == []
    assert systemd.observe(one).status == "absent"


def test_what_systemd_starts_again_is_found_and_counted(systemd):
    one = sh("one", "exec sleep 1000")
    before = systemd.start(one)
    os.kill(pid_of(before), signal.SIGKILL)
    systemd.until(lambda: not lives(pid_of(before)))
    seen = systemd.new_driver().observe([one])["one"]
    assert (seen.status, seen.exit_code, seen.is_given_up) == ("failed", -9, False)
    assert seen.detail == f"pid {before.id} was killed by SIGKILL; systemd starts it again"
    systemctl.order(systemd.units, "again", *systemd.names())
    after = systemd.new_driver().observe([one])["one"]
    assert (after.status, after.restarts, after.digest) == ("running", 1, before.digest)
    assert after.id != before.id
    known = len(systemctl.asked(systemd.units))
    assert systemd.observe(one) == after
    assert len(systemctl.asked(systemd.units)) == known


def test_what_systemd_has_given_up_is_said_and_started_by_the_next_start(systemd):
    one = sh("one", "exec sleep 1000")
    before = systemd.start(one)
    os.kill(pid_of(before), signal.SIGKILL)
    systemctl.order(systemd.units, "give-up", *systemd.names())
    seen = systemd.observe(one)
    assert (seen.status, seen.is_given_up) == ("failed", True)
    assert seen.detail.endswith("; systemd has given it up after 0 restarts")
    assert systemd.start(one).status == "running"
    assert f"reset-failed {systemd.names()[0]}" in systemctl.asked(systemd.units)


def test_what_was_stopped_with_systemctl_is_stopped(systemd):
    one = sh("one", "exec sleep 1000")
    systemd.start(one)
    systemctl.order(systemd.units, "stop", *systemd.names())
    seen = systemd.observe(one)
    assert (seen.status, seen.detail, seen.kept_by) == ("stopped", "was stopped by systemctl", "systemd")


def test_a_changed_definition_makes_it_anew_and_another_way_of_restarting_touches_no_process(systemd):
    one = sh("one", "exec sleep 1000")
    before = systemd.start(one)
    limits = dataclasses.replace(one.startup, restart="on-failure")
    other = dataclasses.replace(one, startup=limits)
    assert systemd.observe(other).drift == "its unit is out of date"
    same = systemd.start(other)
    assert (same.id, same.drift) == (before.id, "")
    assert "Restart=on-failure" in (systemd.units / systemd.names()[0]).read_text(encoding="utf-8")
    changed = sh("one", "exec sleep 1001")
    after = systemd.start(changed)
    assert after.digest != before.digest
    assert not lives(pid_of(before))
    assert len(systemd.names()) == 1


def test_a_lost_record_is_written_anew_from_the_unit_and_lost_services_are_found(systemd):
    one = sh("one", "exec sleep 1000", binary={"replicas": 2})
    before = systemd.start(one)
    assert len(systemd.names()) == 2
    (systemd.layout.pids / "one.json").unlink()
    found = systemd.new_driver().find()
    assert [service.name for service in found] == ["one"]
    assert set(systemd.new_driver().observe([one])["one"].instances) == set(before.instances)
    assert systemd.observe(one).digest == before.digest
    (systemd.layout.pids / "one.json").unlink()
    systemd.new_driver().remove(found[0], systemd.observe(found[0]))
    assert systemd.names() == []
    assert not any(lives(int(pid)) for pid in before.instances)


def test_secrets_are_in_no_unit_and_in_a_file_for_the_owner_alone(systemd):
    systemd.secrets.write("one", {"password": Secret("t0p$ \"s3cret'")})
    one = sh("one", 'echo "$PASSWORD"; exec sleep 1000', binary={"env": {"PASSWORD": "${secret.one.password}"}})
    systemd.start(one)
    systemd.until(lambda: systemd.log(one) == ["t0p$ \"s3cret'"])
    assert "s3cret" not in (systemd.units / systemd.names()[0]).read_text(encoding="utf-8")
    (environment,) = systemd.layout.secrets.glob("*.env")
    assert environment.stat().st_mode & 0o777 == 0o600


def test_tasks_and_what_systemd_would_not_pass_on_are_started_as_ever(systemd):
    task, odd = sh("task", "true"), sh("odd", "exec sleep 1000", binary={"env": {"BELL": "\a"}})
    systemd.driver.context = dataclasses.replace(systemd.driver.context, tasks=frozenset({"task"}))
    systemd.start(task)
    assert systemd.start(odd).kept_by == ""
    assert systemd.names() == []
    assert systemd.until(lambda: systemd.observe(task).status == "stopped" and systemd.observe(task)).has_completed


def test_a_unit_is_no_business_of_a_machine_without_systemd(systemd):
    one = sh("one", "exec sleep 1000")
    systemd.start(one)
    plain = Host(systemd.layout.root)
    with pytest.raises(Exception, match="it is a unit of systemd, which is not there"):
        plain.driver.stop(one, plain.observe(one))
