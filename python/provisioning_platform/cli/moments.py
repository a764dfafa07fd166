# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Points in time, as people give them to ``--since``."""

from __future__ import annotations

import re
import time
from datetime import datetime

from ansible_collections.provisioning.platform.plugins.module_utils._errors import ConfigurationError, Problem

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_AGO = re.compile(r"(?:\d+(?:\.\d+)?[smhdw])+")
_PART = re.compile(r"(\d+(?:\.\d+)?)([smhdw])")


def parse_since(text: str, *, now: float | None = None) -> float:
    """Return the moment that is meant, unix time in seconds.

    :param text: how long ago (``90s``, ``10m``, ``1h30m``, ``2d``), or an ISO date or time (``2026-01-31``,
        ``2026-01-31T12:00``, ``2026-01-31T12:00:00Z``), in local time where it names no zone.
    :param now: unix time in seconds.
    :raises ConfigurationError: it is neither.
    """
    given = text.strip()
    moment = time.time() if now is None else now
    if _AGO.fullmatch(given):
        ago = sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(given))
        return moment - ago
    try:
        return datetime.fromisoformat(given).astimezone().timestamp()
    except (ValueError, OverflowError, OSError):
        remedy = "Write how long ago (90s, 10m, 1h30m, 2d), or a time (2026-01-31T12:00, 2026-01-31T12:00:00Z)."
        raise ConfigurationError(Problem(f"--since {text!r}", "is no time", remedy)) from None


def age(since: float | None, now: float) -> str:
    """Return in short for how long something has been so: ``12s``, ``3m``, ``5h``, ``9d``."""
    if since is None:
        return ""
    seconds = max(0, int(now - since))
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= 2 * size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"
