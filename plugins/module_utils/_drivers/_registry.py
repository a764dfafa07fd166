# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All drivers by mode. Adding one is adding a file and a line here."""

from __future__ import annotations

from collections.abc import Iterable

from .._errors import Problem
from .._model import ServiceDefinition
from ._base import Context, Driver
from .binary import BinaryDriver
from .docker import DockerDriver
from .remote import RemoteDriver

DRIVERS: dict[str, type[Driver]] = {
    BinaryDriver.mode: BinaryDriver,
    DockerDriver.mode: DockerDriver,
    RemoteDriver.mode: RemoteDriver,
}


def drivers_for(services: Iterable[ServiceDefinition], context: Context) -> dict[str, Driver]:
    """Return one driver for each mode that the services use and that exists."""
    return {mode: DRIVERS[mode](context) for mode in {service.mode for service in services} if mode in DRIVERS}


def unsupported(service: ServiceDefinition) -> list[Problem]:
    """Return the problem that a service's mode has no driver, if it is so."""
    if service.mode in DRIVERS:
        return []
    known = ", ".join(sorted(DRIVERS))
    return [Problem(service.name, f"the mode {service.mode} is not available", f"Choose one of: {known}.")]
