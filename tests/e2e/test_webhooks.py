# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a receiver of webhooks sees of real installations, and what receivers that fail do to them: nothing."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.e2e.conftest import MakeSmall
from tests.fixtures.installations import STEPS, Installation, Ran, command, small, web
from tests.fixtures.ports import free_port
from tests.fixtures.receiver import Delivery, Receiver

ENTRIES = ("provisioning-run", "ansible-playbook")
FIELDS = {
    "event": str,
    "installation_id": str,
    "timestamp": int,
    "current_step": str,
    "progress": int,
    "completed_steps": int,
    "total_steps": int,
    "error": type(None),
    "metadata": dict,
}


@dataclass(frozen=True)
class Told:
    """An installation and what a receiver was told of it.

    :param seconds: from the start of the command to its end.
    """

    installation: Installation
    ran: Ran
    seconds: float
    deliveries: list[Delivery]
    mode: str = "ok"

    @property
    def payloads(self) -> list[dict[str, Any]]:
        return [delivery.json for delivery in self.deliveries]

    @property
    def outbox(self) -> list[dict[str, Any]]:
        text = self.installation.outbox.read_text(encoding="utf-8")
        return [json.loads(line) for line in text.splitlines()]


def install(installation: Installation, entry: str, mode: str = "ok") -> Told:
    with Receiver(mode) as receiver:
        installation.document["notifications"] = {
            "webhook_url": receiver.url,
            "headers": {"Authorization": "Bearer of-the-receiver"},
            "retry_attempts": 1,
        }
        begun = time.monotonic()
        ran = installation.run() if entry == "provisioning-run" else installation.playbook("install")
        return Told(installation, ran, time.monotonic() - begun, list(receiver.deliveries), mode)


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Told]]:
    """Gives the installation whose receiver works, by the command that made it."""
    made: dict[str, Told] = {}

    def once(entry: str) -> Told:
        if entry not in made:
            one = small(tmp_path_factory.mktemp(entry), {"web": web(free_port())})
            made[entry] = install(one, entry)
        return made[entry]

    yield once
    for one in made.values():
        one.installation.clean()


@pytest.mark.parametrize("entry", ENTRIES)
def test_a_receiver_is_told_every_step_in_order(told, entry):
    one = told(entry)
    assert one.ran.returncode == 0
    events = [payload["event"] for payload in one.payloads]
    assert re.fullmatch("S(P+D){7}C", "".join(_letter(event) for event in events)), events
    finished = [payload for payload in one.payloads if payload["event"] == "step_completed"]
    assert [payload["current_step"] for payload in finished] == list(STEPS)
    assert [payload["completed_steps"] for payload in finished] == list(range(1, 8))
    assert not one.installation.outbox.exists()


@pytest.mark.parametrize("entry", ENTRIES)
def test_every_field_is_there_and_progress_never_falls(told, entry):
    payloads = told(entry).payloads
    for payload in payloads:
        assert {name: type(value) for name, value in payload.items()} == FIELDS
        assert payload["installation_id"] == told(entry).installation.document["installation_id"]
        assert payload["total_steps"] == 7
        assert abs(payload["timestamp"] - time.time()) < 3600
    progress = [payload["progress"] for payload in payloads]
    assert progress == sorted(progress)
    assert (progress[0], progress[-1]) == (0, 100)
    assert 100 not in progress[:-1]
    assert payloads[-1]["metadata"]["services"]["web"]["status"] == "healthy"
    assert payloads[-1]["metadata"]["degraded"] is False


@pytest.mark.parametrize("entry", ENTRIES)
def test_requests_carry_the_headers_that_were_configured_and_an_id_of_their_own(told, entry):
    deliveries = told(entry).deliveries
    assert {delivery.headers["authorization"] for delivery in deliveries} == {"Bearer of-the-receiver"}
    assert {delivery.headers["content-type"] for delivery in deliveries} == {"application/json"}
    assert len({delivery.headers["webhook-id"] for delivery in deliveries}) == len(deliveries)


@pytest.mark.parametrize(
    ("entry", "mode"),
    [
        ("provisioning-run", "hangs"),
        ("ansible-playbook", "hangs"),
        ("ansible-playbook", "500"),
        ("ansible-playbook", "down"),
    ],
)
def test_a_receiver_that_fails_costs_neither_the_installation_nor_its_time_nor_the_messages(
    told: Callable[[str], Told], make: MakeSmall, entry: str, mode: str
) -> None:
    one = install(make({"web": web(free_port())}), entry, mode)
    assert one.ran.returncode == 0
    assert one.installation.pids().keys() == {"web"}
    # Machines are noisy; one that waited for its receiver would take minutes.
    assert one.seconds < 2 * told(entry).seconds + 10
    events = [entry["payload"]["event"] for entry in one.outbox]
    assert (events[0], events[-1], events.count("step_completed")) == ("started", "completed", 7)
    assert str(one.installation.outbox) in "".join(one.ran.stderr.split("\n"))
    assert "not delivered" in one.ran.stderr or "could not be delivered" in one.ran.stderr
    assert "s3cret" not in one.ran.stdout + one.ran.stderr + one.installation.outbox.read_text(encoding="utf-8")


def test_a_failing_installation_is_told_with_the_error(make):
    one = install(make({"web": web(free_port()), "broken": command("/bin/false", depends_on=["web"])}), ENTRIES[1])
    assert one.ran.returncode != 0
    last = one.payloads[-1]
    assert last["event"] == "failed"
    assert last["current_step"] in ("deploy-docker", "wait-for-services")
    assert last["progress"] < 100
    assert "broken: " in last["error"]
    assert [problem["what"] for problem in last["metadata"]["problems"]] == ["broken"]
    assert "completed" not in [payload["event"] for payload in one.payloads]


def _letter(event: str) -> str:
    return {"started": "S", "progress": "P", "step_completed": "D", "completed": "C", "failed": "F"}[event]
