# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The event stream: every change emits one event; everything people see is a reader of that stream."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ._paths import FILE_MODE, make_directory

# The kinds of event, and the whole vocabulary of a journal.
RUN_STARTED = "run.started"
RUN_COMPLETED = "run.completed"
RUN_FAILED = "run.failed"
RUN_CANCELLED = "run.cancelled"
STEP_STARTED = "step.started"
STEP_COMPLETED = "step.completed"
STEP_FAILED = "step.failed"
SERVICE_UNCHANGED = "service.unchanged"
SERVICE_STARTING = "service.starting"
SERVICE_STARTED = "service.started"
SERVICE_HEALTHY = "service.healthy"
SERVICE_COMPLETED = "service.completed"
SERVICE_FAILED = "service.failed"
SERVICE_SKIPPED = "service.skipped"
SERVICE_STOPPING = "service.stopping"
SERVICE_STOPPED = "service.stopped"
SERVICE_REMOVED = "service.removed"
SERVICE_PULLING = "service.pulling"
SERVICE_WARNING = "service.warning"
# What the supervisor tells, in a journal of its own.
SERVICE_DOWN = "service.down"
SERVICE_UNHEALTHY = "service.unhealthy"
SERVICE_RESTARTED = "service.restarted"
SERVICE_RECOVERED = "service.recovered"
SERVICE_HELD = "service.held"
SERVICE_GIVEN_UP = "service.given_up"
SERVICE_FLAPPING = "service.flapping"
SERVICE_SETTLED = "service.settled"

RUN_ENDINGS = frozenset({RUN_COMPLETED, RUN_FAILED, RUN_CANCELLED})


@dataclass(frozen=True)
class Event:
    """One thing that happened.

    :param kind: one of the constants of this module.
    :param time: unix time in seconds.
    :param sequence: position in its stream, from 1.
    :param service: the service concerned, if any.
    :param step: the installation step concerned, if any.
    :param data: details, JSON types only, never a secret.
    """

    kind: str
    time: float
    sequence: int
    service: str | None = None
    step: str | None = None
    data: dict[str, Any] = field(default_factory=dict)

    @property
    def subject(self) -> str | None:
        """The service concerned, with its host where the platform has several (``host`` in the data)."""
        host = self.data.get("host")
        return f"{self.service} on {host}" if self.service is not None and host else self.service

    def to_dict(self) -> dict[str, Any]:
        """Return the event as JSON types, without the fields that do not apply."""
        document: dict[str, Any] = {"sequence": self.sequence, "time": round(self.time, 3), "kind": self.kind}
        if self.service is not None:
            document["service"] = self.service
        if self.step is not None:
            document["step"] = self.step
        if self.data:
            document["data"] = self.data
        return document

    @staticmethod
    def from_dict(document: dict[str, Any]) -> Event:
        """Build the event that :meth:`to_dict` wrote.

        :raises KeyError: a field every event has is missing.
        """
        return Event(
            kind=document["kind"],
            time=document["time"],
            sequence=document["sequence"],
            service=document.get("service"),
            step=document.get("step"),
            data=document.get("data", {}),
        )


Sink = Callable[[Event], None]


class Emitter:
    """Numbers events and hands each to its sinks, one at a time whatever thread it comes from."""

    def __init__(self, *sinks: Sink, clock: Callable[[], float] = time.time) -> None:
        self._sinks = sinks
        self._clock = clock
        self._lock = threading.Lock()
        self._sequence = 0

    def __call__(self, kind: str, *, service: str | None = None, step: str | None = None, **data: Any) -> None:
        """Emit one event.

        :param kind: one of the constants of this module.
        :param data: its details.
        """
        with self._lock:
            self._sequence += 1
            event = Event(kind, self._clock(), self._sequence, service, step, data)
            for sink in self._sinks:
                sink(event)


class Journal:
    """An append-only file of events, one JSON document a line, mode 0600.

    Several processes of one run append to it (the callback, action plugins in forked workers), so the sequence is
    taken from the file itself, under its lock.

    :param path: the file; made, with its folder, when first written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(
        self,
        kind: str,
        *,
        service: str | None = None,
        step: str | None = None,
        data: dict[str, Any] | None = None,
        at: float | None = None,
    ) -> Event:
        """Write one event and return it, numbered.

        :param at: unix time in seconds; now by default.
        :raises OSError: the file cannot be written; no part of the event is in it then.
        """
        make_directory(self.path.parent)
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, FILE_MODE)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            _cut_torn_line(descriptor)
            sequence = _last_sequence(descriptor) + 1
            event = Event(kind, time.time() if at is None else at, sequence, service, step, data or {})
            write_line(descriptor, json.dumps(event.to_dict()).encode() + b"\n")
        finally:
            os.close(descriptor)
        return event

    def read(self, after: int = 0) -> Iterator[Event]:
        """Yield the events whose sequence is above ``after``; nothing when there is no file yet.

        A last line that is still being written is left for the next read.
        """
        try:
            text = self.path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return
        for line in text.splitlines(keepends=True):
            if line.endswith("\n"):
                event = Event.from_dict(json.loads(line))
                if event.sequence > after:
                    yield event


def write_line(descriptor: int, line: bytes) -> None:
    """Append a line to a file as a whole; where the disk has room for a part of it only, take that part back.

    :param descriptor: of a file opened for appending, whose lock the caller holds.
    :raises OSError: there is no room.
    """
    written = os.write(descriptor, line)
    if written != len(line):
        os.ftruncate(descriptor, os.fstat(descriptor).st_size - written)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _cut_torn_line(descriptor: int) -> None:
    """Take away the piece of a line that a writer left who was killed while he wrote."""
    size = os.fstat(descriptor).st_size
    if size and os.pread(descriptor, 1, size - 1) != b"\n":
        os.ftruncate(descriptor, size - len(_last_piece(descriptor, size)))


def _last_sequence(descriptor: int) -> int:
    size = os.fstat(descriptor).st_size
    return int(json.loads(_last_piece(descriptor, size - 1))["sequence"]) if size else 0


def _last_piece(descriptor: int, end: int) -> bytes:
    """Return what stands between the last line end before ``end`` and there."""
    window = 8192
    while True:
        start = max(0, end - window)
        tail = os.pread(descriptor, end - start, start)
        line_end = tail.rfind(b"\n")
        if line_end >= 0 or start == 0:
            return tail[line_end + 1 :]
        window *= 2
