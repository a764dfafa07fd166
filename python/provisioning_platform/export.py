# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``provisioning-run export``: a platform in the form of other programs."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from ansible_collections.provisioning.platform.plugins.plugin_utils.compose_export import Export, changes, export

from . import collection
from .configuration import Installation


def compose_export(
    installation: Installation,
    file: Path | None,
    *,
    health_image: str | None = None,
    environ: Mapping[str, str] = os.environ,
) -> tuple[Export, list[str]]:
    """Write a platform as a Compose file; return it, and the paths of what was written.

    :param file: where; nothing is written when absent.
    :param health_image: image with a static ``/bin/busybox``, for health checks.
    :raises ConfigurationError: a service cannot be a container, or secrets are missing and may not be made.
    :raises OSError: a file cannot be written.
    """
    path = (file or Path("docker-compose.yaml")).absolute()
    found = export(
        installation.config,
        file=path,
        home=str(Path.home()),
        roles_dir=collection.root() / "roles",
        env=environ,
        health_image=health_image,
    )
    written = [name for name, _before, _after in changes(found, path)] if file is not None else []
    return found, written
