# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The graph of services: order, cycles, dependents, what may be stopped, drawings. Pure, on ``graphlib``."""

from __future__ import annotations

import dataclasses
import graphlib
import heapq
from collections.abc import Collection, Iterable, Mapping, Sequence

from ._errors import ConfigurationError, Problem, raise_if_any
from ._model import Dependency, ServiceDefinition

Services = Mapping[str, ServiceDefinition]
Edges = Mapping[str, Collection[str]]


def dependencies_of(services: Services) -> dict[str, list[str]]:
    """Return what each service depends on directly, by name."""
    return {name: list(service.depends_on) for name, service in services.items()}


def tasks(services: Services) -> set[str]:
    """Return the services that others wait for to complete: having ended well is what is wanted of them."""
    return {
        need
        for service in services.values()
        for need, dependency in service.depends_on.items()
        if dependency.condition == "completed"
    }


def dependents_of(edges: Edges) -> dict[str, list[str]]:
    """Turn every arrow round: return which services depend directly on each one."""
    reverse: dict[str, list[str]] = {name: [] for name in edges}
    for name, needs in edges.items():
        for need in needs:
            reverse.setdefault(need, []).append(name)
    return reverse


def find_cycle(edges: Edges) -> list[str] | None:
    """Return one cycle in full, its first name again at the end, or nothing where there is none.

    The names stand in the order of dependence: each needs the next.
    """
    try:
        graphlib.TopologicalSorter(edges).prepare()
    except graphlib.CycleError as error:
        # graphlib names each node's predecessor first, i.e. every name is needed by the next.
        cycle = list(reversed(error.args[1]))
        first = cycle.index(min(cycle))
        return [*cycle[first:-1], *cycle[:first], cycle[first]]
    return None


def startup_order(services: Services) -> list[str]:
    """Return the names in an order in which each comes after all it depends on.

    Among those that could come next the lower ``start_order`` goes first, then the name. Dependencies that are not
    among the services are ignored; validation reports them.

    :raises ConfigurationError: there is a cycle.
    """
    edges = {name: [need for need in service.depends_on if need in services] for name, service in services.items()}
    cycle = find_cycle(edges)
    if cycle:
        raise ConfigurationError(
            Problem(" -> ".join(cycle), "these services wait for each other", "Remove one of the dependencies.")
        )
    sorter = graphlib.TopologicalSorter(edges)
    sorter.prepare()
    order: list[str] = []
    ready: list[tuple[int, str]] = []
    while sorter.is_active():
        for name in sorter.get_ready():
            heapq.heappush(ready, (services[name].start_order, name))
        _order, name = heapq.heappop(ready)
        order.append(name)
        sorter.done(name)
    return order


def reachable(edges: Edges, names: Iterable[str]) -> set[str]:
    """Return the names and all that can be reached from them along the arrows, without what the graph does not know."""
    found: set[str] = set()
    todo = [name for name in names if name in edges]
    while todo:
        name = todo.pop()
        if name not in found:
            found.add(name)
            todo.extend(need for need in edges[name] if need in edges)
    return found


def resolve_dependencies(services: Services, names: Iterable[str]) -> list[str]:
    """Return the names and everything they depend on, in startup order.

    :raises ConfigurationError: a name is unknown, or there is a cycle.
    """
    wanted = list(names)
    refuse_unknown(wanted, services)
    needed = reachable(dependencies_of(services), wanted)
    return [name for name in startup_order(services) if name in needed]


def unknown_service(name: str, services: Collection[str]) -> Problem:
    """The problem that a name is not that of a service."""
    known = ", ".join(sorted(services)) or "none"
    return Problem(name, "there is no such service", f"Known services: {known}.")


def refuse_unknown(names: Iterable[str], services: Collection[str]) -> None:
    """Do nothing when all names are those of services.

    :raises ConfigurationError: some are not; all of these are named.
    """
    raise_if_any([unknown_service(name, services) for name in names if name not in services], ConfigurationError)


def reverse_dependencies(services: Services, name: str) -> list[str]:
    """Return all services that need this one, directly or not, last to start first (the order to stop them in).

    :raises ConfigurationError: there is a cycle.
    """
    needing = reachable(dependents_of(dependencies_of(services)), [name]) - {name}
    return [other for other in reversed(startup_order(services)) if other in needing]


def can_stop(services: Services, running: Collection[str], names: Collection[str]) -> dict[str, list[str]]:
    """Return, for each name that must not be stopped, the running services outside ``names`` that still need it.

    :raises ConfigurationError: there is a cycle.
    """
    staying = [name for name in reversed(startup_order(services)) if name in running and name not in names]
    reverse = dependents_of(dependencies_of(services))
    blocked = {}
    for name in names if staying else ():
        needing = reachable(reverse, [name])
        blocked[name] = [other for other in staying if other in needing]
    return {name: others for name, others in blocked.items() if others}


def part(services: Services, names: Iterable[str], *, reverse: bool = False) -> dict[str, ServiceDefinition]:
    """Return the part of the graph that services depend on, with themselves.

    :param reverse: the part that depends on them instead.
    :raises ConfigurationError: a name is unknown.
    """
    wanted = list(names)
    refuse_unknown(wanted, services)
    edges: Edges = dependencies_of(services)
    chosen = reachable(dependents_of(edges) if reverse else edges, wanted)
    return {
        name: dataclasses.replace(
            service, depends_on={need: how for need, how in service.depends_on.items() if need in chosen}
        )
        for name, service in services.items()
        if name in chosen
    }


def turned_round(services: Services) -> dict[str, ServiceDefinition]:
    """Return the services with every arrow turned round: each depends on what depends on it."""
    needed_by: dict[str, dict[str, Dependency]] = {name: {} for name in services}
    for name, service in services.items():
        for need, how in service.depends_on.items():
            if need in needed_by:
                needed_by[need][name] = how
    return {name: dataclasses.replace(service, depends_on=needed_by[name]) for name, service in services.items()}


def critical_lengths(services: Services) -> dict[str, int]:
    """Return for each service how many services must start one after another from it to the last that needs it.

    What has the longest way ahead is best started first.
    """
    reverse = dependents_of({n: [d for d in s.depends_on if d in services] for n, s in services.items()})
    lengths: dict[str, int] = {}
    for name in reversed(startup_order(services)):
        lengths[name] = 1 + max((lengths[other] for other in reverse[name]), default=0)
    return lengths


def dependency_tree(services: Services, roots: Sequence[str] | None = None) -> str:
    """Draw as text what each root depends on; without roots, those that nothing depends on.

    What a service depends on is drawn where it comes first; an ellipsis stands for it elsewhere, for a drawing of all
    ways through a graph grows beyond all bounds.

    :raises ConfigurationError: there is a cycle, or a root is unknown.
    """
    order = startup_order(services)
    if roots is None:
        needed = {need for service in services.values() for need in service.depends_on}
        roots = [name for name in order if name not in needed]
    refuse_unknown(roots, services)
    lines: list[str] = []
    drawn: set[str] = set()
    for root in roots:
        lines.extend(_branches(services, root, drawn))
    return "\n".join(lines)


def _branches(services: Services, root: str, drawn: set[str]) -> Iterable[str]:
    # A stack of its own: chains may be longer than Python's.
    todo = [(root, root, "")]
    while todo:
        text, name, indent = todo.pop()
        needs = list(services[name].depends_on.items()) if name in services else []
        if name in drawn and needs:
            yield f"{text} …"
            continue
        drawn.add(name)
        yield text
        for index, (need, dependency) in reversed(list(enumerate(needs))):
            last = index == len(needs) - 1
            note = "" if dependency.condition == "healthy" else f" ({dependency.condition})"
            branch = f"{indent}{'└── ' if last else '├── '}{need}{note}"
            todo.append((branch, need, indent + ("    " if last else "│   ")))


def draw_text(services: Services) -> str:
    """Draw the whole graph as an indented tree."""
    return dependency_tree(services)


def draw_mermaid(services: Services) -> str:
    """Draw the whole graph in Mermaid's language; arrows point to what is needed."""
    names = startup_order(services)
    ids = {name: f"s{index}" for index, name in enumerate(names)}
    lines = ["flowchart LR"]
    lines += [f'    {ids[name]}["{name}"]' for name in names]
    for name in names:
        for need, dependency in services[name].depends_on.items():
            if need in ids:
                lines.append(f"    {ids[name]} -->|{dependency.condition}| {ids[need]}")
    return "\n".join(lines)


def draw_dot(services: Services) -> str:
    """Draw the whole graph in Graphviz' DOT language; arrows point to what is needed."""
    lines = ["digraph services {", "    rankdir=LR;", "    node [shape=box];"]
    for name in startup_order(services):
        lines.append(f'    "{name}";')
        for need, dependency in services[name].depends_on.items():
            lines.append(f'    "{name}" -> "{need}" [label="{dependency.condition}"];')
    lines.append("}")
    return "\n".join(lines)
