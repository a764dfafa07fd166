# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils._cgroups import (
    limit,
    memory_bytes,
    missing,
    release,
)
from ansible_collections.provisioning.platform.plugins.module_utils._model import ResourceLimits


@pytest.mark.parametrize(
    ("amount", "size"),
    [
        (1024, 1024), ("1024", 1024), ("1k", 1024), ("1K", 1024), ("1kb", 1024), ("1KiB", 1024), ("1b", 1),
        ("512m", 512 << 20), ("512M", 512 << 20), ("512MB", 512 << 20), ("64Mi", 64 << 20), ("1.5g", 3 << 29),
        ("1GiB", 1 << 30), ("1 g", 1 << 30), (" 2t ", 2 << 40), (".5k", 512),
    ],
)  # fmt: skip
def test_an_amount_of_memory_is_understood_as_people_write_it(amount: int | str, size: int) -> None:
    assert memory_bytes(amount) == size


@pytest.mark.parametrize(
    "amount", ["", "x", "m", "1x", "1mm", "-1g", "0", 0, -1, "nan", "inf", "1e3", "1,5g", "1_000", "1 m b", "٣m", True]
)
def test_what_is_no_amount_of_memory_is_an_error_that_says_how_to_write_one(amount: int | str) -> None:
    with pytest.raises(ValueError, match="is not an amount of memory; write a number and k, m or g"):
        memory_bytes(amount)


@pytest.fixture
def unified(tmp_path: Path) -> Path:
    """A folder that looks like control groups of the second version."""
    (tmp_path / "cgroup.controllers").write_text("cpu memory")
    return tmp_path


def test_limits_are_written_to_one_group_where_there_is_one_tree(unified: Path) -> None:
    assert limit("p-a-1", [7], ResourceLimits(cpu=1.5, memory="64m"), root=unified) is None
    group = unified / "provisioning" / "p-a-1"
    assert {file.name: file.read_text() for file in group.iterdir()} == {
        "memory.max": str(64 << 20),
        "cpu.max": "150000 100000",
        "cgroup.procs": "7",
    }
    for folder in (unified, unified / "provisioning"):
        assert (folder / "cgroup.subtree_control").read_text() == "+cpu +memory"


def test_limits_are_written_to_a_group_for_each_controller_where_each_has_its_tree(tmp_path: Path) -> None:
    for controller in ("cpu", "memory"):
        (tmp_path / controller).mkdir()
    assert limit("p-a-1", [7], ResourceLimits(cpu=0.0001), root=tmp_path) is None
    group = tmp_path / "cpu" / "provisioning" / "p-a-1"
    assert (group / "cpu.cfs_quota_us").read_text() == "1000"  # less the kernel does not take
    assert not (tmp_path / "memory" / "provisioning").exists()


def test_where_groups_cannot_be_written_it_is_said_why(tmp_path: Path) -> None:
    (tmp_path / "memory").touch()
    why = limit("p-a-1", [7], ResourceLimits(memory="64m"), root=tmp_path)
    assert why == "the limits are not in force, control groups cannot be written here: Not a directory"


def test_an_empty_group_is_removed_and_others_stay(tmp_path: Path) -> None:
    for name in ("p-a-1", "p-b-1"):
        (tmp_path / "memory" / "provisioning" / name).mkdir(parents=True)
    release("p-a-1", root=tmp_path)
    assert [path.name for path in (tmp_path / "memory" / "provisioning").iterdir()] == ["p-b-1"]
    release("p-b-1", root=tmp_path)
    assert list((tmp_path / "memory").iterdir()) == []
    release("p-b-1", root=tmp_path)


@pytest.mark.parametrize(
    ("told", "files", "lacking"),
    [
        ("0::/s/a.service\n", ["s/a.service/memory.max", "s/a.service/cpu.max"], None),
        ("0::/s/a.service\n", ["s/a.service/memory.max"], "cpu"),
        ("5:memory:/s/a.service\n4:cpu,cpuacct:/s/a.service\n0::/s/a.service\n", [], None),
        ("5:memory:/s\n4:cpu,cpuacct:/\n0::/s/a.service\n", [], "memory and cpu"),
    ],
)
def test_limits_that_somebody_else_sets_are_looked_for(
    tmp_path: Path, told: str, files: list[str], lacking: str | None
) -> None:
    (tmp_path / "7").mkdir()
    (tmp_path / "7" / "cgroup").write_text(told)
    for file in files:
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).touch()
    why = missing("a.service", 7, ResourceLimits(cpu=1, memory="1g"), root=tmp_path, proc=tmp_path)
    assert why == (lacking and f"the limits are not in force: systemd may not limit {lacking} here")
    assert missing("a.service", 8, ResourceLimits(cpu=1), root=tmp_path, proc=tmp_path) is None
