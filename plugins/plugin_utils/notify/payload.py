# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a webhook receiver is told: the run's events folded into payloads.

The fold is pure: a state and an event give a state and, for the events that are news, one payload. An event yields one
payload at most, so its sequence identifies the payload too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from ansible_collections.provisioning.platform.plugins.module_utils import _events as kinds
from ansible_collections.provisioning.platform.plugins.module_utils._events import Event

PayloadEvent = Literal["started", "progress", "step_completed", "completed", "failed"]

_SETTLED_IN_DEPLOY = frozenset(
    {
        kinds.SERVICE_STARTED,
        kinds.SERVICE_HEALTHY,
        kinds.SERVICE_UNCHANGED,
        kinds.SERVICE_COMPLETED,
        kinds.SERVICE_FAILED,
        kinds.SERVICE_SKIPPED,
    }
)
_SETTLED_IN_WAIT = _SETTLED_IN_DEPLOY - {kinds.SERVICE_STARTED}
_MOST_BEFORE_THE_END = 99
#: The step of a payload that is about no run, but about the supervision of what a run has installed.
SUPERVISION = "supervision"


@dataclass(frozen=True)
class NotificationPayload:
    """One notification: the body in the generic format, and what the other formats are made from.

    :param timestamp: unix time in seconds at which it happened.
    :param current_step: the step that runs, or the last one that did.
    :param progress: 0 to 100; never falls within a run, and is 100 only when the run has completed.
    :param error: what went wrong, in ``failed``.
    :param metadata: details: the service and its status, durations in milliseconds, the problems.
    """

    event: PayloadEvent
    installation_id: str
    timestamp: int
    current_step: str | None
    progress: int
    completed_steps: int
    total_steps: int
    error: str | None = None
    metadata: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class RunProgress:
    """How far a run is, as its events tell.

    :param expected_services: how many services the run is about, once an event has said so (``total_services``).
    :param services: the last kind of event of each service.
    :param started_at: unix time in seconds at which the run began; ``step_started_at`` the same of the step.
    """

    installation_id: str = ""
    steps: tuple[str, ...] = ()
    total_steps: int = 7
    completed_steps: int = 0
    current_step: str | None = None
    progress: int = 0
    expected_services: int = 0
    services: Mapping[str, str] = field(default_factory=dict)
    started_at: float | None = None
    step_started_at: float | None = None
    has_ended: bool = False


def advance(state: RunProgress, event: Event) -> tuple[RunProgress, NotificationPayload | None]:
    """Take one event in; return the new state, and the payload where the event is news.

    A ``run.started`` begins anew; after an ending nothing is news until then.
    """
    if event.kind == kinds.RUN_STARTED:
        return _begin(state, event)
    if state.has_ended:
        return state, None
    if event.kind == kinds.RUN_COMPLETED:
        return _complete(state, event)
    if event.kind in kinds.RUN_ENDINGS:
        return _fail(state, event)
    if event.service is not None:
        return _advance_service(state, event)
    if event.step is not None:
        return _advance_step(state, event)
    return state, None


def _begin(state: RunProgress, event: Event) -> tuple[RunProgress, NotificationPayload]:
    data = event.data
    steps = tuple(str(name) for name in data.get("steps", ()))
    begun = RunProgress(
        installation_id=str(data.get("installation_id") or state.installation_id),
        steps=steps,
        total_steps=int(data.get("total_steps") or len(steps) or state.total_steps),
        current_step=steps[0] if steps else None,
        expected_services=_expected(RunProgress(), event),
        started_at=event.time,
    )
    told = ("operation", "platform", "mode", "controller")
    return begun, _payload("started", begun, event, metadata={key: data[key] for key in told if key in data})


def _complete(state: RunProgress, event: Event) -> tuple[RunProgress, NotificationPayload]:
    done = replace(state, progress=100, completed_steps=state.total_steps, has_ended=True)
    metadata = {"degraded": False, "services": {}, **event.data, **_duration(state.started_at, event)}
    return done, _payload("completed", done, event, metadata=metadata)


def _fail(state: RunProgress, event: Event) -> tuple[RunProgress, NotificationPayload]:
    failed = replace(
        state,
        installation_id=state.installation_id or str(event.data.get("installation_id") or ""),
        current_step=event.step or state.current_step,
        has_ended=True,
    )
    cancelled = event.kind == kinds.RUN_CANCELLED
    details = {key: value for key, value in event.data.items() if key not in ("error", "installation_id")}
    metadata = {
        "kind": "cancelled" if cancelled else "failed",
        "problems": [],
        **details,
        **_duration(state.started_at, event),
    }
    error = str(event.data.get("error") or ("The run was cancelled." if cancelled else "The run failed."))
    return failed, _payload("failed", failed, event, error=error, metadata=metadata)


def _advance_step(state: RunProgress, event: Event) -> tuple[RunProgress, NotificationPayload | None]:
    step = str(event.step)
    if event.kind == kinds.STEP_STARTED:
        moved = _measure(
            replace(state, current_step=step, step_started_at=event.time, expected_services=_expected(state, event))
        )
        return moved, _payload("progress", moved, event, metadata={"step": step, "status": "started", **event.data})
    if event.kind == kinds.STEP_COMPLETED:
        completed = min(state.completed_steps + 1, state.total_steps)
        moved = _measure(replace(state, current_step=step, completed_steps=completed, step_started_at=None))
        metadata = {"step": step, **_duration(state.step_started_at, event), **event.data}
        return moved, _payload("step_completed", moved, event, metadata=metadata)
    return replace(state, current_step=step), None


def _advance_service(state: RunProgress, event: Event) -> tuple[RunProgress, NotificationPayload]:
    service = str(event.service)
    services = state.services
    if event.kind != kinds.SERVICE_WARNING:
        services = {**services, str(event.subject): event.kind}
    moved = _measure(replace(state, services=services, expected_services=_expected(state, event)))
    metadata = {"service": service, "status": event.kind.rpartition(".")[2], **event.data}
    return moved, _payload("progress", moved, event, metadata=metadata)


def _measure(state: RunProgress) -> RunProgress:
    """Return the state with its progress computed anew: whole steps, and services within the step that runs."""
    share = state.completed_steps + _share_of_step(state)
    progress = int(100 * share / max(1, state.total_steps))
    return replace(state, progress=max(state.progress, min(progress, _MOST_BEFORE_THE_END)))


def _share_of_step(state: RunProgress) -> float:
    step = state.current_step or ""
    if state.step_started_at is None:
        return 0.0
    if step.startswith("deploy-"):
        settled = _SETTLED_IN_DEPLOY
    elif step == "wait-for-services":
        settled = _SETTLED_IN_WAIT
    else:
        return 0.0
    done = sum(kind in settled for kind in state.services.values())
    # While nobody has said how many services there are, there may always be one more.
    total = max(state.expected_services or len(state.services) + 1, len(state.services))
    return done / total


def _expected(state: RunProgress, event: Event) -> int:
    total = event.data.get("total_services")
    return max(state.expected_services, total) if isinstance(total, int) else state.expected_services


def _duration(since: float | None, event: Event) -> dict[str, int]:
    return {} if since is None else {"duration_ms": max(0, round(1000 * (event.time - since)))}


def _payload(
    name: PayloadEvent,
    state: RunProgress,
    event: Event,
    *,
    error: str | None = None,
    metadata: dict[str, Any] | None = None,
) -> NotificationPayload:
    return NotificationPayload(
        event=name,
        installation_id=state.installation_id,
        timestamp=int(event.time),
        current_step=state.current_step,
        progress=state.progress,
        completed_steps=state.completed_steps,
        total_steps=state.total_steps,
        error=error,
        metadata=metadata or {},
    )
