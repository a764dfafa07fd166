# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asking a run to stop."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from provisioning_platform.cancellation import Cancellation, on_signals


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_asks_to_stop_and_a_second_one_at_once(number):
    with on_signals(Cancellation()) as cancellation:
        assert not cancellation.is_requested
        os.kill(os.getpid(), number)
        assert (cancellation.is_requested, cancellation.is_urgent) == (True, False)
        os.kill(os.getpid(), signal.SIGTERM)
        assert (cancellation.signal_number, cancellation.is_urgent) == (number, True)


def test_handlers_are_put_back():
    before = signal.getsignal(signal.SIGTERM)
    with on_signals(Cancellation()):
        assert signal.getsignal(signal.SIGTERM) != before
    assert signal.getsignal(signal.SIGTERM) == before


def test_a_signal_that_is_ignored_stays_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with on_signals(Cancellation()) as cancellation:
            os.kill(os.getpid(), signal.SIGHUP)
            assert not cancellation.is_requested
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize(("number", "word"), [(signal.SIGINT, "Cancelled."), (signal.SIGTERM, "Terminated.")])
def test_a_signal_before_there_is_a_run_ends_the_program_with_a_word(tmp_path: Path, number: int, word: str) -> None:
    config = tmp_path / "config.toml"
    os.mkfifo(config)
    command = [sys.executable, "-m", "provisioning_platform", "--config", str(config)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with (
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment) as run,
        config.open("w"),  # which waits until the program reads it
    ):
        run.send_signal(number)
        output, errors = run.communicate(timeout=60)
    assert (run.returncode, output) == (128 + number, "")
    assert errors == f"{word}\nNothing was begun: this run left no service running.\n"
