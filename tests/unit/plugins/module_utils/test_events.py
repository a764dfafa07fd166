# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import multiprocessing
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils import _events as events
from ansible_collections.provisioning.platform.plugins.module_utils._audit import AuditLog, who
from ansible_collections.provisioning.platform.plugins.module_utils._events import Emitter, Event, Journal

from tests.fixtures.disks import full_disk, umask_of_zero


def _append(path: Path, name: str, count: int) -> None:
    journal = Journal(path)
    for number in range(count):
        journal.append(events.SERVICE_STARTED, service=name, data={"number": number, "text": "ü" * (number % 50)})


def test_several_processes_append_without_a_gap_and_without_mixing(tmp_path: Path) -> None:
    path = tmp_path / "run" / "events.jsonl"
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=_append, args=(path, f"s{number}", 50)) for number in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    found = list(Journal(path).read())
    assert [event.sequence for event in found] == list(range(1, 201))
    for number in range(4):
        mine = [event.data["number"] for event in found if event.service == f"s{number}"]
        assert mine == list(range(50))


def test_events_are_read_after_a_sequence_number(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "events.jsonl")
    assert list(journal.read()) == []
    written = [journal.append(events.STEP_STARTED, step=f"step-{number}", at=float(number)) for number in range(3)]
    assert list(journal.read()) == written
    assert list(journal.read(after=2)) == written[2:]


def test_a_line_that_is_being_written_is_left_for_the_next_read(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    first = Journal(path).append(events.RUN_STARTED, at=1.0)
    with path.open("a") as stream:
        stream.write('{"sequence": 2, "ti')
    assert list(Journal(path).read()) == [first]


@pytest.mark.parametrize("torn", ['{"sequence": 2, "ti', "x" * 20000])
def test_a_line_whose_writer_was_killed_is_cut_off_by_the_next_one(tmp_path: Path, torn: str) -> None:
    path = tmp_path / "events.jsonl"
    journal = Journal(path)
    journal.append(events.RUN_STARTED, data={"long": "y" * 20000})
    with path.open("a") as stream:
        stream.write(torn)
    assert journal.append(events.RUN_FAILED).sequence == 2
    assert [event.kind for event in journal.read()] == [events.RUN_STARTED, events.RUN_FAILED]


def test_a_journal_that_holds_nothing_but_a_torn_line_begins_anew(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_text('{"seq')
    assert Journal(path).append(events.RUN_STARTED).sequence == 1
    assert len(list(Journal(path).read())) == 1


def test_a_full_disk_is_an_error_and_leaves_no_piece_of_a_line() -> None:
    with full_disk() as folder:
        journal, audit = Journal(folder / "events.jsonl"), AuditLog(folder / "audit.jsonl")
        for write in (
            lambda: journal.append(events.RUN_STARTED, data={"text": "x" * 997}),
            lambda: audit.record("start", "s", result="ok", reason="x" * 997),
        ):
            with pytest.raises(OSError, match="No space"):
                _write_for_ever(write)
        for path in folder.glob("*.jsonl"):
            lines = path.read_bytes().split(b"\n")
            assert lines.pop() == b""
            assert all(json.loads(line) for line in lines)


def _write_for_ever(write: Callable[[], object]) -> None:
    while True:
        write()


def test_the_journal_is_for_its_owner_alone_whatever_the_umask_is(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "events.jsonl"
    with umask_of_zero():
        Journal(path).append(events.RUN_STARTED)
    assert path.stat().st_mode & 0o7777 == 0o600
    assert {folder.stat().st_mode & 0o7777 for folder in (path.parent, path.parent.parent)} == {0o700}


def test_an_event_survives_the_way_to_json_and_back() -> None:
    event = Event(events.SERVICE_FAILED, 12.3456, 7, service="gitea", data={"error": "x"})
    document = json.loads(json.dumps(event.to_dict()))
    assert document == {
        "sequence": 7,
        "time": 12.346,
        "kind": "service.failed",
        "service": "gitea",
        "data": {"error": "x"},
    }
    assert Event.from_dict(document).service == "gitea"
    assert Event.from_dict({"kind": "run.started", "time": 1.0, "sequence": 1}) == Event("run.started", 1.0, 1)


def test_an_emitter_numbers_events_and_hands_each_to_every_sink() -> None:
    first: list[Event] = []
    second: list[Event] = []
    emit = Emitter(first.append, second.append, clock=lambda: 5.0)
    emit(events.SERVICE_STARTED, service="a", mode="binary")
    emit(events.STEP_STARTED, step="x")
    assert first == second
    assert first == [
        Event(events.SERVICE_STARTED, 5.0, 1, service="a", data={"mode": "binary"}),
        Event(events.STEP_STARTED, 5.0, 2, step="x"),
    ]


# --- the audit log ---------------------------------------------------------------------------------------------------


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_what_changes_a_service_is_recorded_with_who_and_for_which_run(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    emit = Emitter(AuditLog(path, run="run-1"), clock=lambda: 9.0)
    emit(events.SERVICE_STARTING, service="a", reason="not there")
    emit(events.SERVICE_STARTED, service="a", reason="not there")
    emit(events.SERVICE_HEALTHY, service="a")
    emit(events.SERVICE_FAILED, service="b", error="exited", action="create")
    emit(events.SERVICE_FAILED, service="c", error="survives", action="stop")
    emit(events.SERVICE_STOPPED, service="d", reason="asked to stop")
    emit(events.SERVICE_REMOVED, service="e", reason="no longer wanted")
    emit(events.RUN_COMPLETED)
    assert [(line["service"], line["action"], line["result"], line["reason"]) for line in _lines(path)] == [
        ("a", "start", "ok", "not there"),
        ("b", "start", "failed", "exited"),
        ("c", "stop", "failed", "survives"),
        ("d", "stop", "ok", "asked to stop"),
        ("e", "remove", "ok", "no longer wanted"),
    ]
    assert {(line["run"], line["who"], line["time"]) for line in _lines(path)} == {("run-1", who(), 9.0)}
    assert path.stat().st_mode & 0o7777 == 0o600


def test_who_acts_is_the_user_of_the_process_and_not_what_the_environment_claims(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.setenv(name, "somebody-else")
    monkeypatch.delenv("SUDO_USER", raising=False)
    assert who() != "somebody-else"
    if os.getuid() == 0:
        assert who() == "root"
        monkeypatch.setenv("SUDO_USER", "alice")
        assert who() == "root (alice)"
