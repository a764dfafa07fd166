"""Taking times in turns and printing ratios."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable


def seconds(work: Callable[[], object]) -> float:
    """Return how long it takes, in seconds."""
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


class Table:
    """Medians by row and contender, and their ratio to one of the contenders."""

    def __init__(self, title: str, base: str) -> None:
        self._title = title
        self._base = base
        self._times: dict[str, dict[str, list[float]]] = {}

    def add(self, row: str, contender: str, taken: float) -> None:
        """Note one measurement, in seconds."""
        self._times.setdefault(row, {}).setdefault(contender, []).append(taken)

    def ratio(self, row: str, contender: str, base: str) -> float:
        """Return the ratio of two medians."""
        return self._median(row, contender) / self._median(row, base)

    def show(self) -> None:
        """Print everything."""
        print(f"\n{self._title}\n")
        contenders = list(dict.fromkeys(name for times in self._times.values() for name in times))
        cells = [["", *contenders]]
        for row, times in self._times.items():
            cells.append([row, *(self._cell(row, name) if name in times else "-" for name in contenders)])
        widths = [max(len(line[index]) for line in cells) for index in range(len(cells[0]))]
        for line in cells:
            print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
        print(f"(x N: times {self._base})", flush=True)

    def _cell(self, row: str, contender: str) -> str:
        text = f"{self._median(row, contender):.3f} s"
        compared = contender != self._base and self._base in self._times[row]
        return f"{text} (x {self.ratio(row, contender, self._base):.2f})" if compared else text

    def _median(self, row: str, contender: str) -> float:
        return statistics.median(self._times[row][contender])
