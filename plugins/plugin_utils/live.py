# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Showing what a module does while it does it.

Ansible hands a module's output over when the module has ended. So the module appends its events to a file, and a
thread of the action plugin follows that file: to the terminal, and to the journal of the run.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from ansible_collections.provisioning.platform.plugins.module_utils import _events as events
from ansible_collections.provisioning.platform.plugins.module_utils._events import Event, Journal

_POLL_SECONDS = 0.05

_WORDS = {
    events.SERVICE_UNCHANGED: "unchanged",
    events.SERVICE_STARTING: "starting",
    events.SERVICE_STARTED: "started",
    events.SERVICE_HEALTHY: "healthy",
    events.SERVICE_COMPLETED: "completed",
    events.SERVICE_FAILED: "FAILED",
    events.SERVICE_SKIPPED: "skipped",
    events.SERVICE_STOPPING: "stopping",
    events.SERVICE_STOPPED: "stopped",
    events.SERVICE_REMOVED: "removed",
    events.SERVICE_PULLING: "pulling",
    events.SERVICE_WARNING: "warning",
}


def line_of(event: Event) -> str:
    """Return an event as one line for a terminal or a job's log."""
    told = event.data.get("error") or event.data.get("reason") or event.data.get("image") or ""
    duration = event.data.get("duration_ms")
    parts = [f"{event.service or event.step or ''}: {_WORDS.get(event.kind, event.kind)}"]
    if told:
        parts.append(f"({told})")
    if isinstance(duration, (int, float)):
        parts.append(f"in {duration / 1000:.2f} s")
    return " ".join(parts)


def journal_of_run() -> Journal | None:
    """Return the journal of the run we are part of, if it keeps one."""
    path = os.environ.get("PROVISIONING_JOURNAL")
    return Journal(Path(path)) if path else None


def pass_on(
    stream: Iterable[Event], show: Callable[[str], None] | None, *, step: str | None, journal: Journal | None = None
) -> None:
    """Pass events on to the terminal and to the journal of the run.

    :param show: takes each event as a line.
    :param step: the installation step, noted with each event in the journal.
    :param journal: the run's, if it is not the one of :func:`journal_of_run`.
    """
    book = journal or journal_of_run()
    for event in stream:
        if book is not None:
            book.append(event.kind, service=event.service, step=step, data=event.data, at=event.time)
        if show is not None:
            show(line_of(event))


@contextlib.contextmanager
def followed(show: Callable[[str], None], *, step: str | None = None) -> Iterator[str]:
    """Follow the events that a module appends to a file; yields the file's path.

    When the block ends, what has been written by then has been passed on.

    :param show: takes each event as a line.
    :param step: the installation step, noted with each event in the journal.
    """
    descriptor, name = tempfile.mkstemp(prefix="provisioning-events-")
    os.close(descriptor)
    ended = threading.Event()
    lines = _Lines(Path(name))

    def follow() -> None:
        while not ended.wait(_POLL_SECONDS):
            pass_on(lines.new(), show, step=step)

    thread = threading.Thread(target=follow, daemon=True)
    thread.start()
    try:
        yield name
    finally:
        ended.set()
        thread.join()
        pass_on(lines.new(), show, step=step)
        Path(name).unlink(missing_ok=True)


class _Lines:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._position = 0

    def new(self) -> list[Event]:
        """Return the events written since the last time, whole lines only."""
        with self._path.open("rb") as stream:
            stream.seek(self._position)
            data = stream.read()
        whole = data[: data.rfind(b"\n") + 1]
        self._position += len(whole)
        return [Event.from_dict(json.loads(line)) for line in whole.splitlines()]
