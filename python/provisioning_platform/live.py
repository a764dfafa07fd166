# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Progress in a terminal: the steps and the services, redrawn in place until the run ends.

rich is imported here and nowhere else, and this module only when standard output is a terminal.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from rich.console import Console, ConsoleOptions, Group, OverflowMethod, RenderableType, RenderResult
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from .run_state import RunView, ServiceView, StepView
from .text import duration

_REFRESH_PER_SECOND = 8
_MARK = {"waiting": ("·", "dim"), "skipped": ("–", "yellow"), "completed": ("✓", "green"), "failed": ("✗", "red")}
_MARK_ASCII = {"waiting": ".", "skipped": "-", "completed": "+", "failed": "x"}
_SERVICE_STYLE = {"running": "green", "completed": "green", "failed": "red", "skipped": "yellow", "waiting": "dim"}
_MARK_WIDTH = 2
_GAP = 2
#: Columns beside the reason, and how wide that has to be for them all to be shown.
_COLUMNS = (
    (("service", "status", "mode", "address"), 18),
    (("service", "status", "mode"), 18),
    (("service", "status"), 8),
)
_CELLS: dict[str, Callable[[ServiceView], str]] = {
    "service": lambda one: one.name,
    "status": lambda one: one.status,
    "mode": lambda one: one.mode,
    "address": lambda one: one.address,
    "reason": lambda one: " ".join(one.explanation.split()),
}


class LiveProgress:
    """A display of a run that is redrawn as the run goes on, in the width and height the terminal has at that moment.

    :param clock: unix time in seconds, for durations.
    """

    def __init__(self, view: RunView, *, console: Console, clock: Callable[[], float] = time.time) -> None:
        self._view = view
        self._clock = clock
        self._ascii = not console.encoding.lower().startswith("utf")
        self._overflow: OverflowMethod = "crop" if self._ascii else "ellipsis"
        self._spinner = Spinner("line" if self._ascii else "dots", style="cyan")
        self._live = Live(
            self,
            console=console,
            refresh_per_second=_REFRESH_PER_SECOND,
            transient=True,
            # What others write while the display is up goes above it.
            redirect_stdout=True,
            redirect_stderr=True,
        )

    def start(self) -> None:
        """Show it."""
        self._live.start()

    def stop(self) -> None:
        """Take it away, leaving the terminal as it was."""
        self._live.stop()

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width, height = options.max_width, options.size.height - 1
        yield Group(*self._parts(width, height))

    def _parts(self, width: int, height: int) -> list[RenderableType]:
        now = self._clock()
        steps = list(self._view.steps.values())
        services = list(self._view.services.values())
        parts: list[RenderableType] = [self._title(now)]
        rows = len(services) + 2 if services else 0
        in_full = 1 + len(steps) + rows <= height
        if steps or not services:
            parts += [self._steps(steps, now) if in_full else self._steps_in_brief(steps, now)]
        if services:
            room = height - (1 + len(steps) if in_full else 1 + len(steps[:1])) - 2
            parts += ["", *self._services(services, width, max(1, room))]
        return parts

    def _title(self, now: float) -> RenderableType:
        view = self._view
        what = ", ".join(part for part in (view.platform, view.profile) if part)
        text = Text(overflow=self._overflow, no_wrap=True)
        text.append(f"{view.operation} {view.installation_id}".strip(), style="bold")
        text.append(f"  ({what})" if what else "")
        if view.started_at is not None:
            text.append(f"  {duration(max(0.0, now - view.started_at))}", style="dim")
        return text

    def _steps(self, steps: list[StepView], now: float) -> RenderableType:
        grid = Table.grid(padding=(0, 1))
        for step in steps:
            took = step.duration(now)
            style = "bold" if step.state == "running" else ("dim" if step.state == "waiting" else "")
            grid.add_row(
                self._step_mark(step),
                Text(step.name, style=style),
                Text(duration(took) if took is not None else "", style="dim"),
            )
        return grid

    def _steps_in_brief(self, steps: list[StepView], now: float) -> RenderableType:
        current = self._view.current_step
        if current is None:
            return Text(f"{len(steps)} steps", style="dim")
        grid = Table.grid(padding=(0, 1))
        grid.add_row(
            self._step_mark(current),
            Text(f"step {steps.index(current) + 1} of {len(steps)}: {current.name}", style="bold"),
            Text(duration(current.duration(now) or 0.0), style="dim"),
        )
        return grid

    def _step_mark(self, step: StepView) -> RenderableType:
        if step.state == "running":
            return self._spinner
        return self._mark(step.state)

    def _services(self, services: list[ServiceView], width: int, room: int) -> list[RenderableType]:
        shown, hidden = most_telling(services, room)
        columns = fitting_columns(services, width - _MARK_WIDTH)
        lines: list[RenderableType] = [
            Text(" " * _MARK_WIDTH + _line([name for name, _ in columns], columns), style="dim", no_wrap=True)
        ]
        for one in shown:
            text = Text(_line([_CELLS[name](one) for name, _ in columns], columns))
            begin = columns[0][1] + _GAP
            text.stylize(_SERVICE_STYLE.get(one.status, "cyan"), begin, begin + columns[1][1])
            line = Text.assemble(self._service_mark(one), " ", text, overflow=self._overflow, no_wrap=True)
            lines.append(line)
        return [*lines, Text(f"  and {hidden} more", style="dim")] if hidden else lines

    def _service_mark(self, service: ServiceView) -> Text:
        if service.is_busy:
            frame = self._spinner.render(self._clock())
            return frame if isinstance(frame, Text) else Text(" ")
        if service.status in ("failed", "skipped"):
            return self._mark(service.status)
        return self._mark("completed" if service.is_installed else "waiting")

    def _mark(self, state: str) -> Text:
        mark, style = _MARK[state]
        return Text(_MARK_ASCII[state] if self._ascii else mark, style=style)


def most_telling(services: list[ServiceView], room: int) -> tuple[list[ServiceView], int]:
    """Return the services that fit into ``room`` lines, in their order, and how many are left out.

    What has failed or is being worked on stays; what is up already is left out first.
    """
    if len(services) <= room:
        return services, 0
    keep = max(0, room - 1)
    ranked = sorted(
        services, key=lambda one: (one.is_installed and not one.is_busy, one.status != "failed", not one.is_busy)
    )
    chosen = {one.name for one in ranked[:keep]}
    return [one for one in services if one.name in chosen], len(services) - keep


def fitting_columns(services: list[ServiceView], width: int) -> list[tuple[str, int]]:
    """Return the columns of the services' table with their widths; the address goes first where there is no room."""
    wide = {
        name: max([len(name), *(len(cell(one)) for one in services)])
        for name, cell in _CELLS.items()
        if name != "reason"
    }
    wide["status"] = max(wide["status"], len("completed"))
    for names, least in _COLUMNS:
        rest = width - sum(wide[name] + _GAP for name in names)
        if rest >= least:
            return [*((name, wide[name]) for name in names), ("reason", rest)]
    return [("service", wide["service"]), ("status", wide["status"])]


def _line(cells: list[str], columns: list[tuple[str, int]]) -> str:
    padded = [cell.ljust(size) for cell, (_, size) in zip(cells, columns, strict=True)]
    return (" " * _GAP).join(padded).rstrip()
