# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils._errors import BusyError, PrerequisiteError
from ansible_collections.provisioning.platform.plugins.plugin_utils.run_lock import claim, refuse_if_claimed


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "installations" / "claim.json"


@pytest.fixture
def other() -> Iterator[int]:
    process = subprocess.Popen(["sleep", "60"])
    yield process.pid
    process.kill()
    process.wait()


def test_a_second_run_is_refused_with_the_pid_of_the_first(path: Path, other: int) -> None:
    claim(path, pid=other, installation="first")
    with pytest.raises(BusyError, match=rf"an installation is in progress: first, pid {other} \(sleep\)"):
        claim(path, pid=os.getpid(), installation="second")
    assert json.loads(path.read_text())["installation"] == "first"


def test_what_is_claimed_by_another_is_left_alone_and_nothing_is_made_to_find_out(path: Path, other: int) -> None:
    refuse_if_claimed(path, pid=os.getpid())
    assert not path.parent.exists()
    claim(path, pid=other, installation="first")
    refuse_if_claimed(path, pid=other)
    with pytest.raises(BusyError, match=rf"an installation is in progress: first, pid {other} \(sleep\)"):
        refuse_if_claimed(path, pid=os.getpid())


def test_a_run_may_claim_what_it_has_claimed_already(path: Path) -> None:
    claim(path, pid=os.getpid(), installation="run")
    claim(path, pid=os.getpid(), installation="run")


def test_the_claim_of_a_process_that_is_gone_is_void(path: Path) -> None:
    process = subprocess.Popen(["sleep", "60"])
    claim(path, pid=process.pid, installation="first")
    process.kill()
    process.wait()
    claim(path, pid=os.getpid(), installation="second")
    assert json.loads(path.read_text())["installation"] == "second"


def test_a_pid_that_was_given_to_another_process_is_no_claim(path: Path, other: int) -> None:
    claim(path, pid=other, installation="first")
    document = json.loads(path.read_text())
    path.write_text(json.dumps({**document, "start_time": document["start_time"] - 1}))
    claim(path, pid=os.getpid(), installation="second")


@pytest.mark.parametrize("content", ["", "{", "[]", '{"pid": 1}'])
def test_a_damaged_claim_is_void(path: Path, content: str) -> None:
    path.parent.mkdir()
    path.write_text(content)
    claim(path, pid=os.getpid(), installation="second")
    assert json.loads(path.read_text())["installation"] == "second"
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("where", [".", "below"])
def test_a_file_in_the_place_of_the_work_dir_is_told_with_the_remedy(tmp_path: Path, where: str) -> None:
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(PrerequisiteError) as raised:
        claim(file / where / "installations" / "claim.json", pid=os.getpid(), installation="run")
    assert str(raised.value) == f"work_dir: {file} is not a folder. Set work_dir to another place."
