# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils import _systemd
from ansible_collections.provisioning.platform.plugins.module_utils._errors import DriverError
from ansible_collections.provisioning.platform.plugins.module_utils._paths import WorkDir

LAYOUT = WorkDir(Path("/srv/platform"))
COMMAND = [sys.executable, "/srv/platform/supervisor/provisioning-supervisor-1.pyz", "--work-dir", "/srv/platform"]


def test_each_work_dir_has_a_unit_of_its_own_and_always_the_same() -> None:
    name = _systemd.unit_name(LAYOUT)
    assert name.startswith("provisioning-supervisor-")
    assert name.endswith(".service")
    assert name == _systemd.unit_name(WorkDir(Path("/srv/platform")))
    assert name != _systemd.unit_name(WorkDir(Path("/srv/other")))


@pytest.mark.parametrize(
    ("is_root", "folder", "target"),
    [(True, "/etc/systemd/system", "multi-user.target"), (False, "/home/a/.config/systemd/user", "default.target")],
)
def test_roots_unit_is_the_systems_and_anybody_elses_his_own(is_root: bool, folder: str, target: str) -> None:
    path = _systemd.unit_path(LAYOUT, is_root=is_root, home=Path("/home/a"))
    assert str(path) == f"{folder}/{_systemd.unit_name(LAYOUT)}"
    text = _systemd.render(LAYOUT, COMMAND, {}, is_root=is_root)
    assert f"WantedBy={target}" in text
    assert ("network-online.target" in text) == is_root


def test_services_outlive_the_unit_and_its_own_restarts_have_a_budget() -> None:
    lines = _systemd.render(LAYOUT, COMMAND, {"B": "2", "A": "1"}, is_root=True).splitlines()
    assert {"KillMode=process", "Restart=on-failure", "RestartPreventExitStatus=3", "StartLimitBurst=10"} <= set(lines)
    assert [line for line in lines if line.startswith("Environment")] == ['Environment="A=1"', 'Environment="B=2"']


@pytest.mark.parametrize(
    ("word", "written"),
    [
        ("/a b/c", '"/a b/c"'),
        ('q"b\\', '"q\\"b\\\\"'),
        ("100%", '"100%%"'),
        ("$HOME", '"$$HOME"'),
        ("a\nb", '"a\\x0ab"'),
    ],
)
def test_words_of_the_command_mean_themselves(word: str, written: str) -> None:
    text = _systemd.render(LAYOUT, ["/bin/echo", word], {}, is_root=True)
    assert f'ExecStart="/bin/echo" {written}\n' in text


def test_systemd_itself_has_nothing_to_say_against_the_unit(tmp_path: Path) -> None:
    program = shutil.which("systemd-analyze")
    if program is None:
        return  # it is a part of systemd, which containers do without
    path = tmp_path / _systemd.unit_name(LAYOUT)
    path.write_text(_systemd.render(LAYOUT, COMMAND, {"NAME": 'a "b" %h $c'}, is_root=False), encoding="utf-8")
    ran = subprocess.run([program, "verify", "--man=no", str(path)], capture_output=True, text=True, check=False)
    assert [line for line in ran.stderr.splitlines() if path.name in line] == []


def test_whether_systemd_runs_the_machine_is_what_it_says_itself(tmp_path: Path) -> None:
    assert _systemd.is_here(tmp_path)
    assert not _systemd.is_here(tmp_path / "nothing")


@pytest.fixture
def systemctl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A systemctl that writes down what it is asked; systemd itself is not to be had here."""
    log, folder = tmp_path / "asked", tmp_path / "bin"
    folder.mkdir()
    program = folder / "systemctl"
    refusal = f"[ ! -e {tmp_path}/refuse ] || {{ echo no >&2; exit 1; }}"
    program.write_text(f'#!/bin/sh\necho "$@" >> {log}\necho Version=252.38-1~deb12u1\n{refusal}\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", os.pathsep.join([str(folder), os.environ["PATH"]]))
    return log


def test_a_unit_is_written_enabled_and_started_and_taken_away_again(tmp_path: Path, systemctl: Path) -> None:
    path = tmp_path / "units" / "x.service"
    _systemd.install(path, "text", is_root=False)
    assert path.read_text(encoding="utf-8") == "text"
    assert path.stat().st_mode & 0o777 == 0o644
    _systemd.uninstall(path, is_root=False)
    assert not path.exists()
    _systemd.uninstall(path, is_root=False)  # nothing to be done
    asked = systemctl.read_text(encoding="utf-8").splitlines()
    plain = [line.removeprefix("--user --no-ask-password ") for line in asked]
    assert plain == [
        "daemon-reload",
        "enable x.service",
        "restart x.service",
        "disable --now x.service",
        "daemon-reload",
    ]


def test_what_systemd_refuses_is_told_in_its_words(tmp_path: Path, systemctl: Path) -> None:
    assert _systemd.can_be_asked(is_root=True)
    (tmp_path / "refuse").touch()
    assert not _systemd.can_be_asked(is_root=True)
    with pytest.raises(DriverError, match="systemctl --no-ask-password daemon-reload: no"):
        _systemd.install(tmp_path / "x.service", "", is_root=True)
