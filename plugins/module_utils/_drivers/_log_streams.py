# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading the output of several instances of a service as one."""

from __future__ import annotations

import contextlib
import dataclasses
import heapq
import queue
import re
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta

from .._errors import ProvisioningError
from ._base import LogLine

Source = Callable[[], Iterator[LogLine]]

_ENGINES_STAMP = re.compile(rb"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d+)?(Z|[+-]\d\d:\d\d) ")

#: A time near the beginning of a line, as most programs write it: in brackets, quotes, after a key, or bare.
_STAMP = re.compile(
    r"(?P<date>\d{4}[-/]\d\d[-/]\d\d)[T ](?P<time>\d\d:\d\d:\d\d)(?P<part>[.,]\d+)?\s?(?P<zone>Z|[+-]\d\d:?\d\d)?"
)
_WITHIN = 60


def together(sources: Sequence[Source], *, follow: bool, tail: int | None) -> Iterator[LogLine]:
    """Yield the lines of all sources: by time, or as they come when they are followed.

    :param tail: only this many lines from the end, where they are not followed.
    """
    if len(sources) == 1:
        yield from sources[0]()
    elif follow:
        yield from _Together(sources)
    else:
        merged = heapq.merge(*(source() for source in sources), key=lambda line: line.time or 0.0)
        yield from merged if tail is None else deque(merged, maxlen=tail)


def split_stamp(data: bytes) -> tuple[float | None, bytes]:
    """Take the time off the beginning of what was written, as engines and clusters put it there."""
    match = _ENGINES_STAMP.match(data)
    if match is None:
        return None, data
    zone = "+00:00" if match[3] == b"Z" else match[3].decode()
    seconds = datetime.fromisoformat(match[1].decode() + zone).astimezone(UTC).timestamp()
    return seconds + float(match[2] or 0), data[match.end() :]


def decoded(line: bytes) -> str:
    """Return a line as text, without what a terminal adds to its end."""
    return line.removesuffix(b"\r").decode(errors="replace")


def dated(lines: Iterable[LogLine]) -> Iterator[LogLine]:
    """Give lines the time that stands in them, or that of the line before, where the mode knows none."""
    last: float | None = None
    for line in lines:
        moment = line.time if line.time is not None else stamp_of(line.text)
        # What is merged must not run backwards: two writers of one log may overtake each other.
        last = moment if last is None or (moment is not None and moment > last) else last
        yield dataclasses.replace(line, time=last)


def stamp_of(line: str) -> float | None:
    """Return the time that a line begins with, unix time in seconds; local time where it names no zone."""
    match = _STAMP.search(line[: _WITHIN + 35])
    if match is None or match.start() > _WITHIN:
        return None
    zone = (match["zone"] or "").replace("Z", "+00:00")
    fraction = float("0." + match["part"][1:]) if match["part"] else 0.0
    try:
        found = datetime.fromisoformat(f"{match['date'].replace('/', '-')}T{match['time']}{zone}")
        return (found + timedelta(seconds=fraction)).astimezone().timestamp()
    except (ValueError, OverflowError, OSError):
        return None


class _Together:
    """Follows several at once: each is read by a thread of its own, which ends with its source or with the reader."""

    def __init__(self, sources: Sequence[Source]) -> None:
        self._sources = sources
        self._found: queue.Queue[LogLine | ProvisioningError | None] = queue.Queue(maxsize=1000)
        self._stopped = threading.Event()

    def __iter__(self) -> Iterator[LogLine]:
        for source in self._sources:
            threading.Thread(target=self._read, args=[source], daemon=True).start()
        going = len(self._sources)
        try:
            while going:
                item = self._found.get()
                if isinstance(item, ProvisioningError):
                    raise item
                if item is None:
                    going -= 1
                else:
                    yield item
        finally:
            self._stopped.set()

    def _read(self, source: Source) -> None:
        try:
            for line in source():
                self._put(line)
                if self._stopped.is_set():
                    return
            self._put(None)
        except ProvisioningError as error:
            self._put(error)

    def _put(self, item: LogLine | ProvisioningError | None) -> None:
        while not self._stopped.is_set():
            with contextlib.suppress(queue.Full):
                self._found.put(item, timeout=1.0)
                return
