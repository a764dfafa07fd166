# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Limits that a process has, and the user it runs as."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

from ansible_collections.provisioning.platform.plugins.module_utils._paths import make_directory

from tests.fixtures.binary_host import AS_ROOT, Host, pid_of, sh


def test_the_limit_of_open_files_is_in_force(host: Host) -> None:
    one = sh("one", "exec sleep 1000", resources={"open_files": 123})
    pid = pid_of(host.start(one))
    (line,) = [
        line for line in Path(f"/proc/{pid}/limits").read_text().splitlines() if line.startswith("Max open files")
    ]
    assert line.split()[3:5] == ["123", "123"]
    assert host.notes == []


def _control_group(pid: int, controller: str) -> Path | None:
    """The folder of a process' control group, where there are any that we may write."""
    for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines():
        number, controllers, path = line.split(":", 2)
        root = Path("/sys/fs/cgroup")
        if controller in controllers.split(","):
            return root / controller / path.lstrip("/")
        if number == "0" and (root / "cgroup.controllers").exists():
            return root / path.lstrip("/")
    return None


def test_limits_of_memory_and_processor_are_control_groups_with_all_the_processes_in_them(host: Host) -> None:
    one = sh("one", "sleep 1000 & echo ready; wait", resources={"memory": "64m", "cpu": 0.5})
    pid = pid_of(host.start(one))
    host.until(lambda: host.log(one) == ["ready"])
    if host.notes:
        assert "the limits are not in force, control groups cannot be written here" in host.notes[0]["reason"]
        return
    folder = _control_group(pid, "memory")
    processor = _control_group(pid, "cpu")
    assert folder is not None
    assert processor is not None
    assert folder.name == processor.name == "provisioning-one-1"
    limit = next(file for file in ("memory.max", "memory.limit_in_bytes") if (folder / file).exists())
    assert (folder / limit).read_text().strip() == str(64 << 20)
    quota = next(file for file in ("cpu.max", "cpu.cfs_quota_us") if (processor / file).exists())
    assert (processor / quota).read_text().split()[0] == "50000"
    host.stop(one)
    assert not folder.exists()
    assert not processor.exists()


def test_a_limit_that_cannot_be_set_is_a_warning_and_the_service_runs(host: Host) -> None:
    one = sh("one", "exec sleep 1000", resources={"open_files": 1 << 40})
    assert host.start(one).status == "running"
    (note,) = host.notes
    assert note["kind"] == "service.warning"
    assert note["reason"].startswith("the limit of open files is not in force: ")


@AS_ROOT
def test_a_process_runs_as_the_user_it_is_to_run_as_and_its_data_is_his(open_host: Host) -> None:
    show = "id -un; id -gn; id -G; echo $HOME $USER; pwd; touch mine; cat /dev/null > $PWD/too; exec sleep 1000"
    one = sh("one", show, binary={"user": "nobody"})
    data = open_host.layout.service_data("one")
    make_directory(data)
    (data / "from before").touch()
    pid = pid_of(open_host.start(one))
    lines = open_host.until(lambda: len(open_host.log(one)) == 5 and open_host.log(one))
    nobody = pwd.getpwnam("nobody")
    assert lines == ["nobody", "nogroup", str(nobody.pw_gid), f"{nobody.pw_dir} nobody", str(data)]
    open_host.until((data / "too").exists)
    assert {path.owner() for path in (data, *data.iterdir())} == {"nobody"}
    assert os.stat(f"/proc/{pid}").st_uid == nobody.pw_uid
    assert open_host.layout.root.stat().st_mode & 0o777 == 0o711
    assert open_host.layout.data.stat().st_mode & 0o777 == 0o711
    assert (open_host.layout.logs / "one.log").owner() == "root"


@AS_ROOT
def test_a_group_may_be_another_than_the_user_s_own(open_host: Host) -> None:
    one = sh("one", "id -gn; exec sleep 1000", binary={"user": "nobody", "group": "daemon"})
    two = sh("two", "id -un; id -gn; exec sleep 1000", binary={"group": "daemon"})
    open_host.start(one)
    open_host.start(two)
    assert open_host.until(lambda: open_host.log(one)) == ["daemon"]
    assert open_host.until(lambda: len(open_host.log(two)) == 2 and open_host.log(two)) == ["root", "daemon"]


@AS_ROOT
def test_a_work_dir_that_the_user_cannot_reach_is_a_problem_with_a_remedy(tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir(mode=0o700)
    host = Host(tmp_path / "closed" / "work")
    problems = host.driver.check(sh("one", "exit", binary={"user": "nobody"}))
    assert problems[0].why.startswith(f"nobody cannot reach {host.layout.root}, since ")
    assert host.driver.check(sh("one", "exit", binary={"user": "root"})) == []
