# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import itertools
from collections.abc import Mapping

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils import _graph
from ansible_collections.provisioning.platform.plugins.module_utils._errors import ConfigurationError
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fixtures.definitions import graph, service, services

PLATFORM = graph(
    {
        "gateway": ["center", "orchestrator"],
        "center": ["orchestrator"],
        "orchestrator": {"postgres": "healthy", "migrate": "completed"},
        "migrate": ["postgres"],
        "postgres": [],
        "dns": [],
    }
)


@st.composite
def acyclic(draw: st.DrawFn) -> dict[str, list[str]]:
    """Graphs without cycles, their names in any order."""
    names = draw(st.permutations([f"s{number}" for number in range(draw(st.integers(1, 8)))]))
    return {
        name: draw(st.lists(st.sampled_from(names[:place]), unique=True)) if place else []
        for place, name in enumerate(names)
    }


def test_what_is_needed_comes_first() -> None:
    order = _graph.startup_order(PLATFORM)
    assert sorted(order) == sorted(PLATFORM)
    assert order.index("postgres") < order.index("migrate") < order.index("orchestrator") < order.index("center")


@settings(deadline=None, max_examples=30)
@given(acyclic())
def test_every_service_comes_once_and_after_all_it_needs(needs: dict[str, list[str]]) -> None:
    order = _graph.startup_order(graph(needs))
    assert sorted(order) == sorted(needs)
    assert all(order.index(need) < order.index(name) for name, others in needs.items() for need in others)


def test_start_order_breaks_ties_and_nothing_else() -> None:
    late = service("a", start_order=900)
    found = services(late, service("b", ["a"], start_order=1), service("c", start_order=5), service("d", start_order=5))
    assert _graph.startup_order(found) == ["c", "d", "a", "b"]


def test_a_dependency_that_is_not_there_does_not_change_the_order() -> None:
    assert _graph.startup_order(graph({"b": ["nowhere"], "a": []})) == ["a", "b"]


@pytest.mark.parametrize(
    ("needs", "cycle"),
    [
        ({"a": ["b"], "b": ["a"]}, "a -> b -> a"),
        ({"a": ["a"]}, "a -> a"),
        ({"c": ["a"], "a": ["b"], "b": ["c"]}, "a -> b -> c -> a"),
        ({"c": ["b"], "b": ["a"], "a": ["c"]}, "a -> c -> b -> a"),
        ({"free": [], "user": ["z"], "z": ["m", "free"], "m": ["z"]}, "m -> z -> m"),
    ],
)
def test_a_cycle_is_named_in_full_and_each_name_needs_the_next(needs: Mapping[str, list[str]], cycle: str) -> None:
    found = _graph.find_cycle({name: list(others) for name, others in needs.items()})
    assert found is not None
    assert all(after in needs[before] for before, after in itertools.pairwise(found))
    assert " -> ".join(found) == cycle
    with pytest.raises(ConfigurationError, match=rf"{cycle}: these services wait for each other. Remove one"):
        _graph.startup_order(graph(needs))


def test_a_graph_without_a_cycle_has_none() -> None:
    assert _graph.find_cycle(_graph.dependencies_of(PLATFORM)) is None


def test_services_are_resolved_with_all_they_need() -> None:
    assert _graph.resolve_dependencies(PLATFORM, ["center"]) == ["postgres", "migrate", "orchestrator", "center"]
    assert _graph.resolve_dependencies(PLATFORM, []) == []


def test_an_unknown_name_is_an_error_that_lists_the_known_ones() -> None:
    with pytest.raises(ConfigurationError, match=r"nowhere: there is no such service. Known services: a, b") as caught:
        _graph.resolve_dependencies(graph({"a": [], "b": []}), ["a", "nowhere", "neither"])
    assert [problem.what for problem in caught.value.problems] == ["nowhere", "neither"]


def test_dependents_are_found_through_others_in_the_order_to_stop_them() -> None:
    assert _graph.reverse_dependencies(PLATFORM, "postgres") == ["gateway", "center", "orchestrator", "migrate"]
    assert _graph.reverse_dependencies(PLATFORM, "gateway") == []


@pytest.mark.parametrize(
    ("running", "names", "blocked"),
    [
        (["postgres", "center"], ["postgres"], {"postgres": ["center"]}),
        (["postgres", "center", "gateway"], ["postgres"], {"postgres": ["gateway", "center"]}),
        (["postgres"], ["postgres"], {}),
        (["postgres", "center"], ["postgres", "center"], {}),
        (["gateway", "center"], ["orchestrator", "center"], {"orchestrator": ["gateway"], "center": ["gateway"]}),
        (["dns", "gateway"], ["dns"], {}),
        ([], list(PLATFORM), {}),
        (["gateway"], ["unknown"], {}),
    ],
)
def test_what_runs_and_needs_a_service_forbids_to_stop_it(
    running: list[str], names: list[str], blocked: dict[str, list[str]]
) -> None:
    assert _graph.can_stop(PLATFORM, running, names) == blocked


def test_the_longest_way_ahead_is_counted() -> None:
    assert _graph.critical_lengths(PLATFORM) == {
        "postgres": 5,
        "migrate": 4,
        "orchestrator": 3,
        "center": 2,
        "gateway": 1,
        "dns": 1,
    }


def test_the_tree_draws_each_service_in_full_once() -> None:
    assert _graph.draw_text(PLATFORM).splitlines() == [
        "dns",
        "gateway",
        "├── center",
        "│   └── orchestrator",
        "│       ├── postgres",
        "│       └── migrate (completed)",
        "│           └── postgres",
        "└── orchestrator …",
    ]


def test_a_tree_of_one_root_leaves_the_rest_out() -> None:
    assert _graph.dependency_tree(PLATFORM, ["migrate"]) == "migrate\n└── postgres"
    with pytest.raises(ConfigurationError, match="nowhere: there is no such service"):
        _graph.dependency_tree(PLATFORM, ["nowhere"])


def test_mermaid_and_dot_draw_every_service_and_every_dependency() -> None:
    small = graph({"end": {"a-b": "started"}, "a-b": []})
    assert _graph.draw_mermaid(small).splitlines() == [
        "flowchart LR",
        '    s0["a-b"]',
        '    s1["end"]',
        "    s1 -->|started| s0",
    ]
    assert _graph.draw_dot(small).splitlines() == [
        "digraph services {",
        "    rankdir=LR;",
        "    node [shape=box];",
        '    "a-b";',
        '    "end";',
        '    "end" -> "a-b" [label="started"];',
        "}",
    ]


@pytest.mark.parametrize("draw", [_graph.draw_text, _graph.draw_mermaid, _graph.draw_dot])
def test_nothing_is_drawn_as_nothing_and_a_chain_of_a_thousand_as_it_is(draw) -> None:
    draw({})
    chain = graph({f"s{number}": [f"s{number - 1}"] if number else [] for number in range(1000)})
    assert draw(chain).count("s999") >= 1


def test_a_thousand_services_that_need_each_other_in_layers_are_drawn_once_each() -> None:
    layers = {
        f"s{layer}-{place}": [f"s{layer - 1}-{other}" for other in range(10)] if layer else []
        for layer in range(100)
        for place in range(10)
    }
    found = graph(layers)
    lines = _graph.draw_text(found).splitlines()
    assert sum(not line.endswith(" …") for line in lines) >= 1000
    assert len(lines) <= 10 * 1000
    assert len(_graph.resolve_dependencies(found, ["s99-0"])) == 991
    assert _graph.can_stop(found, list(found), list(found)) == {}


def test_a_part_of_the_graph_is_what_a_service_needs_or_what_needs_it_and_nothing_leads_out_of_it() -> None:
    whole = graph({"web": ["api", "assets"], "api": ["db"], "assets": (), "db": (), "other": ["db"]})
    assert set(_graph.part(whole, ["api"])) == {"api", "db"}
    needing = _graph.part(whole, ["api"], reverse=True)
    assert set(needing) == {"api", "web"}
    assert set(needing["web"].depends_on) == {"api"}
    with pytest.raises(ConfigurationError, match="nowhere: there is no such service"):
        _graph.part(whole, ["nowhere"])


def test_turned_round_a_service_is_drawn_above_what_needs_it() -> None:
    whole = graph({"web": ["api"], "api": {"db": "started"}, "db": (), "other": ["db"]})
    assert _graph.dependency_tree(_graph.turned_round(whole), ["db"]).splitlines() == [
        "db",
        "├── api (started)",
        "│   └── web",
        "└── other",
    ]
