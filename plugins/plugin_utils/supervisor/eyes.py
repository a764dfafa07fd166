# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the supervisor looks without looking all the time: it sleeps until something is due, a process ends or a check.

The kernel tells when a process ends, at no cost while it lives. Checks are made by a few threads for all services.
"""

from __future__ import annotations

import contextlib
import os
import queue
import select
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from ansible_collections.provisioning.platform.plugins.module_utils._drivers._base import Observation
from ansible_collections.provisioning.platform.plugins.module_utils._health import HealthResult

_THREADS = 8
_BYTES = 8


@dataclass(frozen=True)
class Checked:
    """A check that has been made.

    :param observation: what the service was before.
    """

    service: str
    observation: Observation
    result: HealthResult


class Eyes:
    """Waits for whatever comes first. It may be woken from a signal handler."""

    def __init__(self) -> None:
        self._poll = select.poll()
        self._bell = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._poll.register(self._bell, select.POLLIN)
        self._processes: dict[str, dict[int, int]] = {}
        self._services: dict[int, str] = {}
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="check")
        self._results: queue.SimpleQueue[Checked] = queue.SimpleQueue()
        self.checking: set[str] = set()

    def close(self) -> None:
        """Let go of everything; checks that are under way are not waited for."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        for service in list(self._processes):
            self.follow(service, ())

    def wake(self) -> None:
        """End the wait that is, or the next one."""
        os.eventfd_write(self._bell, 1)

    def check(self, service: str, observation: Observation, make: Callable[[], HealthResult]) -> None:
        """Have a check made; its result is among those of :meth:`results` then."""
        self.checking.add(service)

        def work() -> None:
            try:
                result = make()
            except Exception as error:  # noqa: BLE001 - a check must come to an end, or the service is never seen again
                result = HealthResult(False, f"{type(error).__name__}: {error}")
            self._results.put(Checked(service, observation, result))
            self.wake()

        self._pool.submit(work)

    def results(self) -> Iterator[Checked]:
        """Yield the checks that have been made since the last call."""
        with contextlib.suppress(queue.Empty):
            while True:
                checked = self._results.get_nowait()
                self.checking.discard(checked.service)
                yield checked

    def follow(self, service: str, pids: Collection[int]) -> None:
        """Be told when one of these processes ends; those followed before for the service are let go."""
        known = self._processes.setdefault(service, {})
        if known.keys() == set(pids):
            return
        for pid in known.keys() - set(pids):
            self._let_go(known.pop(pid))
        for pid in set(pids) - known.keys():
            with contextlib.suppress(OSError):  # it has ended, or there are more than may be: its checks tell, too
                known[pid] = os.pidfd_open(pid)
                self._services[known[pid]] = service
                self._poll.register(known[pid], select.POLLIN)
        if not known:
            del self._processes[service]

    def wait(self, seconds: float) -> set[str]:
        """Wait so long at most; return the services of which a process has ended."""
        ended = set()
        for descriptor, _event in self._poll.poll(max(0.0, seconds) * 1000):
            if descriptor == self._bell:
                with contextlib.suppress(BlockingIOError):
                    os.read(self._bell, _BYTES)
                continue
            service = self._services[descriptor]
            ended.add(service)
            known = self._processes.get(service, {})
            for pid in [pid for pid, held in known.items() if held == descriptor]:
                self._let_go(known.pop(pid))
        return ended

    def _let_go(self, descriptor: int) -> None:
        self._poll.unregister(descriptor)
        self._services.pop(descriptor, None)
        os.close(descriptor)
