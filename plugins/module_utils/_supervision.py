# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Deciding what a supervisor does with all services of a host. Pure, as is the watch on each (``_watch``)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ._graph import startup_order, tasks
from ._model import ServiceDefinition
from ._watch import TROUBLE, News, Owner, Rules, Sight, Watch

_OWNERS: dict[str, Owner] = {"binary": "supervisor", "docker": "engine", "compose": "engine"}
#: Seconds that what has no check must run to count as healthy.
_SETTLE_SECONDS = 2.0


def rules_of(services: Mapping[str, ServiceDefinition]) -> list[Rules]:
    """Return the rules for all services that can be supervised, in startup order. Tasks are to end."""
    done_once = tasks(services)
    return [_rules(services[name]) for name in startup_order(services) if name not in done_once]


def _rules(service: ServiceDefinition) -> Rules:
    check, startup = service.health, service.startup
    timing: dict[str, Any] = {"settle": _SETTLE_SECONDS}
    if check is not None:
        timing = {
            "interval": check.interval,
            "retries": check.retries,
            "success_threshold": check.success_threshold,
            "grace": max(startup.timeout, check.start_period),
        }
    return Rules(
        name=service.name,
        owner=_OWNERS.get(service.mode, "nobody"),
        policy=startup.restart,
        limits=startup.limits,
        needs=tuple(service.depends_on),
        follows=tuple(need for need, dependency in service.depends_on.items() if dependency.restart),
        **timing,
    )


@dataclass(frozen=True)
class Restart:
    """A restart that is to be made now.

    :param again: whether it runs, so that starting it would do nothing.
    :param counts: whether it is for trouble of its own; else what it follows was restarted.
    """

    service: str
    reason: str
    again: bool
    counts: bool = True


class Supervision:
    """All services under supervision, and what their dependencies make of the decisions on each.

    :param rules: in startup order.
    """

    def __init__(self, rules: Iterable[Rules] = (), *, now: float) -> None:
        self.watches: dict[str, Watch] = {}
        self.follow(rules, now)

    def follow(self, rules: Iterable[Rules], now: float) -> None:
        """Supervise these services from now on; what is known of those that stay is kept."""
        known = self.watches
        self.watches = {}
        for rule in rules:
            watch = known.get(rule.name) or Watch(rule, now)
            watch.rules = rule
            watch.due = min(watch.due, now + rule.interval)
            self.watches[rule.name] = watch

    def due(self, now: float) -> list[str]:
        """Return the services to be looked at now, in startup order."""
        return [name for name, watch in self.watches.items() if watch.due <= now]

    def next_due(self) -> float | None:
        """Return when the next service is to be looked at."""
        return min((watch.due for watch in self.watches.values()), default=None)

    def look(
        self, now: float, sights: Mapping[str, Sight], *, stopped: Collection[str] = ()
    ) -> tuple[list[News], list[Restart]]:
        """Take in what was seen; return what is news and what is to be restarted, in startup order.

        :param stopped: services that are not to run.
        """
        news: list[News] = []
        restarts: dict[str, Restart] = {}
        for name, watch in self.watches.items():
            if name not in sights:
                continue
            decision = watch.look(now, sights[name], wanted=name not in stopped, missing=self.missing(name))
            news += decision.news
            if decision.restart is not None:
                restarts[name] = Restart(name, decision.restart, decision.again)
            if decision.has_recovered:
                restarts |= {one.service: one for one in self._followers(watch) if one.service not in restarts}
                self._hurry_dependents(name, now)
        return news, [restarts[name] for name in self.watches if name in restarts]

    def missing(self, name: str) -> list[str]:
        """Return in words what a service depends on and is not there."""
        needs = [self.watches[need] for need in self.watches[name].rules.needs if need in self.watches]
        return [f"{need.rules.name} is {need.phase}" for need in needs if need.is_missed]

    def _followers(self, restarted: Watch) -> list[Restart]:
        name = restarted.rules.name
        return [
            Restart(follower, f"{name} was restarted", again=True, counts=False)
            for follower, watch in self.watches.items()
            if name in watch.rules.follows
            and watch.is_up
            and watch.phase != "idle"
            and watch.alive_since < restarted.alive_since
        ]

    def _hurry_dependents(self, name: str, now: float) -> None:
        for watch in self.watches.values():
            if name in watch.rules.needs and watch.phase in TROUBLE:
                watch.hurry(now)
