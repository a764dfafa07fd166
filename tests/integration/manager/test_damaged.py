# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A service whose state is damaged: it is told, left as it is, and in nobody's way."""

from __future__ import annotations

import os
import signal

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils import _damaged, _installation
from ansible_collections.provisioning.platform.plugins.module_utils._errors import PrerequisiteError
from ansible_collections.provisioning.platform.plugins.module_utils._manager import Manager
from ansible_collections.provisioning.platform.plugins.module_utils._paths import WorkDir
from ansible_collections.provisioning.platform.plugins.module_utils._settings import Settings
from ansible_collections.provisioning.platform.plugins.module_utils._update import Update

from tests.fixtures.small_platform import Platform, results, until_gone


@pytest.fixture
def layout(platform: Platform) -> WorkDir:
    platform.start()
    layout = WorkDir(platform.folder)
    _installation.complete(layout, list(platform.definitions.values()), Settings(), "first")
    (layout.state / "b.json").write_text("{")
    return layout


def test_what_runs_is_seen_as_it_is_and_the_fault_is_told(platform: Platform, layout: WorkDir) -> None:
    found = Manager.open(platform.folder)
    assert found.services() == platform.definitions
    statuses = {one.name: one for one in found.status()}
    assert {one.health for one in statuses.values()} == {"healthy"}
    assert (statuses["a"].fault, statuses["c"].fault) == ("", "")
    assert f"{layout.state}/b.json is damaged" in statuses["b"].fault


def test_others_are_started_and_what_needs_it_only_while_it_runs(platform: Platform, layout: WorkDir) -> None:
    b, c = platform.pids()["b"], platform.pids()["c"]
    for name in "ac":
        os.kill(platform.pids()[name], signal.SIGKILL)
    until_gone(c)
    assert results(platform.operate("start")) == {"a": "healthy", "b": "failed", "c": "healthy"}
    assert platform.pids()["b"] == b
    for pid in (b, c := platform.pids()["c"]):
        os.kill(pid, signal.SIGKILL)
    until_gone(c)
    assert results(platform.operate("start")) == {"a": "unchanged", "b": "failed", "c": "skipped"}
    with pytest.raises(PrerequisiteError, match=r"^b: .* is damaged"):
        platform.operate("start", "b")
    assert (layout.state / "b.json").read_text() == "{"


def test_it_can_be_stopped(platform: Platform, layout: WorkDir) -> None:
    assert results(platform.operate("stop")) == dict.fromkeys("cba", "stopped")
    assert platform.pids() == {}
    assert (layout.state / "b.json").read_text() == "{"


def test_it_is_set_aside_and_what_runs_is_taken_over(platform: Platform, layout: WorkDir) -> None:
    before = platform.pids()
    (moved,) = _damaged.set_aside(layout, ["a", "b"]).values()
    assert moved[1].read_text() == "{"
    assert results(platform.start()) == dict.fromkeys("abc", "unchanged")
    assert platform.pids() == before
    assert Manager.open(platform.folder).damaged == {}


def test_an_update_leaves_it_out_and_says_so(platform: Platform, layout: WorkDir) -> None:
    update = Update(platform.folder, platform.definitions, Settings())
    found = {one.service: (one.result, bool(one.error)) for one in update.carry_out()}
    assert found == {"a": ("unchanged", False), "b": ("left out", True), "c": ("unchanged", False)}
    with pytest.raises(PrerequisiteError, match=r"^b: .* is damaged"):
        Update(platform.folder, platform.definitions, Settings(), names=["b"])
