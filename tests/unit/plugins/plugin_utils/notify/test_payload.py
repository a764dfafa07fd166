# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils._events import Event, Journal
from ansible_collections.provisioning.platform.plugins.plugin_utils.notify.payload import (
    NotificationPayload,
    RunProgress,
    advance,
)

FIELDS = {
    "event",
    "installation_id",
    "timestamp",
    "current_step",
    "progress",
    "completed_steps",
    "total_steps",
    "error",
    "metadata",
}


def payloads_of(journal: Journal) -> list[dict[str, Any]]:
    state, payloads = RunProgress(), []
    for event in journal.read():
        state, payload = advance(state, event)
        if payload is not None:
            payloads.append(json.loads(json.dumps(asdict(payload))))
    return payloads


def at(kind: str, /, *, time: float = 100.0, step: str | None = None, service: str | None = None, **data: Any) -> Event:
    return Event(kind, time, 1, service, step, data)


def last(*events: Event) -> NotificationPayload | None:
    state, payload = RunProgress(), None
    for event in events:
        state, payload = advance(state, event)
    return payload


def test_an_installation_is_told_as_started_progress_seven_completed_steps_and_completed(script):
    script.whole()
    events = [payload["event"] for payload in payloads_of(script.journal)]
    assert events[0] == "started"
    assert events.count("step_completed") == 7
    assert events[-1] == "completed"
    assert set(events[1:-1]) == {"progress", "step_completed"}


def test_every_payload_has_every_field_and_no_other(script):
    script.whole()
    payloads = payloads_of(script.journal)
    assert {frozenset(payload) for payload in payloads} == {frozenset(FIELDS)}
    assert {payload["installation_id"] for payload in payloads} == {"solo-1"}
    assert {payload["total_steps"] for payload in payloads} == {7}
    assert all(isinstance(payload["timestamp"], int) for payload in payloads)


def test_progress_never_falls_and_is_100_only_when_completed(script):
    script.whole()
    progress = [payload["progress"] for payload in payloads_of(script.journal)]
    assert progress == sorted(progress)
    assert progress[0] == 0
    assert progress[-2:] == [99, 100]
    assert 100 not in progress[:-1]


def test_progress_moves_within_the_deploy_step_as_services_start(script):
    script.begin()
    script.steps(["validate-prerequisites", "create-work-directory", "generate-secrets", "generate-configuration"])
    script.event("step.started", step="deploy-docker", data={"total_services": 4})
    for number in range(4):
        script.event("service.started", service=f"s{number}")
    progress = [
        payload["progress"] for payload in payloads_of(script.journal) if payload["current_step"][:6] == "deploy"
    ]
    assert progress == [57, 60, 64, 67, 71]


def test_progress_stays_below_the_next_step_while_the_number_of_services_is_unknown(script):
    script.begin()
    script.event("step.started", step="deploy-docker")
    for number in range(50):
        script.event("service.started", service=f"s{number}")
    assert payloads_of(script.journal)[-1]["progress"] < 100 / 7


def test_progress_begins_anew_with_a_second_run_of_the_same_installation(script):
    script.whole()
    script.begin()
    payload = payloads_of(script.journal)[-1]
    assert (payload["event"], payload["progress"], payload["completed_steps"]) == ("started", 0, 0)


def test_nothing_is_told_after_the_ending(script):
    script.begin()
    script.fail()
    script.event("run.cancelled")
    script.event("service.stopped", service="gitea")
    assert [payload["event"] for payload in payloads_of(script.journal)] == ["started", "failed"]


def test_a_completed_step_tells_how_long_it_took():
    payload = last(
        at("run.started", steps=["a"]),
        at("step.started", time=100.0, step="a"),
        at("step.completed", time=102.5, step="a"),
    )
    assert payload is not None
    assert payload.metadata == {"step": "a", "duration_ms": 2500}
    assert payload.completed_steps == 1


def test_a_service_is_told_with_its_status_and_details():
    payload = last(at("service.healthy", service="gitea", address="http://127.0.0.1:3000", duration_ms=812.4))
    assert payload is not None
    assert payload.metadata == {
        "service": "gitea",
        "status": "healthy",
        "address": "http://127.0.0.1:3000",
        "duration_ms": 812.4,
    }


def test_completion_tells_whether_it_is_degraded_and_what_became_of_services(script):
    script.whole()
    payload = payloads_of(script.journal)[-1]
    assert payload["metadata"]["degraded"] is True
    assert payload["metadata"]["services"]["gitea"]["status"] == "failed"
    assert (payload["progress"], payload["completed_steps"], payload["error"]) == (100, 7, None)


def test_failure_tells_the_error_its_kind_and_its_problems(script):
    script.begin()
    script.steps(["validate-prerequisites"])
    script.fail()
    payload = payloads_of(script.journal)[-1]
    assert payload["event"] == "failed"
    assert payload["error"] == "gitea: port 3000 is taken"
    assert payload["metadata"]["kind"] == "prerequisites"
    assert payload["metadata"]["problems"] == [{"what": "gitea"}]
    assert payload["current_step"] == "deploy-docker"
    assert payload["progress"] == 14


@pytest.mark.parametrize(
    ("event", "kind", "error"),
    [
        (at("run.failed"), "failed", "The run failed."),
        (at("run.cancelled"), "cancelled", "The run was cancelled."),
        (at("run.cancelled", error="Stopped by SIGTERM.", kind="cancelled"), "cancelled", "Stopped by SIGTERM."),
    ],
)
def test_a_run_that_ends_without_saying_why_has_failed_or_was_cancelled(event, kind, error):
    payload = last(event)
    assert payload is not None
    assert (payload.event, payload.error, payload.metadata["kind"]) == ("failed", error, kind)


def test_a_failure_before_the_run_has_started_names_the_installation():
    payload = last(at("run.failed", installation_id="ci-7", error="broken TOML", kind="configuration"))
    assert payload is not None
    assert (payload.installation_id, payload.current_step, payload.progress) == ("ci-7", None, 0)


def test_a_warning_about_a_service_is_told_and_leaves_its_status(script):
    script.begin()
    script.event("step.started", step="deploy-docker", data={"total_services": 1})
    script.event("service.started", service="api", step="deploy-docker")
    script.event("service.warning", service="api", step="deploy-docker", data={"reason": "no limit"})
    started, warned = payloads_of(script.journal)[-2:]
    assert warned["metadata"] == {"service": "api", "status": "warning", "reason": "no limit"}
    assert warned["progress"] == started["progress"]
