# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Deciding: what would bring each service to the state wanted, and why. Pure; nothing here touches anything."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

from ._drivers._base import ABSENT, Observation
from ._errors import Problem
from ._graph import startup_order, tasks
from ._model import ServiceDefinition

Goal = Literal["started", "stopped", "restarted", "absent"]
Verb = Literal["none", "create", "start", "recreate", "restart", "stop", "remove"]

#: Why what is to be absent goes, unless whoever asks for it says otherwise.
NO_LONGER_WANTED = "no longer wanted"

_SENSITIVE = ("password", "passwd", "secret", "token", "key", "credential")
#: Where drivers render the versions of secrets, which may be seen.
_VERSIONS = "secrets"
_SETTING = re.compile(r"[\w.-]+")
_USER_INFO = re.compile(r"(://[^/@:\s]*:)[^/@\s]+@")
_DIGEST_LENGTH = 16


@dataclass(frozen=True)
class Action:
    """What is to be done with one service.

    :param reason: why, in words, for people.
    :param digest: of what is wanted.
    :param changes: the settings that differ, as ``path: old -> new``; sensitive values are masked.
    """

    service: str
    verb: Verb
    reason: str
    digest: str = ""
    changes: tuple[str, ...] = ()

    @property
    def is_change(self) -> bool:
        """Whether anything would be touched."""
        return self.verb != "none"

    def to_dict(self) -> dict[str, Any]:
        """Return the action as JSON types."""
        document: dict[str, Any] = {"service": self.service, "action": self.verb, "reason": self.reason}
        if self.changes:
            document["changes"] = list(self.changes)
        return document


@dataclass(frozen=True)
class Plan:
    """What would be done, and what was seen when that was decided.

    :param unavailable: services that cannot run here, with the problem.
    """

    actions: dict[str, Action]
    observed: dict[str, Observation]
    rendered: dict[str, dict[str, Any]]
    before: dict[str, dict[str, Any]]
    unavailable: dict[str, Problem]

    @property
    def changes(self) -> list[Action]:
        """The actions that would touch something, of services that can run here."""
        return [a for a in self.actions.values() if a.is_change and a.service not in self.unavailable]

    def because(self, reasons: Mapping[str, str]) -> Plan:
        """Return the plan with other reasons for its restarts, by service."""
        given = {
            name: dataclasses.replace(action, reason=reasons[name])
            for name, action in self.actions.items()
            if action.verb == "restart" and name in reasons
        }
        return dataclasses.replace(self, actions={**self.actions, **given})


def digest_of(rendered: Mapping[str, Any]) -> str:
    """Return the digest of what a driver would create: the same for the same document, in whatever order."""
    canonical = json.dumps(rendered, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:_DIGEST_LENGTH]


def plan(
    services: Mapping[str, ServiceDefinition],
    observed: Mapping[str, Observation],
    rendered: Mapping[str, Mapping[str, Any]],
    *,
    goals: Mapping[str, Goal],
    before: Mapping[str, Mapping[str, Any]] | None = None,
    removal: str = NO_LONGER_WANTED,
) -> dict[str, Action]:
    """Decide for every service that has a goal.

    :param observed: what each service is.
    :param rendered: what each driver would create.
    :param goals: what each service is to be.
    :param before: what was rendered for what runs now, to tell which settings changed.
    :param removal: why what is to be absent goes.
    """
    done_once = tasks(services)
    actions = {
        name: decide(
            name,
            goal,
            observed.get(name, ABSENT),
            rendered.get(name, {}),
            (before or {}).get(name),
            is_task=name in done_once,
            removal=removal,
        )
        if services[name].is_ours
        else leave_alone(name, goal, rendered.get(name, {}), (before or {}).get(name))
        for name, goal in goals.items()
        if name in services
    }
    return _with_restarts(services, observed, actions)


def _with_restarts(
    services: Mapping[str, ServiceDefinition],
    observed: Mapping[str, Observation],
    actions: dict[str, Action],
) -> dict[str, Action]:
    """Restart what runs and asked to be restarted with something it depends on, and so on along the graph."""
    result = dict(actions)
    for name in startup_order(services):
        action = result.get(name)
        if action is None or action.verb != "none" or not observed.get(name, ABSENT).is_up:
            continue
        if not services[name].is_ours:
            continue
        for need, dependency in services[name].depends_on.items():
            if dependency.restart and need in result and result[need].verb in _DONE:
                reason = f"{need} is {_DONE[result[need].verb]}"
                result[name] = dataclasses.replace(action, verb="restart", reason=reason)
                break
    return result


_DONE = {"create": "created", "recreate": "recreated", "restart": "restarted", "start": "started again"}


def decide(
    name: str,
    goal: Goal,
    observation: Observation,
    rendered: Mapping[str, Any],
    before: Mapping[str, Any] | None = None,
    *,
    is_task: bool = False,
    removal: str = NO_LONGER_WANTED,
) -> Action:
    """Decide for one service.

    :param is_task: others wait for it to complete, so that having ended well is what is wanted.
    :param removal: why it goes, where it is to be absent.
    """
    if goal == "absent":
        if observation.exists:
            return Action(name, "remove", removal)
        return Action(name, "none", "not there")
    if goal == "stopped":
        if observation.is_up or observation.instances:  # what is left of one that failed runs, too
            return Action(name, "stop", "asked to stop")
        return Action(name, "none", "not running")
    digest = digest_of(rendered)
    if observation.exists and observation.digest != digest:
        changes = tuple(differences(before, rendered)) if before else ()
        paths = ", ".join(change.split(":", 1)[0] for change in changes[:5])
        more = f" and {len(changes) - 5} more" if len(changes) > 5 else ""
        return Action(name, "recreate", f"changed: {paths}{more}" if paths else "definition changed", digest, changes)
    if goal == "restarted" and (observation.is_up or observation.status == "paused"):
        return Action(name, "restart", "asked to restart", digest)
    if observation.status == "absent":
        return Action(name, "create", "new" if before is None else "gone", digest)
    if is_task and observation.status == "stopped" and goal != "restarted":
        return Action(name, "none", "has completed", digest)
    if not observation.is_up or observation.drift:
        return Action(name, "start", observation.drift or observation.detail or "not running", digest)
    return Action(name, "none", "already running", digest)


def leave_alone(name: str, goal: Goal, rendered: Mapping[str, Any], before: Mapping[str, Any] | None = None) -> Action:
    """Decide for a service that runs elsewhere: nothing is done to it, and the reason says so."""
    if goal == "absent":
        return Action(name, "none", "runs elsewhere and is not ours to remove; it is only forgotten")
    if goal == "stopped":
        return Action(name, "none", "runs elsewhere and is not ours to stop")
    changes = tuple(differences(before, rendered)) if before else ()
    changed = f"; changed: {', '.join(change.split(':', 1)[0] for change in changes)}" if changes else ""
    reason = f"runs elsewhere and is not ours to {'restart' if goal == 'restarted' else 'start'}{changed}"
    return Action(name, "none", reason, digest_of(rendered), changes)


def differences(before: Mapping[str, Any], after: Mapping[str, Any], path: str = "") -> Iterator[str]:
    """Yield how two documents differ, one setting each, as ``path: old -> new``; sensitive values are masked."""
    for key in sorted({*before, *after}):
        where = f"{path}.{key}" if path else str(key)
        old, new = before.get(key), after.get(key)
        if old == new:
            continue
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            yield from differences(old, new, where)
        else:
            yield f"{where}: {_shown(old, where)} -> {_shown(new, where)}"


def _shown(value: Any, path: str) -> str:
    if value is None:
        return "unset"
    if path.startswith(f"{_VERSIONS}.") and isinstance(value, int):
        return f"version {value}"
    text = "***" if _is_sensitive(path) else json.dumps(masked(value))
    return text if len(text) <= 80 else f"{text[:77]}..."


def diff_of(
    actions: Iterable[Action],
    rendered: Mapping[str, Mapping[str, Any]],
    before: Mapping[str, Mapping[str, Any]],
    *,
    previews: Mapping[str, tuple[str, str]] = MappingProxyType({}),
) -> list[dict[str, str]]:
    """Return the changes as Ansible shows differences: a text before and one after for each service.

    Of a service that runs elsewhere, to which nothing is done, what would be used in place of what is used is shown.

    :param previews: what there is of services and what there would be, to be shown in place of their documents.
    """
    shown = []
    for action in actions:
        if action.is_change or action.changes:
            gone = action.verb in ("remove", "stop")
            old = before.get(action.service, {}) if action.verb != "create" else {}
            new = {} if gone else rendered.get(action.service, {})
            if action.verb in ("start", "restart"):  # nothing of what it is made from differs
                old, new = {"running": action.verb == "restart"}, {"running": True}
            texts = previews.get(action.service, (_listed(old), _listed(new)))
            shown.append(
                {
                    "before_header": f"{action.service} ({action.verb}: {action.reason})",
                    "after_header": action.service,
                    "before": texts[0],
                    "after": texts[1],
                }
            )
    return shown


def _listed(document: Mapping[str, Any]) -> str:
    versions = {_VERSIONS: document[_VERSIONS]} if _VERSIONS in document else {}
    return json.dumps({**masked(document), **versions}, indent=2, sort_keys=True) + "\n" if document else ""


def masked(value: Any, *, hide: bool = False) -> Any:
    """Return JSON types without what their names say is sensitive: settings, variables, options, parts of URLs.

    :param hide: the value stands under such a name.
    """
    if isinstance(value, Mapping):
        return {name: masked(item, hide=hide or _is_sensitive(str(name))) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        before = [None, *value]
        return [masked(item, hide=hide or _announces(previous)) for previous, item in zip(before, value, strict=False)]
    if hide and value is not None:
        return "***"
    return _masked_text(value) if isinstance(value, str) else value


def _masked_text(text: str) -> str:
    """``NAME=value`` of a list of variables, ``--name=value`` of a command, ``scheme://user:password@host``."""
    name, equals, _value = text.partition("=")
    if equals and _is_sensitive(name) and _SETTING.fullmatch(name):
        return f"{name}=***"
    return _USER_INFO.sub(r"\1***@", text)


def _announces(option: Any) -> bool:
    """Whether an option of a command says that a sensitive value comes next."""
    return isinstance(option, str) and option.startswith("-") and "=" not in option and _is_sensitive(option)


def _is_sensitive(name: str) -> bool:
    return any(word in name.lower() for word in _SENSITIVE)
