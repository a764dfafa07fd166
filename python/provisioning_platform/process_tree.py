# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The children of a process, asked from the kernel."""

from __future__ import annotations

import subprocess
from pathlib import Path

from ansible_collections.provisioning.platform.plugins.module_utils import _process


def children(pid: int) -> list[int]:
    """Return the pids of a process's direct children; none when it is gone or cannot be asked."""
    if not Path("/proc/self/stat").exists():
        return _children_by_ps(pid)
    return [child for child in _process.pids() if _process.parent_of(child) == pid]


def _children_by_ps(pid: int) -> list[int]:
    try:
        listing = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return []
    return [int(own) for own, parent in (line.split() for line in listing.splitlines()) if int(parent) == pid]
