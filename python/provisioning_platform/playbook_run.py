# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Running one playbook of the collection and following its journal until it has ended."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansible_collections.provisioning.platform.plugins.module_utils import _events as kinds
from ansible_collections.provisioning.platform.plugins.module_utils._events import Event, Journal
from ansible_collections.provisioning.platform.plugins.plugin_utils.notify.follow import JournalFollower, journal_size
from ansible_collections.provisioning.platform.plugins.plugin_utils.notify.recorder import Failure

from . import collection
from .cancellation import Cancellation
from .plan_view import PlannedAction, PlanReader
from .playbook_process import Invocation, Outcome, PlaybookProcess
from .run_log import FILE_NAME, RunLog
from .run_state import RunView
from .summary import left_running

OnEvent = Callable[[Event, RunView], None]

#: Seconds between looks at the journal.
_TICK = 0.08
_MOST_LINES = 8
_ERROR = re.compile(r"\[?ERROR\b|fatal: |[A-Za-z_.]+(Error|Exception): ")
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@dataclass(frozen=True)
class PlaybookRequest:
    """A playbook to run and what it is to know.

    :param playbook: absolute path; see :func:`collection.playbook`.
    :param variables: the configuration as the user wrote it, and other extra vars.
    :param journal: where its events go; what an earlier run wrote there is passed over.
    :param inventories: for Ansible's ``--inventory``.
    :param verbosity: number of ``v`` for Ansible.
    :param log: where to keep what Ansible says, if it is to be kept.
    :param modes: of the services, by name, for what is shown.
    :param environment: further variables for Ansible.
    """

    playbook: Path
    variables: Mapping[str, Any]
    journal: Path
    installation_id: str
    check: bool = False
    inventories: Sequence[str] = ()
    verbosity: int = 0
    log: Path | None = None
    modes: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class PlaybookResult:
    """How it went: events and what they add up to, how Ansible ended, the plan in check mode, the log if any."""

    events: tuple[Event, ...]
    view: RunView
    outcome: Outcome
    plan: tuple[PlannedAction, ...] = ()
    log: Path | None = None


def run_playbook(
    request: PlaybookRequest,
    *,
    cancellation: Cancellation | None = None,
    on_event: OnEvent = lambda event, view: None,
) -> PlaybookResult:
    """Run a playbook to its end, calling ``on_event`` in this thread for each event of its journal.

    A journal that was begun has an ending afterwards: where the playbook wrote none, because it was cancelled, it is
    written here, and so it is when Ansible could not even start. Only success in check mode, or of a playbook that
    keeps no journal, leaves none.

    :raises OSError: the journal's folder, the log or the private folder cannot be written.
    """
    return _Follower(request, cancellation or Cancellation(), on_event).run()


class _Follower:
    def __init__(self, request: PlaybookRequest, cancellation: Cancellation, on_event: OnEvent) -> None:
        self._request = request
        self._cancellation = cancellation
        self._on_event = on_event
        self._journal = JournalFollower(request.journal, offset=journal_size(request.journal))
        self._events: list[Event] = []
        self._view = RunView(modes=request.modes)
        self._plan = PlanReader()
        self._failures = _Failures()
        self._log = RunLog(request.log) if request.log else None
        self._process = PlaybookProcess(
            _invocation(request),
            on_output=self._log.write if self._log else lambda text: None,
            on_event=self._take,
        )

    def run(self) -> PlaybookResult:
        try:
            self._process.start()
            try:
                self._follow()
            except BaseException:
                # What called us cannot go on, e.g. a KeyboardInterrupt: Ansible must not go on without us.
                self._process.cancel()
                self._process.wait(2.0)
                self._process.kill()
                raise
            outcome = self._process.outcome()
            self._finish(outcome)
            log = self._log.path if self._log else None
            return PlaybookResult(tuple(self._events), self._view, outcome, self._plan.actions, log)
        finally:
            self._process.close()
            if self._log:
                self._log.close()

    def _follow(self) -> None:
        ended = False
        while not ended:
            ended = self._process.wait(_TICK)
            if self._cancellation.is_urgent:
                self._process.kill()
            elif self._cancellation.is_requested:
                self._process.cancel()
            self._process.drain()
            self._pass_on()
        self._process.stop_rest(at_once=lambda: self._cancellation.is_urgent)
        self._pass_on()

    def _pass_on(self) -> None:
        for event in self._journal.read():
            self._events.append(event)
            self._view.apply(event)
            self._on_event(event, self._view)

    def _finish(self, outcome: Outcome) -> None:
        if any(event.kind in kinds.RUN_ENDINGS for event in self._events):
            return
        if outcome.status == "successful" and not self._events:
            return
        journal = Journal(self._request.journal)
        if self._cancellation.is_requested:
            data = {"error": "cancelled", "kind": "cancelled", "left_running": left_running(self._view)}
            journal.append(kinds.RUN_CANCELLED, data={**self._identity(), **data})
        else:
            journal.append(kinds.RUN_FAILED, data={**self._identity(), **self._cause(outcome).to_dict()})
        self._pass_on()
        if outcome.error is not None and not self._cancellation.is_requested:
            raise outcome.error

    def _cause(self, outcome: Outcome) -> Failure:
        if outcome.error is not None:
            return Failure("", f"Ansible could not be run: {outcome.error}")
        if self._failures.cause is not None:
            return self._failures.cause
        if self._log is None and not self._request.check:
            # Nobody asked for a log, but now there is something to look up in one.
            self._log = RunLog(self._request.journal.with_name(FILE_NAME))
            self._log.write("\n".join((*outcome.output_tail, "")))
        return Failure("", what_ansible_said(outcome))

    def _identity(self) -> dict[str, str]:
        return {"installation_id": self._request.installation_id}

    def _take(self, event: dict[str, Any]) -> None:
        self._plan.take(event)
        self._failures.take(event)
        self._view.take_back(_removed(event))


def _removed(event: Mapping[str, Any]) -> list[str]:
    """Return what an event of ansible-runner tells of a clean-up."""
    data = event.get("event_data")
    if event.get("event") != "runner_on_ok" or not isinstance(data, Mapping):
        return []
    result = data.get("res")
    if data.get("task_action") != f"{collection.NAME}.cleanup" or not isinstance(result, Mapping):
        return []
    return [str(item) for item in result.get("removed") or ()]


class _Failures:
    """The first task that failed in the last play, for the case that the journal says nothing of it."""

    def __init__(self) -> None:
        self.cause: Failure | None = None
        self._play = ""

    def take(self, event: Mapping[str, Any]) -> None:
        data = event.get("event_data")
        if event.get("event") not in ("runner_on_failed", "runner_on_unreachable") or not isinstance(data, Mapping):
            return
        result = data.get("res")
        if data.get("ignore_errors") or not isinstance(result, Mapping):
            return
        # What fails after it in the same play is the clean-up, or says the same again.
        play = str(data.get("play_uuid", ""))
        if self.cause is None or play != self._play:
            self.cause = Failure.of(str(data.get("host", "")), str(data.get("task") or "a task"), result)
            self._play = play


def _invocation(request: PlaybookRequest) -> Invocation:
    environment = {**os.environ, **request.environment}
    return Invocation(
        playbook=request.playbook,
        variables=request.variables,
        environment={
            **request.environment,
            **collection.environment(environment),
            "PROVISIONING_JOURNAL": str(request.journal),
            "PROVISIONING_INSTALLATION_ID": request.installation_id,
            "PROVISIONING_COURIER": "external",
        },
        inventories=tuple(request.inventories),
        check=request.check,
        verbosity=request.verbosity,
    )


def what_ansible_said(outcome: Outcome) -> str:
    """Return what Ansible said last, without tracebacks, for the case that nothing else tells what went wrong."""
    lines = [_ESCAPES.sub("", line).rstrip() for line in outcome.output_tail]
    errors = [line for line in lines if _ERROR.match(line)]
    if errors:
        told = errors[-_MOST_LINES:]
    elif any(line.startswith("Traceback") for line in lines):
        told = [line for line in lines if line and not line[0].isspace()][-1:]
    else:
        told = [line for line in lines if line][-_MOST_LINES:]
    ended = f"Ansible ended with exit code {outcome.return_code} and no word of what it did"
    return "\n".join([f"{ended}:", *told]) if told else ended
