# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Slack and PagerDuty see of real installations; a receiver on loopback answers as they do."""

from __future__ import annotations

import pytest

from tests.e2e.conftest import MakeSmall
from tests.fixtures.installations import Installation, Ran, command, web
from tests.fixtures.message_rules import pagerduty_faults, slack_faults
from tests.fixtures.ports import free_port
from tests.fixtures.receiver import Receiver

ENTRIES = ("provisioning-run", "ansible-playbook")
SECRET = "R0UT1NGK3Y0s3cret"


def install(installation: Installation, entry: str) -> Ran:
    return installation.run() if entry == "provisioning-run" else installation.playbook("install")


def test_slack_is_told_in_messages_and_given_the_time_it_asks_for(make: MakeSmall) -> None:
    one = make({"web": web(free_port())})
    for entry in ENTRIES:
        with Receiver("200", answers=("429", "200", "429")) as receiver:
            one.document["notifications"] = {"webhook_url": receiver.url, "format": "slack"}
            ran = install(one, entry)
        assert ran.returncode == 0, ran.stderr
        assert [faults for body in receiver.payloads if (faults := slack_faults(body))] == []
        texts = [body["text"] for body in receiver.payloads]
        assert texts[0] == texts[1]
        assert texts[0].startswith("Installation has begun: Solo on Docker from ")
        assert texts[2] == texts[3]
        assert receiver.deliveries[1].at - receiver.deliveries[0].at >= 1
        assert texts[-1].startswith("Installed: 1 service, ")
        assert sum("is done" in text for text in texts) == 7
        assert not one.outbox.exists()
        assert "s3cret" not in ran.stdout + ran.stderr


@pytest.mark.parametrize(("first", "second"), [ENTRIES, ENTRIES[::-1]])
def test_a_success_ends_the_alert_of_a_failure_whatever_command_was_used(
    make: MakeSmall, monkeypatch: pytest.MonkeyPatch, first: str, second: str
) -> None:
    monkeypatch.setenv("PAGERDUTY_ROUTING_KEY", SECRET)
    one = make({"web": web(free_port()), "broken": command("/bin/false", depends_on=["web"])})
    with Receiver("202") as receiver:
        one.document["notifications"] = {
            "webhook_url": f"http://127.0.0.1:{receiver.port}/v2/enqueue",
            "format": "pagerduty",
            "routing_key": "${PAGERDUTY_ROUTING_KEY}",
            "notify_progress": first == "ansible-playbook",
        }
        failed = install(one, first)
        del one.registry["broken"]
        done = install(one, second)
    assert failed.returncode != 0
    assert done.returncode == 0, done.stderr
    for delivery in receiver.deliveries:
        assert pagerduty_faults(delivery.json, path=delivery.path) == []
        assert delivery.json["routing_key"] == SECRET
    alerts = [delivery.json for delivery in receiver.deliveries if delivery.path == "/v2/enqueue"]
    assert [alert["event_action"] for alert in alerts] == ["trigger", "resolve"]
    assert len({alert["dedup_key"] for alert in alerts}) == 1
    assert alerts[0]["dedup_key"].startswith(f"{one.project}@")
    assert "broken" in alerts[0]["payload"]["summary"]
    assert [problem["what"] for problem in alerts[0]["payload"]["custom_details"]["problems"]] == ["broken"]
    has_changes = any(delivery.path == "/v2/change/enqueue" for delivery in receiver.deliveries)
    assert has_changes == (first == "ansible-playbook")
    said = failed.stdout + failed.stderr + done.stdout + done.stderr
    assert SECRET not in said
    assert [path for path, text in one.texts().items() if SECRET in text] == []
