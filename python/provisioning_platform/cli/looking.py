# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands that look at services and change nothing."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ansible_collections.provisioning.platform.plugins.module_utils import _supervised
from ansible_collections.provisioning.platform.plugins.module_utils._graph import tasks

from ..exit_codes import ExitCode
from ..text import count, wrapped
from .context import Request
from .moments import age
from .output import Printer
from .supervising import supervision_lines, with_supervision
from .waiting import busy, leave_on_interrupt

if TYPE_CHECKING:
    from ansible_collections.provisioning.platform.plugins.module_utils._manager import Manager
    from ansible_collections.provisioning.platform.plugins.module_utils._model import ServiceDefinition
    from ansible_collections.provisioning.platform.plugins.module_utils._status import ServiceStatus


def status(request: Request, names: Sequence[str]) -> int:
    """Show the status of services."""
    manager, found = _look(request, names, "Looking at the services")
    supervised = [("", _supervised.supervision(manager.work_dir))]
    printer = request.printer()
    document = {**document_of(manager, found), "supervision": supervised[0][1]}
    # Whoever asks for some services asks for no more than these.
    more = [] if names else supervised
    printer.show(
        document,
        lambda: [*status_lines(printer, found), "", *summary(found, manager), *supervision_lines(printer, more)],
    )
    return with_supervision(verdict(found, manager.services(), asked=names), more)


def details(request: Request, names: Sequence[str]) -> int:
    """Show all that is known of services."""
    manager, found = _look(request, names, "Looking at the services")
    printer = request.printer()
    services = manager.services()
    printer.show(
        document_of(manager, found),
        lambda: [line for one in found for line in [*detail_lines(printer, one, services), ""]][:-1],
    )
    return verdict(found, services, asked=names)


def health(request: Request, names: Sequence[str]) -> int:
    """Check the health of services now."""
    manager, found = _look(request, names, "Checking the health of the services")
    printer = request.printer()
    code = verdict(found, manager.services(), asked=names)
    document = {
        "work_dir": str(manager.work_dir.root),
        "healthy": code is ExitCode.OK,
        "services": [health_document(one) for one in found],
    }
    printer.show(document, lambda: [*health_lines(printer, found), "", *summary(found, manager)])
    return code


def list_services(request: Request, *, running: bool) -> int:
    """List the services that there are.

    :param running: only those that run.
    """
    manager = request.manager()
    with leave_on_interrupt(), busy("Looking at the services"):
        found = [one for one in manager.status(health=False) if not running or one.status in ("running", "starting")]
    printer = request.printer()
    services = manager.services()
    document = {
        "work_dir": str(manager.work_dir.root),
        "services": [list_document(one, services) for one in found],
    }
    printer.show(document, lambda: list_lines(printer, found, services))
    return ExitCode.OK


def list_document(one: ServiceStatus, services: Mapping[str, ServiceDefinition]) -> dict[str, Any]:
    """Return an entry of the list as JSON types."""
    return {
        "name": one.name,
        "mode": one.mode,
        "status": one.status,
        "required": one.required,
        "address": one.address,
        "depends_on": list(services[one.name].depends_on),
        "description": one.description,
    }


def list_lines(
    printer: Printer, found: Sequence[ServiceStatus], services: Mapping[str, ServiceDefinition]
) -> list[str]:
    """Return the list as a table."""
    header = ("SERVICE", "MODE", "STATUS", "REQUIRED", "NEEDS", "DESCRIPTION")
    rows = [
        (
            one.name,
            one.mode,
            one.status,
            "yes" if one.required else "no",
            ", ".join(services[one.name].depends_on),
            one.description,
        )
        for one in found
    ]
    return printer.table(header, rows)


def _look(request: Request, names: Sequence[str], doing: str) -> tuple[Manager, list[ServiceStatus]]:
    manager = request.manager(names)
    with leave_on_interrupt(), busy(doing):
        return manager, manager.status(names or None)


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
    if one.fault:
        return one.fault
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
    down = [
        one
        for one in found
        if not is_well(one) and not _has_completed(one, services) and (one.name in asked or is_expected(one, services))
    ]
    if any(one.required or one.name in asked for one in down):
        return ExitCode.FAILED
    return ExitCode.DEGRADED if down else ExitCode.OK


def is_well(one: ServiceStatus) -> bool:
    """Whether a service runs and is not known to be ill."""
    return one.status == "running" and one.health != "unhealthy" and not one.fault


def is_expected(one: ServiceStatus, services: Mapping[str, ServiceDefinition]) -> bool:
    """Whether a service should run, as far as nobody asks for it by name: it starts with the platform."""
    definition = services.get(one.name)
    return definition is None or (definition.enabled and definition.auto_start)


def document_of(manager: Manager, found: Sequence[ServiceStatus]) -> dict[str, Any]:
    """Return statuses as JSON types."""
    return {"work_dir": str(manager.work_dir.root), "services": [one.to_dict() for one in found]}


def health_document(one: ServiceStatus) -> dict[str, Any]:
    """Return a check of health as JSON types."""
    return {
        "name": one.name,
        "health": one.health,
        "status": one.status,
        "reason": one.fault or one.health_reason or explanation(one),
        "duration_ms": one.health_duration_ms,
        "required": one.required,
    }


def health_lines(printer: Printer, found: Sequence[ServiceStatus]) -> list[str]:
    """Return the table of a check of health."""
    rows = [
        (
            one.name,
            one.health,
            "" if one.health_duration_ms is None else f"{one.health_duration_ms:.0f} ms",
            one.fault or one.health_reason or explanation(one) or one.status,
        )
        for one in found
    ]
    return printer.table(("SERVICE", "HEALTH", "TOOK", "RESULT"), rows)


def detail_lines(printer: Printer, one: ServiceStatus, services: Mapping[str, ServiceDefinition]) -> list[str]:
    """Return all that is known of a service as lines."""
    moment = time.time()
    needs = services[one.name].depends_on
    facts = (
        ("fault", one.fault),
        ("mode", one.mode),
        ("status", one.status + (f", {one.detail}" if one.detail else "")),
        ("since", "" if one.since is None else f"{_local(one.since)} ({age(one.since, moment)})"),
        ("health", one.health + (f", {one.health_reason}" if one.health_reason else "")),
        ("address", one.address),
        ("id", (one.id or "")[:12]),
        ("required", "yes" if one.required else "no"),
        ("needs", ", ".join(needs)),
        ("needed by", ", ".join(name for name, other in services.items() if one.name in other.depends_on)),
        ("reason", one.reason),
        ("restarts", str(one.restarts) if one.restarts else ""),
        ("last error", one.last_error or ""),
    )
    title = printer.paint(one.name, "bold") + (f"  {one.description}" if one.description else "")
    lines = [title]
    for name, value in facts:
        if value:
            first, *rest = wrapped(f"{name + ':':<12}{value}", width=printer.width, indent="  ")
            lines += [first, *rest]
    return lines


def summary(found: Sequence[ServiceStatus], manager: Manager) -> list[str]:
    """Return a sentence that sums up, and where the platform's other services are."""
    services = manager.services()
    lines = summed_up(found, services)
    elsewhere = [name for name in manager.settings.elsewhere if name not in services]
    if elsewhere:
        lines.append(f"On other hosts, and seen with --inventory only: {', '.join(elsewhere)}.")
    return lines


def summed_up(found: Sequence[ServiceStatus], services: Mapping[str, ServiceDefinition]) -> list[str]:
    """Return a sentence that sums up."""
    well = [one for one in found if is_well(one) or _has_completed(one, services)]
    parts = [f"{len(well)} of {count(len(found), 'service')} well"]
    idle = [one.name for one in found if one not in well and not is_expected(one, services)]
    required = [one.name for one in found if one not in well and one.name not in idle and one.required]
    others = [one.name for one in found if one not in well and one.name not in idle and not one.required]
    parts += [f"required and not well: {', '.join(required)}"] if required else []
    parts += [f"not well, and not required: {', '.join(others)}"] if others else []
    parts += [f"not meant to start by itself: {', '.join(idle)}"] if idle else []
    return ["; ".join(parts) + "."]


def _has_completed(one: ServiceStatus, services: Mapping[str, ServiceDefinition]) -> bool:
    """Whether it is a task, which has come to its end."""
    return not one.fault and one.status == "stopped" and one.name in tasks(services)


def _local(moment: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(moment))
