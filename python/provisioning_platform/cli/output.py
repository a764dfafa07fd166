# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What commands say: tables for people, JSON or YAML for programs, in colour where that is wanted and fits."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TextIO

from ..streams import Output, complain
from ..text import table, wrapped

if TYPE_CHECKING:
    from ansible_collections.provisioning.platform.plugins.module_utils._errors import Problem


class Form(StrEnum):
    """In what form data is printed."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"


_STYLES = {"good": "32", "bad": "31", "unsure": "33", "dim": "2", "bold": "1"}
_WORDS = {
    "good": ("running", "healthy", "started", "completed", "unchanged", "ready", "yes"),
    "bad": ("failed", "unhealthy", "unreachable"),
    "unsure": ("starting", "stopping", "pulling", "paused", "unknown", "skipped", "cancelled", "restarting"),
    "dim": ("stopped", "absent", "removed", "-"),
}
_STYLE_OF = {word: style for style, words in _WORDS.items() for word in words}


def wants_colour(stream: TextIO, environ: Mapping[str, str] = os.environ) -> bool:
    """Whether a stream is to be written in colour: a terminal that can, unless NO_COLOR says no."""
    return stream.isatty() and not environ.get("NO_COLOR") and environ.get("TERM", "dumb") != "dumb"


class Printer:
    """Writes the answer of a command to standard output, and remarks to standard error.

    :param form: of the answer.
    """

    def __init__(
        self, form: Form = Form.TABLE, *, stream: TextIO | None = None, environ: Mapping[str, str] = os.environ
    ) -> None:
        self.form = form
        self._stream = stream or sys.stdout
        self._output = Output(self._stream)
        self.in_colour = wants_colour(self._stream, environ)

    @property
    def is_open(self) -> bool:
        """Whether anybody still reads what is written."""
        return self._output.is_open

    @property
    def is_broken(self) -> bool:
        """Whether what was written is lost."""
        return self._output.is_broken

    @property
    def width(self) -> int | None:
        """Columns of the terminal, if it is one."""
        return shutil.get_terminal_size().columns if self._stream.isatty() else None

    def show(self, document: Any, lines: Callable[[], Iterable[str]]) -> None:
        """Write an answer.

        :param document: it as JSON types.
        :param lines: it for people; called only where they are to have it.
        """
        for line in lines() if self.form is Form.TABLE else self.encoded(document):
            self.line(line)

    def encoded(self, document: Any, *, compact: bool = False) -> list[str]:
        """Return a document as lines of the form for programs.

        :param compact: it is one of many: JSON on one line, YAML with a separator.
        """
        if self.form is Form.YAML:
            import yaml

            text = yaml.safe_dump(document, sort_keys=False, allow_unicode=True, explicit_start=compact)
            return str(text).rstrip("\n").splitlines()
        return json.dumps(document, indent=None if compact else 2, ensure_ascii=False).splitlines()

    def line(self, text: str) -> None:
        """Write a line."""
        self._output.line(text)

    def table(self, header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
        """Return a table as lines that fit, words of state in their colour."""
        return table(header, rows, width=self.width, paint=self._paint_cell if self.in_colour else None)

    def paint(self, text: str, style: str) -> str:
        """Return a text in a style (``good``, ``bad``, ``unsure``, ``dim``, ``bold``), where colour is wanted."""
        return f"\033[{_STYLES[style]}m{text}\033[0m" if self.in_colour else text

    def problem(self, word: str, style: str, problem: Problem) -> list[str]:
        """Return a problem as lines that fit.

        :param word: what it is, e.g. ``error``, painted in ``style``.
        """
        first, *rest = wrapped(f"{word}: {problem}", width=self.width)
        return [first.replace(word, self.paint(word, style), 1), *rest]

    def note(self, text: str) -> None:
        """Say something beside the answer."""
        complain(text)

    def _paint_cell(self, cell: str) -> str:
        style = _STYLE_OF.get(cell.strip())
        return self.paint(cell, style) if style else cell
