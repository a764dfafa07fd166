# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real engine."""

from __future__ import annotations

from tests.fixtures.engines import docker_url, engine_client, podman_url

__all__ = ["docker_url", "engine_client", "podman_url"]
