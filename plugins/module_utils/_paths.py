# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where things live in the work dir, and how anything of ours gets written and read there."""

from __future__ import annotations

import contextlib
import functools
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

DIRECTORY_MODE = 0o700
FILE_MODE = 0o600
_PIECE = 1 << 16


@dataclass(frozen=True)
class WorkDir:
    """The layout of an installation's work dir on the host where its services run.

    :param root: absolute path of the work dir.
    """

    root: Path

    @functools.cached_property
    def config(self) -> Path:
        """Rendered configuration, a folder a service."""
        return self.root / "config"

    @functools.cached_property
    def secrets(self) -> Path:
        """Secrets, a file a service."""
        return self.root / "secrets"

    @functools.cached_property
    def data(self) -> Path:
        """What services store; kept by an uninstallation unless it purges."""
        return self.root / "data"

    @functools.cached_property
    def bin(self) -> Path:
        """Downloaded executables."""
        return self.root / "bin"

    @functools.cached_property
    def pids(self) -> Path:
        """Records of running processes."""
        return self.root / "services" / "pids"

    @functools.cached_property
    def state(self) -> Path:
        """What reality does not keep about services."""
        return self.root / "services" / "state"

    @functools.cached_property
    def logs(self) -> Path:
        """Services' output."""
        return self.root / "services" / "logs"

    @functools.cached_property
    def locks(self) -> Path:
        """One lock a service, and the one of the run."""
        return self.root / "services" / "locks"

    @functools.cached_property
    def installations(self) -> Path:
        """One folder an installation: its generation and its journal."""
        return self.root / "installations"

    @functools.cached_property
    def audit(self) -> Path:
        """Who did what to which service."""
        return self.root / "audit.jsonl"

    def service_data(self, name: str) -> Path:
        """Return the data directory of a service."""
        return self.data / name

    def service_config(self, name: str) -> Path:
        """Return the configuration directory of a service."""
        return self.config / name


def make_directory(path: Path, mode: int = DIRECTORY_MODE) -> bool:
    """Make a directory, and its parents, for the owner alone; return whether it was missing.

    :raises OSError: it cannot be made.
    """
    if path.is_dir():
        return False
    make_directory(path.parent, mode)
    path.mkdir(mode=mode, exist_ok=True)
    return True


def write_atomically(path: Path, content: bytes | str, *, mode: int = FILE_MODE, durable: bool = True) -> None:
    """Write a file so that a reader, or a crash, sees the old content or the new one and nothing between.

    :param mode: permissions the file has from its first byte on.
    :param durable: wait until the disk has it and its name; false for what a reboot makes worthless.
    :raises OSError: it cannot be written; the old file is untouched.
    """
    data = content.encode() if isinstance(content, str) else content
    descriptor, temporary = _temporary_beside(path)
    try:
        try:
            os.fchmod(descriptor, mode)
            _write_whole(descriptor, data)
            if durable:
                os.fsync(descriptor)
        finally:
            os.close(descriptor)
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise
    if durable:
        _sync_folder(path.parent)


def read_whole(path: Path | str) -> bytes:
    """Return what a small file holds.

    A stream needs three times as many system calls, each of which lets go of Python's lock and waits for it again.

    :raises OSError: it cannot be read.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        pieces = []
        while piece := os.read(descriptor, _PIECE):
            pieces.append(piece)
        return b"".join(pieces)
    finally:
        os.close(descriptor)


def _write_whole(descriptor: int, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(descriptor, left) :]


def _temporary_beside(path: Path) -> tuple[int, str]:
    prefix = f".{path.name}."
    try:
        return tempfile.mkstemp(dir=path.parent, prefix=prefix)
    except FileNotFoundError:
        make_directory(path.parent)
        return tempfile.mkstemp(dir=path.parent, prefix=prefix)


def _sync_folder(folder: Path) -> None:
    """Wait until the disk has the folder's entries: a file's new name is one."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
