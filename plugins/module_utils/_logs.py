# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Log files that processes write to directly: rotation that loses no line, reading across rotated files.

A process keeps its file open, so renaming does not rotate it, and copying then truncating loses what is written in
between. Here the head of the file is copied and then taken out of it by the file system (fallocate(2)): writers, who
append, go on at the end and notice nothing.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from ._paths import FILE_MODE

_KEEP_SIZE, _PUNCH_HOLE, _COLLAPSE_RANGE = 0x01, 0x02, 0x08
_BLOCK = 4096
_PIECE = 1 << 20
_POLL_SECONDS = 0.1
_PACKED = ".gz"
_REPLICA = re.compile(r"\.\d+$")


@dataclass(frozen=True)
class Rotation:
    """When a log is rotated and what is kept.

    :param size: bytes from which on a log is rotated.
    :param count: rotated files kept, at least one.
    :param age: seconds after its rotation in which a rotated file is kept; for ever when nothing.
    :param compress: whether rotated files are compressed.
    """

    size: int = 10 * 1024 * 1024
    count: int = 5
    age: float | None = None
    compress: bool = True


def rotate(path: Path, rotation: Rotation | None = None) -> bool:
    """Move the older part of a log that has grown too large into a file of its own; return whether it was done.

    The cut is at a whole block, which is all that file systems can take out, so a rotated file may end in the middle of
    a line whose rest begins the next; one after the other they are what was written, byte for byte. What is too old or
    too much is removed, also where nothing is rotated. Nothing is done while somebody reads the log. A crash may leave
    lines twice, but loses none.

    :raises OSError: the file cannot be read or shortened, or the rotated one not be written.
    """
    limits = rotation or Rotation()
    try:
        descriptor = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        used = os.fstat(descriptor).st_blocks * 512  # not the size: a punched file keeps it
        is_due = used >= max(_BLOCK, limits.size)
        if not (is_due or _outdated(path, limits)) or not _lock_alone(descriptor):
            return False
        for file in _outdated(path, limits):
            file.unlink()
        if not is_due:
            return False
        start = _first_data(descriptor)
        end = os.fstat(descriptor).st_size // _BLOCK * _BLOCK
        if end <= start:
            return False
        target = _name(path, 1, limits.compress)
        copied = _copy(descriptor, start, end, target, compress=limits.compress)
        _shift(path, max(1, limits.count))
        copied.rename(target)
        _discard(descriptor, end)
    finally:
        os.close(descriptor)
    return True


def tail_lines(path: Path, count: int | None) -> Iterator[str]:
    """Yield the last lines of a log, or all of them, rotated files included, oldest first."""
    reader = _Reader(path)
    if count is None:
        yield from reader.last_lines(None)
        yield from reader.unfinished_line()
    elif count > 0:
        yield from [*reader.last_lines(count), *reader.unfinished_line()][-count:]


def follow_lines(path: Path, *, tail: int | None = 0, ended: Callable[[], bool] = lambda: False) -> Iterator[str]:
    """Yield lines as they are appended to a log, across rotations, for as long as the caller reads.

    :param tail: so many lines from before first, all of them if nothing; none is lost or told twice in between.
    :param ended: whether nobody writes any more; what he has written is still yielded.
    """
    reader = _Reader(path)
    yield from reader.last_lines(tail)
    while True:
        is_last = ended()
        lines = reader.new_lines()
        if lines is not None:
            yield from lines
        elif is_last:
            yield from reader.unfinished_line()
            return
        else:
            time.sleep(_POLL_SECONDS)


def rotated_files(path: Path) -> list[Path]:
    """Return the rotated files of a log that exist, newest first."""
    found: list[Path] = []
    while (file := _rotated(path, len(found) + 1)) is not None:
        found.append(file)
    return found


def service_of(path: Path) -> str:
    """Return whose log it is: further replicas have their number in its name, ``x.2.log``."""
    return _REPLICA.sub("", path.stem)


def remove_logs(path: Path) -> None:
    """Remove a log with its rotated files, and those of further replicas: ``x.log``, ``x.log.1.gz``, ``x.2.log``."""
    ours = re.compile(rf"\.?{re.escape(path.stem)}(\.\d+)?\.log(\.\d+(\.gz)?)?")
    for part in list(path.parent.glob(f"*{path.stem}*")):
        if ours.fullmatch(part.name):
            part.unlink(missing_ok=True)


class _Reader:
    """A place in a log: what lies before it has been read.

    Rotation takes bytes from the head of the live file, so the place is counted from the first byte that is still in
    it, and what was taken since is looked for in the rotated files that are new.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._live: tuple[int, int] | None = None
        self._newest: tuple[int, int] | None = None
        self._offset = 0
        self._pending = b""

    def last_lines(self, count: int | None) -> Iterator[str]:
        """Yield the last lines that are finished, or all, and stand at the end."""
        with _shared(self._path) as descriptor:
            end = 0
            if descriptor is not None:
                end = os.fstat(descriptor).st_size
                self._begin(descriptor, end - min(end, _first_data(descriptor)))
            else:
                self._begin(None, 0)
            if count is None:
                for piece in _oldest_first(self._path, descriptor, end):
                    yield from self._split(piece)
                return
            data, wanted = b"", count + 1  # the end of the last line but so many
            for piece in _newest_first(self._path, descriptor, end, wanted) if count else ():
                data = piece + data
                if data.count(b"\n") >= wanted:
                    break
        yield from list(self._split(data))[-count:] if count else []

    def new_lines(self) -> list[str] | None:
        """Return the lines that were finished since, and stand behind them; nothing when nothing was written."""
        with _shared(self._path) as descriptor:
            if descriptor is None:
                return None
            if _file_id(os.fstat(descriptor)) != self._live:  # the log was made anew
                self._begin(descriptor, 0)
                self._pending = b""
            taken = b"".join(self._taken())
            size = os.fstat(descriptor).st_size
            place = min(size, _first_data(descriptor)) + self._offset
            if place > size:  # somebody has cut it
                place, self._offset = 0, 0
            data = os.pread(descriptor, _PIECE, place)
            self._offset += len(data)
        return list(self._split(taken + data)) if taken or data else None

    def unfinished_line(self) -> Iterator[str]:
        """Yield the line that has no end yet, if there is one."""
        if self._pending:
            yield self._pending.decode(errors="replace")
        self._pending = b""

    def _begin(self, descriptor: int | None, offset: int) -> None:
        self._live = None if descriptor is None else _file_id(os.fstat(descriptor))
        self._newest = next(iter(self._rotations()), None)
        self._offset = offset

    def _taken(self) -> Iterator[bytes]:
        """Yield what is unread of what rotations have taken since the last look, oldest first."""
        now = self._rotations()
        fresh = now[: now.index(self._newest)] if self._newest in now else now
        self._newest = now[0] if now else None
        for file in reversed(rotated_files(self._path)[: len(fresh)]):
            for piece in _pieces_of(file):
                yield piece[self._offset :]
                self._offset = max(0, self._offset - len(piece))

    def _rotations(self) -> list[tuple[int, int]]:
        """Tell the rotated files apart, also from one that was given the number of one removed."""
        return [(file.stat().st_ino, file.stat().st_mtime_ns) for file in rotated_files(self._path)]

    def _split(self, data: bytes) -> Iterator[str]:
        *lines, self._pending = (self._pending + data).split(b"\n")
        for line in lines:
            yield line.decode(errors="replace")


def _file_id(found: os.stat_result) -> tuple[int, int]:
    return (found.st_dev, found.st_ino)


@contextlib.contextmanager
def _shared(path: Path) -> Iterator[int | None]:
    """Keep a log from being rotated for the block; nothing where there is no log."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        yield None
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        yield descriptor
    finally:
        os.close(descriptor)


def _lock_alone(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _oldest_first(path: Path, descriptor: int | None, end: int) -> Iterator[bytes]:
    for rotated in reversed(rotated_files(path)):
        yield from _pieces_of(rotated)
    if descriptor is not None:
        yield from _pieces(descriptor, min(end, _first_data(descriptor)), end)


def _pieces(descriptor: int, start: int, end: int) -> Iterator[bytes]:
    """Yield a part of a file, or what there is of it should somebody cut it meanwhile."""
    while start < end and (data := os.pread(descriptor, min(_PIECE, end - start), start)):
        yield data
        start += len(data)


def _pieces_of(rotated: Path) -> Iterator[bytes]:
    """Yield the content of a rotated file, which may be larger than memory."""
    import gzip

    with gzip.open(rotated) if rotated.suffix == _PACKED else rotated.open("rb") as stream:
        while data := stream.read(_PIECE):
            yield data


def _newest_first(path: Path, descriptor: int | None, end: int, wanted: int) -> Iterator[bytes]:
    """Yield parts of a log, from its end to its beginning; of each rotated file no more than the lines wanted."""
    start = min(end, _first_data(descriptor)) if descriptor is not None else end
    while descriptor is not None and end > start:
        begin = max(start, end - _PIECE)
        yield os.pread(descriptor, end - begin, begin)
        end = begin
    for rotated in rotated_files(path):
        last = b""
        for piece in _pieces_of(rotated):
            last = b"\n".join((last + piece).rsplit(b"\n", wanted + 1)[-wanted - 1 :])
        yield last


def _name(path: Path, number: int, compress: bool) -> Path:
    return path.with_name(f"{path.name}.{number}{_PACKED if compress else ''}")


def _rotated(path: Path, number: int) -> Path | None:
    """Return the rotated file of that number, compressed or not: the setting may have changed meanwhile."""
    return next((file for compress in (True, False) if (file := _name(path, number, compress)).exists()), None)


def _outdated(path: Path, limits: Rotation) -> list[Path]:
    """Return the rotated files that are not to be kept, oldest first, so that no gap is left by a crash."""
    oldest = time.time() - limits.age if limits.age is not None else None
    found = rotated_files(path)
    kept = max(1, limits.count)
    return [
        file
        for number, file in reversed(list(enumerate(found, 1)))
        if number > kept or (oldest is not None and file.stat().st_mtime < oldest)
    ]


def _shift(path: Path, count: int) -> None:
    existing = rotated_files(path)
    for number, file in reversed(list(enumerate(existing, 1))):
        if number >= count:
            file.unlink()
        else:
            file.rename(_name(path, number + 1, file.suffix == _PACKED))


def _copy(descriptor: int, start: int, end: int, target: Path, *, compress: bool) -> Path:
    """Write a part of a file, beside the target, and wait until the disk has it; return where."""
    temporary = target.with_name(f".{target.name}")
    output = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, FILE_MODE)
    try:
        with os.fdopen(output, "wb") as raw:
            _make_sure_it_can_punch(output)
            with _stream(raw, compress) as stream:
                for data in _pieces(descriptor, start, end):
                    stream.write(data)
            raw.flush()
            os.fsync(output)
    except BaseException:
        temporary.unlink()
        raise
    return temporary


def _stream(raw: BinaryIO, compress: bool) -> contextlib.AbstractContextManager[BinaryIO]:
    if not compress:
        return contextlib.nullcontext(raw)
    import gzip

    # The lowest level: readers wait meanwhile, and a process that writes at full speed goes on writing.
    return cast("BinaryIO", gzip.GzipFile(fileobj=raw, mode="wb", compresslevel=1, mtime=0))


def _first_data(descriptor: int) -> int:
    """Return where the first byte is that was not taken out; beyond the end where all were."""
    try:
        return os.lseek(descriptor, 0, os.SEEK_DATA)
    except OSError as error:
        # ENXIO: all of it is a hole. Anything else: a file system that knows no holes.
        return os.fstat(descriptor).st_size if error.errno == errno.ENXIO else 0


def _make_sure_it_can_punch(descriptor: int) -> None:
    """Punch a hole into a file that is still empty, to know whether the file system can before anything depends on it.

    :raises OSError: it cannot.
    """
    if not _fallocate(descriptor, _PUNCH_HOLE | _KEEP_SIZE, 0, _BLOCK):
        import ctypes

        code = ctypes.get_errno()
        raise OSError(code, f"the log cannot be shortened: {os.strerror(code)}")


def _discard(descriptor: int, end: int) -> None:
    """Take the first bytes out of the file, or, where the file system cannot, give their space back."""
    if not _fallocate(descriptor, _COLLAPSE_RANGE, 0, end):
        _fallocate(descriptor, _PUNCH_HOLE | _KEEP_SIZE, 0, end)


def _fallocate(descriptor: int, mode: int, offset: int, length: int) -> bool:
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    libc.fallocate.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64]
    return bool(libc.fallocate(descriptor, mode, offset, length) == 0)
