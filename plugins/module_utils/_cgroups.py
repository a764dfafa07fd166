# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""CPU and memory limits of plain processes: control groups, where we may write them.

Address-space rlimits break programs that reserve much and use little, and no rlimit caps the processor, so there is
no other way.
"""

from __future__ import annotations

import contextlib
import errno
import re
import time
from collections.abc import Collection
from pathlib import Path

from ._model import ResourceLimits

_ROOT = Path("/sys/fs/cgroup")
_PERIOD_MICROSECONDS = 100_000
_REMOVE_ATTEMPTS, _REMOVE_SECONDS = 20, 0.01
_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
_AMOUNT = re.compile(r"(?P<number>\d+(\.\d*)?|\.\d+)\s*(?P<unit>[kmgt]?)i?b?", re.ASCII)


def memory_bytes(amount: int | str) -> int:
    """Return an amount of memory in bytes; ``512m``, ``1g``, ``64Mi`` and ``1GiB`` are understood.

    :raises ValueError: the text is not an amount.
    """
    match = _AMOUNT.fullmatch(str(amount).strip().lower())
    if match is None or not float(match["number"]):
        raise ValueError(f"{amount!r} is not an amount of memory; write a number and k, m or g")
    return int(float(match["number"]) * _UNITS[match["unit"]])


def limit(group: str, pids: Collection[int], limits: ResourceLimits, *, root: Path = _ROOT) -> str | None:
    """Put processes into a control group with the limits.

    :param group: name of the group, made under ``provisioning``.
    :return: in words why the limits are not in force, or nothing when they are.
    """
    try:
        if (root / "cgroup.controllers").exists():
            _limit_unified(root / "provisioning", group, pids, limits)
        else:
            _limit_legacy(root, group, pids, limits)
    except OSError as error:
        return f"the limits are not in force, control groups cannot be written here: {error.strerror or error}"
    return None


def missing(
    group: str, pid: int, limits: ResourceLimits, *, root: Path = _ROOT, proc: Path = Path("/proc")
) -> str | None:
    """Say why limits that somebody else is to have set are not in force, or nothing when they are.

    :param group: end of the path of the control group that has them.
    """
    wanted = {"memory": limits.memory, "cpu": limits.cpu}
    files = {"memory": "memory.max", "cpu": "cpu.max"}
    try:
        lines = (proc / str(pid) / "cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:  # it has ended, which others will notice
        return None
    found = {names: path for _number, names, path in (line.split(":", 2) for line in lines)}
    groups = {name: path for names, path in found.items() for name in names.split(",")}

    def is_set(name: str) -> bool:
        if name in groups:
            return groups[name].endswith(f"/{group}")
        return (root / groups.get("", "/").lstrip("/") / files[name]).exists()

    lacking = [name for name, amount in wanted.items() if amount is not None and not is_set(name)]
    if not lacking:
        return None
    return f"the limits are not in force: systemd may not limit {' and '.join(lacking)} here"


def release(group: str, *, root: Path = _ROOT) -> None:
    """Remove the control group once its processes have ended; a group still in use is left."""
    for parent in (root, root / "memory", root / "cpu"):
        folder = parent / "provisioning" / group
        if folder.is_dir() and _remove(folder) and not _has_groups(folder.parent):
            _remove(folder.parent)


def _has_groups(folder: Path) -> bool:
    try:
        return any(entry.is_dir() for entry in folder.iterdir())
    except OSError:  # another service's end has removed it
        return True


def _remove(folder: Path) -> bool:
    for _attempt in range(_REMOVE_ATTEMPTS):
        try:
            folder.rmdir()
            return True
        except OSError as error:
            if error.errno != errno.EBUSY:
                return False
            time.sleep(_REMOVE_SECONDS)  # the kernel counts a process for a moment after it has ended
    return False


def _limit_unified(parent: Path, group: str, pids: Collection[int], limits: ResourceLimits) -> None:
    parent.mkdir(exist_ok=True)
    (parent.parent / "cgroup.subtree_control").write_text("+cpu +memory", encoding="ascii")
    (parent / "cgroup.subtree_control").write_text("+cpu +memory", encoding="ascii")
    folder = parent / group
    folder.mkdir(exist_ok=True)
    if limits.memory is not None:
        (folder / "memory.max").write_text(str(memory_bytes(limits.memory)), encoding="ascii")
    if limits.cpu is not None:
        (folder / "cpu.max").write_text(f"{_quota(limits.cpu)} {_PERIOD_MICROSECONDS}", encoding="ascii")
    _join(folder, pids)


def _limit_legacy(root: Path, group: str, pids: Collection[int], limits: ResourceLimits) -> None:
    if limits.memory is not None:
        folder = root / "memory" / "provisioning" / group
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "memory.limit_in_bytes").write_text(str(memory_bytes(limits.memory)), encoding="ascii")
        _join(folder, pids)
    if limits.cpu is not None:
        folder = root / "cpu" / "provisioning" / group
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "cpu.cfs_period_us").write_text(str(_PERIOD_MICROSECONDS), encoding="ascii")
        (folder / "cpu.cfs_quota_us").write_text(str(_quota(limits.cpu)), encoding="ascii")
        _join(folder, pids)


def _quota(cpu: float) -> int:
    """Return the microseconds of a period that so many cores are; the kernel takes no less than one in a hundred."""
    return max(_PERIOD_MICROSECONDS // 100, int(cpu * _PERIOD_MICROSECONDS))


def _join(folder: Path, pids: Collection[int]) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):  # it has ended, which others will notice
            (folder / "cgroup.procs").write_text(str(pid), encoding="ascii")
