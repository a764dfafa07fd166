# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The docker driver on real engines: each test runs on Docker and on Podman, in a project of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from tests.fixtures.docker_bench import Bench, make_bench


@pytest.fixture
def bench(tmp_path: Path, engine: str, engine_url: str, api: docker.APIClient) -> Iterator[Bench]:
    with make_bench(tmp_path / "work", engine, engine_url, api) as found:
        yield found
