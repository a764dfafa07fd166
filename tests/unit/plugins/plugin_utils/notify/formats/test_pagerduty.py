# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json

import pytest
from ansible_collections.provisioning.platform.plugins.plugin_utils.notify.formats.pagerduty import (
    change_path,
    pagerduty,
)

from tests.fixtures.message_rules import pagerduty_faults

from .conftest import PAYLOADS, PLATFORM, PROBLEM, payload


@pytest.mark.parametrize("told", PAYLOADS, ids=lambda told: told.event)
@pytest.mark.parametrize("platform", [PLATFORM, "p" * 5000])
def test_every_event_keeps_to_the_limits_of_pagerduty(told, platform):
    message = pagerduty(told, platform)
    if message is None:
        assert told.event == "progress"
        return
    path = "/v2/change/enqueue" if message.is_change else "/v2/enqueue"
    assert "routing_key" not in message.body
    assert pagerduty_faults({"routing_key": "k", **message.body}, path=path) == []
    assert len(json.dumps(message.body, ensure_ascii=False).encode()) < 512_000


@pytest.mark.parametrize(
    ("event", "action"),
    [
        ("started", "change"),
        ("progress", None),
        ("step_completed", "change"),
        ("completed", "resolve"),
        ("failed", "trigger"),
    ],
)
def test_only_a_failure_raises_an_alert_and_only_a_success_ends_it(event, action):
    message = pagerduty(payload(event, "e"), PLATFORM)
    assert (message and ("change" if message.is_change else message.body["event_action"])) == action


def test_a_success_ends_the_alert_of_any_earlier_run_of_the_same_platform():
    raised = pagerduty(payload("failed", "e"), PLATFORM)
    ended = pagerduty(payload("completed", degraded=True), PLATFORM)
    elsewhere = pagerduty(payload("completed"), "another@platform.example.com:/srv/platform")
    assert raised is not None
    assert ended is not None
    assert elsewhere is not None
    assert ended.body == {"event_action": "resolve", "dedup_key": raised.body["dedup_key"]}
    assert elsewhere.body["dedup_key"] != raised.body["dedup_key"]


@pytest.mark.parametrize(
    ("kind", "severity"),
    [
        ("failed", "critical"),
        ("anything new", "critical"),
        ("configuration", "error"),
        ("prerequisites", "error"),
        ("cancelled", "warning"),
    ],
)
def test_how_bad_it_is_depends_on_the_kind_of_failure(kind, severity):
    message = pagerduty(payload("failed", "e", kind=kind), PLATFORM)
    assert message is not None
    assert (message.body["payload"]["severity"], message.body["payload"]["class"]) == (severity, kind)


def test_who_is_called_reads_what_is_wrong_and_what_to_do():
    message = pagerduty(payload("failed", "gitea: port\n 3000 is taken", problems=[PROBLEM]), PLATFORM)
    assert message is not None
    told = message.body["payload"]
    assert told["summary"] == f"{PLATFORM}: gitea: port 3000 is taken"
    assert (told["source"], told["component"]) == (PLATFORM, "deploy-docker")
    assert told["timestamp"] == "2023-11-14T22:13:20+00:00"
    assert told["custom_details"]["problems"] == [PROBLEM]
    assert told["custom_details"]["installation_id"] == "solo-1"


def test_change_events_have_an_address_beside_that_of_alerts():
    assert change_path("/v2/enqueue") == "/v2/change/enqueue"
    assert change_path("/proxy/v2/enqueue?a=b") == "/proxy/v2/change/enqueue?a=b"
