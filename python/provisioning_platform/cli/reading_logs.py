# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands that show the output of services: several as one, each line with the name of its service."""

from __future__ import annotations

import heapq
import queue
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from ansible_collections.provisioning.platform.plugins.module_utils._drivers._base import LogLine
from ansible_collections.provisioning.platform.plugins.module_utils._drivers._log_streams import dated, together
from ansible_collections.provisioning.platform.plugins.module_utils._errors import (
    ConfigurationError,
    Problem,
    ProvisioningError,
    os_problem,
)

from ..exit_codes import ExitCode
from .context import Request
from .moments import parse_since
from .output import Form, Printer
from .waiting import leave_on_interrupt

if TYPE_CHECKING:
    from ansible_collections.provisioning.platform.plugins.module_utils._manager import Manager

_FOLLOWED_TAIL = 10
_SETTLE_SECONDS = 0.3
_NEVER = float("-inf")
#: Colours of services, in turns: those that are read well on light and dark ground.
_COLOURS = ("36", "33", "35", "32", "34", "31")

Source = Callable[[], Iterator[LogLine]]


def show_logs(request: Request, names: Sequence[str], *, follow: bool, since: str | None, tail: str | None) -> int:
    """Show what services have written.

    :param follow: go on as they write more.
    :param since: as ``parse_since`` takes it.
    :param tail: only so many lines of each, or ``all``.
    """
    begin = _NEVER if since is None else parse_since(since)
    number = parse_tail(tail, follow=follow, is_since=since is not None)
    manager = request.manager(names)
    printer = request.printer()
    # What runs elsewhere has its output there; it is an error only where it was asked for by name.
    chosen = list(dict.fromkeys(names)) or [name for name, one in manager.services().items() if one.is_ours]
    bad: list[Problem] = []
    sources = [_source(manager, name, begin, follow=follow, tail=number, bad=bad) for name in chosen]
    width = max(map(len, chosen), default=0)
    colours = colours_of(chosen)
    has_said = False
    with leave_on_interrupt():
        for line in followed(sources) if follow else merged(sources):
            has_said = True
            write_line(printer, line, name_width=width if len(chosen) > 1 else 0, colour=colours[line.service])
            if not printer.is_open:
                return ExitCode.OK  # whoever reads this has had enough
    if not has_said and not bad and sys.stdout.isatty():
        printer.note("Nothing was written." if since is None else "Nothing was written since then.")
    for problem in bad:
        printer.note(f"error: {problem}")
    return ExitCode.FAILED if bad else ExitCode.OK


def colours_of(names: Sequence[str]) -> dict[str, str]:
    """Return a colour for the lines of each name."""
    return {name: _COLOURS[index % len(_COLOURS)] for index, name in enumerate(names)}


def parse_tail(text: str | None, *, follow: bool, is_since: bool) -> int | None:
    """Return how many lines of each service are wanted; nothing means all.

    :raises ConfigurationError: it is neither a number nor ``all``.
    """
    if text is None:
        return _FOLLOWED_TAIL if follow and not is_since else None
    if text == "all":
        return None
    if text.isascii() and text.isdigit():
        return int(text)
    raise ConfigurationError(Problem(f"--tail {text!r}", "is no number of lines", "Write a number, or all."))


def merged(sources: Iterable[Source]) -> Iterator[LogLine]:
    """Yield the lines of all sources, oldest first; a line without a time stays behind the one before it."""
    return heapq.merge(*(source() for source in sources), key=lambda line: line.time or 0.0)


def followed(sources: Sequence[Source], *, settle: float = _SETTLE_SECONDS) -> Iterator[LogLine]:
    """Yield the lines of all sources: what there is already by time, what is written from then on as it comes.

    :param settle: seconds without a line after which all is there that there was.
    """
    found: queue.SimpleQueue[LogLine | None] = queue.SimpleQueue()

    def read() -> None:
        for line in together(sources, follow=True, tail=None):
            found.put(line)
        found.put(None)

    threading.Thread(target=read, daemon=True).start()
    before, is_over = _there_already(found, settle)
    yield from sorted(before, key=lambda line: line.time or 0.0)
    while not is_over and (line := found.get()) is not None:
        yield line


def _there_already(found: queue.SimpleQueue[LogLine | None], settle: float) -> tuple[list[LogLine], bool]:
    """Take lines until none comes for a moment, or several moments have gone; return whether all sources have ended."""
    lines: list[LogLine] = []
    deadline = time.monotonic() + settle * 5
    while (left := min(settle, deadline - time.monotonic())) > 0:
        try:
            line = found.get(timeout=left)
        except queue.Empty:
            break
        if line is None:
            return lines, True
        lines.append(line)
    return lines, False


def since_then(lines: Iterable[LogLine], begin: float) -> Iterator[LogLine]:
    """Leave out what is older; lines before the first one with a time go with it, and all stay where none has one."""
    undated: list[LogLine] | None = []
    for line in lines:
        if undated is not None and line.time is None:
            undated.append(line)
            continue
        if line.time is not None and line.time >= begin:
            yield from undated or ()
            yield line
        undated = None
    yield from undated or ()


def _source(manager: Manager, name: str, begin: float, *, follow: bool, tail: int | None, bad: list[Problem]) -> Source:
    def read() -> Iterator[LogLine]:
        try:
            lines = dated(manager.logs(name, follow=follow, tail=tail))
            if begin != _NEVER:
                lines = _after(lines, begin) if follow else since_then(lines, begin)
            yield from lines
        except ProvisioningError as error:
            bad.extend(error.problems)
        except OSError as error:
            bad.append(os_problem(name, error))

    return partial(read)


def _after(lines: Iterable[LogLine], begin: float) -> Iterator[LogLine]:
    return (line for line in lines if line.time is None or line.time >= begin)


def write_line(printer: Printer, line: LogLine, *, name_width: int, colour: str) -> None:
    """Write a line of a service.

    :param name_width: columns for its name, which is left out where there are none.
    """
    if printer.form is not Form.TABLE:
        for text in printer.encoded(document_of(line), compact=True):
            printer.line(text)
        return
    lead = f"{line.service:<{name_width}} | " if name_width else ""
    if lead and printer.in_colour:
        lead = f"\033[{colour}m{lead}\033[0m"
    printer.line(lead + line.text)


def document_of(line: LogLine) -> dict[str, Any]:
    """Return a line as JSON types; its time in UTC."""
    moment = None if line.time is None else datetime.fromtimestamp(line.time, UTC).isoformat(timespec="milliseconds")
    return {"service": line.service, "time": moment, "stream": line.stream, "text": line.text}
