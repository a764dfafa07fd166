# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is said at the end of a run."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils._events import Event
from provisioning_platform.exit_codes import ExitCode
from provisioning_platform.run_state import RunView
from provisioning_platform.summary import (
    aftermath,
    cancelled,
    failure,
    headline,
    left_running,
    remedies,
    service_table,
    undelivered,
)

NO_ENGINE = {"reason": "Docker does not answer", "remedy": "Start Docker or Podman.", "required": False}
STARTED = Event("run.started", 0.0, 0, data={"operation": "install", "steps": ["deploy-docker"]})


def healthy(*names: str) -> list[Event]:
    return [Event("service.healthy", 1.0, 1, service=name, data={"mode": "binary"}) for name in names]


def started(*names: str) -> list[Event]:
    return [Event("service.started", 1.0, 1, service=name, data={"mode": "binary"}) for name in names]


def skipped(*names: str, **data: object) -> list[Event]:
    return [Event("service.skipped", 1.0, 1, service=name, data=dict(data)) for name in names]


def failed(name: str, **data: object) -> Event:
    return Event("service.failed", 1.0, 1, service=name, data=dict(data))


def completed(changed: int = 1) -> Event:
    return Event("run.completed", 2.0, 9, data={"changed": changed})


@pytest.mark.parametrize(
    ("events", "text"),
    [
        ([*healthy("a", "b"), completed()], "2 of 2 services installed."),
        (
            [*healthy("a"), Event("service.removed", 1.0, 1, service="b"), completed()],
            "1 of 1 services installed. Removed, as no longer wanted: b.",
        ),
        ([*healthy("a", "b"), completed(0)], "2 of 2 services installed. Nothing had to be changed."),
        (
            [*healthy("a"), *skipped("b", "c", "d", **NO_ENGINE), completed()],
            "1 of 4 services; 3 need a container engine",
        ),
        ([*healthy("a"), *skipped("b", **NO_ENGINE), completed()], "1 of 2 services; 1 needs a container engine"),
        (
            [*healthy("a"), failed("b", error="exited"), *skipped("c", reason="needs b, which failed"), completed()],
            "1 of 3 services; 1 failed (b), 1 skipped (c)",
        ),
        (
            [*healthy("a"), *skipped("b", "c", **NO_ENGINE), failed("d", error="image missing"), completed()],
            "1 of 4 services; 2 need a container engine, 1 failed (d)",
        ),
        (
            [*started("a", "b"), failed("b", error="timeout"), completed()],
            "1 of 2 services; 1 unhealthy (b)",
        ),
    ],
)
def test_one_sentence_says_how_it_ended(events, text):
    assert headline(RunView.of(events)) == text


def test_services_missing_for_the_same_reason_share_a_line():
    view = RunView.of([*skipped("b", "c", **NO_ENGINE), failed("d", error="image missing", remedy="Load it.")])
    assert remedies(view) == [
        "b, c: Docker does not answer. Start Docker or Podman.",
        "d: image missing. Load it.",
    ]


def test_the_table_is_aligned():
    events = [
        Event("service.starting", 1.0, 1, service="gitea", data={"reason": "not there"}),
        Event("service.healthy", 1.0, 1, service="gitea", data={"address": "http://127.0.0.1:3000"}),
        *skipped("coredns", **NO_ENGINE),
    ]
    assert service_table(RunView.of(events)) == [
        "SERVICE  STATUS   HEALTH   ADDRESS                REASON",
        "gitea    running  healthy  http://127.0.0.1:3000  not there",
        "coredns  skipped  -        -                      Docker does not answer",
    ]


def test_in_the_table_an_explanation_is_brief():
    event = failed("a", error="Docker does not answer (tried unix:///x: not there); its last words: a / b")
    assert service_table(RunView.of([event]))[1].endswith("-        Docker does not answer")


def test_the_table_stays_within_a_narrow_terminal():
    events = [
        Event("service.healthy", 1.0, 1, service="control-center", data={"address": "http://127.0.0.1:8081"}),
        *skipped("oci-registry", reason="no container engine answers at unix:///var/run/docker.sock nor anywhere else"),
    ]
    for width in (60, 80, 100):
        assert max(map(len, service_table(RunView.of(events), width=width))) <= width


def test_a_run_that_came_to_no_service_has_no_table():
    assert service_table(RunView.of([STARTED])) == []


def test_a_failure_says_where_why_and_what_became_of_the_services():
    view = RunView.of(
        [
            STARTED,
            Event("step.started", 1.0, 1, step="deploy-docker"),
            Event("service.unchanged", 1.0, 2, service="old"),
            *started("a", "b"),
            failed("b", error="exited with 1"),
            Event("service.removed", 1.0, 3, service="a"),
            Event("service.removed", 1.0, 4, service="b"),
            Event("run.failed", 2.0, 5, data={"error": "b: exited with 1", "kind": "failed"}),
        ]
    )
    assert failure(view) == [
        "install failed in deploy-docker: b: exited with 1.",
        "Cleaned up, because this run had created it: a and b.",
        "Left running: old.",
    ]


def test_each_problem_is_told_once():
    problems = [
        {"what": "gitea", "why": "port 3000 is taken", "remedy": "Stop it."},
        {"what": "coredns", "why": "port 8053 is taken", "remedy": ""},
    ]
    error = "gitea: port 3000 is taken. Stop it."
    view = RunView.of([STARTED, Event("run.failed", 2.0, 5, data={"error": error, "problems": problems})])
    assert failure(view) == [f"install failed: {error}", "  coredns: port 8053 is taken."]


def test_what_failed_and_was_kept_is_named_so():
    view = RunView.of([*started("a", "b"), failed("a", error="no answer")])
    assert aftermath(view) == ["Kept as it failed: a.", "Left running: b."]


def test_what_the_clean_up_reports_is_told():
    view = RunView.of([*started("a", "b"), failed("a", error="no answer")])
    view.take_back(["a", "b", "/w/config", "/w/data"])
    assert aftermath(view) == [
        "Cleaned up, because this run had created it: a, b and 2 files and folders.",
        "This run left no service running.",
    ]
    assert [(one.name, one.status) for one in view.services.values()] == [("a", "failed"), ("b", "removed")]


def test_a_cancelled_run_names_what_was_left_running():
    view = RunView.of(
        [
            STARTED,
            Event("step.started", 1.0, 1, step="deploy-docker"),
            *healthy("a"),
            *started("b"),
            Event("service.starting", 1.0, 1, service="c"),
            *skipped("d"),
            Event("run.cancelled", 2.0, 5, data={"error": "cancelled"}),
        ]
    )
    assert left_running(view) == ["a", "b", "c"]
    assert cancelled(view, ExitCode.CANCELLED) == ["Cancelled in deploy-docker.", "Left running: a, b and c."]


def test_a_run_cancelled_early_left_nothing():
    assert cancelled(RunView(), ExitCode.TERMINATED) == ["Terminated.", "This run left no service running."]


def test_undelivered_webhooks_are_kept_and_it_is_said_where():
    assert undelivered(2, "HTTP 500", Path("/w/outbox.jsonl")) == (
        "warning: 2 webhooks could not be delivered: HTTP 500. Kept in /w/outbox.jsonl."
    )
