# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands that start, stop and restart services of this host."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import signal
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ansible_collections.provisioning.platform.plugins.module_utils._converge import Options, Outcome
from ansible_collections.provisioning.platform.plugins.module_utils._errors import (
    PrerequisiteError,
    Problem,
    ProvisioningError,
)
from ansible_collections.provisioning.platform.plugins.module_utils._model import ServiceOperation
from ansible_collections.provisioning.platform.plugins.module_utils._operations import look_ahead

from ..cancellation import Cancellation, on_signals
from ..exit_codes import ExitCode, of_signal
from ..progress import Progress, Silent, choose
from ..run_state import RunView
from ..streams import Output
from ..summary import brief
from ..text import count
from ..text import names as phrase
from .context import Request
from .output import Form, Printer
from .waiting import SHOW_CURSOR, busy

if TYPE_CHECKING:
    from ansible_collections.provisioning.platform.plugins.module_utils._events import Event
    from ansible_collections.provisioning.platform.plugins.module_utils._manager import Manager
    from ansible_collections.provisioning.platform.plugins.module_utils._plan import Goal


#: What to do where others need what is to be stopped.
STOP_REMEDY = "Stop those too: --with-dependents. Or stop it all the same: --force."


def start(request: Request, names: Sequence[str], *, keep_going: bool) -> int:
    """Start services.

    :param keep_going: start what can be started, though something that is needed cannot.
    """
    return operate(request, ServiceOperation(operation="start", services=tuple(names)), keep_going=keep_going)


def restart(request: Request, names: Sequence[str], *, keep_going: bool) -> int:
    """Restart services; what they depend on is started where it does not run."""
    return operate(request, ServiceOperation(operation="restart", services=tuple(names)), keep_going=keep_going)


def stop(request: Request, names: Sequence[str], *, with_dependents: bool, force: bool) -> int:
    """Stop services.

    :param with_dependents: what depends on them, too.
    :param force: although others that run depend on them.
    """
    asked = ServiceOperation(operation="stop", services=tuple(names), with_dependents=with_dependents, force=force)
    return operate(request, asked)


def operate(request: Request, operation: ServiceOperation, *, keep_going: bool = False) -> int:
    """Start, stop or restart services, showing how it goes and what became of each.

    :param keep_going: start what can be started, though something that is needed cannot.
    """
    stop = Stop()
    with on_signals(stop), Showing(request, operation.operation) as showing:
        manager = request.manager(operation.services, sinks=[showing.event], thorough=operation.operation == "stop")
        goals = _goals(manager, operation)
        _warn_of_unasked(manager, operation, showing)
        skip: dict[str, Problem] = {}
        if operation.operation != "stop":
            skip, warnings = look_ahead(manager, goals, operation.services, keep_going=keep_going)
            for warning in warnings:
                showing.note(warning)
        options = Options(fail_fast=not keep_going, skip=skip, cancelled=stop.event)
        outcomes = manager.converge(goals, options)[1]
        if operation.operation != "stop":
            _see_to_supervisor(manager, showing)
    _tell(request, manager, operation, outcomes)
    if stop.signal_number is not None and not all(one.is_well for one in outcomes.values()):
        return of_signal(stop.signal_number)
    return _verdict(manager, operation, outcomes)


class Stop(Cancellation):
    """A request to stop: the first lets what has begun come to its end, the second leaves it."""

    def __init__(self) -> None:
        super().__init__()
        self.event = threading.Event()

    def request(self, signal_number: int = signal.SIGINT) -> None:
        """Ask for the end; asked again, leave at once."""
        super().request(signal_number)
        self.event.set()
        if self.is_urgent:
            # Threads that wait for a service to end would keep the process; what is written is written at once.
            if sys.stderr.isatty():
                os.write(2, SHOW_CURSOR)
            os._exit(of_signal(signal_number))


class Showing:
    """Shows on standard error what happens: in place on a terminal, as lines elsewhere.

    :param doing: what goes on before anything happens, in words, for a terminal.
    """

    def __init__(self, request: Request, operation: str, doing: str = "Looking at the services") -> None:
        self._doing = doing
        self._waiting = contextlib.ExitStack()
        self._view = RunView(operation=operation, started_at=time.time())
        self._progress: Progress = choose(as_json=False, quiet=False, output=Output(sys.stderr), stream=sys.stderr)
        if request.form is not Form.TABLE and not sys.stderr.isatty():
            self._progress = Silent()
        self.warnings: list[str] = []

    def __enter__(self) -> Showing:
        self._waiting.enter_context(busy(self._doing))
        return self

    def __exit__(self, *exception: object) -> None:
        self._waiting.close()
        self._progress.close()
        printer = Printer()
        for warning in dict.fromkeys([*self.warnings, *self._view.warnings]):
            printer.note(f"warning: {warning}")

    def event(self, event: Event) -> None:
        """Take one more event in."""
        self._waiting.close()
        self._view.apply(event)
        self._progress.event(event, self._view)

    def warn(self, problem: Problem) -> None:
        """Say something before anything happens."""
        self._waiting.close()
        Printer().note(f"warning: {problem}")

    def note(self, problem: Problem) -> None:
        """Keep what is to be said in the end."""
        self.warnings.append(str(problem))


def _see_to_supervisor(manager: Manager, showing: Showing) -> None:
    """Start the supervisor where it should run and does not, e.g. after a restart of the machine."""
    from ansible_collections.provisioning.platform.plugins.module_utils import _supervised

    log = _supervised.log_path(manager.work_dir)
    try:
        if _supervised.resume(manager.work_dir):
            showing.note(Problem("supervisor", "did not run and was started", f"Why it had ended may be in {log}."))
    except ProvisioningError as error:
        for problem in error.problems:
            showing.note(problem)


def _goals(manager: Manager, operation: ServiceOperation) -> dict[str, Goal]:
    try:
        return manager.goals_of(operation)
    except PrerequisiteError as error:
        raise PrerequisiteError(*map(how_to_stop, error.problems)) from None


def how_to_stop(problem: Problem) -> Problem:
    """Return a problem with what to do in words of this command, where others need what is to be stopped."""
    return dataclasses.replace(problem, remedy=STOP_REMEDY) if problem.why.startswith("is needed by ") else problem


def _warn_of_unasked(manager: Manager, operation: ServiceOperation, showing: Showing) -> None:
    """Warn where services stop and nobody knows whether something on another host needs them."""
    hosts = sorted({host for hosts in manager.settings.elsewhere.values() for host in hosts})
    if operation.operation == "stop" and hosts and not operation.force:
        why = "nobody asked what runs there whether it needs what stops here"
        remedy = "With --inventory they are asked, and what they need is not stopped; --force stops without a word."
        showing.warn(Problem(phrase(hosts), why, remedy))


def _tell(request: Request, manager: Manager, operation: ServiceOperation, outcomes: Mapping[str, Outcome]) -> None:
    printer = request.printer()
    services = [{"name": name, **outcome.to_dict()} for name, outcome in outcomes.items()]
    document = {"work_dir": str(manager.work_dir.root), "operation": operation.operation, "services": services}
    printer.show(document, lambda: outcome_lines(printer, operation.operation, outcomes))
    for outcome in outcomes.values():
        if not outcome.is_well and outcome.result != "cancelled":
            printer.note(f"error: {Problem(outcome.service, outcome.reason, outcome.remedy)}")


def outcome_lines(printer: Printer, operation: str, outcomes: Mapping[str, Outcome]) -> list[str]:
    """Return a table of what became of services, and a sentence that sums it up."""
    if not outcomes:
        return ["Nothing to do."]
    rows = [(one.service, one.result, one.reason if one.is_well else brief(one.reason)) for one in outcomes.values()]
    return [*printer.table(("SERVICE", "RESULT", "REASON"), rows), "", headline(operation, outcomes)]


def headline(operation: str, outcomes: Mapping[str, Outcome]) -> str:
    """Return the sentence that sums up what became of services."""
    changed = sum(one.changed for one in outcomes.values() if one.is_well)
    word = {"start": "started", "stop": "stopped", "restart": "restarted"}[operation]
    untouched = sum(not one.changed for one in outcomes.values() if one.is_well)
    parts = [f"{count(changed, 'service')} {word}"]
    if untouched:
        parts.append(f"{untouched} left as {'they were' if untouched > 1 else 'it was'}")
    for result in ("failed", "skipped", "cancelled"):
        bad = [name for name, one in outcomes.items() if one.result == result]
        parts += [f"{len(bad)} {result} ({phrase(bad)})"] if bad else []
    return "; ".join(parts) + "."


def _verdict(manager: Manager, operation: ServiceOperation, outcomes: Mapping[str, Outcome]) -> ExitCode:
    bad = [name for name, outcome in outcomes.items() if not outcome.is_well]
    # Who names services wants those; who stops wants all of it stopped.
    is_needed = bool(operation.services) or operation.operation == "stop"
    if any(is_needed or manager.definition(name).required for name in bad):
        return ExitCode.FAILED
    return ExitCode.DEGRADED if bad else ExitCode.OK
