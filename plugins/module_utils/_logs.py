# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Log files that processes write to directly: rotation that loses no line, reading across rotated files.

A process keeps its file open, so renaming does not rotate it, and copying then truncating loses what is written in
between. Here the head of the file is copied and then taken out of it by the file system (fallocate(2)): writers, who
append, go on at the end and notice nothing.
"""

from __future__ import annotations

import ctypes
import gzip
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ._paths import FILE_MODE

_KEEP_SIZE, _PUNCH_HOLE, _COLLAPSE_RANGE = 0x01, 0x02, 0x08
_BLOCK = 4096
_POLL_SECONDS = 0.1


@dataclass(frozen=True)
class Rotation:
    """When a log is rotated and what is kept.

    :param size: bytes from which on a log is rotated.
    :param count: rotated files kept.
    """

    size: int = 10 * 1024 * 1024
    count: int = 5


def rotate(path: Path, rotation: Rotation | None = None) -> bool:
    """Move the older part of a log that has grown too large into a compressed file; return whether it was done.

    The cut is at a whole block, so a rotated file may end in the middle of a line whose rest begins the next.

    :raises OSError: the file cannot be read or the rotated one not be written.
    """
    limits = rotation or Rotation()
    try:
        used = path.stat().st_blocks * 512  # not the size: a punched file keeps it
    except FileNotFoundError:
        return False
    if used < limits.size:
        return False
    descriptor = os.open(path, os.O_RDWR)
    try:
        start = _first_data(descriptor)
        end = os.fstat(descriptor).st_size // _BLOCK * _BLOCK
        if end <= start:
            return False
        _shift(path, limits.count)
        _compress(descriptor, start, end, _rotated(path, 1))
        _discard(descriptor, end)
    finally:
        os.close(descriptor)
    return True


def tail_lines(path: Path, count: int | None) -> Iterator[str]:
    """Yield the last lines of a log, or all of them, rotated files included, oldest first."""
    pieces = [part for part in (*reversed(rotated_files(path)), path) if part.exists()]
    if count is None:
        yield from _joined(pieces)
        return
    lines: list[str] = []
    for start in range(len(pieces) - 1, -1, -1):
        lines = list(_joined(pieces[start:]))
        if len(lines) > count:
            break
    yield from lines[-count:] if count else []


def follow_lines(path: Path) -> Iterator[str]:
    """Yield lines as they are appended to a log from now on, for as long as the caller reads."""
    position = path.stat().st_size if path.exists() else 0
    seen = b""
    pending = b""
    while True:
        size = path.stat().st_size if path.exists() else 0
        if size < position:  # its head was taken out, or it was made anew
            position = _overlap(path, seen)
        if size > position:
            with path.open("rb") as stream:
                stream.seek(position)
                data = stream.read()
            position += len(data)
            seen = (seen + data)[-_BLOCK:]
            *lines, pending = (pending + data).split(b"\n")
            for line in lines:
                yield line.decode(errors="replace")
        else:
            time.sleep(_POLL_SECONDS)


def _overlap(path: Path, seen: bytes) -> int:
    """Return how many bytes at the head of a shortened log are the end of what was read before."""
    with path.open("rb") as stream:
        head = stream.read(_BLOCK)
    lengths = range(min(len(head), len(seen)), 0, -1)
    return next((length for length in lengths if seen.endswith(head[:length])), 0)


def rotated_files(path: Path) -> list[Path]:
    """Return the rotated files of a log that exist, newest first."""
    found = []
    while (candidate := _rotated(path, len(found) + 1)).exists():
        found.append(candidate)
    return found


def _rotated(path: Path, number: int) -> Path:
    return path.with_name(f"{path.name}.{number}.gz")


def _shift(path: Path, count: int) -> None:
    existing = rotated_files(path)
    for number in range(len(existing), 0, -1):
        if number >= count:
            _rotated(path, number).unlink()
        else:
            _rotated(path, number).rename(_rotated(path, number + 1))


def _compress(descriptor: int, start: int, end: int, target: Path) -> None:
    temporary = target.with_name(f".{target.name}")
    output = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, FILE_MODE)
    with os.fdopen(output, "wb") as raw, gzip.GzipFile(fileobj=raw, mode="wb", compresslevel=1, mtime=0) as stream:
        position = start
        while position < end:
            data = os.pread(descriptor, min(1 << 20, end - position), position)
            stream.write(data)
            position += len(data)
    temporary.rename(target)


def _first_data(descriptor: int) -> int:
    try:
        return os.lseek(descriptor, 0, os.SEEK_DATA)
    except OSError:  # all hole, or a file system that does not know
        return 0


def _discard(descriptor: int, end: int) -> None:
    """Take the first bytes out of the file, or, where the file system cannot, give their space back."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.fallocate.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64]
    if libc.fallocate(descriptor, _COLLAPSE_RANGE, 0, end) == 0:
        return
    if libc.fallocate(descriptor, _PUNCH_HOLE | _KEEP_SIZE, 0, end) != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"the log cannot be shortened: {os.strerror(code)}")


def _joined(pieces: list[Path]) -> Iterator[str]:
    pending = b""
    for piece in pieces:
        for chunk in _chunks(piece):
            *lines, pending = (pending + chunk).split(b"\n")
            for line in lines:
                yield line.decode(errors="replace")
    if pending:
        yield pending.decode(errors="replace")


def _chunks(piece: Path) -> Iterator[bytes]:
    if piece.suffix == ".gz":
        with gzip.open(piece, "rb") as packed:
            while data := packed.read(1 << 20):
                yield data
        return
    with piece.open("rb") as stream:
        stream.seek(_first_data(stream.fileno()))
        while data := stream.read(1 << 20):
            yield data


def remove_logs(path: Path) -> None:
    """Remove a log and its rotated files."""
    for part in (*rotated_files(path), path):
        part.unlink(missing_ok=True)
