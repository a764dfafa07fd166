# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Folders in which writing goes wrong."""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@contextlib.contextmanager
def small_disk(size: str = "256k") -> Iterator[Path]:
    """A folder on a file system in memory of so many bytes. Only root can have one."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount a small file system")
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], check=True)
        try:
            yield Path(folder)
        finally:
            subprocess.run(["umount", "--lazy", folder], check=True)


@contextlib.contextmanager
def full_disk() -> Iterator[Path]:
    """A folder in which there is room for little."""
    with small_disk() as folder:
        yield folder


@contextlib.contextmanager
def umask_of_zero() -> Iterator[None]:
    """Everybody may do everything, unless who makes a file says otherwise."""
    before = os.umask(0)
    try:
        yield
    finally:
        os.umask(before)
