# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Engines, and installations that are taken away after a test whatever became of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.engines import docker_url, podman_url
from tests.fixtures.installations import Installation, small

__all__ = ["docker_url", "make", "podman_url"]

MakeSmall = Callable[..., Installation]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[MakeSmall]:
    """Makes installations of services of their own."""
    with ExitStack() as stack:

        def one(services: Mapping[str, Mapping[str, Any]], *, name: str = "", **settings: Any) -> Installation:
            folder = tmp_path / name
            folder.mkdir(exist_ok=True)
            installation = small(folder, services, **settings)
            stack.callback(installation.clean)
            return installation

        yield one
