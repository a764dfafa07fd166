# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The supervisor at work: it looks, has decided what to do, and has the engine do it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Sequence
from functools import partial
from typing import Any

from ansible_collections.provisioning.platform.plugins.module_utils import _events as events
from ansible_collections.provisioning.platform.plugins.module_utils._converge import Options, Outcome
from ansible_collections.provisioning.platform.plugins.module_utils._drivers._base import Observation
from ansible_collections.provisioning.platform.plugins.module_utils._errors import BusyError, ProvisioningError
from ansible_collections.provisioning.platform.plugins.module_utils._events import Emitter, Sink
from ansible_collections.provisioning.platform.plugins.module_utils._health import HealthResult
from ansible_collections.provisioning.platform.plugins.module_utils._manager import Manager
from ansible_collections.provisioning.platform.plugins.module_utils._model import ServiceDefinition
from ansible_collections.provisioning.platform.plugins.module_utils._paths import WorkDir
from ansible_collections.provisioning.platform.plugins.module_utils._plan import Goal, Plan
from ansible_collections.provisioning.platform.plugins.module_utils._supervision import Restart, Supervision
from ansible_collections.provisioning.platform.plugins.module_utils._turns import is_taken, supervisors_turn
from ansible_collections.provisioning.platform.plugins.module_utils._watch import News, Sight
from ansible_collections.provisioning.platform.plugins.plugin_utils.supervisor.eyes import Checked, Eyes
from ansible_collections.provisioning.platform.plugins.plugin_utils.supervisor.installed import Installed
from ansible_collections.provisioning.platform.plugins.plugin_utils.supervisor.tally import Tally

RUN = "supervisor"
_LONGEST_SLEEP = 10.0
#: Seconds until the next look while somebody else is at it.
_GIVE_WAY = 0.5
_SECONDS_BETWEEN_ROTATIONS = 60.0


class _Outdated(Exception):
    """What was to be restarted is not to be any more.

    :param services: which.
    """

    def __init__(self, services: Collection[str]) -> None:
        super().__init__()
        self.services = frozenset(services)


class Supervisor:
    """Supervises what is installed in a work dir, in the thread that calls :meth:`run`.

    :param sinks: readers of its events, those of its restarts among them.
    :param clock: seconds, monotonic.
    """

    def __init__(
        self, layout: WorkDir, *, sinks: Sequence[Sink] = (), clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.layout = layout
        self.tally = Tally()
        self._clock = clock
        self._emit = Emitter(*sinks)
        self._installed = Installed(layout, sinks, run=RUN)
        self._supervision = Supervision(now=clock())
        self._eyes = Eyes()
        self._told: frozenset[str] = frozenset()
        self._ending = False
        self._rotate_at = clock()
        self._cancelled = threading.Event()
        self._booted = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)

    def stop(self) -> None:
        """End :meth:`run` soon; may be called by a signal handler, and from another thread."""
        self._ending = True
        self._cancelled.set()
        self._eyes.wake()

    def definition(self, name: str) -> ServiceDefinition:
        """Return the definition of a service.

        :raises ConfigurationError: there is no such service any more.
        """
        return self._installed.manager.definition(name)

    def run(self) -> None:
        """Supervise until :meth:`stop`, or until the installation is gone."""
        try:
            while not self._ending and self._installed.is_there():
                if self._installed.reload():
                    self._supervision.follow(self._installed.rules, self._clock())
                    self.tally.keep(self._supervision.watches)
                    self._tell_damaged()
                self._turn()
        finally:
            self._eyes.close()

    def _tell_damaged(self) -> None:
        for name, problem in self._installed.damaged.items():
            if name not in self._told:
                self._emit(events.SERVICE_WARNING, service=name, reason=f"{problem.why}. {problem.remedy}")
        self._told = frozenset(self._installed.damaged)

    def _turn(self) -> None:
        now = self._clock()
        due = [name for name in self._supervision.due(now) if name not in self._eyes.checking]
        checked = list(self._eyes.results())
        rest = _LONGEST_SLEEP
        if (due or checked) and is_taken(self.layout):
            rest = _GIVE_WAY  # what is seen meanwhile is somebody's doing
        else:
            self._look(due, checked)
            if now >= self._rotate_at:
                self._rotate_at = now + _SECONDS_BETWEEN_ROTATIONS
                self._installed.manager.rotate_logs()
            rest = min(rest, self._next_due() - self._clock())
        for name in self._eyes.wait(rest):
            if name in self._supervision.watches:
                self._supervision.watches[name].hurry(self._clock())

    def _next_due(self) -> float:
        waiting = [w.due for name, w in self._supervision.watches.items() if name not in self._eyes.checking]
        return min(waiting, default=self._clock() + _LONGEST_SLEEP)

    # --- looking -----------------------------------------------------------------------------------------------------

    def _look(self, due: Sequence[str], checked: Sequence[Checked]) -> None:
        manager = self._installed.manager
        sights: dict[str, Sight] = {}
        if due:
            observed, _unreachable = manager.observe(due)
            self.tally.observed_at = time.time()
            for name in due:
                seen = observed.get(name)
                if seen is not None:
                    self._follow(name, seen)
                if seen is not None and seen.is_up and name not in self._installed.stopped:
                    self._eyes.check(name, seen, partial(_check, manager, name))
                else:
                    sights[name] = self._sight(name, seen)
                    self.tally.saw(name, seen or Observation("unreachable"), None)
        for one in checked:
            if one.service in self._supervision.watches:
                sights[one.service] = self._sight(one.service, one.observation, one.result)
                self.tally.saw(one.service, one.observation, one.result)
        if sights:
            self._decide(sights)

    def _follow(self, name: str, seen: Observation) -> None:
        is_process = _is_process(self._installed.manager, name)
        self._eyes.follow(name, [int(pid) for pid in seen.instances] if is_process and seen.is_up else ())

    def _sight(self, name: str, seen: Observation | None, result: HealthResult | None = None) -> Sight:
        if seen is None:
            return Sight("unreachable")
        is_process = _is_process(self._installed.manager, name)
        life = ",".join(seen.instances) or seen.id or ""
        return Sight(
            status=seen.status,
            id=f"{life} {seen.since}" if is_process else life,
            exit_code=seen.exit_code,
            detail=seen.detail,
            healthy=None if result is None else result.healthy,
            reason="" if result is None else result.reason,
            is_old=seen.since is not None and seen.since < self._booted,
            kept_by=seen.kept_by,
            restarts=seen.restarts,
            is_given_up=seen.is_given_up,
        )

    # --- deciding, and having it done --------------------------------------------------------------------------------

    def _decide(self, sights: dict[str, Sight]) -> None:
        now = self._clock()
        before = {name: self._supervision.watches[name].phase for name in sights}
        news, restarts = self._supervision.look(now, sights, stopped=self._installed.stopped)
        for one in news:
            self._tell(one)
            self._note_keeper(one, sights[one.service])
        self._installed.note_health(
            {name: watch.phase for name in sights if (watch := self._supervision.watches[name]).phase != before[name]}
        )
        self.tally.note(self._supervision.watches, sights, time.time())
        while restarts and not self._ending:
            try:
                self._restart(restarts, sights)
                return
            except _Outdated as outdated:
                restarts = [one for one in restarts if one.service not in outdated.services]

    def _note_keeper(self, news: News, sight: Sight) -> None:
        """Write down what somebody else has done, or is about to do, who starts again what has ended."""
        if sight.kept_by and news.kind == events.SERVICE_DOWN:
            self._installed.note_trouble(news.service, news.reason)
        elif sight.kept_by and news.kind == events.SERVICE_RESTARTED:
            self.tally.restarted(Restart(news.service, news.reason, again=False), "", began_at=time.time())

    def _restart(self, restarts: Sequence[Restart], sights: dict[str, Sight]) -> None:
        """Have services restarted, all at the same time, unless somebody else is at it.

        :raises _Outdated: some are not to be restarted any more; nothing was touched.
        """
        manager = self._installed.manager
        goals: dict[str, Goal] = {one.service: "restarted" if one.again else "started" for one in restarts}
        reasons = {one.service: one.reason for one in restarts}
        # Nothing is waited for: the next looks tell what became of them, and others wait for us no longer than needed.
        options = Options(fail_fast=False, wait=False, cancelled=self._cancelled)
        outcomes: dict[str, Outcome] = {}
        trouble, began_at = "", time.time()
        try:
            with supervisors_turn(self.layout):
                _plan, outcomes = manager.converge(
                    goals, options, announce=lambda plan: self._confirm(plan, restarts, sights), because=reasons
                )
        except BusyError:
            for name in goals:
                self._supervision.watches[name].due = self._clock() + _GIVE_WAY
            return
        except (ProvisioningError, OSError) as error:
            trouble = str(error)
        for one in restarts:
            self._note(one, outcomes.get(one.service), trouble, began_at)

    def _confirm(self, plan: Plan, restarts: Sequence[Restart], sights: dict[str, Sight]) -> None:
        """Look at it once more, now that nobody else can do anything: it may have been stopped or started meanwhile."""
        outdated = set()
        for one in restarts:
            seen = plan.observed.get(one.service)
            is_another = one.again and one.service in sights and self._is_another(one.service, seen, sights)
            if not self._installed.is_wanted(one.service) or is_another:
                outdated.add(one.service)
        if outdated:
            raise _Outdated(outdated)
        for one in restarts:
            action = plan.actions.get(one.service)  # there is none for one whose state is damaged
            if action is not None and action.is_change and one.service not in plan.unavailable:
                self._installed.count_restart(one.service)

    def _is_another(self, name: str, seen: Observation | None, sights: dict[str, Sight]) -> bool:
        return seen is not None and self._sight(name, seen).id != sights[name].id

    def _note(self, one: Restart, outcome: Outcome | None, trouble: str, began_at: float) -> None:
        is_well = outcome is not None and outcome.is_well
        error = "" if is_well else (outcome.reason if outcome is not None else trouble) or "it was not started"
        self._supervision.watches[one.service].restarted(self._clock(), error, counts=one.counts)
        self.tally.restarted(one, error, began_at=began_at)
        if error:
            self._emit(events.SERVICE_WARNING, service=one.service, reason=f"could not be restarted: {error}")
        else:
            self._emit(events.SERVICE_RESTARTED, service=one.service, reason=one.reason)
            self._installed.note_trouble(one.service, one.reason)

    def _tell(self, news: News) -> None:
        more: dict[str, Any] = {"quiet": True} if news.is_quiet else {}
        self._emit(news.kind, service=news.service, reason=news.reason, **more)


def _check(manager: Manager, name: str) -> HealthResult:
    return manager.check_health([name])[name]


def _is_process(manager: Manager, name: str) -> bool:
    return manager.definition(name).mode == "binary"
