# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an installation still has although the state of its services was lost, so that it can be stopped and removed."""

from __future__ import annotations

from collections.abc import MutableMapping

from . import _installation
from ._build import build
from ._drivers._base import Context, Driver
from ._drivers._binary_words import stand_in
from ._drivers._registry import DRIVERS
from ._errors import ConfigurationError, DriverError
from ._ledger import read_generation
from ._model import ServiceDefinition
from ._paths import WorkDir
from ._settings import Settings, read_settings, settings_path
from ._state import PidStore


def processes(layout: WorkDir) -> dict[str, ServiceDefinition]:
    """Return definitions for the processes that have records, by name; they are enough to stop and remove them."""
    return {name: stand_in(name) for name in PidStore(layout.pids).names()}


def settings(layout: WorkDir) -> Settings:
    """Return the settings of what is installed; where they were lost, those of the last installation that succeeded.

    :raises ConfigurationError: they are damaged.
    """
    recorded = None if settings_path(layout).exists() else read_generation(layout)
    return read_settings(layout) if recorded is None else build(Settings, recorded.get("settings", {}))


def find(
    services: MutableMapping[str, ServiceDefinition], drivers: MutableMapping[str, Driver], context: Context
) -> None:
    """Add what engines have of this installation to the services known, and the drivers that it takes.

    In a folder that holds no installation nothing is looked for: what is found would be removed.

    :raises DriverError: an engine that should have something whose state was lost does not answer.
    """
    layout = context.work_dir
    if layout.root.is_dir() and not _installation.is_ours(layout):
        return
    once = recorded(layout)
    for mode, make in DRIVERS.items():
        driver = drivers.get(mode) or make(context)
        lost = [service for service in once if service.mode == mode and service.name not in services]
        try:
            found = driver.find([*(service for service in services.values() if service.mode == mode), *lost])
        except DriverError:
            if lost:
                raise
            continue  # nothing says that it has anything
        drivers[mode] = driver
        for service in found:
            services.setdefault(service.name, service)


def recorded(layout: WorkDir) -> list[ServiceDefinition]:
    """Return the services that the last installation that succeeded had, as far as that can be read."""
    try:
        documents = (read_generation(layout) or {}).get("services", ())
        return [build(ServiceDefinition, document) for document in documents]
    except ConfigurationError:  # what removes all of it must not stumble over it
        return []
