# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The compose driver with the real Compose: each test runs on Docker and on Podman, in a project of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from tests.fixtures.compose_bench import IMAGE, Bench, docker_config, make_bench
from tests.fixtures.images import build_image


@pytest.fixture(scope="session", params=["docker", "podman"])
def engine(request: pytest.FixtureRequest) -> str:
    """Docker's name, then Podman's."""
    return str(request.param)


@pytest.fixture(scope="session")
def engine_url(request: pytest.FixtureRequest, engine: str) -> str:
    """The address of the engine, which has the image."""
    return str(request.getfixturevalue(f"{engine}_url"))


@pytest.fixture(scope="session")
def api(engine_url: str) -> Iterator[docker.APIClient]:
    """A client of our own, to look behind the driver's back."""
    client = docker.APIClient(engine_url, version="auto", timeout=120)
    build_image(client, IMAGE, cgi={"env": "printf 'Content-Type: text/plain\\n\\n'; env"})
    yield client
    client.remove_image(IMAGE, force=True)
    client.close()


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
