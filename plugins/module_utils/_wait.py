# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiting: quick at first, then at the check's own pace."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Callable, Iterator
from typing import Literal

from . import _replicas
from ._build import to_dict
from ._drivers._base import Driver
from ._errors import ProvisioningError
from ._health import HealthResult, check_health
from ._model import AnyVerification, HealthCheck, ServiceDefinition

Health = Literal["unknown", "healthy", "unhealthy"]

_FIRST_DELAY = 0.001
_SHARE = 0.1
_ASK_SECONDS = 0.05
_ASK_SHARE = 20
#: How long what has no health check must have run before that it runs means anything.
_SETTLE_SECONDS = 0.2
_DEFAULT_INTERVAL = 1.0
#: How long the real work of a healthy service may fail: what it needs may just have come back, and it may look for that
#: only now and then, as proxies do.
_VERIFY_SECONDS = 30.0
_LOG_LINES = 5
_LOG_LINE_LENGTH = 300


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

    While a service starts only the time limit decides; ``retries`` is for services that were up before. Once it has
    passed, it is repeated at its own pace: several passes within milliseconds would say no more than one.

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
        left = deadline - clock()
        if left <= 0:
            reason = result.reason if not result.healthy else f"passed only {passed} of {success_threshold} times"
            limit = f"not healthy within {round(timeout, 2):g} s: " if timeout > 0 else ""
            return HealthResult(False, f"{limit}{reason}", result.duration_ms)
        sleep(min(interval if result.healthy else next(pauses), left))


def wait_for_service(
    service: ServiceDefinition,
    driver: Driver,
    *,
    cancelled: threading.Event | None = None,
    since: float | None = None,
    may_end: bool = False,
) -> HealthResult:
    """Wait until a service is healthy; without a check, that it runs is enough.

    :param cancelled: ends the wait when set.
    :param since: unix time in seconds since when it runs, if it was not started just now. It is given the rest of its
        startup time; one that should have been healthy long ago, the time in which ``retries`` checks fail.
    :param may_end: whether it is a task, which may be over by the time its check passes.
    """
    stop = cancelled or threading.Event()
    liveness = _Liveness(service, driver)
    timeout = patience(service, since, time.time())
    deadline = time.monotonic() + timeout
    check = service.health
    if check is None and since is None:
        stop.wait(_SETTLE_SECONDS)

    def attempt() -> HealthResult:
        if check is None:
            return driver.judge(service, None) or _is_up(liveness)
        left = max(_ASK_SECONDS, deadline - time.monotonic())
        return check_service(
            dataclasses.replace(check, timeout=left) if left < check.timeout else check, service, driver
        )

    result = wait_until_healthy(
        attempt,
        timeout=timeout,
        interval=check.interval if check else _DEFAULT_INTERVAL,
        success_threshold=check.success_threshold if check else 1,
        ended=liveness.ask if check is None else liveness.ask_now_and_then,
        cancelled=stop,
        sleep=stop.wait,
    )
    return result if may_end else _unless_ended(result, service, driver)


def check_service(check: AnyVerification, service: ServiceDefinition, driver: Driver) -> HealthResult:
    """Carry out one of a service's checks once, by its mode where that makes it best; all replicas must pass it."""
    judged = driver.judge(service, check)
    if judged is not None:
        return judged
    begin = time.perf_counter()
    each = _replicas.checks(service, check)
    for number, one in enumerate(each, 1):
        result = check_health(
            one, execute=lambda command: driver.execute(service, command), secrets=driver.context.secrets
        )
        if not result.healthy and len(each) > 1:
            result = dataclasses.replace(result, reason=f"replica {number} of {len(each)}: {result.reason}")
        if not result.healthy or len(each) == 1:
            return result
    duration = round((time.perf_counter() - begin) * 1000, 3)
    return HealthResult(True, f"all {len(each)} replicas: {result.reason}", duration)


def check_now(service: ServiceDefinition, driver: Driver, *, may_end: bool = False) -> HealthResult:
    """Check a service's health once; without a check, that it runs is enough.

    :param may_end: whether it is a task, which may be over.
    """
    if service.health is not None:
        result = check_service(service.health, service, driver)
        return result if may_end else _unless_ended(result, service, driver)
    try:
        return driver.judge(service, None) or _is_up(_Liveness(service, driver))
    except ProvisioningError as error:
        return HealthResult(False, error.problems[0].why)


def verify_service(service: ServiceDefinition, driver: Driver, *, may_end: bool = False) -> list[HealthResult]:
    """Ask a service for its real work: each of its checks until it passes, or for thirty seconds.

    :param may_end: whether it is a task, which may be over; of another that has ended, that is the only result.
    """

    def result(check: AnyVerification) -> HealthResult:
        return wait_until_healthy(
            lambda: check_service(check, service, driver), timeout=_VERIFY_SECONDS, interval=_DEFAULT_INTERVAL
        )

    end = None if may_end else driver.ended(service)
    return [result(check) for check in service.verify] if end is None else [HealthResult(False, end)]


def last_words(service: ServiceDefinition, driver: Driver) -> str:
    """Return the last lines of a service's log, to be added to why it failed; nothing where there are none."""
    try:
        lines = [line.text.strip() for line in driver.logs(service, tail=_LOG_LINES) if line.text.strip()]
        secrets = driver.context.secrets
        secrets.versions(to_dict(service))  # those that it knows are read, so that they are masked
        secrets.read(service.name)
    except (ProvisioningError, OSError):
        return ""
    text = " / ".join(_printable(line[:_LOG_LINE_LENGTH]) for line in lines)
    return f"; its last words: {secrets.masked(text)}" if lines else ""


def _printable(text: str) -> str:
    """Return a text in which control characters, which could clear a terminal or hide words, are spelled out."""
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)


def patience(service: ServiceDefinition, since: float | None, now: float) -> float:
    """Return for how many seconds from now a service may still become healthy.

    :param since: unix time in seconds since when it runs; it starts now when absent.
    """
    if since is None:
        return service.startup.timeout
    failing = (service.health.retries - 1) * service.health.interval if service.health else 0.0
    limit = service.startup.timeout
    return max(min(failing, limit), min(limit, limit - (now - since)))


class HealthTrend:
    """What single results mean in a row: health changes only when ``retries`` or ``success_threshold`` say so.

    As in Kubernetes and Docker: failures do not count in the ``start_period`` until the first success.

    :param check: the check whose results these are.
    """

    def __init__(self, check: HealthCheck) -> None:
        self._check = check
        self._passed = 0
        self._failed = 0
        self._has_passed = False
        self.health: Health = "unknown"

    def note(self, result: HealthResult, age: float) -> bool:
        """Take one more result into account; return whether the health has changed with it.

        :param age: seconds since the service was started.
        """
        before = self.health
        if result.healthy:
            self._has_passed = True
            self._passed, self._failed = self._passed + 1, 0
            if self._passed >= self._check.success_threshold:
                self.health = "healthy"
        elif self._has_passed or age >= self._check.start_period:
            self._passed, self._failed = 0, self._failed + 1
            if self._failed >= self._check.retries:
                self.health = "unhealthy"
        return self.health != before


def monitor_service(
    service: ServiceDefinition,
    driver: Driver,
    *,
    cancelled: threading.Event,
    since: float | None = None,
    clock: Callable[[], float] = time.time,
) -> Iterator[tuple[Health, HealthResult]]:
    """Check a service at its own pace and yield its health whenever that has changed, with the result that did it.

    :param cancelled: ends it when set.
    :param since: unix time in seconds since when it runs; now by default.
    """
    check = service.health
    trend = HealthTrend(check or HealthCheck(retries=1))
    begin = clock() if since is None else since
    while not cancelled.is_set():
        result = check_now(service, driver)
        if trend.note(result, clock() - begin):
            yield trend.health, result
        cancelled.wait(check.interval if check else _DEFAULT_INTERVAL)


class _Liveness:
    """Whether a service has ended. Asking an engine costs more than a probe, so it takes a twentieth of the time."""

    def __init__(self, service: ServiceDefinition, driver: Driver) -> None:
        self._service = service
        self._driver = driver
        self._next = time.monotonic() + _ASK_SECONDS

    def ask(self) -> str | None:
        """Return in words how it has ended, None while it is up; what runs elsewhere may always come back."""
        if not self._service.is_ours:
            return None
        now = self._driver.observe([self._service])[self._service.name]
        return None if now.is_up else (self._driver.ended(self._service) or now.detail or f"it is {now.status}")

    def ask_now_and_then(self) -> str | None:
        begin = time.monotonic()
        if begin < self._next:
            return None
        answer = self.ask()
        end = time.monotonic()
        self._next = end + max(_ASK_SECONDS, (end - begin) * _ASK_SHARE)
        return answer


def _unless_ended(result: HealthResult, service: ServiceDefinition, driver: Driver) -> HealthResult:
    """Return the result of a check, unless it was not the service that passed it."""
    end = driver.ended(service) if result.healthy else None
    return result if end is None else HealthResult(False, end, result.duration_ms)


def _is_up(liveness: _Liveness) -> HealthResult:
    end = liveness.ask()
    return HealthResult(end is None, end or "it runs")
