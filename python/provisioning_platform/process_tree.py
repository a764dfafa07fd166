# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The children of a process, asked from the kernel."""

from __future__ import annotations

import subprocess
from pathlib import Path


def children(pid: int) -> list[int]:
    """Return the pids of a process's direct children; none when it is gone or cannot be asked."""
    proc = Path("/proc")
    if not (proc / "self" / "stat").exists():
        return _children_by_ps(pid)
    return [int(entry.name) for entry in proc.iterdir() if entry.name.isdigit() and _parent(entry / "stat") == pid]


def _parent(stat: Path) -> int | None:
    try:
        text = stat.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    # The name in parentheses may hold anything, so the fields begin after the last one.
    return int(text.rpartition(")")[2].split()[1])


def _children_by_ps(pid: int) -> list[int]:
    try:
        listing = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return []
    return [int(own) for own, parent in (line.split() for line in listing.splitlines()) if int(parent) == pid]
