# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Looking on while Helm waits: it knows when something is ready, and not when waiting is of no use.

Only what has changed since Helm began is looked at. What was in trouble before may be just what Helm is there to mend,
and its pods go on telling of it until theirs come.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from .._errors import DriverError, PrerequisiteError
from ._kubernetes_observe import Found
from ._kubernetes_rollout import progress_of

_LOOK_SECONDS = 2.0
#: A chart's workloads may need one another: one that crashes until another is there is given so many attempts.
_ATTEMPTS_IN_COMPANY = 4
_CRASHES = "CrashLoopBackOff"

Item = Mapping[str, Any]
Seen = frozenset[tuple[str, int]]


@dataclass(frozen=True)
class Trouble:
    """What is wrong with a release that is on its way.

    :param is_hopeless: no waiting will cure it.
    :param pods: those that it is wrong with, or whose workload it is.
    """

    text: str
    is_hopeless: bool
    pods: tuple[Item, ...] = ()


def seen(items: Iterable[Item]) -> Seen:
    """Return which objects there are, each as it was asked for last."""
    return frozenset(_state(item) for item in items)


def trouble(found: Found, before: Seen, *, now: float) -> Trouble | None:
    """Return what is wrong with what has changed; the first that no waiting cures, else the first.

    :param found: the workloads of the release, with their pods.
    :param before: what there was before Helm began.
    :param now: unix time in seconds.
    """
    running = found.workloads()
    troubles = []
    for item in running:
        pods = found.current_pods(item)
        progress = progress_of(item, pods, now=now)
        if _state(item) in before or progress.status != "failed":
            continue
        may_pass = progress.detail.startswith(_CRASHES) and len(running) > 1 and _attempts(pods) < _ATTEMPTS_IN_COMPANY
        troubles.append(Trouble(progress.detail, not may_pass, tuple(pods)))
    return next((one for one in troubles if one.is_hopeless), troubles[0] if troubles else None)


class Onlooker:
    """Looks now and then, in a thread of its own, as long as the block runs.

    :param look: finds what there is of the release that Helm is at work on; None while it has not begun, or is over.
    :param before: what there was before.
    :param explain: adds to what is wrong what the cluster and the pods have said.
    :param clock: unix time in seconds.

    :ivar last: what was wrong last, empty where nothing was.
    """

    def __init__(
        self,
        look: Callable[[], Found | None],
        before: Seen,
        explain: Callable[[Trouble], str],
        *,
        clock: Callable[[], float],
    ) -> None:
        self._look = look
        self._before = before
        self._explain = explain
        self._clock = clock
        self._done = threading.Event()
        self._hopeless = threading.Event()
        self._thread = threading.Thread(target=self._look_on, daemon=True)
        self.last = ""

    @property
    def is_hopeless(self) -> bool:
        """Whether no waiting will cure what was wrong last."""
        return self._hopeless.is_set()

    def __enter__(self) -> Onlooker:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._done.set()
        self._thread.join(_LOOK_SECONDS)

    def _look_on(self) -> None:
        while not self._hopeless.is_set() and not self._done.wait(_LOOK_SECONDS):
            try:
                self._look_once()
            except (DriverError, PrerequisiteError):  # it is not there yet, or not any more
                continue

    def _look_once(self) -> None:
        found = self._look()
        wrong = trouble(found, self._before, now=self._clock()) if found is not None else None
        if found is None or wrong is None:
            return
        self.last = self._explain(wrong)
        # Helm may have given up meanwhile, and be taking back what has failed: in that it must not be disturbed.
        if wrong.is_hopeless and self._look() is not None:
            self._hopeless.set()


def _state(item: Item) -> tuple[str, int]:
    metadata = item["metadata"]
    return str(metadata.get("uid")), int(metadata.get("generation") or 0)


def _attempts(pods: Iterable[Item]) -> int:
    statuses = [pod.get("status") or {} for pod in pods]
    containers = [
        container
        for status in statuses
        for container in [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]
        if ((container.get("state") or {}).get("waiting") or {}).get("reason") == _CRASHES
    ]
    return max((int(container.get("restartCount") or 0) for container in containers), default=0)
