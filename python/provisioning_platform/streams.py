# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Standard output and standard error, which may be closed or full: what is said is lost then, and nothing else."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from typing import TextIO


class Output:
    """Standard output that outlives its reader: once it cannot be written, lines are dropped and the run goes on.

    That is said once on standard error, unless it is a pipe whose reader has had enough.

    :ivar is_open: whether it can be written.
    :ivar is_broken: whether it cannot, and nobody wanted that.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.is_open = True
        self.is_broken = False

    def line(self, text: str) -> None:
        """Write a line at once."""
        if not self.is_open:
            return
        try:
            self._stream.write(f"{_encodable(text, self._stream)}\n")
            self._stream.flush()
        except OSError as error:
            self.is_open = False
            discard(self._stream)
            if not isinstance(error, BrokenPipeError):
                self.is_broken = True
                why = error.strerror or error
                complain(f"warning: standard output: cannot be written: {why}. The rest of it is left out.")


def open_standard_streams() -> None:
    """Put the null device in the place of standard streams that are closed, so that no file of ours comes there."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(descriptor, True)
    os.close(descriptor)
    sys.stdout = sys.stdout or open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stderr = sys.stderr or open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115


def is_nowhere(stream: TextIO) -> bool:
    """Whether a standard stream was closed, and is the null device since."""
    return stream.name in (1, 2)  # those that Python opens have a name


def complain(text: str) -> None:
    """Write a line to standard error."""
    with contextlib.suppress(OSError):
        sys.stdout.flush()
    try:
        sys.stderr.write(f"{_fitting(text)}\n")
        sys.stderr.flush()
    except OSError:
        discard(sys.stderr)


def _fitting(text: str) -> str:
    """Return a text broken between words where the terminal is narrower than it."""
    width = shutil.get_terminal_size().columns if sys.stderr.isatty() else len(text)
    if len(text) <= width:
        return text
    from .text import wrapped

    lines = (
        wrapped(line.strip(), width=width, indent=line[: len(line) - len(line.lstrip())]) for line in text.splitlines()
    )
    return "\n".join(part for parts in lines for part in parts)


def discard(stream: TextIO) -> None:
    """Let a stream that cannot be written go nowhere: Python flushes at exit, and would complain there."""
    with contextlib.suppress(OSError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())
        os.close(null)


def _encodable(text: str, stream: TextIO) -> str:
    encoding = stream.encoding or "utf-8"
    return text.encode(encoding, errors="replace").decode(encoding)
