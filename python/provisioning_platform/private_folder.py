# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Folders that a run has for itself, and that go with it: even one that was killed leaves none for long."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import stat
import tempfile
from pathlib import Path
from types import TracebackType

from ansible_collections.provisioning.platform.plugins.module_utils._paths import FILE_MODE

_LOCK = "in-use"


class PrivateFolder:
    """A temporary folder, 0700, that is locked for as long as this process lives or until it is closed.

    Making one removes those that runs of ours left which were killed: whose lock, which the kernel frees with the
    process, nobody holds.

    :param prefix: of its name; only folders of the same prefix are looked at.
    :raises OSError: it cannot be made.
    """

    def __init__(self, prefix: str) -> None:
        _remove_leftovers(prefix)
        self.path = Path(tempfile.mkdtemp(prefix=prefix))
        # It gets its name once it is locked: a lock that nobody holds is always that of a dead run.
        unnamed = self.path / f".{_LOCK}"
        self._lock: int | None = os.open(unnamed, os.O_RDWR | os.O_CREAT | os.O_EXCL, FILE_MODE)
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        unnamed.rename(self.path / _LOCK)

    def close(self) -> None:
        """Remove it with all that is in it."""
        if self._lock is not None:
            shutil.rmtree(self.path, ignore_errors=True)
            os.close(self._lock)
            self._lock = None

    def __enter__(self) -> Path:
        return self.path

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _remove_leftovers(prefix: str) -> None:
    for folder in Path(tempfile.gettempdir()).glob(f"{prefix}*"):
        with contextlib.suppress(OSError):
            if _is_ours(folder):
                _remove_if_left(folder)


def _is_ours(folder: Path) -> bool:
    found = folder.lstat()
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid()


def _remove_if_left(folder: Path) -> None:
    lock = os.open(folder / _LOCK, os.O_RDWR | os.O_NOFOLLOW)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder, ignore_errors=True)
    finally:
        os.close(lock)
