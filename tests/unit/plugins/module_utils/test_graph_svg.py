# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import dataclasses
import re
from xml.etree import ElementTree

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils._errors import ConfigurationError
from ansible_collections.provisioning.platform.plugins.module_utils._graph_svg import draw_svg
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fixtures.definitions import graph, service

SVG = "{http://www.w3.org/2000/svg}"
SMALL = graph({"web": {"api": "healthy", "assets": "completed"}, "api": ["db"], "assets": (), "db": (), "alone": ()})


def boxes(text: str) -> dict[str, tuple[float, float, float, float]]:
    """Return left, top, right and bottom of each service's box."""
    found = {}
    for group in ElementTree.fromstring(text).iter(f"{SVG}g"):
        rect, name = group.find(f"{SVG}rect"), group.find(f"{SVG}text[@class='name']")
        assert rect is not None
        assert name is not None
        x, y, width, height = (float(rect.attrib[key]) for key in ("x", "y", "width", "height"))
        found[name.text or ""] = (x, y, x + width, y + height)
    return found


def test_every_service_has_a_box_and_every_dependency_an_arrow() -> None:
    root = ElementTree.fromstring(draw_svg(SMALL))
    arrows = [path for path in root.iter(f"{SVG}path") if path.get("marker-end")]
    assert set(boxes(draw_svg(SMALL))) == set(SMALL)
    assert sorted(arrow[0].text or "" for arrow in arrows) == [
        "api needs db to be healthy",
        "web needs api to be healthy",
        "web needs assets to be completed",
    ]


def test_what_needs_something_stands_left_of_it() -> None:
    found = boxes(draw_svg(SMALL))
    assert found["web"][2] < found["api"][0] < found["api"][2] < found["db"][0]
    assert found["web"][2] < found["assets"][0]


def test_kinds_of_arrows_are_explained_where_there_are_several() -> None:
    assert "must have ended well" in draw_svg(SMALL)
    assert "must be healthy" not in draw_svg(graph({"web": ["db"], "db": ()}))


def test_what_people_write_is_escaped() -> None:
    odd = dataclasses.replace(service("web"), description='<script>"&\x00\x1b')
    text = draw_svg({"web": odd})
    assert "&lt;script&gt;" in text
    assert "<script>" not in text
    ElementTree.fromstring(text)


def test_nothing_is_an_image_too_and_a_cycle_is_refused() -> None:
    assert ElementTree.fromstring(draw_svg({})).tag == f"{SVG}svg"
    with pytest.raises(ConfigurationError, match="a -> b -> a"):
        draw_svg(graph({"a": ["b"], "b": ["a"]}))


@given(st.lists(st.sets(st.integers(0, 11), max_size=4), min_size=1, max_size=12))
@settings(max_examples=60, deadline=None)
def test_boxes_stay_inside_the_image_and_off_each_other(needs: list[set[int]]) -> None:
    services = graph({f"s{i}": [f"s{j}" for j in sorted(wanted) if j < i] for i, wanted in enumerate(needs)})
    text = draw_svg(services)
    size = re.search(r'viewBox="0 0 (\d+) (\d+)"', text)
    assert size is not None
    found = list(boxes(text).values())
    for index, (left, top, right, bottom) in enumerate(found):
        assert left >= 0
        assert top >= 0
        assert right <= int(size[1])
        assert bottom <= int(size[2])
        for other in found[index + 1 :]:
            assert right <= other[0] or other[2] <= left or bottom <= other[1] or other[3] <= top
