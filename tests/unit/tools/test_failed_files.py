"""The pytest plugin that takes only the files of which a test failed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    (tmp_path / "test_whole.py").write_text("def test_1(): pass\ndef test_2(): assert 0\ndef test_3(): pass\n")
    (tmp_path / "test_other.py").write_text("def test_4(): pass\n")
    return tmp_path


def run(suite: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    options = ["--rootdir", str(suite), "-c", "/dev/null", "-p", "xdist", "-v"]
    command = [sys.executable, "-m", "pytest", *options, str(suite), *arguments]
    environ = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    return subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=300, check=False)


@pytest.mark.parametrize("spread", [(), ("-n", "2")])
def test_a_file_of_which_a_test_failed_is_taken_whole_and_no_other(suite: Path, spread: tuple[str, ...]) -> None:
    assert run(suite, *spread).returncode == 1
    again = run(suite, "-p", "tools.failed_files", *spread)
    assert "1 failed, 2 passed" in again.stdout
    assert "test_other" not in again.stdout


def test_nothing_is_tried_again_where_none_or_many_failed(suite: Path) -> None:
    for number in range(5):
        (suite / f"test_bad_{number}.py").write_text("def test_5(): assert 0\n")
    for said in ("tests of 0 files failed", "tests of 6 files failed"):
        again = run(suite, "-p", "tools.failed_files")
        assert said in again.stderr
        assert again.returncode not in (0, 1)
        run(suite)
