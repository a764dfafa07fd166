# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From an engine's list of containers to what each service is. Pure: nothing here asks an engine."""

from __future__ import annotations

import dataclasses
import re
import signal
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .._model import ServiceDefinition, StartupConfig
from .._plan import digest_of
from ._base import ABSENT, Observation, Status
from ._docker_render import (
    LABEL_DIGEST,
    LABEL_REPLICA,
    LABEL_SERVICE,
    LABEL_TEMPLATE,
    block,
    container_names,
    template_of,
)

#: States in which there is nothing to be stopped.
ENDED = frozenset({"created", "configured", "initialized", "exited", "stopped", "dead", "removing"})
_ALWAYS_RESTARTED = ("always", "unless-stopped")
_EXIT_CODE = re.compile(r"\((\d+)\)")
_AGE = re.compile(
    r"(?P<number>\d+|less than a|about an|about a|an|a) (?P<unit>second|minute|hour|day|week|month|year)", re.IGNORECASE
)
_SECONDS = {
    "second": 1,
    "minute": 60,
    "hour": 3600,
    "day": 86_400,
    "week": 604_800,
    "month": 2_592_000,
    "year": 31_536_000,
}
# The worst of several replicas speaks for all.
_SEVERITY: dict[Status, int] = {"failed": 0, "stopped": 1, "paused": 2, "starting": 3, "running": 4}


@dataclass(frozen=True)
class Instance:
    """One container of a service, as the engine's list has it.

    :param replica: which of several; empty where there is one.
    :param template: digest of what one replica is.
    :param state: in the engine's word, e.g. ``running`` or ``exited``.
    :param text: the engine's line about it, e.g. ``Exited (3) 2 minutes ago``.
    :param created: unix time in seconds.
    :param networks: ids of its networks by name, empty until it has run; nothing where the list does not tell.
    """

    id: str
    name: str
    service: str
    replica: str
    digest: str
    template: str
    state: str
    text: str
    created: float
    networks: Mapping[str, str] | None = field(default=None, hash=False)

    @property
    def exit_code(self) -> int | None:
        """How it ended, as far as the engine says so."""
        match = _EXIT_CODE.search(self.text)
        return int(match[1]) if match and self.state not in ("running", "paused") else None


def instances(listing: Iterable[Mapping[str, Any]]) -> dict[str, list[Instance]]:
    """Return the containers of a list by service, in the order of their replicas."""
    found: dict[str, list[Instance]] = {}
    for entry in listing:
        labels = entry.get("Labels") or {}
        instance = Instance(
            id=entry["Id"],
            name=next(iter(entry.get("Names") or [""])).lstrip("/"),
            service=labels.get(LABEL_SERVICE, ""),
            replica=labels.get(LABEL_REPLICA, ""),
            digest=labels.get(LABEL_DIGEST, ""),
            template=labels.get(LABEL_TEMPLATE, ""),
            state=str(entry.get("State", "")).lower(),
            text=entry.get("Status", ""),
            created=float(entry.get("Created", 0)),
            networks=networks_of(entry),
        )
        found.setdefault(instance.service, []).append(instance)
    for several in found.values():
        several.sort(key=lambda instance: int(instance.replica or 0))
    return found


def networks_of(entry: Mapping[str, Any]) -> dict[str, str] | None:
    """Return the ids of a container's networks by name, as an engine's list has them; nothing where it does not."""
    settings = entry.get("NetworkSettings")
    if settings is None:
        return None
    return {name: (about or {}).get("NetworkID", "") for name, about in (settings.get("Networks") or {}).items()}


def observation(
    service: ServiceDefinition,
    found: Sequence[Instance],
    rendered: Mapping[str, Any],
    now: float,
    *,
    networks: Sequence[Collection[str]] = (),
) -> Observation:
    """Return what a service is.

    :param found: its containers.
    :param rendered: what it is to be; tells replicas made for another number of them from changed ones.
    :param now: unix time in seconds.
    :param networks: the networks it is to be on, each by the names that it may have.
    """
    if not found:
        return ABSENT
    wanted = max(1, block(service).replicas)
    digest = _digest(found, rendered, set(container_names("", "", wanted)))
    seen = together(found, service.startup, digest, now, networks=networks)
    if len(found) < wanted and seen.is_up:
        detail = f"{len(found)} of {wanted} replicas are there"
        return dataclasses.replace(seen, status="stopped", detail=detail, drift="")
    return seen


def together(
    found: Sequence[Instance],
    startup: StartupConfig,
    digest: str | None,
    now: float,
    *,
    networks: Sequence[Collection[str]] = (),
) -> Observation:
    """Return what several containers are as one service: what the worst of them is.

    :param found: at least one.
    :param startup: its restart policy and stop signal tell what was stopped from what broke.
    :param digest: of what was asked for.
    :param now: unix time in seconds.
    :param networks: the networks it is to be on, each by the names that it may have.
    """
    drift = _drift(found, networks)
    states = [(*_status(instance, startup), instance) for instance in found]
    status, detail, worst = min(states, key=lambda state: _SEVERITY[state[0]])
    return Observation(
        status=status,
        digest=digest,
        id=found[0].id,
        since=_since(worst, now),
        exit_code=worst.exit_code if status in ("stopped", "failed") else None,
        detail=detail or drift,
        instances=tuple(instance.id for instance in found if instance.state not in ENDED),
        drift=drift if status in ("running", "starting") else "",
    )


def _drift(found: Sequence[Instance], networks: Sequence[Collection[str]]) -> str:
    """Say which networks somebody took away from containers that run."""
    lost = {
        next(iter(names))
        for instance in found
        if instance.state == "running" and instance.networks is not None
        for names in networks
        if not any(name in instance.networks for name in names)
    }
    return f"is not connected to the network {', '.join(sorted(lost))}" if lost else ""


def _digest(found: Sequence[Instance], rendered: Mapping[str, Any], wanted: set[str]) -> str | None:
    """Return what the containers were made from; nothing when their number or make is mixed up."""
    if any(instance.state == "removing" for instance in found) or not {i.replica for i in found} <= wanted:
        return None
    if len(wanted) == 1:
        return found[0].digest or None
    template = template_of(rendered)
    strange = [instance for instance in found if instance.template != template]
    return (strange[0].digest or None) if strange else digest_of(rendered)


def _status(instance: Instance, startup: StartupConfig) -> tuple[Status, str]:
    code = instance.exit_code
    match instance.state:
        case "running" | "stopping":
            return "running", "unhealthy" if "(unhealthy)" in instance.text else ""
        case "restarting":
            return "starting", f"restarting after it {ending(code)}" if code is not None else "restarting"
        case "created" | "configured" | "initialized":
            return "stopped", "created, but never started"
        case "paused":
            return "paused", "is paused"
        case "removing":
            return "stopped", "being removed"
        case "exited" | "stopped":
            return _ended(code, startup)
        case _:
            return "failed", f"is {instance.state or 'in an unknown state'}"


def _ended(code: int | None, startup: StartupConfig) -> tuple[Status, str]:
    """Tell a container that was stopped from one that broke: the engine does not keep the difference.

    Where the engine restarts whatever ends, only what somebody stopped stays down.
    """
    asked = {0, None, 128 + signal_number(startup.stop_signal)}
    if code in asked or startup.restart in _ALWAYS_RESTARTED:
        return "stopped", "" if code in asked else f"was stopped and {ending(code)}"
    return "failed", ending(code)


def ending(code: int | None) -> str:
    """Say how a process ended."""
    if code is not None and 128 < code < 128 + signal.NSIG:
        try:
            return f"was killed by {signal.Signals(code - 128).name}"
        except ValueError:
            pass
    return f"exited with code {code}"


def signal_number(name: str) -> int:
    """Return the number of a signal, named with or without SIG or given as a number; 0 where there is no such one."""
    if name.isdigit():
        return int(name)
    full = name.upper() if name.upper().startswith("SIG") else f"SIG{name.upper()}"
    return signal.Signals[full].value if full in signal.Signals.__members__ else 0


def _since(instance: Instance, now: float) -> float:
    """Return since when a container is what it is, as precisely as the list tells without asking for each.

    The list says "3 minutes"; where that agrees with the time of creation, the latter is exact.
    """
    if instance.state == "created":
        return instance.created
    match = _AGE.search(instance.text)
    if match is None:
        return instance.created
    unit = _SECONDS[match["unit"].lower()]
    number = int(match["number"]) if match["number"].isdigit() else 0 if "less" in match["number"].lower() else 1
    latest = now - number * unit
    if instance.state == "running" and latest - 2 * unit <= instance.created <= latest + unit:
        return instance.created
    return min(now, max(latest, instance.created))
