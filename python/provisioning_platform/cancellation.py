# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asking a run to stop: from another thread, or by the signals that a terminal or a CI system sends."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from types import FrameType

#: A terminal that closes ends a run as SIGTERM does.
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


_has_begun = False


def end_with_a_word() -> None:
    """Until there is a run to be cancelled, have signals end the program, and say so; one that is ignored stays so."""
    for number in _SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _end)


def _end(number: int, _frame: FrameType | None) -> None:
    word = "Cancelled." if number == signal.SIGINT else "Terminated."
    # What a run has left was told when it ended.
    left = "" if _has_begun else "Nothing was begun: this run left no service running.\n"
    with contextlib.suppress(OSError):
        os.write(2, f"{word}\n{left}".encode())
    raise SystemExit(128 + number)  # not KeyboardInterrupt, of which Typer makes an end without a word


class Cancellation:
    """A request to stop a run: the first one cleanly, a second one at once.

    :ivar signal_number: the signal that the first request came with; SIGINT where it came from the program.
    """

    def __init__(self) -> None:
        self.signal_number: int | None = None
        self._at_once = threading.Event()

    @property
    def is_requested(self) -> bool:
        """Whether the run is to stop."""
        return self.signal_number is not None

    @property
    def is_urgent(self) -> bool:
        """Whether it is to stop at once."""
        return self._at_once.is_set()

    def request(self, signal_number: int = signal.SIGINT) -> None:
        """Ask the run to stop; asked again, it stops at once."""
        if self.signal_number is None:
            self.signal_number = signal_number
        else:
            self._at_once.set()


@contextlib.contextmanager
def on_signals(cancellation: Cancellation) -> Iterator[Cancellation]:
    """Turn SIGINT, SIGTERM and SIGHUP into requests while the block runs; a signal that is ignored stays so.

    Must be entered in the main thread.
    """

    def handle(number: int, _frame: FrameType | None) -> None:
        cancellation.request(number)

    global _has_begun  # noqa: PLW0603  signals are the process's
    _has_begun = True
    before = {}
    for number in _SIGNALS:
        handler = signal.getsignal(number)
        if handler is not signal.SIG_IGN:
            before[number] = handler
            signal.signal(number, handle)
    try:
        yield cancellation
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
