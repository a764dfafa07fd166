# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils._events import Emitter, Event, Journal
from ansible_collections.provisioning.platform.plugins.module_utils._module_manager import file_sink
from ansible_collections.provisioning.platform.plugins.plugin_utils.live import Reader, followed, line_of


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (
            Event("service.started", 1.0, 1, "gitea", data={"reason": "new", "duration_ms": 1234}),
            "gitea: started (new) in 1.23 s",
        ),
        (Event("service.failed", 1.0, 1, "gitea", data={"error": "exited"}), "gitea: FAILED (exited)"),
        (Event("service.pulling", 1.0, 1, "gitea", data={"image": "a/b:1"}), "gitea: pulling (a/b:1)"),
        (Event("service.healthy", 1.0, 1, "gitea"), "gitea: healthy"),
    ],
)
def test_an_event_is_one_line_for_people(event: Event, line: str) -> None:
    assert line_of(event) == line


def test_what_a_module_emits_reaches_the_terminal_and_the_journal_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal(tmp_path / "events.jsonl")
    journal.append("run.started")
    monkeypatch.setenv("PROVISIONING_JOURNAL", str(journal.path))
    shown: list[str] = []
    with followed(Reader(shown.append, step="deploy-docker", total_services=2)) as path:
        emit = Emitter(file_sink(Path(path)))
        emit("service.starting", service="a", reason="new")
        emit("service.started", service="a")
    assert shown == ["a: starting (new)", "a: started"]
    kept = list(journal.read(after=1))
    assert [(e.sequence, e.kind, e.step, e.data) for e in kept] == [
        (2, "service.starting", "deploy-docker", {"reason": "new", "total_services": 2}),
        (3, "service.started", "deploy-docker", {"total_services": 2}),
    ]
    assert not Path(path).exists()


def test_without_a_journal_events_are_only_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PROVISIONING_JOURNAL", raising=False)
    shown: list[str] = []
    Reader(shown.append).pass_on([Event("service.healthy", 1.0, 1, "a")])
    assert shown == ["a: healthy"]
