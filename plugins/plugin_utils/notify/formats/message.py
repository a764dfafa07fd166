# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A notification in the words of its receiver, and what all formats need to write one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Message:
    """What is sent of one payload.

    :param body: JSON types; the receiver's key, where it wants one in the body, is put in as it is sent.
    :param is_change: PagerDuty's: an event that is no alert, and goes to an address of its own.
    """

    body: dict[str, Any]
    is_change: bool = False


def cut(text: object, limit: int) -> str:
    """Return a text with at most so many characters, all of which can be written as UTF-8."""
    words = str(text).encode("utf-8", "replace").decode().strip()
    return words if len(words) <= limit else f"{words[: limit - 1]}…"


def seconds_of(metadata: Mapping[str, Any]) -> str:
    """Return a duration as people read it; empty where there is none."""
    milliseconds = metadata.get("duration_ms")
    return f"{milliseconds / 1000:.1f} s" if isinstance(milliseconds, (int, float)) else ""


def missing_services(metadata: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Return the services of a completed run that it had to do without, each with what is known of it."""
    services = metadata.get("services") or {}
    return {name: about for name, about in services.items() if about.get("status") in ("failed", "skipped")}
