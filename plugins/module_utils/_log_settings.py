# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the settings of logs, as people write them, to bytes and seconds. Pure."""

from __future__ import annotations

import re

from ._cgroups import memory_bytes
from ._logs import Rotation
from ._model_logs import LogSettings

_AGE = re.compile(r"(?P<number>\d+(\.\d+)?)(?P<unit>[smhdw]?)", re.ASCII)
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


def rotation_of(settings: LogSettings | None) -> Rotation:
    """Return when to rotate; what is not set is as usual.

    :raises ValueError: a size or an age is none.
    """
    usual = Rotation()
    if settings is None:
        return usual
    return Rotation(
        size=usual.size if settings.max_size is None else memory_bytes(settings.max_size),
        count=usual.count if settings.max_files is None else settings.max_files,
        age=usual.age if settings.max_age is None else age_seconds(settings.max_age),
        compress=usual.compress if settings.compress is None else settings.compress,
    )


def age_seconds(age: int | str) -> float:
    """Return an age in seconds; ``90``, ``12h``, ``14d`` and ``2w`` are understood.

    :raises ValueError: it is none, or nothing.
    """
    match = _AGE.fullmatch(str(age).strip().lower())
    if match is None or not float(match["number"]):
        raise ValueError(f"{age!r} is not an age; write seconds, or a number and m, h, d or w")
    return float(match["number"]) * _SECONDS[match["unit"]]
