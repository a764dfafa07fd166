# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The courier beside a run: in a thread, and as a process of its own; what its end may cost."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.provisioning.platform.plugins.plugin_utils.notify.courier import Courier, DeliveryReport
from ansible_collections.provisioning.platform.plugins.plugin_utils.notify.outbox import Outbox
from ansible_collections.provisioning.platform.plugins.plugin_utils.notify.process import (
    CourierProcess,
    Errand,
    collections_root,
)
from ansible_collections.provisioning.platform.plugins.plugin_utils.notify.target import WebhookTarget

from tests.fixtures.receiver import Receiver

from .conftest import Script

MODULE = "ansible_collections.provisioning.platform.plugins.plugin_utils.notify.process"


def outbox_of(script: Script) -> list[Any]:
    return list(Outbox(script.journal.path.with_name("outbox.jsonl")))


def errand_of(script: Script, receiver: Receiver, **settings: Any) -> Errand:
    journal = script.journal.path
    target = WebhookTarget(receiver.url, {"X-Key": "s3cret-header"}, **settings)
    return Errand(str(journal), str(journal.with_name("outbox.jsonl")), target, parent_pid=os.getpid())


def test_a_thread_delivers_while_the_run_goes_on(script):
    with Receiver() as receiver:
        courier = Courier(script.journal, WebhookTarget(receiver.url)).run_in_thread()
        script.begin()
        receiver.await_deliveries(1)
        script.steps()
        receiver.await_deliveries(20)
        script.complete()
        report = courier.finish(5.0)
    assert receiver.events[-1] == "completed"
    assert report == DeliveryReport(delivered=len(receiver.deliveries))


def test_finishing_takes_in_what_was_written_just_before(script):
    with Receiver() as receiver:
        courier = Courier(script.journal, WebhookTarget(receiver.url)).run_in_thread()
        script.whole()
        report = courier.finish(5.0)
    assert receiver.events[-1] == "completed"
    assert report.undelivered == 0


def test_finishing_a_run_without_an_ending_delivers_what_there_is(script):
    script.begin()
    with Receiver() as receiver:
        report = Courier(script.journal, WebhookTarget(receiver.url)).run_in_thread().finish(5.0)
    assert receiver.events == ["started"]
    assert report == DeliveryReport(delivered=1)


def test_finishing_twice_says_the_same(script):
    script.whole()
    with Receiver("404") as receiver:
        courier = Courier(script.journal, WebhookTarget(receiver.url)).run_in_thread()
        assert courier.finish(60.0) == courier.finish(60.0)


@pytest.mark.parametrize("mode", ["down", "500", "hangs", "trickle", "429"])
def test_a_receiver_that_never_answers_well_costs_the_end_little(mode, script):
    script.whole()
    with Receiver(mode) as receiver:
        courier = Courier(script.journal, WebhookTarget(receiver.url)).run_in_thread()
        begun = time.monotonic()
        report = courier.finish(60.0)
        took = time.monotonic() - begun
    assert took < 55  # 25 notifications, each given its timeout and its retries, would take many minutes
    assert report.delivered == 0
    assert [entry.payload["event"] for entry in outbox_of(script)][::24] == ["started", "completed"]
    assert report.undelivered == len(outbox_of(script)) == 25
    assert report.last_error.startswith(f"http://127.0.0.1:{receiver.port}/***: ")


def test_a_slow_receiver_is_waited_for(script):
    script.begin()
    script.fail()
    with Receiver("slow", slowness=0.4) as receiver:
        report = Courier(script.journal, WebhookTarget(receiver.url)).run_in_thread().finish(60.0)
    assert report == DeliveryReport(delivered=2)


def test_a_receiver_that_asks_for_patience_gets_it(script):
    script.begin()
    script.fail()
    with Receiver(answers=("429",)) as receiver:
        report = Courier(script.journal, WebhookTarget(receiver.url)).run_in_thread().finish(60.0)
    assert report == DeliveryReport(delivered=2)


def test_finishing_keeps_its_deadline(script):
    script.whole()
    with Receiver("slow", slowness=5.0) as receiver:
        begun = time.monotonic()
        report = Courier(script.journal, WebhookTarget(receiver.url)).run_in_thread().finish(0.5)
        took = time.monotonic() - begun
    assert took < 60  # all of them would take two minutes
    assert report.undelivered > 20
    assert report.delivered + report.undelivered == 25


def test_a_process_delivers_the_run_and_reports(script):
    with Receiver() as receiver:
        process = CourierProcess(errand_of(script, receiver))
        script.whole()
        report = process.wait(60.0)
    assert report == DeliveryReport(delivered=25)
    assert receiver.events[-1] == "completed"
    assert receiver.deliveries[0].headers["x-key"] == "s3cret-header"


def test_a_process_shows_no_secret_in_its_arguments_and_environment(script):
    with Receiver() as receiver:
        process = CourierProcess(errand_of(script, receiver))
        script.begin()
        receiver.await_deliveries(1)
        proc = Path("/proc") / str(process.pid)
        shown = (proc / "cmdline").read_bytes() + (proc / "environ").read_bytes()
        script.complete()
        process.wait(60.0)
    assert b"s3cret" not in shown
    assert MODULE.encode() in shown


def test_a_process_is_not_waited_for_longer_than_asked(script):
    with Receiver() as receiver:
        process = CourierProcess(errand_of(script, receiver))
        begun = time.monotonic()
        assert process.wait(0.2) is None
        assert time.monotonic() - begun < 60
        script.whole()
        assert process.wait(60.0) is not None


def test_a_process_outlives_its_parent_just_long_enough_to_tell_of_it(script):
    """What a kill -9 of ansible-playbook looks like to the receiver."""
    parent = (
        "import sys, time\n"
        f"from {MODULE} import CourierProcess, Errand\n"
        "import dataclasses, os\n"
        "errand = Errand.from_json(sys.stdin.buffer.read())\n"
        "process = CourierProcess(dataclasses.replace(errand, parent_pid=os.getpid()))\n"
        "print(process.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    script.begin()
    with Receiver() as receiver:
        run = subprocess.Popen(
            [sys.executable, "-c", parent],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": collections_root()},
        )
        assert run.stdin is not None
        assert run.stdout is not None
        run.stdin.write(errand_of(script, receiver).to_json())
        run.stdin.close()
        courier = int(run.stdout.readline())
        receiver.await_deliveries(1)
        os.kill(run.pid, signal.SIGKILL)
        run.wait()
        run.stdout.close()
        receiver.await_deliveries(2)
        _await_end(courier)
    assert receiver.events == ["started", "failed"]
    assert "stopped or broke off" in receiver.payloads[-1]["error"]
    assert list(script.journal.read())[-1].kind == "run.failed"


def _await_end(pid: int) -> None:
    deadline = time.monotonic() + 60
    while Path(f"/proc/{pid}").exists() and "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2][:3]:
        assert time.monotonic() < deadline, "the courier is still there"
        time.sleep(0.02)


@pytest.mark.parametrize("text", [b"", b"[]", b"{}", b'{"target": {}}', b'{"target": {"url": "http://example.com/"}}'])
def test_a_process_without_a_proper_errand_ends_at_once_with_a_message(text):
    result = subprocess.run(
        [sys.executable, "-P", "-m", MODULE],
        input=text,
        capture_output=True,
        env={**os.environ, "PYTHONPATH": collections_root()},
        check=False,
    )
    assert result.returncode == 2
    assert result.stderr.decode().startswith("courier: ")
    assert b"Traceback" not in result.stderr


def test_an_errand_goes_through_the_pipe_and_back(script):
    with Receiver("down") as receiver:
        errand = errand_of(script, receiver)
    assert Errand.from_json(errand.to_json()) == errand
    assert json.loads(errand.to_json())["drain_seconds"] == 8.0
    assert "s3cret" not in repr(errand)
