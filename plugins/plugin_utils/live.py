# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Showing what a module does while it does it.

Ansible hands a module's output over when the module has ended. So the module appends its events to a file, and a
thread of the action plugin follows that file: to the terminal, and to the journal of the run.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.provisioning.platform.plugins.module_utils import _events as events
from ansible_collections.provisioning.platform.plugins.module_utils._events import Event, Journal
from ansible_collections.provisioning.platform.plugins.plugin_utils.notify.follow import JournalFollower

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


@dataclass(frozen=True)
class Reader:
    """Where events go.

    :param show: takes each event as a line.
    :param step: the installation step, noted with each event in the journal.
    :param total_services: how many services the step is about, on all hosts, noted likewise.
    :param host: where they are, noted likewise where there are several hosts.
    """

    show: Callable[[str], None]
    step: str | None = None
    total_services: int | None = None
    host: str | None = None

    def pass_on(self, stream: Iterable[Event]) -> None:
        """Pass events on to the terminal and to the journal of the run."""
        journal = journal_of_run()
        noted = {"total_services": self.total_services, "host": self.host}
        more = {name: value for name, value in noted.items() if value is not None}
        for event in stream:
            if journal is not None:
                journal.append(
                    event.kind, service=event.service, step=self.step, data={**event.data, **more}, at=event.time
                )
            self.show(line_of(event))


@contextlib.contextmanager
def followed(reader: Reader, *, folder: str | None = None) -> Iterator[str]:
    """Follow the events that a module appends to a file; yields the file's path.

    When the block ends, what has been written by then has been passed on.

    :param folder: where the file is made, e.g. one that Ansible removes when it ends.
    """
    descriptor, name = tempfile.mkstemp(prefix="provisioning-events-", dir=folder)
    os.close(descriptor)
    ended = threading.Event()
    written = JournalFollower(Path(name))

    def follow() -> None:
        while not ended.wait(_POLL_SECONDS):
            reader.pass_on(written.read())

    thread = threading.Thread(target=follow, daemon=True)
    thread.start()
    try:
        yield name
    finally:
        ended.set()
        thread.join()
        reader.pass_on(written.read())
        Path(name).unlink(missing_ok=True)
