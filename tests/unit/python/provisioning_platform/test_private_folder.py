# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Folders that go with the run that made them, or after it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from provisioning_platform.private_folder import PrivateFolder

PREFIX = "provisioning-test-"
HOLDER = f"""
import sys
from provisioning_platform.private_folder import PrivateFolder
folder = PrivateFolder({PREFIX!r})
(folder.path / "variables.yml").write_text("secret")
print(folder.path, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    return tmp_path


@pytest.fixture
def other(temporary: Path) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """Another run and its folder."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        yield process, Path(process.stdout.readline().strip())
        process.kill()


def test_it_is_its_owners_alone_and_goes_with_the_block(temporary):
    with PrivateFolder(PREFIX) as folder:
        assert folder.parent == temporary
        assert folder.stat().st_mode & 0o777 == 0o700
        (folder / "file").touch()
    assert not folder.exists()


def test_what_a_killed_run_left_goes_with_the_next(other):
    process, folder = other
    process.kill()
    process.wait()
    assert (folder / "variables.yml").exists()
    PrivateFolder(PREFIX).close()
    assert not folder.exists()


def test_the_folder_of_a_run_that_lives_stays(other):
    _process, folder = other
    PrivateFolder(PREFIX).close()
    assert (folder / "variables.yml").exists()


def test_what_is_not_known_to_be_of_a_dead_run_stays(temporary):
    (temporary / f"{PREFIX}report").mkdir()
    (temporary / f"{PREFIX}file").touch()
    elsewhere = temporary / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "in-use").touch()
    (temporary / f"{PREFIX}link").symlink_to(elsewhere)
    (temporary / f"{PREFIX}trap").mkdir()
    (temporary / f"{PREFIX}trap" / "in-use").symlink_to(elsewhere / "in-use")
    before = sorted(path.name for path in temporary.rglob("*"))
    PrivateFolder(PREFIX).close()
    assert sorted(path.name for path in temporary.rglob("*")) == before


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make files of others")
def test_what_is_anothers_stays(temporary):
    theirs = temporary / f"{PREFIX}theirs"
    theirs.mkdir()
    (theirs / "in-use").touch()
    os.chown(theirs, 65534, 65534)
    PrivateFolder(PREFIX).close()
    assert theirs.exists()
