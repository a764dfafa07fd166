# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The view of the platform in Prometheus' text format. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from ansible_collections.provisioning.platform.plugins.module_utils import _exposition
from ansible_collections.provisioning.platform.plugins.module_utils._exposition import CONTENT_TYPE, counter, gauge
from ansible_collections.provisioning.platform.plugins.module_utils._metrics import (
    ServiceSample,
    of_publisher,
    of_services,
)

from .platform_view import PlatformView

__all__ = ["CONTENT_TYPE", "exposition"]


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
    metrics = [
        *of_publisher(service, version, started_at),
        counter(
            "provisioning_http_answers_total",
            "HTTP answers by status.",
            [({"code": str(code)}, count) for code, count in sorted(answers.items())],
        ),
        gauge(
            "provisioning_platform_observable",
            "Whether the platform could be looked at, without a notice about the source.",
            [({}, view is not None and not view.notice)],
        ),
        *of_services([ServiceSample(status=one, up=one.ok) for one in view.services] if view else []),
    ]
    return _exposition.exposition(metrics)
