# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From what is asked for to what each service is to be. Pure, but for the question which services run."""

from __future__ import annotations

from collections.abc import Callable, Collection

from . import _graph
from ._errors import PrerequisiteError, Problem, raise_if_any
from ._graph import Services
from ._model import ServiceOperation
from ._plan import Goal


def goals_for(
    services: Services,
    operation: ServiceOperation,
    *,
    elsewhere: Collection[str],
    running: Callable[[], Collection[str]],
) -> dict[str, Goal]:
    """Turn a request into goals: starting brings dependencies up too, stopping spares what others need.

    :param services: those of this host.
    :param elsewhere: names of services on other hosts; asked for here, they are nobody's goal.
    :param running: says which services run.
    :raises ConfigurationError: a name is unknown.
    :raises PrerequisiteError: something that runs depends on what is to be stopped.
    """
    here = [name for name in operation.services if name not in elsewhere]
    _graph.refuse_unknown(here, services)
    if operation.services and not here:
        return {}
    if operation.operation in ("start", "restart"):
        names = here or [name for name, service in services.items() if service.auto_start and service.enabled]
        again: Goal = "restarted" if operation.operation == "restart" else "started"
        needed = _graph.resolve_dependencies(services, names)
        return {name: again if name in names else "started" for name in needed}
    names = here or list(services)
    if operation.with_dependents:
        names += [other for name in names for other in _graph.reverse_dependencies(services, name)]
    elif not operation.force:
        _refuse_if_needed([name for name in names if services[name].is_ours], services, running())
    goal: Goal = "stopped" if operation.operation == "stop" else "absent"
    return dict.fromkeys(dict.fromkeys(names), goal)


def _refuse_if_needed(names: Collection[str], services: Services, running: Collection[str]) -> None:
    blocked = _graph.can_stop(services, running, names)
    raise_if_any(
        [
            Problem(name, f"is needed by {', '.join(others)}", "Stop those too (with_dependents), or force it.")
            for name, others in blocked.items()
        ],
        PrerequisiteError,
    )
