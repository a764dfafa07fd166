# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Small pieces of text: durations, lists of names, tables. All pure."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence

_GAP = "  "
_NARROWEST_LAST_COLUMN = 16


def duration(seconds: float) -> str:
    """Return a duration as people say it: ``0.4 s``, ``12 s``, ``3 min 05 s``."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min"


def names(items: Sequence[str]) -> str:
    """Return names as a phrase: ``a``, ``a and b``, ``a, b and c``."""
    if len(items) < 2:
        return "".join(items)
    return f"{', '.join(items[:-1])} and {items[-1]}"


def count(number: int, noun: str, plural: str = "") -> str:
    """Return a number with its noun: ``1 change``, ``2 changes``.

    :param plural: where it is more than the noun with an s.
    """
    return f"{number} {noun}" if number == 1 else f"{number} {plural or f'{noun}s'}"


def sentence(text: str) -> str:
    """Return a text that ends as a sentence does."""
    text = text.strip()
    return text if not text or text.endswith((".", "!", "?", ":")) else f"{text}."


def wrapped(text: str, *, width: int | None, indent: str = "") -> list[str]:
    """Return a text as lines that fit the terminal, indented; as one line where there is no terminal."""
    if width is None:
        return [indent + text]
    return textwrap.wrap(
        text,
        max(20, width),
        initial_indent=indent,
        subsequent_indent=f"{indent}  ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def table(
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    width: int | None = None,
    paint: Callable[[str], str] | None = None,
) -> list[str]:
    """Return an aligned table as lines.

    :param width: columns of the terminal: the last column is wrapped to fit, and where it is too narrow for that the
        cells of as many columns as do not fit go below their rows, with their names; without it nothing is wrapped.
    :param paint: puts a cell, with the blanks that fill its column, into its colour.
    """
    paint = paint or str
    cells = [[" ".join(cell.split()) or "-" for cell in row] for row in (header, *rows)]
    widths = [max(len(row[index]) for row in cells) for index in range(len(header))]
    if width is None or _total(widths) <= width:
        return [_aligned(row, widths, paint) for row in cells]
    beside = _total(widths[:-1]) + len(_GAP)
    longest_word = max(len(word) for row in cells for word in row[-1].split())
    if width - beside >= max(_NARROWEST_LAST_COLUMN, longest_word):
        return [line for row in cells for line in _wrapped_beside(row, widths, width - beside, paint)]
    kept = next((number for number in range(len(header) - 1, 1, -1) if _total(widths[:number]) <= width), 1)
    lines = [_aligned(cells[0][:kept], widths, paint)]
    for row in cells[1:]:
        lines.append(_aligned(row[:kept], widths, paint))
        below = [f"{name.lower()}: {cell}" for name, cell in zip(header[kept:], row[kept:], strict=True) if cell != "-"]
        lines += _packed(below, width)
    return lines


def _packed(parts: Sequence[str], width: int) -> list[str]:
    """Return parts as lines, as many on a line as fit."""
    lines: list[str] = []
    for part in parts:
        if lines and len(lines[-1]) + len(_GAP) + len(part) <= width:
            lines[-1] += f"{_GAP}{part}"
        else:
            lines += wrapped(part, width=width, indent="    ")
    return lines


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + len(_GAP) * (len(widths) - 1)


def _aligned(row: Sequence[str], widths: Sequence[int], paint: Callable[[str], str]) -> str:
    *first, last = (cell.ljust(size) for cell, size in zip(row, widths, strict=False))
    return _GAP.join([*map(paint, first), paint(last.rstrip())]).rstrip()


def _wrapped_beside(row: Sequence[str], widths: Sequence[int], room: int, paint: Callable[[str], str]) -> list[str]:
    first, *rest = textwrap.wrap(row[-1], room, break_on_hyphens=False)
    indent = " " * (_total(widths[:-1]) + len(_GAP))
    return [_aligned([*row[:-1], first], widths, paint), *(indent + line for line in rest)]
