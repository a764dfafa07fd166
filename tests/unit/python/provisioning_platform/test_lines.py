# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plain lines of progress."""

from __future__ import annotations

import time

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils._events import Event
from provisioning_platform.lines import format_event
from provisioning_platform.run_state import RunView

BEFORE = [
    Event(
        "run.started",
        0.0,
        1,
        data={"installation_id": "ci-7", "platform": "Docker", "mode": "CICD", "steps": ["deploy-docker"]},
    ),
    Event("step.started", 1.0, 2, step="deploy-docker"),
]
NOON = 12 * 3600 + 63.0


def line(event: Event) -> str | None:
    return format_event(event, RunView.of([*BEFORE, event]), local_time=time.gmtime)


@pytest.mark.parametrize(
    ("event", "text"),
    [
        (
            Event("service.started", NOON, 3, service="gitea", data={"reason": "created: not there before"}),
            "12:01:03  deploy-docker           gitea            started  (created: not there before)",
        ),
        (
            Event("service.healthy", NOON, 3, service="gitea", data={"duration_ms": 812.4}),
            "12:01:03  deploy-docker           gitea            healthy  (after 0.8 s)",
        ),
        (
            Event(
                "service.failed",
                NOON,
                3,
                service="gitea",
                data={"error": "exited\n with 1", "remedy": "Look at its log."},
            ),
            "12:01:03  deploy-docker           gitea            failed: exited with 1. Look at its log.",
        ),
        (
            Event("step.completed", 4.5, 3, step="deploy-docker"),
            "00:00:04  deploy-docker           completed in 3.5 s",
        ),
        (
            Event("step.failed", 4.5, 3, step="deploy-docker", data={"error": "gitea: exited"}),
            "00:00:04  deploy-docker           failed: gitea: exited",
        ),
        (Event("step.failed", 4.5, 3, step="deploy-docker"), "00:00:04  deploy-docker           failed"),
        (Event("run.completed", 65.0, 3), "00:01:05  install completed in 1 min 05 s"),
        (Event("run.cancelled", 65.0, 3), "00:01:05  install cancelled in 1 min 05 s"),
        (Event("run.paused", 65.0, 3), None),
    ],
)
def test_an_event_is_a_line(event, text):
    assert line(event) == text


def test_a_run_begins_with_what_is_installed():
    assert (
        format_event(BEFORE[0], RunView.of(BEFORE[:1]), local_time=time.gmtime)
        == "00:00:00  install ci-7 (Docker CICD)"
    )


def test_a_run_without_steps_has_no_column_for_them():
    event = Event("service.stopping", NOON, 1, service="gitea", data={"reason": "asked to stop"})
    text = format_event(event, RunView.of([event]), local_time=time.gmtime)
    assert text == "12:01:03  gitea            stopping  (asked to stop)"
