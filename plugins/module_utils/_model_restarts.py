# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The part of the schema about how often something is restarted; see ``_model``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from ._fields import STRICT, described


@dataclass(frozen=True, kw_only=True)
class RestartLimits:
    """How the supervisor restarts a service."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    burst: int = described("Restarts within the interval at most; then it is given up until somebody starts it.", 5)
    interval: float = described("Seconds in which restarts are counted, and changes of health.", 300.0)
    delay: float = described("Seconds before the first restart; doubled for each further one.", 1.0)
    max_delay: float = described("Seconds before a restart at most.", 60.0)
    stable: float = described("Seconds of health after which all of this begins anew.", 60.0)
