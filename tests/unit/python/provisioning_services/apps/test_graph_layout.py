# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import re
from itertools import combinations

import pytest
from provisioning_services.apps.graph_layout import BOX_HEIGHT, layout


def services_of(seen, view_of, needs):
    return view_of(*(seen(name, dict.fromkeys(needed, "healthy")) for name, needed in needs.items())).services


GRAPHS = {
    "one": {"a": []},
    "chain": {"a": [], "b": ["a"], "c": ["b"]},
    "long arrow": {"a": [], "b": ["a"], "c": ["b", "a"]},
    "solo": {
        "orchestrator": [],
        "coredns": [],
        "gitea": ["coredns"],
        "control-center": ["orchestrator"],
        "mcp-server": ["orchestrator"],
        "api-gateway": ["orchestrator", "control-center"],
    },
    "layers": {
        f"s{i}-{j}": [f"s{i - 1}-{(j + k) % 5}" for k in range(2)] if i else [] for i in range(4) for j in range(5)
    },
    "far": {"a": [], "b": ["a"], "c": ["b"], "d": ["c"], "e": ["d", "a", "b"]},
}


@pytest.mark.parametrize("needs", GRAPHS.values(), ids=GRAPHS.keys())
def test_boxes_lie_inside_the_drawing_and_none_over_another(needs, seen, view_of):
    drawn = layout(services_of(seen, view_of, needs))

    assert drawn is not None
    assert {box.service.name for box in drawn.boxes} == set(needs)
    for box in drawn.boxes:
        assert 0 <= box.x <= drawn.width - drawn.box_width
        assert 0 <= box.y <= drawn.height - BOX_HEIGHT
    for one, other in combinations(drawn.boxes, 2):
        assert abs(one.x - other.x) >= drawn.box_width or abs(one.y - other.y) >= BOX_HEIGHT


@pytest.mark.parametrize("needs", GRAPHS.values(), ids=GRAPHS.keys())
def test_every_service_stands_right_of_all_it_needs(needs, seen, view_of):
    drawn = layout(services_of(seen, view_of, needs))

    assert drawn is not None
    left = {box.service.name: box.x for box in drawn.boxes}
    assert all(left[name] > left[need] for name, needed in needs.items() for need in needed)


@pytest.mark.parametrize("needs", GRAPHS.values(), ids=GRAPHS.keys())
def test_an_arrow_leads_from_each_service_to_all_it_needs_and_runs_through_no_box(needs, seen, view_of):
    drawn = layout(services_of(seen, view_of, needs))

    assert drawn is not None
    boxes = {box.service.name: box for box in drawn.boxes}
    middle = BOX_HEIGHT / 2
    wanted = {
        (
            (round(boxes[name].x, 1), round(boxes[name].y + middle, 1)),
            (round(boxes[need].x + drawn.box_width, 1), round(boxes[need].y + middle, 1)),
        )
        for name, needed in needs.items()
        for need in needed
    }
    points = re.compile(r"(-?[\d.]+),(-?[\d.]+)")
    paths = [[(float(x), float(y)) for x, y in points.findall(arrow.path)] for arrow in drawn.arrows]
    assert {(path[0], path[-1]) for path in paths} == wanted
    for path in paths:
        # After the start: two control points and the end of a curve, then the end of a level line through a column.
        for begin, end in zip(path[3::4], path[4::4], strict=False):
            assert begin[1] == end[1]
            column = [box for box in drawn.boxes if end[0] - 1 <= box.x <= end[0] + 1]
            assert all(not box.y <= begin[1] <= box.y + BOX_HEIGHT for box in column)


def test_the_condition_is_written_where_it_is_not_the_usual_one(seen, view_of):
    services = view_of(seen("a"), seen("b", {"a": "started"}), seen("c", {"a": "healthy"})).services

    drawn = layout(services)

    assert drawn is not None
    assert sorted(arrow.condition for arrow in drawn.arrows) == ["", "started"]


def test_a_long_name_is_shortened(seen, view_of):
    drawn = layout(view_of(seen("a" * 63)).services)

    assert drawn is not None
    assert drawn.boxes[0].label == "a" * 25 + "…"
    assert drawn.width < 400


def test_nothing_is_drawn_of_no_services_of_a_circle_and_of_needs_that_are_not_there(seen, view_of):
    assert layout([]) is None
    assert layout(view_of(seen("a", {"b": "healthy"}), seen("b", {"a": "healthy"})).services) is None
    alone = layout(view_of(seen("a", {"gone": "healthy"})).services)
    assert alone is not None
    assert alone.arrows == []
