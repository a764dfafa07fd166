# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan, read from ansible-runner's events."""

from __future__ import annotations

import json

from provisioning_platform.plan_view import PlannedAction, PlanReader, plan_headline, plan_json, plan_table


def ok(plan: list[dict[str, object]], *, host: str = "localhost", action: str = "provisioning.platform.services"):
    return {"event": "runner_on_ok", "event_data": {"host": host, "task_action": action, "res": {"plan": plan}}}


def read(*events: dict[str, object]) -> tuple[PlannedAction, ...]:
    reader = PlanReader()
    for event in events:
        reader.take(event)
    return reader.actions


CREATE = {"service": "gitea", "action": "create", "reason": "not there"}
NONE = {"service": "orchestrator", "action": "none", "reason": "already running"}
RECREATE = {"service": "zot", "action": "recreate", "reason": "changed: env.A", "changes": ["env.A: 1 -> 2"]}


def test_the_plan_is_in_the_result_of_the_services_task():
    assert [(one.service, one.action, one.is_change) for one in read(ok([CREATE, NONE]))] == [
        ("gitea", "create", True),
        ("orchestrator", "none", False),
    ]


def test_other_tasks_and_events_have_none():
    events = [
        ok([CREATE], action="ansible.builtin.debug"),
        {"event": "playbook_on_stats", "event_data": {}},
        {"event": "verbose", "stdout": "x"},
        {
            "event": "runner_on_ok",
            "event_data": {"task_action": "provisioning.platform.services", "res": {"censored": "x"}},
        },
    ]
    assert read(*events) == ()


def test_a_later_look_that_would_do_nothing_does_not_hide_a_change():
    later = {"service": "gitea", "action": "none", "reason": "already running"}
    assert [one.action for one in read(ok([CREATE]), ok([later]))] == ["create"]


def test_what_cannot_run_here_is_no_change():
    preflight = ok([], action="provisioning.platform.preflight")
    preflight["event_data"]["res"] = {"unavailable": {"gitea": {"why": "no container engine answers"}}}
    plan = read(preflight, ok([CREATE, NONE]))
    assert [(one.service, one.action, one.reason) for one in plan] == [
        ("gitea", "skip", "no container engine answers"),
        ("orchestrator", "none", "already running"),
    ]
    assert plan_headline(plan) == "Nothing to do."


def test_hosts_are_told_apart_when_there_are_several():
    plan = read(ok([CREATE], host="a"), ok([CREATE], host="b"))
    assert plan_table(plan) == [
        "HOST  SERVICE  ACTION  REASON",
        "a     gitea    create  not there",
        "b     gitea    create  not there",
    ]


def test_settings_that_differ_are_shown():
    assert plan_table(read(ok([RECREATE])))[1] == "zot      recreate  changed: env.A [env.A: 1 -> 2]"


def test_the_headline_counts():
    assert plan_headline(read(ok([NONE]))) == "Nothing to do."
    assert plan_headline(read(ok([CREATE, NONE, RECREATE]))) == "2 changes: 1 to create, 1 to recreate."


def test_as_json_each_action_is_a_document():
    assert json.loads(plan_json(read(ok([RECREATE])))[0]) == {**RECREATE, "host": "localhost"}
