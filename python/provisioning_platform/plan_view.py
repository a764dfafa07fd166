# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run would do: read from the results of the ``services`` task in check mode, and shown."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from .text import count, table

_SERVICES = frozenset({"provisioning.platform.services", "services"})
_PREFLIGHT = frozenset({"provisioning.platform.preflight", "preflight"})


@dataclass(frozen=True)
class PlannedAction:
    """One service's action and its reason.

    :param action: the engine's verb; ``skip`` where the service cannot run here and is not required.
    :param changes: settings that differ, as ``path: old -> new``.
    """

    service: str
    action: str
    reason: str
    host: str = ""
    changes: tuple[str, ...] = ()

    @property
    def is_change(self) -> bool:
        """Whether anything would be touched."""
        return self.action not in ("none", "skip")


class PlanReader:
    """Collects the plan from ansible-runner's events; a later look at a service replaces the earlier one."""

    def __init__(self) -> None:
        self._actions: dict[tuple[str, str], PlannedAction] = {}
        self._unavailable: dict[tuple[str, str], str] = {}

    def take(self, event: Mapping[str, Any]) -> None:
        """Take one event of ansible-runner in."""
        data = event.get("event_data")
        if event.get("event") != "runner_on_ok" or not isinstance(data, Mapping):
            return
        result, host = data.get("res"), str(data.get("host", ""))
        task = {data.get("task_action"), data.get("resolved_action")}
        if not isinstance(result, Mapping) or not task & (_SERVICES | _PREFLIGHT):
            return
        for name, problem in (result.get("unavailable") or {}).items():
            self._unavailable[(host, name)] = str(problem.get("why", ""))
        for entry in result.get("plan") or []:
            action = _action(entry, host)
            before = self._actions.get((host, action.service))
            if before is None or action.is_change or not before.is_change:
                self._actions[(host, action.service)] = action

    @property
    def actions(self) -> tuple[PlannedAction, ...]:
        """What was collected, in order."""
        return tuple(self._skipped_where_unavailable(place, action) for place, action in self._actions.items())

    def _skipped_where_unavailable(self, place: tuple[str, str], action: PlannedAction) -> PlannedAction:
        if place not in self._unavailable or not action.is_change:
            return action
        return replace(action, action="skip", reason=self._unavailable[place], changes=())


def plan_table(actions: Sequence[PlannedAction], *, width: int | None = None) -> list[str]:
    """Return the plan as lines: each service, its action and the reason, the settings that differ below it."""
    several = len({action.host for action in actions}) > 1
    header = (["HOST"] if several else []) + ["SERVICE", "ACTION", "REASON"]
    rows = [([one.host] if several else []) + [one.service, one.action, _reason(one)] for one in actions]
    return table(header, rows, width=width)


def plan_json(actions: Iterable[PlannedAction]) -> list[str]:
    """Return the plan as JSON documents, one a line."""
    return [json.dumps({key: value for key, value in asdict(one).items() if value}) for one in actions]


def plan_headline(actions: Iterable[PlannedAction]) -> str:
    """Return the sentence that sums a plan up."""
    changes = [one for one in actions if one.is_change]
    if not changes:
        return "Nothing to do."
    verbs: dict[str, int] = {}
    for one in changes:
        verbs[one.action] = verbs.get(one.action, 0) + 1
    parts = ", ".join(f"{number} to {verb}" for verb, number in verbs.items())
    return f"{count(len(changes), 'change')}: {parts}."


def _reason(action: PlannedAction) -> str:
    changes = [change for change in action.changes if change not in action.reason]
    return action.reason + (f" [{'; '.join(changes)}]" if changes else "")


def _action(entry: Mapping[str, Any], host: str) -> PlannedAction:
    return PlannedAction(
        service=str(entry["service"]),
        action=str(entry["action"]),
        reason=str(entry.get("reason", "")),
        host=host,
        changes=tuple(str(change) for change in entry.get("changes") or ()),
    )
