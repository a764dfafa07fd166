# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run writes for node-exporter on the way, and that nobody's installation fails for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils import _events as kinds
from ansible_collections.provisioning.platform.plugins.module_utils._events import Event
from provisioning_platform.configuration import load_installation
from provisioning_platform.run_state import RunView
from provisioning_platform.unattended import _with_metrics

EVENTS = [
    Event(kinds.RUN_STARTED, 10.0, 1, data={"installation_id": "i", "total_steps": 7}),
    Event(kinds.RUN_FAILED, 12.0, 2, data={"error": "no"}),
]


def take_all(
    metrics: dict[str, Any] | None, work_dir: Path, *, on_this_machine: bool = True
) -> tuple[list[int], RunView]:
    installation = load_installation({"work_dir": str(work_dir), "deployment": {"metrics": metrics}})
    told: list[int] = []
    view = RunView()
    on_event = _with_metrics(
        installation, lambda event, view: told.append(event.sequence), on_this_machine=on_this_machine
    )
    for event in EVENTS:
        on_event(event, view)
    return told, view


def test_the_result_is_written_beside_the_textfile(tmp_path: Path) -> None:
    told, view = take_all({"textfile": str(tmp_path / "a.prom")}, tmp_path)
    assert 'provisioning_installation_result{result="failed"} 1\n' in (tmp_path / "a-installation.prom").read_text()
    assert (told, view.warnings) == ([1, 2], [])


def test_a_folder_that_is_missing_is_one_warning(tmp_path: Path) -> None:
    told, view = take_all({"textfile": str(tmp_path / "none" / "a.prom")}, tmp_path)
    assert told == [1, 2]
    assert len(view.warnings) == 1
    assert view.warnings[0].startswith("deployment.metrics.textfile: there is no folder")


@pytest.mark.parametrize(
    ("metrics", "on_this_machine"), [(None, True), ({"port": 29464}, True), ({"textfile": "HERE/a.prom"}, False)]
)
def test_nothing_is_written_where_nobody_wants_it_or_hosts_are_elsewhere(
    tmp_path: Path, metrics: dict[str, Any] | None, on_this_machine: bool
) -> None:
    wanted = {key: str(value).replace("HERE", str(tmp_path)) for key, value in (metrics or {}).items()} or None
    take_all(wanted, tmp_path, on_this_machine=on_this_machine)
    assert not list(tmp_path.iterdir())
