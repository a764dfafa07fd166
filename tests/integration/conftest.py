# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real engines, which several integration tests need."""

from __future__ import annotations

from tests.fixtures.engines import api, docker_url, engine, engine_client, engine_url, podman_url

__all__ = ["api", "docker_url", "engine", "engine_client", "engine_url", "podman_url"]
