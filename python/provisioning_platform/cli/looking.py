# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands that look at services and change nothing."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ansible_collections.provisioning.platform.plugins.module_utils._graph import tasks

from ..exit_codes import ExitCode
from .context import Request
from .output import Printer
from .waiting import busy

if TYPE_CHECKING:
    from ansible_collections.provisioning.platform.plugins.module_utils._model import ServiceDefinition
    from ansible_collections.provisioning.platform.plugins.module_utils._status import ServiceStatus


def status(request: Request, names: Sequence[str]) -> int:
    """Show the status of services."""
    manager = request.manager()
    printer = request.printer()
    with busy("Looking at the services"):
        found = manager.status(names or None)
    printer.show(
        {"work_dir": str(manager.work_dir.root), "services": [one.to_dict() for one in found]},
        lambda: status_lines(printer, found),
    )
    return verdict(found, manager.services(), asked=names)


def status_lines(printer: Printer, found: Sequence[ServiceStatus], *, now: float | None = None) -> list[str]:
    """Return the table of a status.

    :param now: unix time in seconds.
    """
    moment = time.time() if now is None else now
    header = ("SERVICE", "MODE", "STATUS", "HEALTH", "SINCE", "ADDRESS", "DETAIL")
    rows = [
        (one.name, one.mode, one.status, one.health, age(one.since, moment), one.address, explanation(one))
        for one in found
    ]
    return printer.table(header, rows)


def explanation(one: ServiceStatus) -> str:
    """Return why a service is not well, in words; nothing of one that is."""
    if one.status == "running" and one.health != "unhealthy":
        return ""
    return one.health_reason if one.health == "unhealthy" else one.detail


def verdict(
    found: Sequence[ServiceStatus], services: Mapping[str, ServiceDefinition], *, asked: Collection[str]
) -> ExitCode:
    """Return whether services are what they should be.

    :param services: all definitions by name.
    :param asked: those that were named, which are needed therefore; others are where they are required.
    """
    ended_well = {one.name for one in found if one.name in tasks(services) and one.status == "stopped"}
    down = [one for one in found if not is_well(one) and one.name not in ended_well and is_expected(one, services)]
    if any(one.required or one.name in asked for one in down):
        return ExitCode.FAILED
    return ExitCode.DEGRADED if down else ExitCode.OK


def is_well(one: ServiceStatus) -> bool:
    """Whether a service runs and is not known to be ill."""
    return one.status == "running" and one.health != "unhealthy"


def is_expected(one: ServiceStatus, services: Mapping[str, ServiceDefinition]) -> bool:
    """Whether a service should run, as far as nobody asks for it by name: it starts with the platform."""
    definition = services.get(one.name)
    return definition is None or (definition.enabled and definition.auto_start)


def age(since: float | None, now: float) -> str:
    """Return in short for how long something has been so: ``12s``, ``3m``, ``5h``, ``9d``."""
    if since is None:
        return ""
    seconds = max(0, int(now - since))
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= 2 * size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def document_of(found: Sequence[ServiceStatus]) -> list[dict[str, Any]]:
    """Return statuses as JSON types."""
    return [one.to_dict() for one in found]
