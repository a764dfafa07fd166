# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the classes of the schema are made with: fields that describe themselves, and strictness."""

from __future__ import annotations

from dataclasses import field
from typing import Any, Union

Scalar = Union[str, int, float, bool]

#: For ``__pydantic_config__``: keys that the class does not have are errors.
STRICT: dict[str, Any] = {"extra": "forbid"}


def described(text: str, default: Any = None, **extra: Any) -> Any:
    """Return a field with a default and the description that the exported schema carries."""
    metadata = {"description": text, **extra}
    if isinstance(default, (list, dict)):
        kind = type(default)
        return field(default_factory=lambda: kind(default), metadata=metadata)
    return field(default=default, metadata=metadata)
