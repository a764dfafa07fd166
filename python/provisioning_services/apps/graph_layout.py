# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the boxes and arrows of the dependency graph go. Pure.

Columns follow the order of starting: what needs nothing stands at the left. An arrow that passes a column is given a
place of its own in it, so that it does not run through a box; each column is ordered by where its neighbours are
(the method of Sugiyama, Tagawa and Toda, 1981).
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.provisioning.platform.plugins.module_utils import _graph

from ..platform_view import ServiceView

BOX_HEIGHT = 52.0
_COLUMN_GAP = 72.0
_ROW_GAP = 16.0
_PASSAGE_HEIGHT = 12.0
_MARGIN = 8.0
_LONGEST_LABEL = 26
_SWEEPS = 6

_Place = tuple[str, str, int] | str  # a service, or the passage of an arrow, from and to, through a column


@dataclass(frozen=True)
class Box:
    """A service, at its upper left corner; in the units of the drawing, which are CSS pixels at its natural size."""

    service: ServiceView
    label: str
    x: float
    y: float


@dataclass(frozen=True)
class Arrow:
    """A line from a service to what it needs, as the path data of SVG; the condition where it is not ``healthy``."""

    path: str
    condition: str
    x: float
    y: float


@dataclass(frozen=True)
class Layout:
    """The whole drawing."""

    width: float
    height: float
    box_width: float
    boxes: list[Box]
    arrows: list[Arrow]


def layout(services: Sequence[ServiceView]) -> Layout | None:
    """Lay the graph out; None when there is nothing to draw or the services wait for each other.

    Needs that are not among the services are left out.
    """
    by_name = {service.name: service for service in services}
    needs = {name: [need for need in one.depends_on if need in by_name] for name, one in by_name.items()}
    if not needs or _graph.find_cycle(needs):
        return None
    ranks = _ranks(needs)
    links = _links(needs, ranks)
    columns = _ordered(_columns(needs, ranks), links)
    box_width = 58.0 + 7.6 * max(len(_shortened(name)) for name in needs)
    centres, height = _centres(columns)
    lefts = [_MARGIN + index * (box_width + _COLUMN_GAP) for index in range(len(columns))]
    boxes = [
        Box(one, _shortened(name), lefts[ranks[name]], centres[name] - BOX_HEIGHT / 2) for name, one in by_name.items()
    ]
    arrows = [
        _arrow(_route(name, need, ranks, lefts, box_width, centres), by_name[name].depends_on[need])
        for name in needs
        for need in needs[name]
    ]
    return Layout(lefts[-1] + box_width + _MARGIN, height, box_width, boxes, arrows)


def _shortened(name: str) -> str:
    return name if len(name) <= _LONGEST_LABEL else name[: _LONGEST_LABEL - 1] + "…"


def _ranks(needs: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """The column of each service: one to the right of the last that it needs."""
    ranks: dict[str, int] = {}
    todo = list(needs)
    while todo:
        name = todo.pop()
        missing = [need for need in needs[name] if need not in ranks]
        if missing:
            todo += [name, *missing]
        else:
            ranks[name] = 1 + max((ranks[need] for need in needs[name]), default=-1)
    return ranks


def _columns(needs: Mapping[str, Sequence[str]], ranks: Mapping[str, int]) -> list[list[_Place]]:
    columns: list[list[_Place]] = [[] for _ in range(1 + max(ranks.values()))]
    for name in needs:
        columns[ranks[name]].append(name)
    for name, needed in needs.items():
        for need in needed:
            for rank in range(ranks[need] + 1, ranks[name]):
                columns[rank].append((name, need, rank))
    return columns


def _links(needs: Mapping[str, Sequence[str]], ranks: Mapping[str, int]) -> list[tuple[_Place, _Place]]:
    """Pairs of places in neighbouring columns, left and right, that a line connects."""
    pairs: list[tuple[_Place, _Place]] = []
    for name, needed in needs.items():
        for need in needed:
            passages: list[_Place] = [(name, need, rank) for rank in range(ranks[need] + 1, ranks[name])]
            stations = [need, *passages, name]
            pairs += itertools.pairwise(stations)
    return pairs


def _ordered(columns: list[list[_Place]], links: Sequence[tuple[_Place, _Place]]) -> list[list[_Place]]:
    """Order each column by the mean place of what its members are linked to, to and fro until it has settled."""
    neighbours: dict[_Place, list[_Place]] = {}
    for left, right in links:
        neighbours.setdefault(left, []).append(right)
        neighbours.setdefault(right, []).append(left)
    for sweep in range(_SWEEPS):
        for column in columns if sweep % 2 == 0 else reversed(columns):
            # Linked to something first, what stands alone after it.
            heights = _heights(columns)

            def weight(place: _Place, heights: Mapping[_Place, float] = heights) -> tuple[bool, float]:
                linked = [heights[other] for other in neighbours.get(place, ())]
                return (not linked, sum(linked) / len(linked) if linked else 0.0)

            column.sort(key=weight)
    return columns


def _heights(columns: Sequence[Sequence[_Place]]) -> dict[_Place, float]:
    return {place: (index + 0.5) / len(column) for column in columns for index, place in enumerate(column)}


def _centres(columns: Sequence[Sequence[_Place]]) -> tuple[dict[_Place, float], float]:
    """The middle height of every place, and the height of the whole; columns are centred on each other."""
    totals = [sum(_height(place) + _ROW_GAP for place in column) - _ROW_GAP for column in columns]
    centres: dict[_Place, float] = {}
    for column, total in zip(columns, totals, strict=True):
        y = _MARGIN + (max(totals) - total) / 2
        for place in column:
            centres[place] = y + _height(place) / 2
            y += _height(place) + _ROW_GAP
    return centres, max(totals) + 2 * _MARGIN


def _height(place: _Place) -> float:
    return BOX_HEIGHT if isinstance(place, str) else _PASSAGE_HEIGHT


def _route(
    name: str,
    need: str,
    ranks: Mapping[str, int],
    lefts: Sequence[float],
    box_width: float,
    centres: Mapping[_Place, float],
) -> list[tuple[float, float]]:
    """The points of an arrow: pairs of start and end of a curve, straight between one curve and the next."""
    points = [(lefts[ranks[name]], centres[name])]
    for rank in range(ranks[name] - 1, ranks[need], -1):
        height = centres[(name, need, rank)]
        points += [(lefts[rank] + box_width, height), (lefts[rank], height)]
    return [*points, (lefts[ranks[need]] + box_width, centres[need])]


def _arrow(points: Sequence[tuple[float, float]], condition: str) -> Arrow:
    parts = [f"M{points[0][0]:.1f},{points[0][1]:.1f}"]
    for index in range(0, len(points) - 1, 2):
        (x0, y0), (x1, y1) = points[index], points[index + 1]
        middle = (x0 + x1) / 2
        parts.append(f"C{middle:.1f},{y0:.1f} {middle:.1f},{y1:.1f} {x1:.1f},{y1:.1f}")
        if index + 2 < len(points):
            parts.append(f"L{points[index + 2][0]:.1f},{points[index + 2][1]:.1f}")
    label_x, label_y = (points[0][0] + points[1][0]) / 2, (points[0][1] + points[1][1]) / 2
    return Arrow(" ".join(parts), "" if condition == "healthy" else condition, label_x, label_y)
