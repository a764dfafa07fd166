# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils._events import Event
from ansible_collections.provisioning.platform.plugins.plugin_utils.notify.supervision import message_of, payload_of
from ansible_collections.provisioning.platform.plugins.plugin_utils.notify.target import WebhookTarget


def payload(kind: str, **data: Any):
    event = Event(f"service.{kind}", 1000.5, 7, "gitea", None, {"reason": "killed by signal 9", **data})
    return payload_of(event, installation_id="solo-1", host="h1")


@pytest.mark.parametrize(
    ("kind", "told_as"),
    [
        ("down", "failed"),
        ("unhealthy", "failed"),
        ("given_up", "failed"),
        ("recovered", "completed"),
        ("settled", "completed"),
        ("restarted", "progress"),
        ("held", "progress"),
        ("flapping", "progress"),
    ],
)
def test_trouble_is_a_failure_and_its_end_a_completion(kind: str, told_as: str) -> None:
    told = payload(kind)
    assert (told.event, told.current_step, told.progress, told.timestamp) == (told_as, "supervision", 100, 1000)
    assert told.metadata == {"service": "gitea", "status": kind, "reason": "killed by signal 9", "host": "h1"}
    assert (told.error is not None) == (told_as == "failed")


@pytest.mark.parametrize(("kind", "data"), [("started", {}), ("stopping", {}), ("down", {"quiet": True})])
def test_what_is_no_news_is_not_told(kind: str, data: dict[str, Any]) -> None:
    assert payload(kind, **data) is None


def test_pagerduty_has_an_alert_for_each_service_that_its_recovery_resolves() -> None:
    url = "https://events.pagerduty.com/v2/enqueue"
    target = WebhookTarget(url=url, format="pagerduty", routing_key="k" * 32, platform="p@h")
    alert, end = message_of(target, payload("down")), message_of(target, payload("recovered"))
    assert alert is not None
    assert end is not None
    assert (alert.body["event_action"], end.body["event_action"]) == ("trigger", "resolve")
    assert alert.body["dedup_key"] == end.body["dedup_key"] == "p@h gitea"
    assert "gitea is down: killed by signal 9" in alert.body["payload"]["summary"]
    assert message_of(target, payload("restarted")) is None


def test_slack_is_told_of_the_service_and_not_of_an_installation() -> None:
    target = WebhookTarget(url="https://hooks.slack.com/services/x", format="slack", platform="p@h")
    message = message_of(target, payload("given_up"))
    assert message is not None
    assert message.body["text"] == "gitea on h1: given up: killed by signal 9"
    assert "nstallation" not in str(message.body)
