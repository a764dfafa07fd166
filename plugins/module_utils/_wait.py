# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiting: quick at first, then at the check's own pace."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

from ._drivers._base import Driver
from ._health import HealthResult, check_health
from ._model import ServiceDefinition

_FIRST_DELAY = 0.001
_SHARE = 0.1
_ASK_SECONDS = 0.05
_ASK_SHARE = 20


def delays(interval: float) -> Iterator[float]:
    """Yield the seconds to wait before each further attempt.

    Each is a tenth of the time waited so far, between one millisecond and the interval: whatever time something takes,
    it is noticed at most a tenth later, and a slow one is not bothered more often than its interval says.
    """
    waited = 0.0
    while True:
        delay = min(max(_FIRST_DELAY, waited * _SHARE), interval)
        yield delay
        waited += delay


def wait_until_healthy(
    attempt: Callable[[], HealthResult],
    *,
    timeout: float,
    interval: float,
    success_threshold: int = 1,
    ended: Callable[[], str | None] = lambda: None,
    cancelled: threading.Event | None = None,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], object] = time.sleep,
) -> HealthResult:
    """Repeat a check until it has passed as often as needed in a row.

    While a service starts only the time limit decides; ``retries`` is for services that were up before.

    :param timeout: seconds from now until the wait is given up.
    :param interval: seconds between attempts at most.
    :param ended: says in words that waiting is of no use any more, e.g. because the process has exited.
    :param cancelled: ends the wait when set; pass its ``wait`` as ``sleep`` to end it at once.
    :return: the last result; not healthy when the time is up, the service has ended or the wait was cancelled.
    """
    deadline = clock() + timeout
    passed = 0
    pauses = delays(interval)
    while True:
        result = attempt()
        passed = passed + 1 if result.healthy else 0
        if passed >= success_threshold:
            return result
        if not result.healthy and (end := ended()) is not None:
            return HealthResult(False, end, result.duration_ms)
        if cancelled is not None and cancelled.is_set():
            return HealthResult(False, "the wait was cancelled", result.duration_ms)
        pause = next(pauses)
        left = deadline - clock()
        if left <= 0:
            reason = result.reason if not result.healthy else f"passed only {passed} of {success_threshold} times"
            return HealthResult(False, f"not healthy within {timeout:g} s: {reason}", result.duration_ms)
        sleep(min(pause, left))


def wait_for_service(
    service: ServiceDefinition, driver: Driver, *, cancelled: threading.Event | None = None
) -> HealthResult:
    """Wait until a service that was started is healthy; without a check, that it runs is enough.

    :param cancelled: ends the wait when set.
    """
    stop = cancelled or threading.Event()
    liveness = _Liveness(service, driver)

    def attempt() -> HealthResult:
        if service.health is None:
            end = liveness.ask()
            return HealthResult(end is None, end or "it runs")
        return check_health(service.health, execute=lambda check: driver.execute(service, check))

    return wait_until_healthy(
        attempt,
        timeout=service.startup.timeout,
        interval=service.health.interval if service.health else 1.0,
        success_threshold=service.health.success_threshold if service.health else 1,
        ended=liveness.ask_now_and_then,
        cancelled=stop,
        sleep=stop.wait,
    )


class _Liveness:
    """Whether a service has ended. Asking an engine costs more than a probe, so it takes a twentieth of the time."""

    def __init__(self, service: ServiceDefinition, driver: Driver) -> None:
        self._service = service
        self._driver = driver
        self._next = time.monotonic() + _ASK_SECONDS

    def ask(self) -> str | None:
        now = self._driver.observe([self._service])[self._service.name]
        return None if now.is_up else (now.detail or f"it is {now.status}")

    def ask_now_and_then(self) -> str | None:
        begin = time.monotonic()
        if begin < self._next:
            return None
        answer = self.ask()
        end = time.monotonic()
        self._next = end + max(_ASK_SECONDS, (end - begin) * _ASK_SHARE)
        return answer
