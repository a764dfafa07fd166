# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All drivers by mode, each loaded when it is first wanted. Adding one is adding a file, a function and a line here.

The imports stand in functions, where Ansible finds them too when it packs a module.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from .._errors import DriverError, Problem, ProvisioningError
from .._model import ServiceDefinition
from ._base import Context, Driver, Observation


def _binary(context: Context) -> Driver:
    from .binary import BinaryDriver

    return BinaryDriver(context)


def _compose(context: Context) -> Driver:
    from .compose import ComposeDriver

    return ComposeDriver(context)


def _docker(context: Context) -> Driver:
    from .docker import DockerDriver

    return DockerDriver(context)


def _kubernetes(context: Context) -> Driver:
    from .kubernetes import KubernetesDriver

    return KubernetesDriver(context)


def _remote(context: Context) -> Driver:
    from .remote import RemoteDriver

    return RemoteDriver(context)


DRIVERS: dict[str, Callable[[Context], Driver]] = {
    "binary": _binary,
    "compose": _compose,
    "docker": _docker,
    "kubernetes": _kubernetes,
    "remote": _remote,
}


def drivers_for(services: Iterable[ServiceDefinition], context: Context) -> dict[str, Driver]:
    """Return one driver for each mode that the services use and that exists."""
    return {mode: DRIVERS[mode](context) for mode in {service.mode for service in services} if mode in DRIVERS}


def observe_all(
    drivers: Mapping[str, Driver], services: Iterable[ServiceDefinition]
) -> tuple[dict[str, Observation], dict[str, Problem]]:
    """Return what each service is, and the problem of each mode that cannot be asked; all modes are asked at once."""
    chosen = list(services)
    wanted = {mode: mine for mode in drivers if (mine := [service for service in chosen if service.mode == mode])}

    def look(mode: str) -> dict[str, Observation] | Problem:
        try:
            return drivers[mode].observe(wanted[mode])
        except DriverError as error:
            return error.problems[0]

    if len(wanted) < 2:
        found = {mode: look(mode) for mode in wanted}
    else:
        with ThreadPoolExecutor(len(wanted)) as pool:
            found = dict(zip(wanted, pool.map(look, wanted), strict=True))
    observed = {name: seen for one in found.values() if not isinstance(one, Problem) for name, seen in one.items()}
    return observed, {mode: one for mode, one in found.items() if isinstance(one, Problem)}


def render_all(
    drivers: Mapping[str, Driver], services: Iterable[ServiceDefinition]
) -> tuple[dict[str, dict[str, Any]], dict[str, Problem]]:
    """Return what would be created of each service, and the problem of those of which that cannot be said."""
    rendered: dict[str, dict[str, Any]] = {}
    unreadable: dict[str, Problem] = {}
    for service in services:
        if service.mode in drivers:
            try:
                rendered[service.name] = drivers[service.mode].render(service)
            except DriverError as error:
                unreadable[service.name] = error.problems[0]
    return rendered, unreadable


def preview_all(drivers: Mapping[str, Driver], services: Iterable[ServiceDefinition]) -> dict[str, tuple[str, str]]:
    """Return what there is of services and what there would be, of those whose mode can tell more than a document."""
    shown = {}
    for service in services:
        with contextlib.suppress(ProvisioningError):  # then the document has to do
            found = drivers[service.mode].preview(service)
            if found is not None:
                shown[service.name] = found
    return shown
