# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is measured of a platform: its services, who watches them, and its installation. Pure.

Who publishes makes a :class:`Snapshot`; :func:`render` turns it into Prometheus' text. Times are shown as unix times,
from which a query makes an age that is right at any moment; durations are seconds.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, Protocol, get_args

from ._exposition import Metric, Sample, counter, exposition, gauge, state_samples

STATUSES = ("absent", "stopped", "paused", "starting", "running", "failed", "unreachable", "unknown")

# How a service stands with the supervisor, in the words of ``_watch``. Down: it waits for its next restart; failed: it
# was given up, its budget is spent; idle: it is not wanted, or somebody has put it to rest.
Supervision = Literal["new", "starting", "healthy", "unhealthy", "down", "failed", "idle"]

# How an installation stands or ended.
Result = Literal["running", "completed", "degraded", "failed", "rolled_back", "cancelled"]


class Seen(Protocol):
    """What is measured of a service's status; ``ServiceStatus`` has it."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def mode(self) -> str:
        """How it is deployed."""

    @property
    def status(self) -> str:
        """One of ``STATUSES``."""

    @property
    def health(self) -> str:
        """Healthy, unhealthy, or unknown where it was not asked."""

    @property
    def required(self) -> bool:
        """Whether the platform cannot do without it."""

    @property
    def restarts(self) -> int:
        """How often it was restarted, by whomever."""

    @property
    def since(self) -> float | None:
        """Unix time in seconds since when it has its status."""

    @property
    def health_duration_ms(self) -> float | None:
        """How long its last check took, in milliseconds."""


@dataclass(frozen=True, kw_only=True)
class ServiceSample:
    """What is known of one service at one moment. Whatever is not known is left out.

    :param up: whether it does what it is there for; told from its status when not given.
    :param state_changed_at: unix time in seconds since when it has its status; that of ``status`` when not given.
    :param checked_at: unix time in seconds of its last check.
    :param check_duration_s: of its last check; that of ``status`` when not given.
    :param start_duration_s: from its last start until it was ready.
    :param restarts: restarts by who publishes, by reason: a few words that stay the same, e.g. ``died``, ``unhealthy``.
    :param supervision: how it stands with the supervisor; nothing where nobody watches.
    :param is_flapping: whether it comes and goes so often that nobody is told any more.
    """

    status: Seen
    up: bool | None = None
    state_changed_at: float | None = None
    checked_at: float | None = None
    check_duration_s: float | None = None
    start_duration_s: float | None = None
    restarts: Mapping[str, int] = field(default_factory=dict)
    supervision: Supervision | None = None
    is_flapping: bool = False

    @property
    def is_up(self) -> bool:
        """Whether it does what it is there for."""
        if self.up is not None:
            return self.up
        return self.status.status == "running" and self.status.health != "unhealthy"


@dataclass(frozen=True, kw_only=True)
class InstallationSample:
    """The last installation.

    :param progress: from 0 to 1.
    :param started_at: unix time in seconds, nothing where it is not known; so is ``finished_at``, nothing while it goes
        on.
    :param current_step: of the seven, e.g. ``wait-for-services``; empty where none is under way.
    """

    installation_id: str
    result: Result
    progress: float
    started_at: float | None = None
    finished_at: float | None = None
    platform: str = ""
    profile: str = ""
    current_step: str = ""


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """What one who publishes knows at one moment.

    :param publisher: who: ``supervisor``, ``installer``.
    :param version: its version.
    :param started_at: unix time in seconds since when it runs; its counters begin there.
    :param observed_at: unix time in seconds when it last looked at the services.
    """

    publisher: str
    version: str
    started_at: float | None = None
    observed_at: float | None = None
    services: Sequence[ServiceSample] = ()
    installation: InstallationSample | None = None


def render(snapshot: Snapshot) -> str:
    """Return a snapshot as Prometheus' text."""
    return exposition(
        [
            *of_publisher(snapshot.publisher, snapshot.version, snapshot.started_at),
            *of_services(snapshot.services),
            *of_supervision(snapshot.services, snapshot.observed_at),
            *of_installation(snapshot.installation),
        ]
    )


def render_for_file(snapshot: Snapshot) -> str:
    """Return a snapshot as Prometheus' text, for node-exporter's textfile collector.

    It has nothing that another file or node-exporter itself shows, for which all would be refused: nothing of the
    process, and nothing of the installation, which is in the file of who installs.
    """
    return render(replace(snapshot, started_at=None, installation=None))


def of_publisher(name: str, version: str, started_at: float | None) -> Iterable[Metric]:
    """Yield what is told of the program that publishes."""
    build = {"service": name, "version": version, "python": sys.version.split(maxsplit=1)[0]}
    yield gauge("provisioning_build_info", "What is running.", [(build, 1)])
    yield gauge("process_start_time_seconds", "Unix time of the start.", _known([({}, started_at)]))


def of_services(services: Sequence[ServiceSample]) -> Iterable[Metric]:
    """Yield what is told of services, whoever publishes it."""
    if not services:
        return
    seen = [one.status for one in services]
    counts = dict.fromkeys(STATUSES, 0)
    for status in seen:
        counts[status.status] = counts.get(status.status, 0) + 1
    yield gauge(
        "provisioning_services",
        "Services by status.",
        [({"status": status}, count) for status, count in counts.items()],
    )
    yield gauge(
        "provisioning_service_up",
        "Whether the service does what it is there for.",
        [({**_labels(one), "required": str(one.status.required).lower()}, one.is_up) for one in services],
    )
    yield gauge(
        "provisioning_service_healthy",
        "Whether its last check passed, or it runs and has none; absent where it was not asked.",
        [(_labels(one), one.status.health == "healthy") for one in services if one.status.health != "unknown"],
    )
    yield counter(
        "provisioning_service_restarts_total",
        "How often it was restarted.",
        [(_labels(one), one.status.restarts) for one in services],
    )
    yield gauge(
        "provisioning_service_status_since_seconds",
        "Unix time since when it has its status.",
        _known((_labels(one), _first(one.state_changed_at, one.status.since)) for one in services),
    )
    yield gauge(
        "provisioning_service_health_check_seconds",
        "How long its last check took.",
        _known((_labels(one), _first(one.check_duration_s, _seconds(one.status))) for one in services),
    )
    yield gauge(
        "provisioning_service_checked_timestamp_seconds",
        "Unix time of its last check.",
        _known((_labels(one), one.checked_at) for one in services),
    )
    yield gauge(
        "provisioning_service_start_duration_seconds",
        "How long its last start took, until it was ready.",
        _known((_labels(one), one.start_duration_s) for one in services),
    )


def of_supervision(services: Sequence[ServiceSample], observed_at: float | None) -> Iterable[Metric]:
    """Yield what is told of the watching itself."""
    yield gauge(
        "provisioning_supervisor_observed_timestamp_seconds",
        "Unix time of the last look at the services.",
        _known([({}, observed_at)]),
    )
    yield counter(
        "provisioning_supervisor_restarts_total",
        "Restarts by the supervisor since it began, by reason.",
        [({**_labels(one), "reason": why}, count) for one in services for why, count in sorted(one.restarts.items())],
    )
    yield gauge(
        "provisioning_supervisor_state",
        "How the service stands with the supervisor: 1 for the state that is; failed means given up.",
        [
            sample
            for one in services
            if one.supervision is not None
            for sample in state_samples("state", get_args(Supervision), one.supervision, _labels(one))
        ],
    )
    yield gauge(
        "provisioning_supervisor_flapping",
        "Whether the service comes and goes so often that nobody is told any more.",
        [(_labels(one), one.is_flapping) for one in services if one.supervision is not None],
    )


def of_installation(installation: InstallationSample | None) -> Iterable[Metric]:
    """Yield what is told of the last installation."""
    if installation is None:
        return
    info = {
        "installation_id": installation.installation_id,
        "platform": installation.platform,
        "profile": installation.profile,
        "step": installation.current_step,
    }
    began, ended = installation.started_at, installation.finished_at
    yield gauge("provisioning_installation_info", "The last installation.", [(info, 1)])
    yield gauge(
        "provisioning_installation_progress_ratio",
        "How much of the last installation is done, from 0 to 1.",
        [({}, installation.progress)],
    )
    yield gauge(
        "provisioning_installation_result",
        "How the last installation stands or ended: 1 for the result that is.",
        state_samples("result", get_args(Result), installation.result, {}),
    )
    yield gauge(
        "provisioning_installation_started_timestamp_seconds",
        "Unix time at which the last installation began.",
        _known([({}, installation.started_at)]),
    )
    yield gauge(
        "provisioning_installation_finished_timestamp_seconds",
        "Unix time at which the last installation ended; absent while it goes on.",
        _known([({}, ended)]),
    )
    yield gauge(
        "provisioning_installation_duration_seconds",
        "How long the last installation took; absent while it goes on.",
        _known([({}, None if ended is None or began is None else max(0.0, ended - began))]),
    )


def _labels(one: ServiceSample) -> dict[str, str]:
    return {"service": one.status.name, "mode": one.status.mode}


def _first(given: float | None, otherwise: float | None) -> float | None:
    return otherwise if given is None else given


def _seconds(seen: Seen) -> float | None:
    """Return how long a check took; what was not asked took no time that says anything."""
    if seen.health == "unknown" or seen.health_duration_ms is None:
        return None
    return seen.health_duration_ms / 1000


def _known(samples: Iterable[tuple[Mapping[str, str], float | None]]) -> Iterable[Sample]:
    return [(labels, value) for labels, value in samples if value is not None]
