# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading the output of several instances of a service as one."""

from __future__ import annotations

import contextlib
import heapq
import queue
import re
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime

from .._errors import ProvisioningError
from ._base import LogLine

Source = Callable[[], Iterator[LogLine]]

_STAMP = re.compile(rb"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d+)?(Z|[+-]\d\d:\d\d) ")


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
    match = _STAMP.match(data)
    if match is None:
        return None, data
    zone = "+00:00" if match[3] == b"Z" else match[3].decode()
    seconds = datetime.fromisoformat(match[1].decode() + zone).astimezone(UTC).timestamp()
    return seconds + float(match[2] or 0), data[match.end() :]


def decoded(line: bytes) -> str:
    """Return a line as text, without what a terminal adds to its end."""
    return line.removesuffix(b"\r").decode(errors="replace")


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
