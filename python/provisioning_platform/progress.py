# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a run is shown while it goes on: live in a terminal, as plain lines, as JSON lines, or not at all."""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol, TextIO

from ansible_collections.provisioning.platform.plugins.module_utils._events import Event

from .lines import format_event
from .run_state import RunView
from .streams import Output

__all__ = ["JsonLines", "Live", "Output", "PlainLines", "Progress", "Silent", "choose"]

if TYPE_CHECKING:
    from .live import LiveProgress


class Progress(Protocol):
    """Shows a run."""

    def event(self, event: Event, view: RunView) -> None:
        """Take one more event, already part of ``view``."""

    def close(self) -> None:
        """Take away what is not to stay on the screen."""


class Silent:
    """Shows nothing."""

    def event(self, event: Event, view: RunView) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


class JsonLines(Silent):
    """Writes each event as one JSON document a line."""

    def __init__(self, output: Output) -> None:
        self._output = output

    def event(self, event: Event, view: RunView) -> None:  # noqa: ARG002
        """Write the event."""
        self._output.line(json.dumps(event.to_dict()))


class PlainLines(Silent):
    """Writes a line an event."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._last: dict[str, str] = {}

    def event(self, event: Event, view: RunView) -> None:
        """Write the event's line, if it has one and does not repeat what was said of the service last."""
        line = format_event(event, view)
        if event.service is not None:
            if self._last.get(str(event.subject)) == event.kind:
                return
            self._last[str(event.subject)] = event.kind
        if line is not None:
            self._output.line(line)


class Live:
    """Shows the run in place, from its first event on.

    :param stderr: on standard error, where standard output has something else to carry.
    """

    def __init__(self, *, stderr: bool = False) -> None:
        self._stderr = stderr
        self._display: LiveProgress | None = None

    def event(self, event: Event, view: RunView) -> None:  # noqa: ARG002
        """Show the run as it is now."""
        if self._display is None:
            # rich costs 90 ms, which nobody pays whose output is no terminal.
            from rich.console import Console

            from .live import LiveProgress

            stream = sys.stderr if self._stderr else sys.stdout
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="replace")  # a reason may be in any language
            self._display = LiveProgress(view, console=Console(highlight=False, stderr=self._stderr))
            self._display.start()

    def close(self) -> None:
        """Take the display away."""
        if self._display is not None:
            self._display.stop()
            self._display = None


def choose(
    *, as_json: bool, quiet: bool, output: Output, stream: TextIO = sys.stdout, environ: Mapping[str, str] = os.environ
) -> Progress:
    """Return the way to show a run that fits the options and where the output goes."""
    if as_json:
        return JsonLines(output)
    if quiet:
        return Silent()
    if stream.isatty() and environ.get("TERM", "dumb") != "dumb":
        return Live(stderr=stream is sys.stderr)
    return PlainLines(output)
