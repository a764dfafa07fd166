# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How an installation stands, from its journal: while it runs, when it has ended, and where there is no journal."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils import _events as kinds
from ansible_collections.provisioning.platform.plugins.module_utils._errors import PrerequisiteError
from ansible_collections.provisioning.platform.plugins.module_utils._events import Event, Journal
from ansible_collections.provisioning.platform.plugins.module_utils._ledger import write_generation
from ansible_collections.provisioning.platform.plugins.module_utils._metrics import InstallationSample
from ansible_collections.provisioning.platform.plugins.module_utils._paths import WorkDir
from ansible_collections.provisioning.platform.plugins.plugin_utils.installation_metrics import (
    InstallationFile,
    InstallationProgress,
    LastInstallation,
)

STARTED = (
    kinds.RUN_STARTED,
    {"installation_id": "i", "platform": "Docker", "mode": "Solo", "steps": ["one", "two"], "total_steps": 2},
)


def step(kind: str, name: str) -> tuple[str, dict[str, Any], str]:
    return kind, {}, name


def events(*told: tuple[Any, ...]) -> list[Event]:
    return [
        Event(kind, 100.0 + number, number, step=rest[0] if rest else None, data=data)
        for number, (kind, data, *rest) in enumerate(told, 1)
    ]


def sample_of(*told: tuple[Any, ...]) -> InstallationSample | None:
    progress = InstallationProgress()
    for event in events(*told):
        progress.take(event)
    return progress.sample


RUNNING = InstallationSample(
    installation_id="i",
    result="running",
    progress=0.5,
    started_at=101.0,
    platform="Docker",
    profile="Solo",
    current_step="two",
)


def test_a_run_under_way_is_as_far_as_its_steps() -> None:
    found = sample_of(
        STARTED,
        step(kinds.STEP_STARTED, "one"),
        step(kinds.STEP_COMPLETED, "one"),
        step(kinds.STEP_STARTED, "two"),
    )
    assert found == RUNNING


@pytest.mark.parametrize(
    ("kind", "data", "result", "progress"),
    [
        (kinds.RUN_COMPLETED, {}, "completed", 1.0),
        (kinds.RUN_COMPLETED, {"degraded": True}, "degraded", 1.0),
        (kinds.RUN_FAILED, {"error": "no"}, "failed", 0.5),
        (kinds.RUN_CANCELLED, {}, "cancelled", 0.5),
    ],
)
def test_a_run_that_ended_says_how_and_when(kind: str, data: dict[str, Any], result: str, progress: float) -> None:
    found = sample_of(STARTED, step(kinds.STEP_STARTED, "one"), step(kinds.STEP_COMPLETED, "one"), (kind, data))
    assert found is not None
    assert (found.result, found.progress, found.current_step) == (result, progress, "")
    assert (found.started_at, found.finished_at) == (101.0, 104.0)


def test_a_second_run_of_the_same_installation_begins_anew() -> None:
    found = sample_of(STARTED, (kinds.RUN_FAILED, {}), STARTED)
    assert found is not None
    assert (found.result, found.started_at, found.finished_at) == ("running", 103.0, None)


def test_events_of_no_run_say_nothing() -> None:
    assert sample_of(step(kinds.STEP_STARTED, "one")) is None


def journal(layout: WorkDir, name: str, *told: tuple[Any, ...], at: float) -> Path:
    path = layout.installations / name / "events.jsonl"
    for kind, data, *rest in told:
        Journal(path).append(kind, step=rest[0] if rest else None, data=data)
    os.utime(path, (at, at))
    return path


def result_in(last: LastInstallation) -> tuple[str, str] | None:
    found = last.read()
    return (found.installation_id, found.result) if found else None


def test_the_last_installation_is_that_of_the_newest_journal(tmp_path: Path) -> None:
    layout = WorkDir(tmp_path)
    last = LastInstallation(layout)
    assert last.read() is None
    journal(layout, "a", STARTED, (kinds.RUN_COMPLETED, {}), at=1000)
    assert result_in(last) == ("i", "completed")
    journal(layout, "b", STARTED, (kinds.RUN_FAILED, {}), at=2000)
    assert result_in(last) == ("i", "failed")
    journal(layout, "b", STARTED, at=3000)
    assert result_in(last) == ("i", "running")


def test_without_a_journal_the_record_of_what_is_installed_tells(tmp_path: Path) -> None:
    layout = WorkDir(tmp_path)
    write_generation(layout, "far", {"services": []})
    found = LastInstallation(layout).read()
    assert found is not None
    assert (found.installation_id, found.result, found.progress, found.started_at) == ("far", "completed", 1.0, None)
    assert found.finished_at is not None


def test_the_file_for_node_exporter_lies_beside_that_of_the_supervisor(tmp_path: Path) -> None:
    file = InstallationFile(tmp_path / "provisioning.prom", "1.2.3")
    for event in events(STARTED, step(kinds.STEP_STARTED, "one"), step(kinds.STEP_COMPLETED, "one")):
        file.take(event)
    assert [path.name for path in tmp_path.iterdir()] == ["provisioning-installation.prom"]
    text = file.path.read_text()
    assert 'provisioning_installation_result{result="running"} 1\n' in text
    assert "provisioning_installation_progress_ratio 0.5\n" in text
    assert "process_start_time_seconds" not in text, "node-exporter shows its own and would refuse all"


def test_a_file_that_cannot_be_written_is_an_error_for_who_installs_to_pass_on(tmp_path: Path) -> None:
    file = InstallationFile(tmp_path / "none" / "a.prom", "1")
    with pytest.raises(PrerequisiteError, match="there is no folder"):
        file.take(events(STARTED)[0])
