# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The courier with a clock of its own: retries, order and the outbox, in no time."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils._errors import ConfigurationError
from ansible_collections.provisioning.platform.plugins.plugin_utils.notify.courier import Courier, DeliveryReport
from ansible_collections.provisioning.platform.plugins.plugin_utils.notify.follow import journal_size
from ansible_collections.provisioning.platform.plugins.plugin_utils.notify.outbox import Outbox, OutboxEntry
from ansible_collections.provisioning.platform.plugins.plugin_utils.notify.target import WebhookTarget

from tests.fixtures.disks import full_disk
from tests.fixtures.message_rules import pagerduty_faults, slack_faults
from tests.fixtures.receiver import Receiver

from .conftest import STEPS, Script


class Clock:
    """Time that passes only while somebody sleeps, and what happens then."""

    def __init__(self) -> None:
        self.now = 0.0
        self.sleeps: list[float] = []
        self.alarms: list[tuple[float, Any]] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        self.now += seconds
        while self.alarms and self.alarms[0][0] <= self.now:
            self.alarms.pop(0)[1]()

    @property
    def backoffs(self) -> list[float]:
        return [seconds for seconds in self.sleeps if seconds != pytest.approx(0.1)]


@pytest.fixture
def clock() -> Clock:
    return Clock()


def make(
    script: Script, receiver: Receiver, clock: Clock, *, offset: int = 0, path: str = "", **settings: Any
) -> Courier:
    url = f"http://127.0.0.1:{receiver.port}{path}" if path else receiver.url
    target = WebhookTarget(url, **settings)
    return Courier(script.journal, target, offset=offset, clock=clock, sleep=clock.sleep, random=lambda: 1.0)


def outbox_of(script: Script) -> list[Any]:
    return list(Outbox(script.journal.path.with_name("outbox.jsonl")))


def deliver(script: Script, receiver: Receiver, clock: Clock, **settings: Any) -> DeliveryReport:
    courier = make(script, receiver, clock, **settings)
    courier.run()
    return courier.finish(0.0)


def test_the_receiver_sees_the_whole_run_in_order(script, clock):
    script.whole()
    with Receiver() as receiver:
        report = deliver(script, receiver, clock)
    assert receiver.events[0] == "started"
    assert receiver.events.count("step_completed") == 7
    assert receiver.events[-1] == "completed"
    progress = [payload["progress"] for payload in receiver.payloads]
    assert progress == sorted(progress)
    timestamps = [payload["timestamp"] for payload in receiver.payloads]
    assert timestamps == sorted(timestamps)
    assert report == DeliveryReport(delivered=len(receiver.payloads))
    assert outbox_of(script) == []
    assert not script.journal.path.with_name("outbox.jsonl").exists()


def test_each_payload_has_an_identifier_of_its_own_that_names_the_installation(script, clock):
    script.whole()
    with Receiver() as receiver:
        deliver(script, receiver, clock)
    identifiers = [delivery.headers["webhook-id"] for delivery in receiver.deliveries]
    assert identifiers[0] == "solo-1-1"
    assert len(set(identifiers)) == len(identifiers)


def test_every_retry_carries_the_same_identifier_and_bytes(script, clock):
    script.begin()
    script.fail()
    with Receiver(answers=("500", "503", "drop")) as receiver:
        report = deliver(script, receiver, clock)
    first = receiver.deliveries[:4]
    assert {delivery.headers["webhook-id"] for delivery in first} == {"solo-1-1"}
    assert len({delivery.body for delivery in first}) == 1
    assert report == DeliveryReport(delivered=2)


def test_retries_wait_twice_as_long_each_time(script, clock):
    script.begin()
    script.fail()
    with Receiver(answers=("500", "500", "500")) as receiver:
        deliver(script, receiver, clock)
    assert clock.backoffs == [0.5, 1.0, 2.0]


def test_retry_after_is_honoured(script, clock):
    script.begin()
    script.fail()
    with Receiver(answers=("429",)) as receiver:
        report = deliver(script, receiver, clock)
    assert clock.backoffs == [1.0]
    assert report == DeliveryReport(delivered=2)


@pytest.mark.parametrize(("passed", "delivered"), [(0.0, True), (9.5, False)])
def test_what_has_passed_since_the_run_ended_is_part_of_the_time_for_the_end(script, clock, passed, delivered):
    script.begin()
    script.fail()
    with Receiver(answers=("429",)) as receiver:
        courier = make(script, receiver, clock)
        assert courier.look()
        clock.now += passed
        report = courier.finish(10.0)
    assert (report.undelivered == 0) is delivered
    assert clock.now <= 10.0


def test_no_retry_is_made_when_none_is_wanted(script, clock):
    script.begin()
    script.fail()
    with Receiver(answers=("500",)) as receiver:
        report = deliver(script, receiver, clock, retry_attempts=0)
    assert receiver.events == ["started", "failed"]
    assert (report.delivered, report.undelivered) == (1, 1)
    assert "answered 500" in report.last_error


def test_what_cannot_be_delivered_waits_in_the_outbox_and_later_ones_are_still_tried(script, clock):
    script.begin()
    script.fail()
    with Receiver(answers=("500", "500")) as receiver:
        report = deliver(script, receiver, clock, retry_attempts=1)
    (entry,) = outbox_of(script)
    assert (entry.id, entry.attempts, entry.payload["event"]) == ("solo-1-1", 2, "started")
    assert "answered 500" in entry.error
    assert receiver.events[-1] == "failed"
    assert (report.delivered, report.undelivered) == (1, 1)


@pytest.mark.parametrize("status", ["400", "401", "404", "redirect", "303", "307", "308"])
def test_a_refused_payload_is_not_tried_again_and_waits_in_the_outbox(status, script, clock):
    script.begin()
    script.fail()
    with Receiver(answers=(status,)) as receiver:
        report = deliver(script, receiver, clock)
    assert receiver.events == ["started", "failed"]
    assert [entry.payload["event"] for entry in outbox_of(script)] == ["started"]
    assert (report.delivered, report.undelivered) == (1, 1)


def test_after_410_nothing_more_is_sent(script, clock):
    script.whole()
    with Receiver(answers=("ok", "410")) as receiver:
        report = deliver(script, receiver, clock)
    assert len(receiver.deliveries) == 2
    assert report.delivered == 1
    assert report.undelivered == len(outbox_of(script)) > 10
    assert "gone" in report.last_error


@pytest.mark.parametrize("mode", ["500", "down", "404", "redirect", "307", "308"])
def test_a_dead_receiver_costs_a_few_tries_and_not_retries_for_each_payload(mode, script, clock):
    script.whole()
    with Receiver(mode) as receiver:
        report = deliver(script, receiver, clock, retry_attempts=3)
    count = len(outbox_of(script))
    assert count == 25
    assert (report.delivered, report.undelivered) == (0, count)
    assert len(receiver.deliveries) <= 3 * 4 + 2
    assert clock.now < 15


def test_the_outbox_is_in_order_and_for_its_owner_alone_and_holds_no_secret(script, clock):
    script.whole()
    with Receiver("500") as receiver:
        deliver(script, receiver, clock, headers={"X-Key": "s3cret-header"})
    sequences = [int(entry.id.rpartition("-")[2]) for entry in outbox_of(script)]
    assert sequences == sorted(sequences)
    path = script.journal.path.with_name("outbox.jsonl")
    assert path.stat().st_mode & 0o777 == 0o600
    assert "s3cret" not in path.read_text()


def test_when_a_dead_receiver_comes_back_it_gets_what_it_missed_in_order(script, clock):
    script.begin()
    script.steps()
    refused: list[int] = []
    with Receiver("500") as receiver:

        def recover() -> None:
            refused.append(len(receiver.deliveries))
            receiver.mode = "ok"

        clock.alarms = [(30.0, recover), (200.0, script.complete)]
        report = deliver(script, receiver, clock, retry_attempts=1)
    arrived = receiver.deliveries[refused[0] :]
    sequences = [int(delivery.headers["webhook-id"].rpartition("-")[2]) for delivery in arrived]
    assert sequences == sorted(sequences)
    events = [delivery.json["event"] for delivery in arrived]
    assert (events[0], events.count("step_completed"), events[-1]) == ("started", 7, "completed")
    assert report.undelivered == 0
    assert report.last_error == ""
    assert outbox_of(script) == []


def test_a_dead_receiver_is_probed_less_and_less_often(script, clock):
    script.begin()
    script.steps()
    with Receiver("500") as receiver:
        clock.alarms = [(600.0, script.complete)]
        deliver(script, receiver, clock, retry_attempts=0)
    probes = len(receiver.deliveries) - 3 - 2  # those that opened the breaker, and the last tries
    assert 8 <= probes <= 14


def test_at_the_end_the_ending_is_tried_even_when_older_ones_still_fail(script, clock):
    script.whole()
    with Receiver(answers=("500",) * 4) as receiver:
        report = deliver(script, receiver, clock, retry_attempts=0)
    assert receiver.events[-1] == "completed"
    assert report.delivered == 1
    assert "completed" not in {entry.payload["event"] for entry in outbox_of(script)}
    assert report.undelivered == len(outbox_of(script))


def test_nothing_older_follows_something_newer(script, clock):
    script.whole()
    with Receiver(answers=("500", "500", "ok", "500", "ok")) as receiver:
        deliver(script, receiver, clock, retry_attempts=0)
    sequences = [int(delivery.headers["webhook-id"].rpartition("-")[2]) for delivery in receiver.deliveries]
    assert sequences == sorted(sequences)


def test_an_earlier_run_in_the_same_journal_is_not_told_again(script, clock):
    script.whole()
    offset = journal_size(script.journal.path)
    script.begin()
    script.fail()
    with Receiver() as receiver:
        deliver(script, receiver, clock, offset=offset)
    assert receiver.events == ["started", "failed"]


def test_events_that_are_not_wanted_are_not_sent(script, clock):
    script.whole()
    with Receiver() as receiver:
        report = deliver(script, receiver, clock, notify_progress=False)
    assert receiver.events == ["completed"]
    assert report == DeliveryReport(delivered=1)


def test_a_damaged_line_in_the_journal_is_passed_over(script, clock):
    script.begin()
    with script.journal.path.open("a") as stream:
        stream.write('{"sequence": 2, "time": "now", "kind": "run.failed"}\nnot json\n[]\n{"sequence": 3}\n')
        stream.write(json.dumps({"sequence": 9, "time": 1.0, "kind": "run.completed"}) + "\n")
    with Receiver() as receiver:
        deliver(script, receiver, clock)
    assert receiver.events == ["started", "completed"]


def test_when_the_outbox_cannot_be_written_the_report_says_so(script, clock, tmp_path):
    script.begin()
    script.fail()
    blocker = tmp_path / "file"
    blocker.touch()
    with Receiver("404") as receiver:
        target = WebhookTarget(receiver.url)
        courier = Courier(script.journal, target, outbox=blocker / "outbox.jsonl", clock=clock, sleep=clock.sleep)
        courier.run()
        report = courier.finish(0.0)
    assert (report.delivered, report.undelivered) == (0, 2)
    assert report.last_error.startswith(f"{blocker}/outbox.jsonl: cannot be written")


def test_a_journal_that_cannot_be_read_is_waited_for(script, clock):
    path = script.journal.path
    path.mkdir(parents=True)
    clock.alarms = [(1.0, path.rmdir), (1.0, script.begin), (2.0, script.fail)]
    with Receiver() as receiver:
        deliver(script, receiver, clock)
    assert receiver.events == ["started", "failed"]


def test_an_unusable_target_is_refused_at_once(script):
    with pytest.raises(ConfigurationError, match=r"notifications\.webhook_url"):
        Courier(script.journal, WebhookTarget("http://hooks.example.com/"))


def test_an_identifier_is_fit_for_a_header_whatever_the_installation_is_called(journal, clock):
    journal.append("run.started", data={"installation_id": "läb\n1", "steps": []})
    journal.append("run.failed")
    with Receiver() as receiver:
        deliver(Script(journal), receiver, clock)
    assert receiver.deliveries[0].headers["webhook-id"] == "l-b-1-1"
    assert receiver.payloads[0]["installation_id"] == "läb\n1"


def test_slack_gets_one_message_for_each_event_in_order_and_the_wait_it_asks_for(script, clock):
    script.whole()
    with Receiver("200", answers=("200", "429", "429")) as receiver:
        report = deliver(script, receiver, clock, format="slack", platform="p@h:/w")
    assert report == DeliveryReport(delivered=25)
    assert [faults for body in receiver.payloads if (faults := slack_faults(body))] == []
    assert clock.backoffs == [1.0, 1.0]
    texts = [body["text"] for body in receiver.payloads]
    assert texts[1:4] == [texts[1]] * 3
    assert texts[0].startswith("Installation has begun")
    assert texts[-1].startswith("Installed, but some services are missing")


def test_pagerduty_gets_alerts_at_one_address_and_changes_at_another(script, clock):
    script.begin()
    script.steps(STEPS[:1])
    script.fail()
    with Receiver("202") as receiver:
        settings = {"format": "pagerduty", "routing_key": "s3cret", "platform": "p@h:/w"}
        report = deliver(script, receiver, clock, path="/v2/enqueue", **settings)
    assert report == DeliveryReport(delivered=3)
    assert [delivery.path for delivery in receiver.deliveries] == ["/v2/change/enqueue"] * 2 + ["/v2/enqueue"]
    for delivery in receiver.deliveries:
        assert pagerduty_faults(delivery.json, path=delivery.path) == []
        assert delivery.json["routing_key"] == "s3cret"


def test_a_success_after_a_failure_ends_what_the_failure_has_raised(script, clock):
    settings = {"format": "pagerduty", "routing_key": "k", "platform": "p@h:/w", "notify_progress": False}
    with Receiver("202") as receiver:
        script.begin()
        script.fail()
        deliver(script, receiver, clock, path="/v2/enqueue", **settings)
        offset = journal_size(script.journal.path)
        script.whole()
        deliver(script, receiver, clock, path="/v2/enqueue", offset=offset, **settings)
    assert [(body["event_action"], body["dedup_key"]) for body in receiver.payloads] == [
        ("trigger", "p@h:/w"),
        ("resolve", "p@h:/w"),
    ]


def test_the_outbox_keeps_what_is_to_be_sent_without_the_routing_key(script, clock):
    script.begin()
    script.fail()
    with Receiver("400") as receiver:
        deliver(
            script, receiver, clock, path="/v2/enqueue", format="pagerduty", routing_key="s3cret", platform="p@h:/w"
        )
    entries = outbox_of(script)
    assert [entry.payload.get("event_action") for entry in entries] == [None, "trigger"]
    assert "s3cret" not in script.journal.path.with_name("outbox.jsonl").read_text(encoding="utf-8")


def test_outbox_entries_survive_a_round_trip_and_go_one_by_one(tmp_path: Path):
    outbox = Outbox(tmp_path / "new" / "outbox.jsonl")
    assert list(outbox) == []
    for number in range(3):
        outbox.append(_entry(f"i-{number}"))
    outbox.discard({"i-1"})
    assert list(outbox) == [_entry("i-0"), _entry("i-2")]
    outbox.discard({"i-0", "i-2"})
    assert not outbox.path.exists()


def test_an_outbox_on_a_full_disk_loses_what_comes_and_nothing_that_it_has():
    entries = [_entry(f"i-{number:0900}") for number in range(1000)]
    with full_disk() as folder:
        outbox = Outbox(folder / "outbox.jsonl")
        with pytest.raises(OSError, match="No space"):
            _append_all(outbox, entries)
        kept = list(outbox)
        assert outbox.path.read_bytes().endswith(b"}\n")
    assert kept
    assert kept == entries[: len(kept)]


def _append_all(outbox: Outbox, entries: list[OutboxEntry]) -> None:
    for entry in entries:
        outbox.append(entry)


def _entry(identifier: str) -> OutboxEntry:
    return OutboxEntry(identifier, 4, "https://h/***: answered 500.", {"event": "progress", "progress": 7})
