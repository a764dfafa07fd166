# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The configuration of an installation for the commands that need more of it than its work dir."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ansible_collections.provisioning.platform.plugins.module_utils._errors import ConfigurationError, Problem
from ansible_collections.provisioning.platform.plugins.module_utils._settings import Settings

from ..commands import pairs
from ..configuration import Installation, load_installation
from ..discovery import find_configuration

if TYPE_CHECKING:
    from ansible_collections.provisioning.platform.plugins.plugin_utils.resolve import Platform

    from .context import Request


def find_file(request: Request) -> Path | None:
    """Return the configuration that is meant, if there is one; with ``--work-dir`` none is.

    :raises ConfigurationError: the one that was named is not there.
    """
    if request.work_dir is not None and request.config is None:
        return None
    found = find_configuration(request.config)
    return found[0] if found else None


def needed_file(request: Request, what_for: str) -> Path:
    """Return the configuration that is meant.

    :param what_for: who needs it, in words.
    :raises ConfigurationError: there is none.
    """
    path = find_file(request)
    if path is None:
        why = f"is missing, and {what_for} needs a configuration"
        raise ConfigurationError(Problem("--config", why, "Name the file that was installed by, with its changes."))
    return path


def load(path: Path, variables: Sequence[str], *, on_hosts: bool = False) -> Installation:
    """Load a configuration.

    :param variables: as they were given, ``NAME=VALUE``.
    :param on_hosts: whether it is for the hosts of an inventory.
    :raises ConfigurationError: something in it is wrong; one problem for each fault.
    """
    return load_installation(path, variables=pairs(variables), on_hosts=on_hosts)


def settings_of(platform: Platform) -> Settings:
    """Return what holds for all services of a platform, as it is written down on its host."""
    deployment = platform.config.deployment
    return Settings(
        project=deployment.project,
        engine=deployment.engine,
        engine_url=deployment.engine_url,
        env=dict(platform.env_vars),
        elsewhere=platform.elsewhere,
        rounds=platform.rounds,
        operations=dict(platform.operations),
        provisioning_path=platform.config.provisioning_path,
    )
