from __future__ import annotations

import pytest
from ansible_collections.provisioning.platform.plugins.plugin_utils.placement import Inventory, Placement

from tests.fixtures.definitions import graph

INVENTORY = Inventory(
    ("a", "b", "c"), {"my_db": ("b",), "edge": ("c", "b"), "others": ("x",), "platform": ("a", "b", "c")}
)


@pytest.mark.parametrize(
    ("name", "written", "hosts"),
    [
        ("web", [], ("a",)),
        ("my-db", [], ("b",)),
        ("my-db", ["a"], ("a",)),
        ("web", ["edge"], ("b", "c")),
        ("web", ["c", "a"], ("a", "c")),
        ("web", ["platform"], ("a", "b", "c")),
    ],
)
def test_a_service_is_where_it_is_written_else_in_the_group_of_its_name_else_on_the_first_host(name, written, hosts):
    assert INVENTORY.place(name, written) == (hosts, [])


@pytest.mark.parametrize("unknown", ["d", "others"])
def test_a_host_that_the_platform_does_not_have_is_named(unknown):
    _hosts, problems = INVENTORY.place("web", ["a", unknown])
    assert [str(problem) for problem in problems if unknown in problem.why] != []
    assert len(problems) == 1


def placement(host="a", **hosts):
    return Placement(host, {name: tuple(where) for name, where in hosts.items()})


def test_a_service_starts_in_the_round_after_what_it_needs_on_another_host():
    services = graph({"db": [], "app": ["db"], "front": ["app"], "beside": ["app"], "alone": []})
    rounds = placement(db="b", app="a", front="c", beside="a", alone="c").rounds(services)
    assert rounds == {("db", "b"): 0, ("app", "a"): 1, ("front", "c"): 2, ("beside", "a"): 1, ("alone", "c"): 0}


def test_of_a_service_on_several_hosts_the_neighbour_is_used_and_else_the_first():
    services = graph({"db": [], "app": ["db"]})
    rounds = placement(db="ab", app="abc").rounds(services)
    assert rounds == {("db", "a"): 0, ("db", "b"): 0, ("app", "a"): 0, ("app", "b"): 0, ("app", "c"): 1}


def test_rounds_of_a_long_chain_over_two_hosts_are_counted():
    names = [f"s{number:04}" for number in range(1500)]
    services = graph({name: names[max(0, index - 1) : index] for index, name in enumerate(names)})
    where = placement(**{name: "ab"[index % 2] for index, name in enumerate(names)})
    assert max(where.rounds(services).values()) == 1499


def test_only_what_others_elsewhere_need_healthy_is_awaited():
    services = graph({"db": [], "seen": [], "app": {"db": "healthy", "seen": "started"}, "near": ["app"]})
    where = {"db": "a", "seen": "a", "app": "b", "near": "b"}
    assert placement("a", **where).awaited(services) == {"db"}
    assert placement("b", **where).awaited(services) == set()
