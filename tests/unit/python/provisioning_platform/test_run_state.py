# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A journal folded into what a run looks like."""

from __future__ import annotations

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils._events import Event
from provisioning_platform.run_state import RunView

STARTED = Event(
    "run.started",
    100.0,
    1,
    data={"installation_id": "x", "platform": "Docker", "mode": "Solo", "operation": "install", "steps": ["a", "b"]},
)


def test_a_run_begins_with_its_steps_waiting():
    view = RunView.of([STARTED])
    assert (view.installation_id, view.platform, view.profile, view.started_at) == ("x", "Docker", "Solo", 100.0)
    assert [(step.name, step.state) for step in view.steps.values()] == [("a", "waiting"), ("b", "waiting")]
    assert view.current_step is None


def test_steps_take_time_until_they_end():
    view = RunView.of([STARTED, Event("step.started", 101.0, 2, step="a")])
    assert view.steps["a"].duration(now=103.5) == 2.5
    view.apply(Event("step.completed", 104.0, 3, step="a"))
    assert view.steps["a"].duration(now=200.0) == 3.0
    assert view.steps["b"].duration(now=200.0) is None
    assert view.current_step is view.steps["a"]


def test_a_step_that_runs_when_the_run_fails_has_failed():
    view = RunView.of([STARTED, Event("step.started", 101.0, 2, step="a"), Event("run.failed", 105.0, 3, step="a")])
    assert view.ending is not None
    assert view.failed_step is view.steps["a"]
    assert view.steps["a"].ended_at == 105.0


@pytest.mark.parametrize(
    ("kind", "status", "health", "busy", "installed"),
    [
        ("service.unchanged", "running", "-", False, True),
        ("service.pulling", "pulling", "-", True, False),
        ("service.starting", "starting", "-", True, False),
        ("service.started", "started", "checking", True, True),
        ("service.healthy", "running", "healthy", False, True),
        ("service.completed", "completed", "-", False, True),
        ("service.failed", "failed", "-", False, False),
        ("service.skipped", "skipped", "-", False, False),
        ("service.stopped", "stopped", "-", False, False),
        ("service.removed", "removed", "-", False, False),
    ],
)
def test_the_last_event_of_a_service_says_what_it_is(kind, status, health, busy, installed):
    service = RunView.of([STARTED, Event(kind, 1.0, 2, service="gitea")]).services["gitea"]
    assert (service.status, service.health, service.is_busy, service.is_installed) == (status, health, busy, installed)


def test_a_service_that_was_checked_and_failed_is_unhealthy():
    view = RunView.of([Event("service.started", 1.0, 1, service="a"), Event("service.failed", 2.0, 2, service="a")])
    assert view.services["a"].health == "unhealthy"


def test_details_are_kept_until_they_are_told_anew():
    view = RunView.of(
        [
            Event("service.starting", 1.0, 1, service="a", data={"mode": "docker", "reason": "created: not there"}),
            Event("service.healthy", 2.0, 2, service="a", data={"address": "http://127.0.0.1:1", "duration_ms": 5}),
        ]
    )
    one = view.services["a"]
    assert (one.mode, one.reason, one.address) == ("docker", "created: not there", "http://127.0.0.1:1")
    assert one.touched


def test_why_a_service_was_started_is_not_replaced_by_why_it_is_healthy():
    view = RunView.of(
        [
            Event("service.starting", 1.0, 1, service="a", data={"reason": "not there"}),
            Event("service.healthy", 2.0, 2, service="a", data={"reason": "HTTP 200"}),
        ]
    )
    assert view.services["a"].reason == "not there"


def test_the_result_of_the_run_completes_what_events_told():
    result = {
        "a": {"status": "healthy", "reason": "already running"},
        "b": {"status": "skipped", "reason": "no container engine answers", "required": False},
        "c": {"status": "unchanged", "reason": "already running"},
    }
    view = RunView.of([STARTED, Event("run.completed", 3.0, 2, data={"services": result, "degraded": True})])
    assert [(one.name, one.status, one.health) for one in view.services.values()] == [
        ("a", "running", "healthy"),
        ("b", "skipped", "-"),
        ("c", "running", "-"),
    ]
    assert not view.services["b"].required


def test_warnings_are_kept_and_change_no_service():
    view = RunView.of([STARTED, Event("service.warning", 1.0, 2, service="a", step="b", data={"reason": "no cgroups"})])
    assert (view.warnings, view.services, list(view.steps)) == (["a: no cgroups"], {}, ["a", "b"])


def test_events_of_kinds_unknown_change_nothing():
    view = RunView.of([STARTED, Event("service.polished", 1.0, 2, service="a", step="c"), Event("run.paused", 1.0, 3)])
    assert (view.services, list(view.steps)) == ({}, ["a", "b"])
    assert view.ending is None
