# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Events for PagerDuty: https://developer.pagerduty.com/docs/events-api-v2-overview and its limits.

A failure raises an alert, and the next success of the same platform resolves it. Other news are change events, which
wake nobody and are shown beside an incident.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from ansible_collections.provisioning.platform.plugins.plugin_utils.notify.formats.message import (
    Message,
    cut,
    seconds_of,
)
from ansible_collections.provisioning.platform.plugins.plugin_utils.notify.payload import NotificationPayload

LONGEST_SUMMARY = 1024
LONGEST_DEDUP_KEY = 255
_LONGEST_DETAIL = 2000
_MOST_PROBLEMS = 50
#: Where alerts are sent; ``change_path`` tells where change events are.
PATH = "/v2/enqueue"
_CHANGE_PATH = "/v2/change/enqueue"
# Nothing has been touched yet, or it was somebody's will.
_SEVERITY_OF_KIND = {"configuration": "error", "prerequisites": "error", "cancelled": "warning"}


def pagerduty(payload: NotificationPayload, platform: str) -> Message | None:
    """Return the event; nothing of the progress within a step.

    :param platform: the name of the platform, the same in all its runs: what a success resolves.
    """
    if payload.event == "failed":
        return Message({"event_action": "trigger", **_key(platform), "payload": _alert(payload, platform)})
    if payload.event == "completed":
        return Message({"event_action": "resolve", **_key(platform)})
    if payload.event == "started":
        return _change(payload, platform, "the installation has begun")
    if payload.event == "step_completed":
        return _change(payload, platform, f"{payload.current_step} is done ({payload.progress} %)")
    return None


def change_path(path: str) -> str:
    """Return where change events are sent, given where alerts are."""
    return path.replace(PATH, _CHANGE_PATH)


def _key(platform: str) -> dict[str, str]:
    return {"dedup_key": cut(platform, LONGEST_DEDUP_KEY)}


def _alert(payload: NotificationPayload, platform: str) -> dict[str, Any]:
    kind = str(payload.metadata.get("kind") or "failed")
    return {
        **_common(payload, platform, payload.error or "the installation failed"),
        "severity": _SEVERITY_OF_KIND.get(kind, "critical"),
        "component": cut(payload.current_step or "", LONGEST_DEDUP_KEY),
        "group": cut(platform, LONGEST_DEDUP_KEY),
        "class": kind,
    }


def _change(payload: NotificationPayload, platform: str, summary: str) -> Message:
    return Message({"payload": _common(payload, platform, summary)}, is_change=True)


def _common(payload: NotificationPayload, platform: str, summary: str) -> dict[str, Any]:
    return {
        "summary": cut(f"{platform}: {' '.join(summary.split())}", LONGEST_SUMMARY),
        "source": cut(platform, LONGEST_DEDUP_KEY),
        "timestamp": datetime.fromtimestamp(payload.timestamp, UTC).isoformat(),
        "custom_details": _details(payload),
    }


def _details(payload: NotificationPayload) -> dict[str, Any]:
    told = payload.metadata
    problems = [
        {key: cut(problem.get(key) or "", _LONGEST_DETAIL) for key in ("what", "why", "remedy")}
        for problem in (told.get("problems") or ())[:_MOST_PROBLEMS]
    ]
    details = {
        "installation_id": cut(payload.installation_id, LONGEST_DEDUP_KEY),
        "progress": f"{payload.progress} %",
        "step": payload.current_step,
        "duration": seconds_of(told),
        "error": cut(payload.error or "", _LONGEST_DETAIL),
        "problems": problems,
    }
    for name in ("platform", "mode", "controller", "left_running"):
        details[name] = told.get(name)
    return {name: value for name, value in details.items() if value}
