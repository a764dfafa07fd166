# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Mapping
from typing import Any

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils._walk import DONE, Lanes, Reached, Steps, walk
from hypothesis import given, settings
from hypothesis import strategies as st

Needs = Mapping[str, Mapping[str, str]]


class _Record:
    """What happened in a walk, in order."""

    def __init__(self, told: threading.Event | None = None) -> None:
        self.told = told or threading.Event()
        self.events: list[tuple[str, str]] = []
        self.given_up: dict[str, list[str]] = {}
        self.busy: dict[str, int] = {}
        self.busiest: dict[str, int] = {}
        self.lock = threading.Lock()

    def note(self, name: str, what: str) -> None:
        with self.lock:
            self.events.append((name, what))

    def give_up(self, name: str, because: Collection[str]) -> None:
        assert name not in self.given_up
        self.given_up[name] = list(because)
        self.note(name, "given up")
        self.told.set()

    def begun(self) -> list[str]:
        return [name for name, what in self.events if what == "begun"]


def _needs(graph: Mapping[str, Collection[str]], milestone: str = DONE) -> dict[str, dict[str, str]]:
    return {name: dict.fromkeys(needs, milestone) for name, needs in graph.items()}


def _walk(
    needs: Needs,
    begin: Callable[[str, Reached], None] = lambda name, reached: None,
    *,
    of: Mapping[str, str] | None = None,
    width: Mapping[str, int] | None = None,
    priority: Mapping[str, tuple[int, ...]] | None = None,
    told: threading.Event | None = None,
    **steps: Any,
) -> _Record:
    """Walk, and return what happened; ``told`` is set once something has been given up."""
    record = _Record(told)
    lanes = Lanes(of or dict.fromkeys(needs, "lane"), width or {"lane": 4})

    def work(name: str, reached: Reached) -> None:
        lane = lanes.of[name]
        with record.lock:
            record.events.append((name, "begun"))
            record.busy[lane] = record.busy.get(lane, 0) + 1
            record.busiest[lane] = max(record.busiest.get(lane, 0), record.busy[lane])
        try:
            begin(name, reached)
        finally:
            with record.lock:
                record.busy[lane] -= 1
                record.events.append((name, "ended"))

    walk(needs, Steps(work, record.give_up, **steps), lanes, priority=priority)
    return record


@st.composite
def graphs(draw: st.DrawFn) -> dict[str, list[str]]:
    """Graphs without cycles."""
    names = draw(st.permutations([f"n{number}" for number in range(draw(st.integers(1, 9)))]))
    return {
        name: draw(st.lists(st.sampled_from(names[:place]), unique=True)) if place else []
        for place, name in enumerate(names)
    }


@settings(deadline=None, max_examples=40)
@given(graphs(), st.integers(1, 4))
def test_every_node_begins_once_and_after_all_it_needs_have_ended(graph: dict[str, list[str]], width: int) -> None:
    record = _walk(_needs(graph), width={"lane": width})
    assert sorted(record.begun()) == sorted(graph)
    assert not record.given_up
    assert record.busiest["lane"] <= width
    for name, needs in graph.items():
        begun = record.events.index((name, "begun"))
        assert all(record.events.index((need, "ended")) < begun for need in needs)


@settings(deadline=None, max_examples=40)
@given(graphs(), st.sets(st.integers(0, 8)), st.integers(1, 4))
def test_a_node_is_begun_or_given_up_and_never_both(graph: dict[str, list[str]], failing: set[int], width: int) -> None:
    def begin(name: str, reached: Reached) -> None:
        if int(name[1:]) not in failing:
            reached("well")

    record = _walk(_needs(graph, "well"), begin, width={"lane": width})
    assert sorted([*record.begun(), *record.given_up]) == sorted(graph)
    well = {name for name in record.begun() if int(name[1:]) not in failing}
    for name, needs in graph.items():
        assert (name in record.given_up) == any(need not in well for need in needs)
        assert all(need in needs and need not in well for need in record.given_up.get(name, []))


def test_nothing_to_walk_is_walked_at_once() -> None:
    assert _walk({}).events == []


def test_a_node_begins_when_its_need_reaches_the_milestone_and_not_when_it_ends() -> None:
    other = threading.Event()

    def begin(name: str, reached: Reached) -> None:
        if name == "a":
            reached("started")
            assert other.wait(60)
            reached("healthy")
        elif name == "b":
            other.set()

    record = _walk({"a": {}, "b": {"a": "started"}, "c": {"a": "healthy", "b": DONE}}, begin)
    order = record.events
    assert order.index(("b", "begun")) < order.index(("a", "ended"))
    assert order.index(("c", "begun")) > order.index(("b", "ended"))


def test_lanes_hold_their_width_and_do_not_keep_each_other_out() -> None:
    names = [f"n{number}" for number in range(12)]
    of = {name: "narrow" if number % 2 else "wide" for number, name in enumerate(names)}
    wide = threading.Barrier(3, timeout=60)

    def begin(name: str, reached: Reached) -> None:
        if of[name] == "wide":
            wide.wait()
        else:
            time.sleep(0.002)

    record = _walk(_needs({name: [] for name in names}), begin, of=of, width={"narrow": 1, "wide": 3})
    assert record.busiest == {"narrow": 1, "wide": 3}


def test_who_only_waits_does_not_occupy_his_lane() -> None:
    together = threading.Barrier(5, timeout=60)

    def begin(name: str, reached: Reached) -> None:
        reached("started")
        together.wait()

    record = _walk(_needs({f"n{number}": [] for number in range(5)}), begin, width={"lane": 1})
    assert len(record.begun()) == 5


def test_of_those_that_could_begin_the_lower_priority_goes_first_and_then_the_name() -> None:
    priority = {"a": (2, 0), "b": (1, 5), "c": (1, 0), "d": (2, 0)}
    record = _walk(_needs({name: [] for name in priority}), width={"lane": 1}, priority=priority)
    assert record.begun() == ["c", "b", "a", "d"]


def test_what_needs_one_that_does_not_get_there_is_given_up_with_all_that_need_it() -> None:
    graph = {"a": [], "b": ["a"], "c": ["b", "free"], "d": ["c"], "free": []}
    record = _walk(_needs(graph, "healthy"), lambda name, reached: reached("healthy") if name == "free" else None)
    assert record.given_up == {"b": ["a"], "c": ["b"], "d": ["c"]}
    assert sorted(record.begun()) == ["a", "free"]


def test_a_chain_of_thousands_is_given_up_and_walked() -> None:
    chain = {f"n{number}": [f"n{number - 1}"] if number else [] for number in range(3000)}
    assert len(_walk(_needs(chain, "healthy")).given_up) == 2999
    short = {name: needs for name, needs in chain.items() if int(name[1:]) < 300}
    assert len(_walk(_needs(short)).begun()) == 300


def test_once_it_is_stopped_nothing_more_begins_and_each_is_told_once_that_it_was_stopped() -> None:
    stopped = threading.Event()

    def begin(name: str, reached: Reached) -> None:
        if name == "b":
            stopped.set()

    graph = {"a": [], "b": ["a"], "c": ["b"], "d": ["c"], "e": ["a", "b"]}
    record = _walk(_needs(graph), begin, is_stopped=stopped.is_set)
    assert record.begun() == ["a", "b"]
    assert record.given_up == {"c": [], "d": [], "e": []}


def test_a_stop_from_outside_is_noticed_while_others_work() -> None:
    stopped, told = threading.Event(), threading.Event()

    def begin(name: str, reached: Reached) -> None:
        stopped.set()
        assert told.wait(60)

    record = _walk(_needs({"a": [], "b": []}), begin, width={"lane": 1}, is_stopped=stopped.is_set, told=told)
    assert record.events == [("a", "begun"), ("b", "given up"), ("a", "ended")]


def test_one_that_is_stopped_before_it_begins_gives_up_everything() -> None:
    record = _walk(_needs({"a": [], "b": ["a"]}), is_stopped=lambda: True)
    assert record.given_up == {"a": [], "b": []}


def _explode(name: str, reached: Reached) -> None:
    if name == "a":
        raise RuntimeError("a bug")
    reached("healthy")


def test_a_bug_in_a_node_s_work_is_told_before_the_node_counts_as_ended() -> None:
    broken: list[tuple[str, str]] = []
    record = _walk(
        _needs({"a": [], "b": ["a"], "c": []}, "healthy"),
        _explode,
        broken=lambda name, error: broken.append((name, str(error))),
    )
    assert broken == [("a", "a bug")]
    assert record.given_up == {"b": ["a"]}
    assert sorted(record.begun()) == ["a", "c"]


def test_a_bug_that_nobody_wants_to_be_told_is_raised_once_the_rest_has_ended() -> None:
    ended: list[str] = []

    def begin(name: str, reached: Reached) -> None:
        if name == "a":
            raise RuntimeError("a bug")
        time.sleep(0.02)
        ended.append(name)

    with pytest.raises(RuntimeError, match="a bug"):
        _walk(_needs({"a": [], "b": []}), begin)
    assert ended == ["b"]


def test_a_cycle_is_an_error_and_not_a_wait_without_end() -> None:
    with pytest.raises(ValueError, match="these wait for each other: a, b"):
        _walk(_needs({"a": ["b"], "b": ["a"], "c": []}))
