# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The graph of services as an SVG image, in columns: who needs something left of what is needed. Pure.

Laid out in the way of Sugiyama, Tagawa and Toda (1981): columns by the longest way, order within a column by the mean
place of the neighbours, straight stretches where an arrow passes other columns.
"""

from __future__ import annotations

import html
import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ._graph import Services, startup_order

_SWEEPS = 8
_CHARACTER = 7.8
_PADDING = 14.0
_HEIGHT = 40.0
_ROW_GAP = 20.0
_PASSING_GAP = 12.0  # arrows that pass a column side by side
_COLUMN_GAP = 72.0
_MARGIN = 20.0
_LEGEND_LINE = 18.0
_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

_STYLE = """
  text { font: 13px ui-sans-serif, system-ui, sans-serif; fill: #1f2430; }
  .name { font-weight: 600; }
  .mode, .legend { font-size: 11px; fill: #667085; }
  rect { fill: #f5f7fb; stroke: #5b6b8c; stroke-width: 1.2; }
  .optional rect { stroke-dasharray: 4 3; }
  path { fill: none; stroke: #7d8aa5; stroke-width: 1.3; }
  .started { stroke-dasharray: 6 4; }
  .completed { stroke-dasharray: 1.5 4; stroke-linecap: round; }
  #arrow path { fill: #7d8aa5; stroke: none; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6e9f0; } .mode, .legend { fill: #a3adc2; } rect { fill: #232938; stroke: #8c9ab8; }
  }"""


@dataclass
class _Spot:
    """A service, or a place where an arrow passes a column.

    :param before: what needs it, in the column to the left.
    :param after: what it needs, in the column to the right.
    :param y: of its middle, in pixels.
    """

    name: str | None
    column: int
    before: list[_Spot] = field(default_factory=list)
    after: list[_Spot] = field(default_factory=list)
    order: float = 0.0
    y: float = 0.0

    @property
    def half(self) -> float:
        """Half of the height that it takes with the room around it."""
        return (_HEIGHT + _ROW_GAP) / 2 if self.name is not None else _PASSING_GAP / 2


def draw_svg(services: Services) -> str:
    """Draw the whole graph as an SVG image; arrows point to what is needed.

    :raises ConfigurationError: there is a cycle.
    """
    spots, ways = _spots(services)
    columns: list[list[_Spot]] = [[] for _column in range(1 + max((spot.column for spot in spots), default=0))]
    for spot in spots:
        columns[spot.column].append(spot)
    _arrange(columns)
    _align(columns)
    return "\n".join(_document(services, columns, ways)) + "\n"


def _spots(services: Services) -> tuple[list[_Spot], dict[tuple[str, str], list[_Spot]]]:
    """Return all spots, and for each dependency those on its way."""
    columns = _columns(services)
    spots = {name: _Spot(name, column) for name, column in columns.items()}
    ways = {}
    passing = []
    for name, service in services.items():
        for need in service.depends_on:
            if need in spots:
                way = [spots[name]]
                for column in range(columns[name] + 1, columns[need]):
                    way.append(_Spot(None, column))
                    passing.append(way[-1])
                way.append(spots[need])
                for left, right in itertools.pairwise(way):
                    left.after.append(right)
                    right.before.append(left)
                ways[name, need] = way
    return [*spots.values(), *passing], ways


def _columns(services: Services) -> dict[str, int]:
    """What needs nothing stands in the last column, everything else left of all that it needs, as near as can be."""
    depth: dict[str, int] = {}
    for name in startup_order(services):
        depth[name] = 1 + max((depth[need] for need in services[name].depends_on if need in services), default=-1)
    last = max(depth.values(), default=0)
    return {name: last - depth[name] for name in services}


def _arrange(columns: Sequence[list[_Spot]]) -> None:
    """Put each spot near its neighbours, which leaves few arrows that cross."""
    for column in columns:
        _number(column)
    for sweep in range(_SWEEPS):
        forward = sweep % 2 == 0
        for column in columns if forward else reversed(columns):
            for spot in column:
                neighbours = spot.before if forward else spot.after
                if neighbours:
                    spot.order = sum(other.order for other in neighbours) / len(neighbours)
            column.sort(key=lambda spot: spot.order)  # stable: what is equal stays in the order of starting
            _number(column)


def _number(column: Sequence[_Spot]) -> None:
    for place, spot in enumerate(column):
        spot.order = (place + 0.5) / len(column)  # columns of different lengths compare by their share


def _align(columns: Sequence[list[_Spot]]) -> None:
    """Give each spot its height: as near to its neighbours' as the order in its column allows."""
    for column in columns:
        _stack(column, [0.0] * len(column))
    for sweep in range(_SWEEPS):
        for column in columns if sweep % 2 else reversed(columns):
            wanted = []
            for spot in column:
                near = [other.y for other in (*spot.before, *spot.after)]
                wanted.append(sum(near) / len(near) if near else spot.y)
            _stack(column, wanted)
    top = min((spot.y - spot.half for column in columns for spot in column), default=0.0)
    for column in columns:
        for spot in column:
            spot.y += _MARGIN - top


def _stack(column: Sequence[_Spot], wanted: Sequence[float]) -> None:
    """Place spots one below the other, without overlap: groups that would overlap share the mean of their wishes."""
    groups: list[tuple[list[_Spot], list[float]]] = []  # with each spot's wish, less its distance from the group's top
    for spot, wish in zip(column, wanted, strict=True):
        group, tops = [spot], [wish - spot.half]
        while groups and _mean(groups[-1][1]) + _extent(groups[-1][0]) > _mean(tops):
            above, above_tops = groups.pop()
            offset = _extent(above)
            group, tops = above + group, above_tops + [top - offset for top in tops]
        groups.append((group, tops))
    for group, tops in groups:
        y = _mean(tops)
        for spot in group:
            spot.y = y + spot.half
            y += 2 * spot.half


def _mean(numbers: Sequence[float]) -> float:
    return sum(numbers) / len(numbers)


def _extent(group: Sequence[_Spot]) -> float:
    return sum(2 * spot.half for spot in group)


def _document(
    services: Services, columns: Sequence[Sequence[_Spot]], ways: Mapping[tuple[str, str], Sequence[_Spot]]
) -> Iterator[str]:
    widths = [_column_width(services, column) for column in columns]
    lefts = [_MARGIN + sum(widths[:index]) + index * _COLUMN_GAP for index in range(len(widths))]
    legend = _legend(services)
    width = lefts[-1] + widths[-1] + _MARGIN if services else 2 * _MARGIN
    bottom = max((spot.y + spot.half for column in columns for spot in column), default=_MARGIN)
    height = bottom + _MARGIN + len(legend) * _LEGEND_LINE
    width = max(width, *(2 * _MARGIN + 40 + _CHARACTER * len(text) for _kind, text in legend)) if legend else width
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="0 0 {width:.0f} {height:.0f}" role="img">'
    )
    yield f"<title>{len(services)} services and what they depend on</title>"
    yield f"<style>{_STYLE}\n</style>"
    yield '<defs><marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
    yield '<path d="M0 0.5 L8 4 L0 7.5 z"/></marker></defs>'
    for (name, need), way in ways.items():
        condition = services[name].depends_on[need].condition
        title = _escaped(f"{name} needs {need} to be {condition}")
        path = _curve(way, lefts, widths)
        yield f'<path class="{condition}" d="{path}" marker-end="url(#arrow)"><title>{title}</title></path>'
    for column, left, size in zip(columns, lefts, widths, strict=True):
        for spot in column:
            if spot.name is not None:
                yield from _box(services, spot.name, left, spot.y, size)
    for index, (kind, text) in enumerate(legend):
        y = bottom + _MARGIN / 2 + (index + 0.5) * _LEGEND_LINE
        yield f'<path class="{kind}" d="M{_MARGIN:.0f} {y:.1f} h30"/>'
        yield f'<text class="legend" x="{_MARGIN + 38:.0f}" y="{y + 4:.1f}">{_escaped(text)}</text>'
    yield "</svg>"


def _legend(services: Services) -> list[tuple[str, str]]:
    """Return the kinds of arrows that explain themselves the least, with their meaning."""
    used = {dependency.condition for service in services.values() for dependency in service.depends_on.values()}
    if not used - {"healthy"}:
        return []
    meanings = {"healthy": "must be healthy", "started": "must have started", "completed": "must have ended well"}
    return [(kind, meaning) for kind, meaning in meanings.items() if kind in used]


def _column_width(services: Services, column: Sequence[_Spot]) -> float:
    texts = [text for spot in column if spot.name is not None for text in (spot.name, _below(services, spot.name))]
    return max((len(text) * _CHARACTER for text in texts), default=0.0) + 2 * _PADDING if texts else 0.0


def _below(services: Services, name: str) -> str:
    service = services[name]
    return f"{service.mode} {service.port}" if service.port else service.mode


def _box(services: Services, name: str, left: float, middle: float, width: float) -> Iterator[str]:
    service = services[name]
    about = service.description or name
    yield f'<g class="{"required" if service.required else "optional"}"><title>{_escaped(about)}</title>'
    yield f'<rect x="{left:.1f}" y="{middle - _HEIGHT / 2:.1f}" width="{width:.1f}" height="{_HEIGHT:.0f}" rx="6"/>'
    centre = left + width / 2
    for kind, text, y in (("name", name, middle - 2), ("mode", _below(services, name), middle + 13)):
        yield f'<text class="{kind}" x="{centre:.1f}" y="{y:.1f}" text-anchor="middle">{_escaped(text)}</text>'
    yield "</g>"


def _curve(way: Sequence[_Spot], lefts: Sequence[float], widths: Sequence[float]) -> str:
    """Return the path of an arrow: a curve between columns, a straight line through those that it passes."""
    parts = []
    for left, right in itertools.pairwise(way):
        start, end = lefts[left.column] + widths[left.column], lefts[right.column]
        bend = (start + end) / 2
        if left is way[0]:
            parts.append(f"M{start:.1f} {left.y:.1f}")
        else:
            parts.append(f"H{start:.1f}")
        parts.append(f"C{bend:.1f} {left.y:.1f} {bend:.1f} {right.y:.1f} {end:.1f} {right.y:.1f}")
    return " ".join(parts)


def _escaped(text: str) -> str:
    return html.escape(_NOT_IN_XML.sub("\N{REPLACEMENT CHARACTER}", text))
