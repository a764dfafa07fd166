# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From what is asked for to what each service is to be. Pure, but for the question which services run."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from types import MappingProxyType

from . import _graph
from ._errors import PrerequisiteError, Problem, raise_if_any
from ._graph import Services
from ._model import ServiceOperation
from ._plan import Goal

#: Who needs a service, in words, by its name.
Needs = Mapping[str, Sequence[str]]
NOBODY: Needs = MappingProxyType({})


def goals_for(
    services: Services,
    operation: ServiceOperation,
    *,
    elsewhere: Collection[str],
    running: Callable[[], Collection[str]],
    needed: Needs = NOBODY,
) -> dict[str, Goal]:
    """Turn a request into goals: starting brings dependencies up too, stopping spares what others need.

    :param services: those of this host.
    :param elsewhere: names of services on other hosts; asked for here, they are nobody's goal.
    :param running: says which services run.
    :param needed: who of other hosts needs a service that is here and runs, in words.
    :raises ConfigurationError: a name is unknown.
    :raises PrerequisiteError: something that runs depends on what is to be stopped.
    """
    here = [name for name in operation.services if name not in elsewhere]
    _graph.refuse_unknown(here, services)
    if operation.operation in ("start", "restart"):
        if operation.services and not here:
            return {}
        names = here or [name for name, service in services.items() if service.auto_start and service.enabled]
        again: Goal = "restarted" if operation.operation == "restart" else "started"
        coming = _graph.resolve_dependencies(services, names)
        return {name: again if name in names else "started" for name in coming}
    names = here if operation.services else list(services)
    if operation.with_dependents:
        names += [name for name, service in services.items() if service.elsewhere.keys() & set(operation.services)]
        names += [other for name in names for other in _graph.reverse_dependencies(services, name)]
    if names and not operation.force:
        ours = [name for name in dict.fromkeys(names) if services[name].is_ours]
        blocked = {} if operation.with_dependents else _graph.can_stop(services, running(), ours)
        _refuse({name: [*blocked.get(name, ()), *needed.get(name, ())] for name in ours})
    goal: Goal = "stopped" if operation.operation == "stop" else "absent"
    return dict.fromkeys(dict.fromkeys(names), goal)


def _refuse(blocked: Needs) -> None:
    remedy = "Stop those too (with_dependents), or force it."
    problems = [
        Problem(name, f"is needed by {', '.join(others)}", remedy) for name, others in blocked.items() if others
    ]
    raise_if_any(problems, PrerequisiteError)


def needs_elsewhere(
    services: Services, *, leaving: Collection[str], running: Callable[[], Collection[str]]
) -> dict[str, list[str]]:
    """Return which services that run here need which of other hosts: their names by those of what they need.

    :param leaving: those that are about to be stopped.
    :param running: says which services run; asked only where that matters.
    """
    needing = {name: s.elsewhere for name, s in services.items() if s.elsewhere and name not in leaving}
    needs: dict[str, list[str]] = {}
    for name in sorted(needing.keys() & set(running())) if needing else ():
        for need in needing[name]:
            needs.setdefault(need, []).append(name)
    return needs
