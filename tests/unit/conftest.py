# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What tests of several packages need."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest


@pytest.fixture
def zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Local time is two hours before UTC."""
    monkeypatch.setenv("TZ", "Etc/GMT-2")  # two hours before UTC
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()
