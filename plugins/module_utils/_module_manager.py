# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the modules have in common that look at services or change them: the manager, events, results."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import tempfile
import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from ansible.module_utils.basic import AnsibleModule

from . import _damaged
from ._converge import Outcome
from ._errors import CancelledRun, Problem, ProvisioningError
from ._events import Event, Sink
from ._manager import Manager
from ._model import ServiceDefinition
from ._module import Module, definitions, failure, run_module, settings_of, work_dir_of
from ._paths import FILE_MODE, WorkDir
from ._plan import Plan, diff_of

EVENT_ARGUMENTS: dict[str, dict[str, Any]] = {
    "events_path": {"type": "path"},
    "return_events": {"type": "bool", "default": False},
}

RUN_ARGUMENTS: dict[str, dict[str, Any]] = {
    "fail_fast": {"type": "bool", "default": True},
    "skip": {"type": "dict", "default": {}},
    **EVENT_ARGUMENTS,
}

#: What each state asks for.
OPERATIONS: dict[str, Literal["start", "stop", "restart", "remove"]] = {
    "started": "start",
    "stopped": "stop",
    "restarted": "restart",
    "absent": "remove",
}


def run_with_events(module: AnsibleModule, work: Callable[[Module], dict[str, Any]]) -> None:
    """Do a module's work and end it; return its events with the result where they cannot be followed meanwhile."""

    def work_and_collect(module: Module) -> dict[str, Any]:
        with _returned_events(module) as events:
            result = work(module)
        return result | events

    run_module(module, work_and_collect)


@contextlib.contextmanager
def _returned_events(module: Module) -> Iterator[dict[str, Any]]:
    """Collect the events of the block, where they cannot be followed from the controller."""
    found: dict[str, Any] = {}
    if not module.params.get("return_events"):
        yield found
        return
    with tempfile.NamedTemporaryFile(prefix="provisioning-events-") as stream:
        module.params["events_path"] = stream.name
        yield found
        found["events"] = [json.loads(line) for line in stream.read().splitlines()]


def plan_result(module: Module, manager: Manager, plan: Plan) -> dict[str, Any]:
    """Return what a module returns in check mode."""
    result: dict[str, Any] = {
        "changed": bool(plan.changes),
        "plan": [action.to_dict() for action in plan.actions.values()],
        "unavailable": {name: vars(problem) for name, problem in plan.unavailable.items()},
    }
    return {**result, "diff": manager.diff(plan)} if module._diff else result


def outcome_result(
    module: Module, plan: Plan, outcomes: Mapping[str, Outcome], *, needed: Collection[str]
) -> dict[str, Any]:
    """Return what a module returns after converging; it is a failure when a needed service is not well."""
    bad = [outcome for outcome in outcomes.values() if not outcome.is_well]
    missing = [outcome for outcome in bad if outcome.service in needed]
    result = {
        "changed": any(outcome.changed for outcome in outcomes.values()),
        "services": {name: outcome.to_dict() for name, outcome in outcomes.items()},
        "plan": [action.to_dict() for action in plan.actions.values()],
        "degraded": bool(bad) and not missing,
    }
    if missing:
        # What was cancelled is so because of the others; it is not a cause.
        causes = [outcome for outcome in missing if outcome.result != "cancelled"]
        problems = [Problem(outcome.service, outcome.reason, outcome.remedy) for outcome in causes or missing]
        error = ProvisioningError(*problems) if causes else CancelledRun(*problems)
        result |= {"failed": True, **failure(error)}
    if module._diff:
        result["diff"] = diff_of(plan.actions.values(), plan.rendered, plan.before)
    return result


def sinks_of(module: Module) -> list[Sink]:
    """Return who reads the module's events: whoever follows them from the controller, or does its work there."""
    path = module.params.get("events_path")
    return [*getattr(module, "sinks", ()), *([file_sink(Path(path))] if path else [])]


def manager_of(module: Module, *, with_known: bool = False, thorough: bool = False) -> Manager:
    """Return the manager of the services given, or of what is installed when none are.

    :param with_known: know what was installed before besides, e.g. to remove it.
    :param thorough: of what is installed, find what no record tells of, too.
    :raises ConfigurationError: a definition is not one.
    """
    sinks = sinks_of(module)
    run = module.params["installation_id"]
    work_dir = work_dir_of(module)
    if module.params["services"] is None:
        return Manager.open(work_dir, sinks=sinks, run=run, thorough=thorough)
    services = definitions(module.params["services"])
    if with_known:
        services = {**known_definitions(work_dir, besides=services), **services}
    return Manager(work_dir, services, settings_of(module), sinks=sinks, run=run)


def known_definitions(work_dir: Path, *, besides: Collection[str]) -> dict[str, ServiceDefinition]:
    """Return the definitions of what was installed before, by name.

    :param besides: those that need not be read.
    """
    known = _damaged.installed(WorkDir(work_dir))[0]
    return {name: service for name, service in known.items() if name not in besides}


def file_sink(path: Path) -> Sink:
    """Return a sink that appends each event to a file at once, for whoever follows it."""

    def write(event: Event) -> None:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, FILE_MODE)
        try:
            os.write(descriptor, json.dumps(event.to_dict()).encode() + b"\n")
        finally:
            os.close(descriptor)

    return write


def cancel_on_signals() -> threading.Event:
    """Return an event that is set when the module is asked to end, so that it ends in order."""
    cancelled = threading.Event()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *asked: cancelled.set())
    return cancelled
