# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The platform that the command operates."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fixtures.command import Command
from tests.fixtures.small_platform import Platform


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[Platform]:
    found = Platform(tmp_path / "work")
    yield found
    found.close()


@pytest.fixture
def provisioning(platform: Platform) -> Command:
    return Command(platform.folder)
