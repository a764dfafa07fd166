# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``monitor``: services watched live, in place on a terminal and as lines of changes elsewhere; nothing is changed."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import FrameType
from typing import TYPE_CHECKING, Any, Protocol

from ansible_collections.provisioning.platform.plugins.module_utils._errors import (
    ConfigurationError,
    DriverError,
    Problem,
    ProvisioningError,
)

from ..exit_codes import ExitCode, of_signal
from ..streams import is_nowhere
from .context import Request
from .looking import explanation, is_well, status_lines
from .output import Form, Printer
from .waiting import SHOW_CURSOR

if TYPE_CHECKING:
    from ansible_collections.provisioning.platform.plugins.module_utils._manager import Manager
    from ansible_collections.provisioning.platform.plugins.module_utils._status import ServiceStatus
    from rich.live import Live

_SHOWN_CHANGES = 5
_TICK = 0.2
_SHORTEST = 0.1
_LONGEST = 86_400.0


@dataclass(frozen=True)
class Change:
    """A service that is no longer what it was; at first, what it is.

    :param time: unix time in seconds.
    :param before: status and health; nothing at first.
    """

    time: float
    service: str
    status: str
    health: str
    reason: str
    before: tuple[str, str] | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON types."""
        before = None if self.before is None else dict(zip(("status", "health"), self.before, strict=True))
        return {**vars(self), "before": before}

    def __str__(self) -> str:
        """Return it as a line."""
        now = self.status if self.health == "unknown" else f"{self.status}, {self.health}"
        was = "" if self.before is None else f" (was {', '.join(word for word in self.before if word != 'unknown')})"
        clock = time.strftime("%H:%M:%S", time.localtime(self.time))
        return f"{clock}  {self.service}: {now}{was}{f': {self.reason}' if self.reason else ''}"


class Watch:
    """Tells what has changed from one look to the next."""

    def __init__(self) -> None:
        self._last: dict[str, tuple[str, str, str | None]] = {}

    def changes(self, found: Sequence[ServiceStatus], now: float) -> list[Change]:
        """Return what has changed since the look before; a service that was restarted in between has changed, too.

        :param now: unix time in seconds.
        """
        changes = []
        for one in found:
            before = self._last.get(one.name)
            state = (one.status, one.health, one.id)
            if state != before:
                reason = "" if explanation(one) == f"was {one.status}" else explanation(one)
                if before is not None and before[:2] == state[:2]:
                    reason = "was started anew"
                was = None if before is None else before[:2]
                changes.append(Change(now, one.name, one.status, one.health, " ".join(reason.split()), was))
            self._last[one.name] = state
        return changes


class View(Protocol):
    """Shows what was seen."""

    def show(self, found: Sequence[ServiceStatus], changes: Sequence[Change]) -> None:
        """Show what services are now and what has changed."""

    def close(self) -> None:
        """Leave the terminal as it was."""


class Lines:
    """Shows changes, one a line."""

    def __init__(self, printer: Printer) -> None:
        self._printer = printer

    def show(self, found: Sequence[ServiceStatus], changes: Sequence[Change]) -> None:  # noqa: ARG002
        """Write what has changed."""
        for change in changes:
            if self._printer.form is Form.TABLE:
                self._printer.line(str(change))
            else:
                for line in self._printer.encoded(change.to_dict(), compact=True):
                    self._printer.line(line)

    def close(self) -> None:
        """Do nothing."""


class Screen:
    """Shows services in place, and below them the changes of late.

    :param interval: seconds between two looks, to be told.
    """

    def __init__(self, printer: Printer, interval: float) -> None:
        self._printer = printer
        self._interval = interval
        self._changes: deque[Change] = deque(maxlen=_SHOWN_CHANGES)
        self._live: Live | None = None

    def show(self, found: Sequence[ServiceStatus], changes: Sequence[Change]) -> None:
        """Draw the services anew."""
        from rich.console import Console, Group
        from rich.live import Live
        from rich.text import Text

        self._changes.extend(change for change in changes if change.before is not None)
        if self._live is None:
            console = Console(highlight=False, no_color=not self._printer.in_colour)
            self._live = Live(console=console, auto_refresh=False, vertical_overflow="crop")
            self._live.start()
        height = self._live.console.size.height - 1
        lines = screen_lines(self._printer, found, self._changes, height=height, title=self._title(found))
        text = [Text.from_ansi(line, no_wrap=True, overflow="ellipsis") for line in lines]
        self._live.update(Group(*text), refresh=True)

    def close(self) -> None:
        """End the display; what was seen last stays."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _title(self, found: Sequence[ServiceStatus]) -> str:
        well = sum(is_well(one) for one in found)
        clock = time.strftime("%H:%M:%S")
        title = f"{clock}  {well} of {len(found)} well  every {self._interval:g} s  Ctrl-C ends"
        is_narrow = len(title) > (self._printer.width or len(title))
        return title.replace(f"every {self._interval:g} s  ", "") if is_narrow else title


def screen_lines(
    printer: Printer, found: Sequence[ServiceStatus], changes: Sequence[Change], *, height: int, title: str
) -> list[str]:
    """Return what fits on a screen: what is not well stays where there is no room for all.

    :param height: lines that there are.
    """
    recent = ["", *(str(change) for change in changes)] if changes else []
    room = max(1, height - 3 - len(recent))
    shown = list(found)
    if len(shown) > room:
        recent = []
        room = max(1, height - 4)
        ranked = sorted(found, key=is_well)[:room]
        shown = [one for one in found if one in ranked]
    hidden = len(found) - len(shown)
    more = [f"and {hidden} more"] if hidden else []
    return [printer.paint(title, "bold"), "", *status_lines(printer, shown), *more, *recent]


def monitor(request: Request, names: Sequence[str], *, interval: str) -> int:
    """Watch services until the program is interrupted.

    :param interval: seconds between two looks, as it was written.
    :raises ConfigurationError: the interval is none, or a name is unknown.
    """
    seconds = seconds_of(interval)
    if is_nowhere(sys.stdout):
        remedy = "Leave it open, or send it to a file."
        raise DriverError(Problem("standard output", "is closed, so nobody would see anything", remedy))
    manager = request.manager(names)
    printer = request.printer()
    dumb = os.environ.get("TERM", "dumb") == "dumb"
    in_place = request.form is Form.TABLE and sys.stdout.isatty() and not dumb
    view: View = Screen(printer, seconds) if in_place else Lines(printer)
    with _ending() as ended:
        try:
            _watch(manager, names, view, printer, seconds, ended)
        finally:
            view.close()
    # Checks that still wait for an answer, in threads, would hold the program.
    sys.stdout.flush()
    sys.stderr.flush()
    if ended.number is None and printer.is_broken:
        os._exit(ExitCode.FAILED)
    os._exit(ExitCode.OK if ended.number in (None, signal.SIGINT) else of_signal(ended.number))


def seconds_of(interval: str) -> float:
    """Return an interval in seconds.

    :raises ConfigurationError: it is none.
    """
    try:
        seconds = float(interval)
    except ValueError:
        seconds = 0.0
    if not _SHORTEST <= seconds <= _LONGEST:
        why = f"is no number of seconds from {_SHORTEST:g} to {_LONGEST:g}"
        raise ConfigurationError(Problem(f"--interval {interval}", why, "E.g. --interval 5."))
    return seconds


def _watch(manager: Manager, names: Sequence[str], view: View, printer: Printer, interval: float, ended: _End) -> None:
    watch = Watch()
    looks: queue.SimpleQueue[list[ServiceStatus] | BaseException] = queue.SimpleQueue()

    def look() -> None:
        from ansible_collections.provisioning.platform.plugins.module_utils._operations import monitor as statuses

        try:
            for found in statuses(manager, names or None, interval=interval, stop=ended.event):
                looks.put(found)
        except (ProvisioningError, OSError) as error:
            looks.put(error)

    threading.Thread(target=look, name="looking", daemon=True).start()
    while not ended.event.is_set() and printer.is_open:
        try:
            found = looks.get(timeout=_TICK)
        except queue.Empty:
            continue
        if isinstance(found, BaseException):
            raise found
        view.show(found, watch.changes(found, time.time()))


class _End:
    """The request to end.

    :ivar number: the signal that it came with.
    """

    def __init__(self) -> None:
        self.event = threading.Event()
        self.number: int | None = None

    def __call__(self, number: int, _frame: FrameType | None) -> None:
        if self.event.is_set() and sys.stdout.isatty():
            os.write(1, SHOW_CURSOR)
        if self.event.is_set():
            os._exit(ExitCode.OK)
        self.number = number
        self.event.set()


@contextlib.contextmanager
def _ending() -> Iterator[_End]:
    """Turn SIGINT and SIGTERM into a request to end while the block runs."""
    end = _End()
    before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield end
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
