# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A service as people want to see it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

from ._drivers._base import ABSENT, Observation
from ._errors import Problem
from ._health import HealthResult
from ._model import ServiceDefinition, ServiceState


@dataclass(frozen=True)
class ServiceStatus:
    """A service as people want to see it.

    :param since: unix time in seconds since when it is what it is.
    :param health: healthy, unhealthy, or unknown where it does not run or was not asked.
    :param fault: what is wrong with what is written down of it, and what to do; then it is not well, whatever it is.
    """

    name: str
    mode: str
    status: str
    health: str
    address: str
    id: str | None = None
    since: float | None = None
    digest: str | None = None
    detail: str = ""
    reason: str = ""
    restarts: int = 0
    last_error: str | None = None
    required: bool = True
    description: str = ""
    health_reason: str = ""
    health_duration_ms: float | None = None
    fault: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return the status as JSON types."""
        return asdict(self)


def status_of(
    service: ServiceDefinition,
    seen: Observation | None,
    unreachable: Problem | None,
    state: ServiceState | None,
    health: HealthResult | None,
    *,
    fault: Problem | None = None,
) -> ServiceStatus:
    """Put together what is known of a service.

    :param seen: what it is, where that could be asked.
    :param unreachable: why it could not be asked.
    :param state: what is written down of it.
    :param health: the result of its check, where it was made.
    :param fault: what is wrong with what is written down of it.
    """
    observation = _as_wanted(seen or ABSENT, state)
    return ServiceStatus(
        name=service.name,
        mode=service.mode,
        status="unknown" if unreachable else observation.status,
        health="unknown" if health is None else "healthy" if health.healthy else "unhealthy",
        address=service.url or "",
        id=observation.id,
        since=observation.since,
        digest=observation.digest,
        detail=unreachable.why if unreachable else observation.detail,
        reason=state.reason if state else "",
        restarts=(state.restarts if state else 0) + observation.restarts,
        last_error=state.last_error if state else None,
        required=service.required,
        description=service.description,
        health_reason=health.reason if health else "",
        health_duration_ms=health.duration_ms if health else None,
        fault=f"{fault.why}. {fault.remedy}" if fault else "",
    )


def _as_wanted(seen: Observation, state: ServiceState | None) -> Observation:
    """An engine does not keep who ended a container: one that we stopped is not broken, whatever its exit code.

    A process of which the record is gone, as on a full disk, is stopped where that is written down.
    """
    if seen.status == "absent" and state is not None and state.mode == "binary" and _was_stopped(state):
        return replace(seen, status="stopped", detail="was stopped")
    if seen.status != "failed" or seen.exit_code is None or state is None or state.wanted != "stopped":
        return seen
    return replace(seen, status="stopped", detail=f"was stopped and {seen.detail}")


def _was_stopped(state: ServiceState) -> bool:
    return state.wanted == "stopped" and state.started_at is not None
