# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What became of a service when a plan was carried out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from ._drivers._base import ABSENT, Observation
from ._health import HealthResult

Result = Literal["unchanged", "started", "healthy", "completed", "stopped", "removed", "failed", "skipped", "cancelled"]


@dataclass(frozen=True)
class Outcome:
    """What became of one service.

    :param changed: whether anything was touched.
    :param duration_ms: from its beginning to this result, in milliseconds.
    """

    service: str
    result: Result
    reason: str
    remedy: str = ""
    changed: bool = False
    duration_ms: float = 0.0
    observation: Observation = ABSENT
    health: HealthResult | None = None

    @property
    def is_well(self) -> bool:
        """Whether what was wanted has been reached."""
        return self.result not in ("failed", "skipped", "cancelled")

    def to_dict(self) -> dict[str, Any]:
        """Return the outcome as JSON types."""
        document: dict[str, Any] = {"result": self.result, "reason": self.reason, "changed": self.changed}
        if self.remedy:
            document["remedy"] = self.remedy
        if self.observation.id:
            document["id"] = self.observation.id
        if self.health is not None:
            document["healthy"] = self.health.healthy
        document["duration_ms"] = round(self.duration_ms, 1)
        return document
