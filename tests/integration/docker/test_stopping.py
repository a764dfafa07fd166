# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stopping those that hear the signal, and those that cannot."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.fixtures.docker_bench import STUBBORN, Bench, eventually, service

PATIENCE = 240.0


def test_who_cannot_hear_the_signal_is_not_waited_for(bench: Bench) -> None:
    deaf = service("deaf", {"command": ["sleep", "1000"]}, startup={"stop_timeout": PATIENCE})
    bench.start(deaf)
    bench.await_program(deaf)
    begin = time.monotonic()
    bench.driver.stop(deaf, bench.see(deaf))
    assert not bench.see(deaf).is_up
    bench.start(deaf)
    bench.await_program(deaf)
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


TIDY = "trap 'sleep 0.5; echo tidy; exit 0' TERM; echo begun; while true; do sleep 0.05; done"


@pytest.mark.parametrize("replicas", [1, 2])
def test_what_somebody_paused_is_woken_and_stops_as_it_would_otherwise(bench: Bench, replicas: int) -> None:
    settings = {"command": ["sh", "-c", TIDY], "replicas": replicas}
    tidy = service("tidy", settings, startup={"stop_timeout": PATIENCE, "restart": "no"})
    last = bench.start(tidy).instances[-1]
    eventually(lambda: len(list(bench.driver.logs(tidy))) == replicas)
    bench.api.pause(last)
    assert bench.see(tidy).status == "paused"
    assert bench.plan(tidy, "stopped").verb == "stop"
    begin = time.monotonic()
    bench.driver.stop(tidy, bench.see(tidy))
    assert time.monotonic() - begin < PATIENCE / 2
    assert bench.see(tidy).status == "stopped"
    assert [line.text for line in bench.driver.logs(tidy)].count("tidy") == replicas
    assert bench.plan(tidy, "stopped").verb == "none", "what is stopped is not stopped again"


def test_what_somebody_paused_and_hears_nothing_is_killed_after_the_timeout(bench: Bench) -> None:
    stubborn = service("stubborn", {"command": STUBBORN}, startup={"stop_timeout": 1, "restart": "no"})
    seen = bench.start(stubborn)
    eventually(lambda: list(bench.driver.logs(stubborn)))
    bench.api.pause(seen.id)
    begin = time.monotonic()
    bench.driver.stop(stubborn, bench.see(stubborn))
    assert 0.9 < time.monotonic() - begin < 60
    assert not bench.see(stubborn).instances


def test_what_somebody_paused_is_removed_after_it_was_asked_to_stop(bench: Bench, tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    notes.mkdir()
    script = "trap 'echo tidy >/notes/end; exit 0' TERM; touch /notes/begun; while true; do sleep 0.05; done"
    settings = {"command": ["sh", "-c", script], "volumes": [f"{notes}:/notes"], "user": "0:0"}
    paused = service("paused", settings, startup={"stop_timeout": PATIENCE})
    seen = bench.start(paused)
    eventually((notes / "begun").exists)
    bench.api.pause(seen.id)
    bench.remove(paused)
    assert bench.containers() == []
    assert (notes / "end").read_text() == "tidy\n"


def test_the_signal_that_the_container_itself_asks_for_counts(bench: Bench) -> None:
    script = "trap 'echo tidy; exit 0' QUIT; echo begun; while true; do sleep 0.05; done"
    startup = {"stop_signal": "SIGQUIT", "stop_timeout": PATIENCE, "restart": "no"}
    quiet = service("quiet", {"command": ["sh", "-c", script]}, startup=startup)
    bench.start(quiet)
    eventually(lambda: list(bench.driver.logs(quiet)))
    (found,) = bench.driver.find()
    assert found.startup.stop_signal == "SIGTERM", "nothing is known of it"
    bench.driver.stop(found, bench.see(found))
    assert [line.text for line in bench.driver.logs(quiet)] == ["begun", "tidy"]
