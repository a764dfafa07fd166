# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A sign of life on the terminal for what takes more than a moment, and nothing anywhere else."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator, Mapping
from types import FrameType

from ..exit_codes import ExitCode

#: Brings the cursor back that a display has hidden.
SHOW_CURSOR = b"\033[?25h"
_MOMENT = 0.8


@contextlib.contextmanager
def busy(text: str, *, environ: Mapping[str, str] = os.environ) -> Iterator[None]:
    """Show on standard error, if it is a terminal, that something goes on, while the block runs for more than a moment.

    :param text: what goes on, in words.
    """
    if not sys.stderr.isatty() or environ.get("TERM", "dumb") == "dumb":
        yield
        return
    over = threading.Event()
    thread = threading.Thread(target=_show, args=[text, over], daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _show(text: str, over: threading.Event) -> None:
    if over.wait(_MOMENT):
        return
    from rich.console import Console  # a short command is over before this is needed

    console = Console(stderr=True, highlight=False)
    spinner = "dots" if console.encoding.lower().startswith("utf") else "line"
    with console.status(f"{text} ...", spinner=spinner):
        over.wait()


@contextlib.contextmanager
def leave_on_interrupt() -> Iterator[None]:
    """Let Ctrl-C end the program at once while the block runs, which touches nothing: its threads would hold it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        yield
        return
    before = signal.signal(signal.SIGINT, _leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _leave(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
    if sys.stderr.isatty():
        os.write(2, SHOW_CURSOR + b"\n")
    os._exit(ExitCode.CANCELLED)
