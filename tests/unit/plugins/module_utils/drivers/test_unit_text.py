# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import dataclasses
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils._drivers import _unit_text
from ansible_collections.provisioning.platform.plugins.module_utils._drivers._base import Observation
from ansible_collections.provisioning.platform.plugins.module_utils._drivers._launch import Account, Launch
from ansible_collections.provisioning.platform.plugins.module_utils._drivers._units import State, as_kept, read_states
from ansible_collections.provisioning.platform.plugins.module_utils._logs import Rotation
from ansible_collections.provisioning.platform.plugins.module_utils._paths import WorkDir
from ansible_collections.provisioning.platform.plugins.module_utils._process import ProcessIdentity, boot_id
from ansible_collections.provisioning.platform.plugins.module_utils._state import PidRecord

from tests.fixtures.definitions import service

LAYOUT = WorkDir(Path("/srv/platform"))
LAUNCH = Launch(
    service="api",
    replica=1,
    digest="d1",
    command=["/bin/sleep", "100%", "$HOME"],
    env={"TOKEN": "s3cret"},
    working_dir="/srv/my data",
    log=Path("/srv/platform/services/logs/api.log"),
    rotation=Rotation(),
    account=Account("root", 0, 0, "/root"),
)
ENVIRONMENT = Path("/srv/platform/secrets/api.env")


def render(*, is_root: bool = True, version: int = 252, launch: Launch = LAUNCH, **settings: Any) -> list[str]:
    definition = service("api", ["db"], **settings)
    text = _unit_text.render(LAYOUT, definition, launch, ENVIRONMENT, is_root=is_root, version=version)
    return text.splitlines()


def test_units_are_named_by_work_dir_service_and_replica_and_recognised_by_that() -> None:
    names = [_unit_text.unit_name(LAYOUT, "api"), _unit_text.unit_name(LAYOUT, "api", 2)]
    assert names[0].endswith("-api.service")
    assert names[1].endswith("-api.2.service")
    assert [_unit_text.service_of(LAYOUT, name) for name in names] == [("api", 1), ("api", 2)]
    assert _unit_text.service_of(WorkDir(Path("/srv/other")), names[0]) is None
    assert _unit_text.service_of(LAYOUT, "provisioning-supervisor-12345678.service") is None


def test_a_unit_says_what_is_run_where_and_how_it_ends_and_holds_no_environment() -> None:
    lines = render(startup={"stop_signal": "int", "stop_timeout": 2.5})
    assert {
        'ExecStart="/bin/sleep" "100%%" "$$HOME"',
        "WorkingDirectory=/srv/my data",
        "EnvironmentFile=/srv/platform/secrets/api.env",
        "StandardOutput=append:/srv/platform/services/logs/api.log",
        "KillSignal=SIGINT",
        "TimeoutStopSec=2500ms",
        "KillMode=control-group",
        "UMask=0022",
        "WantedBy=multi-user.target",
    } <= set(lines)
    assert not any("s3cret" in line or line.startswith(("User=", "Group=", "Limit", "Memory", "CPU")) for line in lines)
    (after,) = [line for line in lines if line.startswith("After=")]
    assert after.split()[-1] == _unit_text.unit_name(LAYOUT, "db")


def test_limits_and_accounts_are_those_of_the_definition() -> None:
    launch = dataclasses.replace(LAUNCH, user="ann", group="staff")
    limits = {"memory": "64m", "cpu": 1.5, "open_files": 100}
    lines = render(launch=launch, resources=limits)
    assert {"User=ann", "Group=staff", "LimitNOFILE=100", f"MemoryMax={64 << 20}", "CPUQuota=150%"} <= set(lines)
    assert "User=ann" not in render(launch=launch, is_root=False)  # he it is already
    assert "WantedBy=default.target" in render(is_root=False)


@pytest.mark.parametrize(
    ("policy", "version", "expected"),
    [
        ("no", 252, ["Restart=no"]),
        ("always", 252, ["Restart=always", "RestartSec=4000ms"]),
        (
            "unless-stopped",
            254,
            ["Restart=always", "RestartSec=1000ms", "RestartSteps=4", "RestartMaxDelaySec=16000ms"],
        ),
        (
            "on-failure",
            252,
            ["Restart=on-failure", "RestartForceExitStatus=SIGHUP SIGINT SIGPIPE SIGTERM", "RestartSec=4000ms"],
        ),
    ],
)
def test_how_it_is_restarted_is_what_its_policy_and_its_limits_say(
    policy: str, version: int, expected: list[str]
) -> None:
    lines = render(version=version, startup={"restart": policy})
    assert [line for line in lines if line.startswith("Restart")] == expected
    assert {"StartLimitBurst=6", "StartLimitIntervalSec=300000ms"} <= set(lines)


def test_what_we_must_know_again_of_a_unit_is_in_it() -> None:
    text = "\n".join(render())
    assert _unit_text.recorded(text) == {"Digest": "d1", "Rules": _unit_text.rules(service("api", ["db"]))}
    assert _unit_text.rules(service("api")) != _unit_text.rules(service("api", startup={"restart": "no"}))
    assert _unit_text.recorded("[Service]\nDigest=x\n") == {}


def test_an_environment_is_written_so_that_it_means_itself() -> None:
    env = {"B": 'a "b" $c `d` \\ %h', "A": "two\nlines"}
    assert _unit_text.environment_file(env) == 'A="two\nlines"\nB="a \\"b\\" \\$c \\`d\\` \\\\ %h"\n'


@pytest.mark.parametrize(
    "changes",
    [
        {"env": {"a.b": "1"}},
        {"env": {"A": "\a"}},
        {"env": {"A": "\r\n"}},
        {"env": {"A": "\udcff"}},
        {"command": ["/bin/echo", "\udcff"]},
        {"working_dir": "/srv/a\nb"},
        {"working_dir": "/srv/a "},
        {"log": Path("/srv/a\\")},
    ],
)
def test_what_systemd_would_drop_or_change_it_is_not_given(changes: dict[str, Any]) -> None:
    assert _unit_text.can_carry(LAUNCH)
    assert not _unit_text.can_carry(dataclasses.replace(LAUNCH, **changes))


@pytest.mark.parametrize("is_root", [True, False])
def test_systemd_itself_has_nothing_to_say_against_the_unit(tmp_path: Path, is_root: bool) -> None:
    program = shutil.which("systemd-analyze")
    if program is None:
        return  # it is a part of systemd, which containers do without
    path = tmp_path / _unit_text.unit_name(LAYOUT, "api")
    path.write_text("\n".join(render(is_root=is_root, resources={"memory": "1g", "cpu": 0.5})), encoding="utf-8")
    ran = subprocess.run([program, "verify", "--man=no", str(path)], capture_output=True, text=True, check=False)
    assert [line for line in ran.stderr.splitlines() if path.name in line] == []


def test_what_systemctl_shows_of_units_is_read() -> None:
    text = (
        "MainPID=0\nExecMainPID=7\nExecMainCode=2\nExecMainStatus=9\nNRestarts=2\nId=a.service\n"
        "LoadState=loaded\nActiveState=activating\nJob=\nNeedDaemonReload=no\n\n"
        "MainPID=8\nExecMainPID=8\nExecMainCode=0\nExecMainStatus=0\nNRestarts=0\nId=b.service\n"
        "LoadState=loaded\nActiveState=active\nNeedDaemonReload=yes\n\n"
        "MainPID=0\nId=c.service\nLoadState=not-found\nActiveState=inactive\n"
    )
    assert read_states(text) == {
        "a.service": State(True, "activating", 0, 7, -9, 2, is_coming=True),
        "b.service": State(True, "active", 8, 8, None, 0, is_stale=True),
        "c.service": State(),
    }


ENDED = Observation("failed", "d1", exit_code=1, detail="pid 7 exited with code 1")


@pytest.mark.parametrize(
    ("policy", "state", "boot", "expected"),
    [
        ("always", State(True, "activating", is_coming=True), "", ("failed", "; systemd starts it again", False)),
        ("always", State(True, "failed"), "", ("failed", "; systemd has given it up after 3 restarts", True)),
        ("no", State(True, "failed"), "", ("failed", "", False)),
        ("always", State(), "", ("failed", ", and its unit is gone", False)),
        ("always", State(True), "", ("stopped", "was stopped by systemctl", False)),
        ("on-failure", State(True), "", ("stopped", "", False)),
        ("always", State(True), "another", ("failed", "has not been started since the machine was", False)),
    ],
)
def test_what_has_ended_is_what_systemd_makes_of_it(
    policy: str, state: State, boot: str, expected: tuple[str, str, bool]
) -> None:
    record = PidRecord(ProcessIdentity(7, 1, boot or boot_id()), 7, "d1", unit="a.service", restarts=3)
    definition = service("api", startup={"restart": policy})
    seen = as_kept(ENDED, definition, [record], {"a.service": state}, is_current=True)
    assert (seen.status, seen.detail.removeprefix(ENDED.detail), seen.is_given_up) == expected
