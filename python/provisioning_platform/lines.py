# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Progress as plain lines, for logs of pipelines: one line an event, aligned, nothing that moves."""

from __future__ import annotations

import time
from collections.abc import Callable

from ansible_collections.provisioning.platform.plugins.module_utils import _events as kinds
from ansible_collections.provisioning.platform.plugins.module_utils._events import Event

from .run_state import RunView
from .text import duration, sentence

_STEP_WIDTH = len("generate-configuration")
_SERVICE_WIDTH = 15
_ENDINGS = {kinds.RUN_COMPLETED: "completed", kinds.RUN_FAILED: "failed", kinds.RUN_CANCELLED: "cancelled"}


def format_event(
    event: Event, view: RunView, *, local_time: Callable[[float], time.struct_time] = time.localtime
) -> str | None:
    """Return the line for an event, or nothing for an event that no line is needed for.

    :param view: the run with the event already taken in.
    """
    clock = time.strftime("%H:%M:%S", local_time(event.time))
    if event.service is not None:
        step = view.current_step
        lead = f"{step.name if step else '':<{_STEP_WIDTH}}  " if view.steps else ""
        return f"{clock}  {lead}{_about_service(event)}"
    if event.kind == kinds.RUN_STARTED:
        what = " ".join(part for part in (view.platform, view.profile) if part)
        return f"{clock}  {view.operation} {view.installation_id}" + (f" ({what})" if what else "")
    if event.kind in kinds.RUN_ENDINGS:
        took = f" in {duration(event.time - view.started_at)}" if view.started_at is not None else ""
        return f"{clock}  {view.operation} {_ENDINGS[event.kind]}{took}"
    return _step_line(clock, event, view) if event.step is not None else None


def _step_line(clock: str, event: Event, view: RunView) -> str | None:
    step = view.steps.get(str(event.step))
    lead = f"{clock}  {event.step!s:<{_STEP_WIDTH}}  "
    if event.kind == kinds.STEP_STARTED:
        return f"{lead}started"
    if event.kind == kinds.STEP_COMPLETED and step is not None:
        return f"{lead}completed in {duration(step.duration(event.time) or 0.0)}"
    if event.kind == kinds.STEP_FAILED:
        return f"{lead}failed: {_one_line(str(event.data.get('error', '')))}".rstrip(": ")
    return None


def _about_service(event: Event) -> str:
    data = event.data
    word = event.kind.partition(".")[2]
    detail = ""
    if data.get("error"):
        detail = ": " + _one_line(" ".join(sentence(str(data[key])) for key in ("error", "remedy") if data.get(key)))
    elif data.get("reason"):
        detail = f"  ({_one_line(str(data['reason']))})"
    elif "duration_ms" in data:
        detail = f"  (after {duration(float(data['duration_ms']) / 1000)})"
    return f"{event.subject!s:<{_SERVICE_WIDTH}}  {word}{detail}"


def _one_line(text: str) -> str:
    return " ".join(text.split())
