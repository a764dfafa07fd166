# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Messages for a Slack channel: https://docs.slack.dev/reference/block-kit/blocks and its limits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.provisioning.platform.plugins.plugin_utils.notify.formats.message import (
    Message,
    cut,
    missing_services,
    seconds_of,
)
from ansible_collections.provisioning.platform.plugins.plugin_utils.notify.payload import (
    SUPERVISION,
    NotificationPayload,
)

LONGEST_HEADER = 150
LONGEST_SECTION = 3000
LONGEST_CONTEXT = 2000
MOST_BLOCKS = 50
# Beside a header, what leads to the details, what says how many more there are, and the context.
_MOST_DETAILS = 40
_SPECIAL = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}


def slack(payload: NotificationPayload, platform: str) -> Message:
    """Return one message that can be read by itself: ``blocks``, and ``text`` for notifications on a phone.

    :param platform: the name of the platform, shown beneath.
    """
    write = _supervision if payload.current_step == SUPERVISION else _WRITERS[payload.event]
    title, details = write(payload)
    is_headline = payload.event in ("started", "completed", "failed")
    blocks = [_header(title)] if is_headline else [_section(f"*{mrkdwn(title)}*")]
    blocks += [_section(text) for text in details[:_MOST_DETAILS]]
    if len(details) > _MOST_DETAILS:
        blocks.append(_section(f"... and {len(details) - _MOST_DETAILS} more."))
    blocks.append(_context(_where(payload, platform)))
    text = ": ".join([mrkdwn(title), *details[:1]])
    return Message({"text": _cut_escaped(text, LONGEST_SECTION), "blocks": blocks})


def mrkdwn(text: object) -> str:
    """Return a text in which Slack finds no links, no mentions and no entities."""
    return "".join(_SPECIAL.get(character, character) for character in cut(text, LONGEST_SECTION))


def _started(payload: NotificationPayload) -> tuple[str, list[str]]:
    told = payload.metadata
    known = [("", "mode"), ("on ", "platform"), ("from ", "controller")]
    words = " ".join(f"{before}{told[name]}" for before, name in known if told.get(name))
    return "Installation has begun", [mrkdwn(words)] if words else []


def _progress(payload: NotificationPayload) -> tuple[str, list[str]]:
    told = payload.metadata
    service = told.get("service")
    if service is None:
        return f"{payload.progress} %: {payload.current_step} has begun", []
    return f"{payload.progress} %: {service}: {told.get('status', '')}", [*_explanation(told)]


def _step_completed(payload: NotificationPayload) -> tuple[str, list[str]]:
    duration = seconds_of(payload.metadata)
    steps = f"{payload.completed_steps} of {payload.total_steps} steps"
    after = f" after {duration}" if duration else ""
    return f"{payload.progress} %: {payload.current_step} is done{after} ({steps})", []


def _completed(payload: NotificationPayload) -> tuple[str, list[str]]:
    told = payload.metadata
    duration = seconds_of(told)
    facts = [_counted(len(told.get("services") or {}), "service"), _counted(told.get("changed", 0), "change")]
    facts += [duration] if duration else []
    missing = missing_services(told)
    title = "Installed, but some services are missing" if told.get("degraded") else "Installed"
    return title, [", ".join(facts), *(_named(name, _explanation(about)) for name, about in missing.items())]


def _failed(payload: NotificationPayload) -> tuple[str, list[str]]:
    told = payload.metadata
    is_cancelled = told.get("kind") == "cancelled"
    problems = [_named(problem.get("what"), _why(problem)) for problem in told.get("problems") or ()]
    details = problems or [mrkdwn(payload.error or "No reason is known.")]
    if told.get("left_running"):
        details.insert(1, f"Still running: {mrkdwn(_listed(told['left_running']))}")
    return "Installation was cancelled" if is_cancelled else "Installation failed", details


_WRITERS = {
    "started": _started,
    "progress": _progress,
    "step_completed": _step_completed,
    "completed": _completed,
    "failed": _failed,
}


def _supervision(payload: NotificationPayload) -> tuple[str, list[str]]:
    told = payload.metadata
    where = f" on {told['host']}" if told.get("host") else ""
    return f"{told.get('service')}{where}: {str(told.get('status', '')).replace('_', ' ')}", [*_explanation(told)]


def _explanation(about: Mapping[str, Any]) -> Iterator[str]:
    why = about.get("error") or about.get("reason")
    remedy = about.get("remedy")
    lines = [mrkdwn(why)] if why else []
    lines += [f"*Remedy:* {mrkdwn(remedy)}"] if remedy else []
    if lines:
        yield "\n".join(lines)


def _why(problem: Mapping[str, Any]) -> Iterator[str]:
    return _explanation({"error": problem.get("why"), "remedy": problem.get("remedy")})


def _named(name: object, explanation: Iterator[str]) -> str:
    return ": ".join([f"*{mrkdwn(name)}*", *explanation])


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _listed(names: Any) -> str:
    return names if isinstance(names, str) else ", ".join(map(str, names))


def _where(payload: NotificationPayload, platform: str) -> str:
    step = f"step {payload.current_step}" if payload.current_step else ""
    return " | ".join(filter(None, [platform, payload.installation_id, step])) or "provisioning"


def _header(text: str) -> dict[str, Any]:
    return {"type": "header", "text": {"type": "plain_text", "text": cut(text, LONGEST_HEADER), "emoji": False}}


def _section(text: str) -> dict[str, Any]:
    # Verbatim: no name of a channel or person in an error message becomes a mention.
    words = {"type": "mrkdwn", "text": _cut_escaped(text, LONGEST_SECTION), "verbatim": True}
    return {"type": "section", "text": words}


def _context(text: str) -> dict[str, Any]:
    words = {"type": "plain_text", "text": cut(text, LONGEST_CONTEXT), "emoji": False}
    return {"type": "context", "elements": [words]}


def _cut_escaped(text: str, limit: int) -> str:
    """Cut a text without leaving half an entity at its end."""
    if len(text) <= limit:
        return text
    kept = text[: limit - 1]
    ampersand = kept.rfind("&")
    if ampersand >= 0 and ";" not in kept[ampersand:]:
        kept = kept[:ampersand]
    return f"{kept}…"
