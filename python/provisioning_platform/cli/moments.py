# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Points in time: as people give them to ``--since``, and as services write them at the beginning of their lines."""

from __future__ import annotations

import re
import time
from datetime import datetime, timedelta

from ansible_collections.provisioning.platform.plugins.module_utils._errors import ConfigurationError, Problem

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_AGO = re.compile(r"(?:\d+(?:\.\d+)?[smhdw])+")
_PART = re.compile(r"(\d+(?:\.\d+)?)([smhdw])")
#: A time near the beginning of a line, as most programs write it: in brackets, quotes, after a key, or bare.
_STAMP = re.compile(
    r"(?P<date>\d{4}[-/]\d\d[-/]\d\d)[T ](?P<time>\d\d:\d\d:\d\d)(?P<part>[.,]\d+)?\s?(?P<zone>Z|[+-]\d\d:?\d\d)?"
)
_WITHIN = 60


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


def stamp_of(line: str) -> float | None:
    """Return the time that a line begins with, unix time in seconds; local time where it names no zone."""
    match = _STAMP.search(line[: _WITHIN + 35])
    if match is None or match.start() > _WITHIN:
        return None
    zone = (match["zone"] or "").replace("Z", "+00:00")
    fraction = float("0." + match["part"][1:]) if match["part"] else 0.0
    try:
        found = datetime.fromisoformat(f"{match['date'].replace('/', '-')}T{match['time']}{zone}")
        return (found + timedelta(seconds=fraction)).astimezone().timestamp()
    except (ValueError, OverflowError, OSError):
        return None


def age(since: float | None, now: float) -> str:
    """Return in short for how long something has been so: ``12s``, ``3m``, ``5h``, ``9d``."""
    if since is None:
        return ""
    seconds = max(0, int(now - since))
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= 2 * size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"
