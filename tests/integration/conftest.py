# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real engines and other things that several integration tests need."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.fixtures.engines import running_docker, running_podman


@pytest.fixture(scope="session")
def docker_url() -> Iterator[str]:
    """The address of a Docker engine."""
    with running_docker() as url:
        yield url


@pytest.fixture(scope="session")
def podman_url() -> Iterator[str]:
    """The address of Podman's API."""
    with running_podman() as url:
        yield url
