# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The part of the schema that is about logs of processes."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, ClassVar

from ._fields import STRICT as _STRICT
from ._fields import described as _described


@dataclass(frozen=True, kw_only=True)
class LogSettings:
    """When a process's log is rotated, and what is kept. What is absent is as for the whole installation."""

    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT

    max_size: int | str | None = _described("Size from which on it is rotated: bytes, or a number with k, m, g.")
    max_files: int | None = _described("Rotated files that are kept, 1 to 1000.")
    max_age: int | str | None = _described("How long they are kept: seconds, or a number with m, h, d, w.")
    compress: bool | None = _described("Whether they are compressed.")

    def or_else(self, others: LogSettings) -> LogSettings:
        """Return these settings, with what they leave open taken from others."""
        pairs = ((spec.name, getattr(self, spec.name), getattr(others, spec.name)) for spec in fields(self))
        return LogSettings(**{name: other if own is None else own for name, own, other in pairs})
