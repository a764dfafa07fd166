# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The compose driver with the real Compose: each test runs on Docker and on Podman, in a project of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from tests.fixtures.compose_bench import Bench, docker_config, make_bench


@pytest.fixture(scope="session")
def plugins(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for DOCKER_CONFIG that has Compose."""
    return docker_config(tmp_path_factory.mktemp("docker"))


@pytest.fixture
def bench(
    tmp_path: Path,
    engine: str,
    engine_url: str,
    api: docker.APIClient,
    plugins: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Bench]:
    monkeypatch.setenv("DOCKER_CONFIG", str(plugins))
    with make_bench(tmp_path, engine, engine_url, api) as found:
        yield found
