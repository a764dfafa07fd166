# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Services whose state is damaged: what is known of them all the same, and that nothing is started by guessing.

They can be looked at and stopped. An installation sets the file aside and writes it anew; the others are not concerned.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

from . import _events as events
from . import _graph, _lost
from ._build import build
from ._converge import Outcome
from ._drivers._base import ABSENT
from ._errors import Problem, ProvisioningError
from ._events import Emitter
from ._model import ServiceDefinition
from ._paths import WorkDir
from ._plan import Goal, Plan
from ._state import StateStore

Services = Mapping[str, ServiceDefinition]


def installed(layout: WorkDir) -> tuple[dict[str, ServiceDefinition], dict[str, Problem]]:
    """Return the definitions of what is installed, and which of them are not from a state since that is damaged.

    Those are as the last installation that succeeded has written them down; what it does not know is left out.
    """
    store = StateStore(layout)
    states, damaged = store.survey()
    services = {}
    for name, state in states.items():
        try:
            if state.definition:
                services[name] = build(ServiceDefinition, state.definition, path=name)
        except ProvisioningError as error:
            damaged[name] = store.damage(name, error)
    if damaged:
        services |= {one.name: one for one in _lost.recorded(layout) if one.name in damaged}
    return services, damaged


def stand_in(name: str) -> ServiceDefinition:
    """Return a definition for a service of which nothing is known, so that it can be shown."""
    return build(ServiceDefinition, {"name": name, "deployment": {"mode": "binary", "binary": {"command": name}}})


def set_aside(layout: WorkDir, names: Collection[str]) -> dict[str, tuple[Problem, Path]]:
    """Give damaged files of these services another name; return what was wrong with each and where it is now.

    :raises OSError: one cannot be renamed.
    """
    store = StateStore(layout)
    moved = {name: (problem, store.set_aside(name)) for name, problem in installed(layout)[1].items() if name in names}
    return {name: (problem, path) for name, (problem, path) in moved.items() if path is not None}


def hold_back(
    decided: Plan, goals: Mapping[str, Goal], services: Services, damaged: Mapping[str, Problem]
) -> tuple[Plan, dict[str, Outcome]]:
    """Take out of a plan what would be started though its state is damaged, and what cannot be started without it.

    What runs is left as it is, and what needs it is started.

    :return: the plan for the others, and what becomes of those.
    """
    faulty = {name: damaged[name] for name, goal in goals.items() if name in damaged and _comes(goal)}
    outcomes = {name: Outcome(name, "failed", one.why, one.remedy) for name, one in faulty.items()}
    dependents = _graph.dependents_of(_graph.dependencies_of(services))
    for name, problem in faulty.items():
        if decided.observed.get(name, ABSENT).is_up:
            continue
        for other in _graph.reachable(dependents, [name]):
            action = decided.actions.get(other)
            if action is not None and action.is_change and _comes(goals[other]):
                outcomes.setdefault(other, Outcome(other, "skipped", f"needs {name}, which failed", problem.remedy))
    kept = {name: action for name, action in decided.actions.items() if name not in outcomes}
    unavailable = {name: problem for name, problem in decided.unavailable.items() if name not in outcomes}
    return dataclasses.replace(decided, actions=kept, unavailable=unavailable), outcomes


def tell(outcomes: Mapping[str, Outcome], services: Services, emit: Emitter) -> None:
    """Tell what became of what was held back."""
    say: Callable[..., object] = emit
    for name, one in outcomes.items():
        told = {"service": name, "remedy": one.remedy, "required": services[name].required}
        if one.result == "failed":
            say(events.SERVICE_FAILED, error=one.reason, **told)
        else:
            say(events.SERVICE_SKIPPED, reason=one.reason, **told)


def _comes(goal: Goal) -> bool:
    return goal in ("started", "restarted")
