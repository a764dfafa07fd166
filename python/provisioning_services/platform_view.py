# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The platform as it is shown: what may be seen of each service, and what to say of all of them together.

It is made by naming what is shown, never by leaving out what is not, so that no environment, argument or secret gets
into an answer because somebody added a field elsewhere. Everything here is pure.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, cast
from urllib.parse import urlsplit, urlunsplit

from ansible_collections.provisioning.platform.plugins.module_utils import _graph
from ansible_collections.provisioning.platform.plugins.module_utils._errors import ConfigurationError
from ansible_collections.provisioning.platform.plugins.module_utils._model import (
    Condition,
    Dependency,
    Mode,
    ServiceDefinition,
    ServiceDeployment,
)

if TYPE_CHECKING:
    from ansible_collections.provisioning.platform.plugins.module_utils._status import ServiceStatus

Status = Literal["absent", "stopped", "paused", "starting", "running", "failed", "unreachable", "unknown"]
Health = Literal["healthy", "unhealthy", "unknown"]
Verdict = Literal["healthy", "starting", "degraded", "failing", "empty", "unknown"]
Drawing = Literal["text", "mermaid", "dot"]


class UnknownService(ConfigurationError):
    """A service was asked for that there is not."""


@dataclass(frozen=True, kw_only=True)
class ServiceView:
    """One service.

    :param ok: whether it does what it is there for: it runs and is not unhealthy, or it has done its work and ended.
    :param id: what its mode calls it: a process or container id.
    :param since: unix time in seconds since when it has its status.
    :param detail: more on its status, e.g. ``killed by signal 9``, or why it is unknown.
    :param reason: why it is as it is, from the last operation on it.
    :param health_duration_ms: how long its last check took, in milliseconds.
    :param depends_on: condition by name of the service that it needs.
    """

    name: str
    mode: Mode
    status: Status
    health: Health = "unknown"
    ok: bool = False
    required: bool = True
    description: str = ""
    address: str | None = None
    id: str | None = None
    since: float | None = None
    detail: str = ""
    reason: str = ""
    restarts: int = 0
    last_error: str | None = None
    health_reason: str = ""
    health_duration_ms: float | None = None
    depends_on: dict[str, Condition]
    start_order: int = 100


@dataclass(frozen=True, kw_only=True)
class PlatformView:
    """All services at one moment, in the order in which they start.

    :param summary: the verdict as one sentence.
    :param observed_at: unix time in seconds.
    :param source: where it comes from, in words.
    :param notice: what the reader must know about its origin, e.g. that the orchestrator does not answer; mostly empty.
    """

    verdict: Verdict
    summary: str
    observed_at: float
    source: str
    notice: str = ""
    services: list[ServiceView]


def platform_view(
    definitions: Mapping[str, ServiceDefinition],
    statuses: Iterable[ServiceStatus],
    *,
    observed_at: float,
    source: str,
) -> PlatformView:
    """Make the view from what the engine knows and has seen.

    :param observed_at: unix time in seconds.
    :param source: where it comes from, in words.
    """
    awaited = {
        need
        for definition in definitions.values()
        for need, dependency in definition.depends_on.items()
        if dependency.condition == "completed"
    }
    views = [_service_view(definitions[status.name], status, status.name in awaited) for status in statuses]
    services = _in_startup_order(definitions, views)
    verdict = verdict_on(services)
    return PlatformView(
        verdict=verdict,
        summary=summarise(services, verdict),
        observed_at=observed_at,
        source=source,
        services=services,
    )


def unknown_view(*, observed_at: float, source: str, notice: str) -> PlatformView:
    """Make the view of a platform of which nothing is known; the notice says why."""
    return PlatformView(
        verdict="unknown",
        summary="Nothing is known about the platform.",
        observed_at=observed_at,
        source=source,
        notice=notice,
        services=[],
    )


def verdict_on(services: Sequence[ServiceView]) -> Verdict:
    """Judge the whole: an optional service that is not ok degrades it, a required one fails it."""
    if not services:
        return "empty"
    wrong = [service for service in services if not service.ok]
    if not wrong:
        return "healthy"
    required = [service for service in wrong if service.required]
    if not required:
        return "degraded"
    return "starting" if all(service.status == "starting" for service in required) else "failing"


def summarise(services: Sequence[ServiceView], verdict: Verdict) -> str:
    """Say the verdict as one sentence that names what is not well."""
    if verdict == "empty":
        return "No services are installed."
    if verdict == "healthy":
        return "The one service is up." if len(services) == 1 else f"All {len(services)} services are up."
    up = sum(service.ok for service in services)
    required = [service for service in services if not service.ok and service.required]
    named = required or [service for service in services if not service.ok]
    kind = "required" if required else "optional"
    return f"{up} of {len(services)} services are up; not up ({kind}): {_listed([service.name for service in named])}."


def in_words(service: ServiceView) -> str:
    """Say what a service is in one word or two."""
    if service.status == "running":
        return service.health if service.health != "unknown" else "running"
    return "completed" if service.ok else service.status


def draw(services: Collection[ServiceView], drawing: Drawing) -> str:
    """Draw the graph of dependencies in a language of text.

    :raises ConfigurationError: the services wait for each other.
    """
    definitions = _skeletons(services)
    if drawing == "mermaid":
        return _graph.draw_mermaid(definitions)
    if drawing == "dot":
        return _graph.draw_dot(definitions)
    return _graph.draw_text(definitions)


def graph_document(services: Collection[ServiceView]) -> dict[str, list[dict[str, Any]]]:
    """Return the graph as nodes and edges; an edge leads from a service to the one that it needs."""
    nodes = [
        {"name": service.name, "status": service.status, "health": service.health, "required": service.required}
        for service in services
    ]
    edges = [
        {"from": service.name, "to": need, "condition": condition}
        for service in services
        for need, condition in service.depends_on.items()
    ]
    return {"nodes": nodes, "edges": edges}


def find(services: Iterable[ServiceView], name: str) -> ServiceView:
    """Return the service of that name.

    :raises UnknownService: there is none; the message names those there are.
    """
    by_name = {service.name: service for service in services}
    if name in by_name:
        return by_name[name]
    raise UnknownService(_graph.unknown_service(name, by_name))


def without_credentials(address: str | None) -> str | None:
    """Return an address without the user name and password that a URL may hold."""
    if not address:
        return None
    if "@" not in address:
        return address
    try:
        parts = urlsplit(address)
    except ValueError:
        return None
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def _service_view(definition: ServiceDefinition, status: ServiceStatus, is_awaited: bool) -> ServiceView:
    is_up = status.status == "running" and status.health != "unhealthy"
    return ServiceView(
        name=definition.name,
        mode=definition.mode,
        status=cast("Status", status.status),
        health=cast("Health", status.health),
        ok=is_up or (is_awaited and status.status == "stopped"),
        required=definition.required,
        description=definition.description,
        address=without_credentials(status.address),
        id=status.id,
        since=status.since,
        detail=status.detail,
        reason=status.reason,
        restarts=status.restarts,
        last_error=status.last_error,
        health_reason=status.health_reason,
        health_duration_ms=status.health_duration_ms if status.health != "unknown" else None,
        depends_on={name: dependency.condition for name, dependency in definition.depends_on.items()},
        start_order=definition.start_order,
    )


def _in_startup_order(definitions: Mapping[str, ServiceDefinition], views: list[ServiceView]) -> list[ServiceView]:
    if _graph.find_cycle(_graph.dependencies_of(definitions)):
        return sorted(views, key=lambda view: (view.start_order, view.name))
    place = {name: index for index, name in enumerate(_graph.startup_order(definitions))}
    return sorted(views, key=lambda view: place[view.name])


def _skeletons(services: Collection[ServiceView]) -> dict[str, ServiceDefinition]:
    """As much of the definitions as the drawings need."""
    return {
        service.name: ServiceDefinition(
            name=service.name,
            deployment=ServiceDeployment(mode=service.mode),
            start_order=service.start_order,
            depends_on={name: Dependency(condition=condition) for name, condition in service.depends_on.items()},
        )
        for service in services
    }


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
