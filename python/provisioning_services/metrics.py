# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The view of the platform in Prometheus' text format, version 0.0.4. Pure."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Mapping
from typing import get_args

from .platform_view import PlatformView, Status

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

Sample = tuple[Mapping[str, str], float]


def exposition(
    *,
    service: str,
    version: str,
    started_at: float,
    answers: Mapping[int, int],
    view: PlatformView | None,
) -> str:
    """Return the metrics of one of the platform's own services.

    :param started_at: unix time in seconds.
    :param answers: number of HTTP answers so far by status.
    :param view: the platform; None when it cannot be observed, which is a metric too.
    """
    build = {"service": service, "version": version, "python": platform.python_version()}
    lines = [
        *_metric("provisioning_build_info", "gauge", "What is running.", [(build, 1)]),
        *_metric("process_start_time_seconds", "gauge", "Unix time of the start.", [({}, started_at)]),
        *_metric(
            "provisioning_http_answers_total",
            "counter",
            "HTTP answers by status.",
            [({"code": str(code)}, count) for code, count in sorted(answers.items())],
        ),
        *_metric(
            "provisioning_platform_observable",
            "gauge",
            "Whether the platform could be looked at, without a notice about the source.",
            [({}, view is not None and not view.notice)],
        ),
    ]
    if view is not None:
        lines += _of_services(view)
    return "\n".join(lines) + "\n"


def _of_services(view: PlatformView) -> Iterable[str]:
    counts = dict.fromkeys(get_args(Status), 0)
    for one in view.services:
        counts[one.status] += 1
    labels = {one.name: {"service": one.name, "mode": one.mode} for one in view.services}
    yield from _metric(
        "provisioning_services",
        "gauge",
        "Services by status.",
        [({"status": status}, count) for status, count in counts.items()],
    )
    yield from _metric(
        "provisioning_service_up",
        "gauge",
        "Whether the service does what it is there for.",
        [({**labels[one.name], "required": str(one.required).lower()}, one.ok) for one in view.services],
    )
    yield from _metric(
        "provisioning_service_healthy",
        "gauge",
        "Whether its last check passed; absent without a check.",
        [(labels[one.name], one.health == "healthy") for one in view.services if one.health != "unknown"],
    )
    yield from _metric(
        "provisioning_service_restarts_total",
        "counter",
        "How often it was restarted.",
        [(labels[one.name], one.restarts) for one in view.services],
    )
    yield from _metric(
        "provisioning_service_status_since_seconds",
        "gauge",
        "Unix time since when it has its status.",
        [(labels[one.name], one.since) for one in view.services if one.since is not None],
    )
    yield from _metric(
        "provisioning_service_health_check_seconds",
        "gauge",
        "How long its last check took.",
        [
            (labels[one.name], one.health_duration_ms / 1000)
            for one in view.services
            if one.health_duration_ms is not None
        ],
    )


def _metric(name: str, kind: str, text: str, samples: Iterable[Sample]) -> Iterable[str]:
    rows = [f"{name}{_labels(labels)} {_number(value)}" for labels, value in samples]
    return [f"# HELP {name} {text}", f"# TYPE {name} {kind}", *rows] if rows else []


def _labels(labels: Mapping[str, str]) -> str:
    return "{" + ",".join(f'{key}="{_escaped(value)}"' for key, value in labels.items()) + "}" if labels else ""


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _number(value: float) -> str:
    return str(int(value)) if float(value).is_integer() else repr(round(float(value), 6))
