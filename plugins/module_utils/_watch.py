# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Deciding what a supervisor does with one service, given what was seen of it. Pure: the time is always passed in.

Each thing has one owner. Processes are the supervisor's. Containers that end are first their engine's, which has its
restart policy; what the engine leaves down or unhealthy is the supervisor's. So it is with the units of systemd, but
when that has given one up, this holds. Pods are the cluster's, and what runs elsewhere is nobody's here: those are only
watched.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from . import _events as events
from ._drivers._base import Status
from ._model import RestartLimits

Owner = Literal["supervisor", "engine", "nobody"]
#: ``idle``: it is not wanted, or a person has put it to rest. ``failed``: given up.
Phase = Literal["new", "starting", "healthy", "unhealthy", "down", "failed", "idle"]

#: Seconds that an engine has for a container that ended: its own backoff goes up to a minute.
ENGINE_SECONDS = 90.0
#: Falls from health within ``limits.interval`` from which on a service is flapping.
FLAPS = 4
#: What starts is looked at after a quarter of a second, and then whenever a fifth of the time has gone by again.
_FIRST_LOOK, _SHARE = 0.25, 0.2
# An engine that could not start a container says so; what it reports of one that was stopped lies elsewhere.
_NOT_STARTED = range(125, 129)
TROUBLE = ("unhealthy", "down", "failed")


@dataclass(frozen=True, kw_only=True)
class Rules:
    """What holds for one service.

    :param policy: ``startup.restart``.
    :param interval: seconds between two checks.
    :param grace: seconds after its start in which failed checks do not count, until it was healthy once.
    :param settle: seconds that it must have run to be healthy: what has no check only has that.
    :param needs: services it depends on.
    :param follows: those of them whose restart is to restart it.
    """

    name: str
    owner: Owner = "supervisor"
    policy: str = "unless-stopped"
    interval: float = 10.0
    retries: int = 3
    success_threshold: int = 1
    grace: float = 60.0
    settle: float = 0.0
    limits: RestartLimits = field(default_factory=RestartLimits)
    needs: tuple[str, ...] = ()
    follows: tuple[str, ...] = ()


@dataclass(frozen=True)
class Sight:
    """What was seen of a service at one moment.

    :param id: changes when it is started anew: a pid with its start, a container.
    :param healthy: result of its check; nothing where none was made.
    :param is_old: it has ended before this boot of the machine, so that nobody can have stopped it since.
    :param kept_by: who starts it again when it ends, where that is not its mode's owner.
    :param restarts: how often that has been done.
    :param is_given_up: whether it will not be done any more.
    """

    status: Status
    id: str = ""
    exit_code: int | None = None
    detail: str = ""
    healthy: bool | None = None
    reason: str = ""
    is_old: bool = False
    kept_by: str = ""
    restarts: int = 0
    is_given_up: bool = False

    @property
    def is_up(self) -> bool:
        """Whether it runs or is about to."""
        return self.status in ("starting", "running")


@dataclass(frozen=True)
class News:
    """A change that is told.

    :param kind: of an event.
    :param is_quiet: written down, but nobody is woken for it: the service flaps.
    """

    kind: str
    service: str
    reason: str
    is_quiet: bool = False


@dataclass(frozen=True)
class Decision:
    """What to do now.

    :param restart: why to restart it; nothing when it is to be left alone.
    :param again: whether it runs, so that starting it would do nothing.
    :param has_recovered: whether it is healthy again with a new life, so that what follows it is to be restarted.
    """

    news: tuple[News, ...] = ()
    restart: str | None = None
    again: bool = False
    has_recovered: bool = False


class Watch:
    """One service under supervision. Its clock is any that only goes forward, in seconds.

    :param now: the time; the first look is due at once.
    """

    def __init__(self, rules: Rules, now: float) -> None:
        self.rules = rules
        self.phase: Phase = "new"
        self.reason = ""
        self.changed_at = now
        self.due = now
        self.is_up = False
        #: When its present life was first seen.
        self.alive_since = now
        self._id = ""
        self._expects_new_id = False
        self._passed = self._failed = 0
        self._was_healthy = False
        self._is_troubled = self._is_renewed = False
        self._restarts: deque[float] = deque()
        self._level = 0
        self._fell_at = now
        self._falls: deque[float] = deque()
        self._is_flapping = False
        self._is_held = False
        self._restarts_of_keeper = 0
        self._news: list[News] = []

    # --- what the shell tells ----------------------------------------------------------------------------------------

    def look(self, now: float, sight: Sight, *, wanted: bool = True, missing: Sequence[str] = ()) -> Decision:
        """Take in what was seen; return what to do, and set when to look again.

        :param wanted: whether it is to run: a person's stop is respected.
        :param missing: what it depends on and is not there, in words.
        """
        self._news = []
        self.due = (now // self.rules.interval + 1) * self.rules.interval  # all of one interval at the same time
        if sight.status == "unreachable" and self.rules.owner != "nobody":
            return Decision()  # the engine does not answer: nothing is known
        self.is_up = sight.is_up
        before = self.phase
        if not wanted or sight.status == "paused":
            self._rest(now, "is paused" if wanted else "was stopped")
            return Decision(tuple(self._news))
        self._note_keeper(sight)
        self._recognise(now, sight)
        if sight.is_up:
            self._take_health(now, sight)
        else:
            self._take_end(now, sight)
        self._note_flapping(now)
        restart = self._restart(now, sight, missing) if self.phase in ("unhealthy", "down") else None
        recovered = self.phase == "healthy" and before != "healthy" and self._is_renewed
        if self.phase == "healthy":
            self._is_renewed = False
        elif self.phase == "starting" or (self.phase == "down" and sight.kept_by):
            self.due = min(self.due, now + self._patience(now))
        return Decision(tuple(self._news), restart, sight.is_up, recovered)

    def restarted(self, now: float, error: str = "", *, counts: bool = True) -> None:
        """It was restarted, or could not be.

        :param error: why it could not be.
        :param counts: whether it was for trouble of its own, for which there is a budget.
        """
        if counts:
            self._restarts.append(now)
            self._level += 1
        self._passed = self._failed = 0
        self._was_healthy = False
        self._is_troubled = self._is_renewed = self._expects_new_id = True
        self.alive_since = self._fell_at = now
        self._become(now, "down" if error else "starting", error or "restarted")
        self.due = min(self.due, now + (self._delay() if error else _FIRST_LOOK))

    def hurry(self, now: float) -> None:
        """Something has happened to it: look at once."""
        self.due = min(self.due, now)

    @property
    def is_missed(self) -> bool:
        """Whether those that depend on it would be restarted in vain."""
        if self.phase == "starting":
            return self._is_troubled
        return self.phase in TROUBLE or (self.phase == "idle" and not self.is_up)

    @property
    def is_flapping(self) -> bool:
        """Whether its health changes again and again."""
        return self._is_flapping

    # --- what was seen -----------------------------------------------------------------------------------------------

    def _recognise(self, now: float, sight: Sight) -> None:
        """Tell a new life from the one known; one that is not our doing begins everything anew."""
        is_new = bool(sight.id) and sight.id != self._id
        if not sight.is_up or (not is_new and self.phase != "down"):
            return
        is_known = bool(self._id)
        self._id = sight.id
        self.alive_since = now
        self._passed = self._failed = 0
        self._was_healthy = False
        if self._expects_new_id:
            self._expects_new_id = False
            return
        self._is_renewed = is_known
        if self.phase in ("failed", "idle", "new"):
            troubled = self._is_troubled
            self._forget()
            self._is_troubled = troubled
        self._become(now, "starting", "")

    def _note_keeper(self, sight: Sight) -> None:
        """Tell that somebody else has started it again; what has been done before the first look is no news."""
        is_more = sight.restarts > self._restarts_of_keeper
        self._restarts_of_keeper = sight.restarts
        if is_more and self.phase != "new":
            self._tell(events.SERVICE_RESTARTED, f"{sight.kept_by} has started it again")

    def _take_health(self, now: float, sight: Sight) -> None:
        if sight.healthy is None or (sight.healthy and now - self.alive_since < self.rules.settle):
            return
        if sight.healthy:
            self._passed, self._failed = self._passed + 1, 0
            if self._passed >= self.rules.success_threshold:
                self._was_healthy = True
                self._recover(now, sight)
        elif self._was_healthy or now - self.alive_since >= self.rules.grace:
            self._passed, self._failed = 0, self._failed + 1
            if self._failed >= self.rules.retries and self.phase not in ("unhealthy", "failed"):
                self._fall(now, "unhealthy", events.SERVICE_UNHEALTHY, sight.reason or "its check fails")
        else:
            self._passed = 0

    def _recover(self, now: float, sight: Sight) -> None:
        if self.phase == "healthy":
            if now - self.changed_at >= self.rules.limits.stable:
                self._restarts.clear()
                self._level = 0
            return
        if self._is_troubled:
            self._tell(events.SERVICE_RECOVERED, sight.reason or "it runs")
        self._is_troubled = self._is_held = False
        self._become(now, "healthy", sight.reason)

    def _take_end(self, now: float, sight: Sight) -> None:
        self._passed = self._failed = 0
        reason = sight.detail or ("it is gone" if sight.status == "absent" else "it has ended")
        if self.phase in ("down", "failed"):
            return
        if self._is_at_rest(sight):
            self._rest(now, reason)
        elif self._owner(sight) == "engine" and self._was_put_to_rest(sight):
            if self.phase != "idle":  # whether the engine is only about to restart it, time will tell
                self._fall(now, "down", events.SERVICE_DOWN, reason)
        else:
            self._fall(now, "down", events.SERVICE_DOWN, reason)

    def _owner(self, sight: Sight) -> Owner:
        return "engine" if sight.kept_by else self.rules.owner

    def _is_at_rest(self, sight: Sight) -> bool:
        if sight.kept_by and sight.status == "stopped":  # it says so itself
            return True
        return self.rules.policy == "on-failure" and sight.status == "stopped" and sight.exit_code == 0

    def _was_put_to_rest(self, sight: Sight) -> bool:
        """Whether somebody has stopped it with the engine's own command: what ends otherwise the engine restarts."""
        code = sight.exit_code
        return sight.status == "stopped" and not sight.is_old and code is not None and code not in _NOT_STARTED

    # --- what to do --------------------------------------------------------------------------------------------------

    def _restart(self, now: float, sight: Sight, missing: Sequence[str]) -> str | None:
        """Return why to restart it now, if it is to be; set when that is to be asked again."""
        if self.rules.owner == "nobody" or self.rules.policy == "no":
            return None
        if self._owner(sight) == "engine" and sight.status != "running" and not sight.is_given_up:
            if now < self._fell_at + max(ENGINE_SECONDS, 2 * self.rules.limits.max_delay if sight.kept_by else 0.0):
                return None
            if not sight.is_up and self._was_put_to_rest(sight):
                self._rest(now, f"{sight.detail or 'was stopped'}, by the engine's own command")
                return None
        if missing:
            if not self._is_held:
                self._is_held = True
                self._tell(events.SERVICE_HELD, f"is not restarted in vain: {', '.join(missing)}")
            return None
        if sight.is_given_up and not self._is_held:  # by whom has tried as often as we would
            self._give_up(now, sight.detail)
            return None
        self._is_held = False
        if not self._has_budget(now):
            within = f"{len(self._restarts)} restarts within {self.rules.limits.interval:g} s"
            self._give_up(now, f"{within} did not help: {self.reason}")
            return None
        at = self._fell_at + self._delay()
        if now < at:
            self.due = min(self.due, at)
            return None
        return self.reason

    def _has_budget(self, now: float) -> bool:
        while self._restarts and now - self._restarts[0] >= self.rules.limits.interval:
            self._restarts.popleft()
        return len(self._restarts) < self.rules.limits.burst

    def _give_up(self, now: float, reason: str) -> None:
        self._become(now, "failed", self.reason)
        self._tell(events.SERVICE_GIVEN_UP, reason, is_quiet=False)

    def _patience(self, now: float) -> float:
        since = self._fell_at if self.phase == "down" else self.alive_since
        return max(_FIRST_LOOK, (now - since) * _SHARE)

    def _delay(self) -> float:
        limits = self.rules.limits
        if self._is_flapping:
            return limits.max_delay
        return min(limits.max_delay, limits.delay * 2.0 ** min(self._level, 30))

    # --- changes -----------------------------------------------------------------------------------------------------

    def _fall(self, now: float, phase: Phase, kind: str, reason: str) -> None:
        if self.phase == "healthy":
            self._falls.append(now)
        self._fell_at = now
        self._is_troubled = True
        self._become(now, phase, reason)
        self._tell(kind, reason)

    def _rest(self, now: float, reason: str) -> None:
        if self.phase != "idle":
            was_troubled = self._is_troubled
            self._forget()
            self._become(now, "idle", reason)
            if was_troubled:  # whoever was told of it need not wait for its recovery
                self._tell(events.SERVICE_SETTLED, reason)

    def _forget(self) -> None:
        self._restarts.clear()
        self._falls.clear()
        self._level = self._passed = self._failed = 0
        self._was_healthy = self._is_troubled = self._is_held = self._is_flapping = self._expects_new_id = False

    def _note_flapping(self, now: float) -> None:
        while self._falls and now - self._falls[0] >= self.rules.limits.interval:
            self._falls.popleft()
        if not self._is_flapping and len(self._falls) >= FLAPS:
            self._tell(events.SERVICE_FLAPPING, f"has fallen ill {len(self._falls)} times; told and restarted rarely")
            self._is_flapping = True
        elif self._is_flapping and not self._falls and self.phase == "healthy":
            self._is_flapping = False
            self._tell(events.SERVICE_SETTLED, "has stayed healthy since")

    def _become(self, now: float, phase: Phase, reason: str) -> None:
        self.phase, self.reason, self.changed_at = phase, reason, now

    def _tell(self, kind: str, reason: str, *, is_quiet: bool | None = None) -> None:
        quiet = self._is_flapping if is_quiet is None else is_quiet
        self._news.append(News(kind, self.rules.name, reason, quiet))
