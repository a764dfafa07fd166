# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Completion of services' names in a shell: from the files of the installed record alone, and never an error."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible_collections.provisioning.platform.plugins.module_utils._errors import ProvisioningError
from ansible_collections.provisioning.platform.plugins.module_utils._paths import WorkDir

from ..discovery import find_work_dir


def installed_services(options: Mapping[str, Any]) -> list[str]:
    """Return the names of the services that are installed.

    :param options: ``config`` and ``work_dir`` as far as they stand on the line already.
    """
    config, work_dir = (_path(options.get(name)) for name in ("config", "work_dir"))
    try:
        found = find_work_dir(config=config, work_dir=work_dir)
        return sorted(path.stem for path in WorkDir(found.work_dir).state.glob("*.json"))
    except (ProvisioningError, OSError):
        return []


def known_operations(options: Mapping[str, Any]) -> list[str]:
    """Return the names of the operations of what is installed.

    :param options: as for :func:`installed_services`.
    """
    from ansible_collections.provisioning.platform.plugins.module_utils._settings import read_settings

    config, work_dir = (_path(options.get(name)) for name in ("config", "work_dir"))
    try:
        found = find_work_dir(config=config, work_dir=work_dir)
        return sorted(read_settings(WorkDir(found.work_dir)).operations)
    except (ProvisioningError, OSError):
        return []


def _path(value: Any) -> Path | None:
    return Path(value) if value else None
