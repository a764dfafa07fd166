# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stopping those that hear the signal, and those that cannot."""

from __future__ import annotations

import time
from pathlib import Path

from tests.fixtures.docker_bench import Bench, eventually, service

PATIENCE = 60.0


def test_who_cannot_hear_the_signal_is_not_waited_for(bench: Bench) -> None:
    deaf = service("deaf", {"command": ["sleep", "1000"]}, startup={"stop_timeout": PATIENCE})
    bench.start(deaf)
    begin = time.monotonic()
    bench.driver.stop(deaf, bench.see(deaf))
    assert not bench.see(deaf).is_up
    bench.start(deaf)
    bench.remove(deaf)
    assert bench.containers() == []
    assert time.monotonic() - begin < PATIENCE / 2


def test_who_hears_the_signal_may_take_its_time_before_it_is_removed(bench: Bench, tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    notes.mkdir()
    script = "trap 'sleep 1; echo tidy >/notes/end; exit 0' TERM; touch /notes/begun; while true; do sleep 0.1; done"
    settings = {"command": ["sh", "-c", script], "volumes": [f"{notes}:/notes"], "user": "0:0"}
    tidy = service("tidy", settings, startup={"stop_timeout": PATIENCE})
    bench.start(tidy)
    eventually((notes / "begun").exists)
    bench.remove(tidy)
    assert (notes / "end").read_text() == "tidy\n"
