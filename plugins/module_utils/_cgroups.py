# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""CPU and memory limits of plain processes: control groups, where we may write them.

Address-space rlimits break programs that reserve much and use little, and no rlimit caps the processor, so there is
no other way.
"""

from __future__ import annotations

from pathlib import Path

from ._model import ResourceLimits

_ROOT = Path("/sys/fs/cgroup")
_PERIOD_MICROSECONDS = 100_000
_UNITS = {"": 1, "b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}


def memory_bytes(amount: int | str) -> int:
    """Return an amount of memory in bytes; ``512m``, ``1g``, ``64Mi`` and ``1GiB`` are understood.

    :raises ValueError: the text is not an amount.
    """
    if isinstance(amount, int):
        return amount
    text = amount.strip().lower().removesuffix("ib").removesuffix("i")
    if len(text) > 1 and text.endswith("b") and text[-2] in _UNITS:
        text = text[:-1]
    unit = text[-1:] if text[-1:].isalpha() else ""
    number = text.removesuffix(unit) if unit else text
    if unit not in _UNITS:
        raise ValueError(f"{amount!r} is not an amount of memory; write a number and k, m or g")
    try:
        return int(float(number) * _UNITS[unit])
    except ValueError:
        raise ValueError(f"{amount!r} is not an amount of memory; write a number and k, m or g") from None


def limit(group: str, pids: list[int], limits: ResourceLimits, *, root: Path = _ROOT) -> str | None:
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


def release(group: str, *, root: Path = _ROOT) -> None:
    """Remove the control group once its processes have ended; a group still in use is left."""
    for parent in (root, root / "memory", root / "cpu"):
        for folder in (parent / "provisioning" / group, parent / "provisioning"):
            try:
                folder.rmdir()
            except OSError:
                break


def _limit_unified(parent: Path, group: str, pids: list[int], limits: ResourceLimits) -> None:
    parent.mkdir(exist_ok=True)
    (parent.parent / "cgroup.subtree_control").write_text("+cpu +memory", encoding="ascii")
    (parent / "cgroup.subtree_control").write_text("+cpu +memory", encoding="ascii")
    folder = parent / group
    folder.mkdir(exist_ok=True)
    if limits.memory is not None:
        (folder / "memory.max").write_text(str(memory_bytes(limits.memory)), encoding="ascii")
    if limits.cpu is not None:
        quota = int(limits.cpu * _PERIOD_MICROSECONDS)
        (folder / "cpu.max").write_text(f"{quota} {_PERIOD_MICROSECONDS}", encoding="ascii")
    _join(folder, pids)


def _limit_legacy(root: Path, group: str, pids: list[int], limits: ResourceLimits) -> None:
    if limits.memory is not None:
        folder = root / "memory" / "provisioning" / group
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "memory.limit_in_bytes").write_text(str(memory_bytes(limits.memory)), encoding="ascii")
        _join(folder, pids)
    if limits.cpu is not None:
        folder = root / "cpu" / "provisioning" / group
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "cpu.cfs_period_us").write_text(str(_PERIOD_MICROSECONDS), encoding="ascii")
        (folder / "cpu.cfs_quota_us").write_text(str(int(limits.cpu * _PERIOD_MICROSECONDS)), encoding="ascii")
        _join(folder, pids)


def _join(folder: Path, pids: list[int]) -> None:
    for pid in pids:
        (folder / "cgroup.procs").write_text(str(pid), encoding="ascii")
