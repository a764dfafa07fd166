# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Processes that stand for helm: what it makes of a signal is seen with the real one in the integration tests."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils._drivers._helm_process import Ended, run
from ansible_collections.provisioning.platform.plugins.module_utils._errors import DriverError, Problem

#: Says that it is ready, and on the signal takes its time to clean up.
TIDY = """
trap 'kill $child; echo taken back >&2; exit 1' TERM
sleep 600 & child=$!
: > "$1"
wait
"""


def test_a_command_gets_its_input_and_its_output_and_code_are_returned():
    assert run(["sh", "-c", "cat; echo no >&2; exit 3"], given="yes", timeout=60) == Ended(3, "yes", "no\n")


def test_a_command_is_asked_to_end_once_it_is_of_no_use_and_may_clean_up(tmp_path: Path):
    begun, reason = tmp_path / "begun", DriverError(Problem("web", "it is hopeless"))
    ended = run(["sh", "-c", TIDY, "sh", str(begun)], timeout=120, until=lambda: reason if begun.exists() else None)
    assert ended == Ended(1, "", "taken back\n", reason)


def test_a_command_that_takes_too_long_is_killed():
    with pytest.raises(subprocess.TimeoutExpired):
        run(["sleep", "600"], timeout=0.1)


def test_a_command_that_cannot_be_run_is_told():
    with pytest.raises(OSError, match="nowhere"):
        run(["/nowhere/helm"], timeout=60)
