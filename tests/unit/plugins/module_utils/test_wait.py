# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils._drivers._base import Observation
from ansible_collections.provisioning.platform.plugins.module_utils._health import HealthResult
from ansible_collections.provisioning.platform.plugins.module_utils._model import HealthCheck
from ansible_collections.provisioning.platform.plugins.module_utils._wait import (
    HealthTrend,
    delays,
    monitor_service,
    patience,
    verify_service,
    wait_for_service,
    wait_until_healthy,
)

from tests.fixtures.definitions import service
from tests.fixtures.ports import free_port
from tests.unit.plugins.module_utils.memory_driver import MemoryDriver

WELL = HealthResult(True, "answered 200")
ILL = HealthResult(False, "refused the connection")


class _Time:
    """A clock that goes on when somebody sleeps, and by what a check takes."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


class _NeverWaited(threading.Event):
    """What cancels a wait, where there is to be none."""

    def wait(self, timeout: float | None = None) -> bool:
        raise AssertionError("there is nothing to wait for")


def _wait(results: Callable[[float], HealthResult], **settings: Any) -> tuple[HealthResult, _Time]:
    time_ = _Time()
    begin = time_.now
    result = wait_until_healthy(
        lambda: results(time_.now - begin),
        **{"timeout": 60.0, "interval": 10.0, **settings},
        clock=time_.clock,
        sleep=time_.sleep,
    )
    return result, time_


def _well_after(seconds: float) -> Callable[[float], HealthResult]:
    return lambda age: WELL if age >= seconds else ILL


def test_attempts_are_quick_at_first_and_come_to_the_interval_in_the_end() -> None:
    pauses = list(itertools.islice(delays(10.0), 200))
    assert pauses[0] == 0.001
    assert pauses == sorted(pauses)
    assert pauses[-1] == 10.0
    assert sum(itertools.takewhile(lambda pause: pause < 0.1, pauses)) == pytest.approx(1, abs=0.2)


def test_an_interval_below_the_first_delay_is_kept_to() -> None:
    assert list(itertools.islice(delays(0.0005), 3)) == [0.0005] * 3


@pytest.mark.parametrize("seconds", [0.001, 0.03, 0.5, 7.0, 55.0])
def test_readiness_is_noticed_at_most_a_tenth_late(seconds: float) -> None:
    result, time_ = _wait(_well_after(seconds))
    assert result == WELL
    assert seconds <= time_.now - 1000 <= seconds * 1.1 + 0.002


def test_a_service_that_is_healthy_at_once_is_not_waited_for() -> None:
    assert _wait(_well_after(0))[1].slept == []


def test_when_the_time_is_up_the_last_reason_is_told_with_the_time_it_had() -> None:
    result, time_ = _wait(_well_after(1000), timeout=5.0)
    assert (result.healthy, result.reason) == (False, "not healthy within 5 s: refused the connection")
    assert time_.now - 1000 == pytest.approx(5)


def test_without_time_there_is_one_attempt() -> None:
    assert _wait(_well_after(0), timeout=0.0)[0] == WELL
    result, time_ = _wait(_well_after(1), timeout=0.0)
    assert (result.reason, time_.slept) == ("refused the connection", [])


def test_several_passes_in_a_row_are_an_interval_apart() -> None:
    result, time_ = _wait(_well_after(0.5), success_threshold=3, interval=2.0)
    assert result == WELL
    assert time_.slept[-2:] == [2.0, 2.0]


def test_a_failure_between_passes_begins_the_count_anew() -> None:
    outcomes = iter([WELL, WELL, ILL, WELL, WELL, WELL])
    result, time_ = _wait(lambda age: next(outcomes), success_threshold=3, interval=1.0)
    assert result == WELL
    assert len(time_.slept) == 5


def test_too_few_passes_are_told_as_such() -> None:
    result, _ = _wait(_well_after(0), success_threshold=5, interval=2.0, timeout=3.0)
    assert (result.healthy, result.reason) == (False, "not healthy within 3 s: passed only 3 of 5 times")


def test_the_wait_ends_when_the_service_has() -> None:
    result, time_ = _wait(_well_after(1000), ended=lambda: "pid 7 exited with code 3")
    assert (result.reason, time_.slept) == ("pid 7 exited with code 3", [])
    asked: list[int] = []
    assert _wait(_well_after(0), ended=lambda: asked.append(1) or "ended")[0] == WELL
    assert not asked


def test_a_cancelled_wait_ends_unless_the_check_passes() -> None:
    cancelled = threading.Event()
    cancelled.set()
    result, time_ = _wait(_well_after(1), cancelled=cancelled)
    assert (result.healthy, result.reason, time_.slept) == (False, "the wait was cancelled", [])
    assert _wait(_well_after(0), cancelled=cancelled)[0] == WELL


# --- services --------------------------------------------------------------------------------------------------------


def test_a_service_without_a_check_is_healthy_when_it_still_runs_a_moment_later(tmp_path: Path) -> None:
    driver = MemoryDriver(tmp_path)
    driver.running["a"] = Observation("running")
    begin = time.monotonic()
    assert wait_for_service(service("a"), driver).reason == "it runs"
    assert time.monotonic() - begin > 0.1
    driver.running["a"] = Observation("failed", detail="pid 7 exited with code 3")
    assert wait_for_service(service("a"), driver).reason == "pid 7 exited with code 3"
    del driver.running["a"]
    assert wait_for_service(service("a"), driver).reason == "it is absent"


def test_one_that_runs_for_long_is_not_waited_for(tmp_path: Path) -> None:
    driver = MemoryDriver(tmp_path)
    driver.running["a"] = Observation("running")
    assert wait_for_service(service("a"), driver, since=time.time() - 100, cancelled=_NeverWaited()).healthy


def test_a_wait_for_a_service_is_over_at_once_when_it_is_cancelled(tmp_path: Path) -> None:
    driver = MemoryDriver(tmp_path)
    driver.running["a"] = Observation("running")
    check = {"type": "tcp", "port": free_port(), "interval": 100}
    cancelled = threading.Event()
    threading.Timer(0.05, cancelled.set).start()
    begin = time.monotonic()
    result = wait_for_service(service("a", health=check, startup={"timeout": 1000}), driver, cancelled=cancelled)
    assert result.reason == "the wait was cancelled"
    assert time.monotonic() - begin < 90


def test_a_check_gets_no_more_time_than_the_start_has_left(tmp_path: Path) -> None:
    driver = MemoryDriver(tmp_path)
    driver.running["a"] = Observation("running")
    check = {"type": "command", "command": ["sleep", "100"], "timeout": 50}
    result = wait_for_service(service("a", health=check, startup={"timeout": 0.2}), driver)
    assert result.reason.startswith("not healthy within 0.2 s: sleep did not end within 0.")


def test_a_service_that_ends_while_it_is_waited_for_is_noticed(tmp_path: Path) -> None:
    driver = MemoryDriver(tmp_path)
    driver.running["a"] = Observation("failed", detail="pid 7 was killed by SIGKILL")
    result = wait_for_service(service("a", health={"type": "tcp", "port": free_port()}), driver)
    assert result.reason == "pid 7 was killed by SIGKILL"


def test_the_real_work_of_a_service_may_fail_until_what_it_needs_has_come_back(tmp_path: Path) -> None:
    back = tmp_path / "back"
    definition = service("a", verify=[{"type": "file", "path": str(back)}])
    timer = threading.Timer(0.05, back.touch)
    timer.start()
    assert [result.healthy for result in verify_service(definition, MemoryDriver(tmp_path))] == [True]
    timer.join()


@pytest.mark.parametrize(
    ("age", "seconds"),
    [(None, 60), (0, 60), (10, 50), (45, 20), (60, 20), (100000, 20), (-100000, 60)],
)
def test_a_running_service_has_the_rest_of_its_time_or_as_long_as_its_retries_take(
    age: float | None, seconds: float
) -> None:
    definition = service("a", health={"type": "tcp", "port": 1, "retries": 3, "interval": 10})
    assert patience(definition, None if age is None else 5000 - age, 5000) == seconds


def test_a_service_without_a_check_has_the_rest_of_its_time() -> None:
    assert patience(service("a"), 4990, 5000) == 50
    assert patience(service("a"), 0, 5000) == 0


# --- the health of what runs -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("check", "results", "healths"),
    [
        (HealthCheck(), "w", ["healthy"]),
        (HealthCheck(), "wiiw", ["healthy"]),
        (HealthCheck(), "wiiiw", ["healthy", "unhealthy", "healthy"]),
        (HealthCheck(), "iii", ["unhealthy"]),
        (HealthCheck(retries=1), "iwi", ["unhealthy", "healthy", "unhealthy"]),
        (HealthCheck(success_threshold=2), "wiww", ["healthy"]),
        (HealthCheck(success_threshold=2), "wwiiiwiw", ["healthy", "unhealthy"]),
        (HealthCheck(start_period=5), "iiiiiiii", ["unhealthy"]),
        (HealthCheck(start_period=100), "iiiiiiii", []),
        (HealthCheck(start_period=100), "iiiiiwiii", ["healthy", "unhealthy"]),
        (HealthCheck(retries=2, start_period=3), "iiiw", ["healthy"]),
    ],
)
def test_health_changes_when_retries_thresholds_and_the_start_period_say_so(
    check: HealthCheck, results: str, healths: list[str]
) -> None:
    trend = HealthTrend(check)
    assert trend.health == "unknown"
    changes = []
    for age, result in enumerate(results):
        if trend.note(WELL if result == "w" else ILL, float(age)):
            changes.append(trend.health)
    assert changes == healths


def test_a_monitored_service_tells_when_its_health_changes_and_why(tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    check = {"type": "file", "path": str(ready), "interval": 0.002, "retries": 2}
    cancelled = threading.Event()
    found = monitor_service(service("a", health=check), MemoryDriver(tmp_path), cancelled=cancelled)
    assert next(found) == ("unhealthy", HealthResult(False, f"{ready} does not exist", pytest.approx(0, abs=60_000)))
    ready.touch()
    assert next(found)[0] == "healthy"
    ready.unlink()
    assert next(found)[0] == "unhealthy"
    cancelled.set()
    assert list(found) == []


def test_a_monitored_service_without_a_check_is_healthy_while_it_runs(tmp_path: Path) -> None:
    driver = MemoryDriver(tmp_path)
    driver.running["a"] = Observation("running")
    cancelled = threading.Event()
    found = monitor_service(service("a"), driver, cancelled=cancelled)
    assert next(found) == ("healthy", HealthResult(True, "it runs"))
    cancelled.set()
