# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Walking a graph with threads: each node begins at the instant its last need is fulfilled. There are no waves.

All decisions are made in the calling thread from messages that the nodes' threads send, so nothing here is locked.
"""

from __future__ import annotations

import contextlib
import heapq
import queue
import threading
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

#: What a node's thread calls when it has reached something that others may wait for.
Reached = Callable[[str], None]

DONE = "done"
_WAKE_SECONDS = 0.2


@dataclass(frozen=True)
class Steps:
    """What the walk does at each node.

    :param begin: does a node's work, in a thread of its own; must not raise.
    :param give_up: told, in the calling thread, that a node will not begin: the needs that cannot be fulfilled any
        more, none when the walk was stopped.
    :param is_stopped: asked before a node begins; no further one does once it is true.
    :param broken: told, in the calling thread, that ``begin`` raised all the same, before the node counts as ended.
        Without it the walk raises that error itself, once all other nodes have ended.
    """

    begin: Callable[[str, Reached], None]
    give_up: Callable[[str, Collection[str]], None]
    is_stopped: Callable[[], bool] = lambda: False
    broken: Callable[[str, Exception], None] | None = None


@dataclass(frozen=True)
class Lanes:
    """How many nodes of a kind may be busy at once.

    A node occupies its lane until it reaches ``frees`` or ends, so that those that only wait do not keep others out.
    """

    of: Mapping[str, str]
    width: Mapping[str, int]
    frees: str = "started"


@dataclass
class _Walk:
    needs: Mapping[str, Mapping[str, str]]
    steps: Steps
    lanes: Lanes
    priority: Mapping[str, tuple[int, ...]]
    messages: queue.SimpleQueue[tuple[str, str | Exception]] = field(default_factory=queue.SimpleQueue)

    def __post_init__(self) -> None:
        self.missing = {name: dict(needs) for name, needs in self.needs.items()}
        self.wanting: dict[str, list[str]] = {name: [] for name in self.needs}
        for name, needs in self.needs.items():
            for need in needs:
                self.wanting[need].append(name)
        self.ready: dict[str, list[tuple[tuple[int, ...], str]]] = {lane: [] for lane in self.lanes.width}
        self.busy: dict[str, set[str]] = {lane: set() for lane in self.lanes.width}
        self.open = set(self.needs)
        self.begun: set[str] = set()
        self.running: set[str] = set()
        self.errors: list[Exception] = []

    def run(self) -> None:
        for name in self.needs:
            if not self.missing[name]:
                self._queue(name)
        while self.open:
            if self.steps.is_stopped():
                self._close_all()
            self._begin_ready()
            if self.running:
                with contextlib.suppress(queue.Empty):
                    self._note(*self.messages.get(timeout=_WAKE_SECONDS))
            elif self.open:
                raise ValueError(f"these wait for each other: {', '.join(sorted(self.open))}")
        if self.errors:
            raise self.errors[0]

    def _begin_ready(self) -> None:
        for lane, heap in self.ready.items():
            while heap and len(self.busy[lane]) < self.lanes.width[lane]:
                _priority, name = heapq.heappop(heap)
                if name in self.open:
                    self.begun.add(name)
                    self.running.add(name)
                    self.busy[lane].add(name)
                    threading.Thread(target=self._work, args=(name,), name=f"walk-{name}").start()

    def _work(self, name: str) -> None:
        try:
            self.steps.begin(name, lambda milestone: self.messages.put((name, milestone)))
        except Exception as error:  # noqa: BLE001 - in a thread it would be lost, and others wait for this node
            self.messages.put((name, error))
        self.messages.put((name, DONE))

    def _note(self, name: str, message: str | Exception) -> None:
        if isinstance(message, Exception):
            if self.steps.broken is None:
                self.errors.append(message)
            else:
                self.steps.broken(name, message)
            return
        if message in (self.lanes.frees, DONE):
            self.busy[self.lanes.of[name]].discard(name)
        for other in self.wanting[name]:
            if other in self.open and self.missing[other].get(name) == message:
                del self.missing[other][name]
                if not self.missing[other]:
                    self._queue(other)
        if message == DONE:
            self.running.discard(name)
            self.open.discard(name)
            self._abandon_dependents(name)

    def _abandon_dependents(self, name: str) -> None:
        # A queue and not a recursion: a chain may be longer than Python's stack.
        ended = [name]
        for need in ended:
            for other in self.wanting[need]:
                if other in self.open and other not in self.begun and need in self.missing[other]:
                    self._close(other, [need])
                    ended.append(other)

    def _close_all(self) -> None:
        for name in self.needs:
            if name in self.open and name not in self.begun:
                self._close(name, ())

    def _close(self, name: str, because: Collection[str]) -> None:
        self.open.discard(name)
        self.steps.give_up(name, because)

    def _queue(self, name: str) -> None:
        heapq.heappush(self.ready[self.lanes.of[name]], (self.priority.get(name, ()), name))


def walk(
    needs: Mapping[str, Mapping[str, str]],
    steps: Steps,
    lanes: Lanes,
    *,
    priority: Mapping[str, tuple[int, ...]] | None = None,
) -> None:
    """Do the work of every node, each after what it needs; return when all have ended or been given up.

    :param needs: for each node the nodes it needs, with the milestone each must reach. All must be nodes themselves,
        and there must be no cycle. The milestone ``DONE`` is reached by ending.
    :param priority: among those that could begin, lower goes first.
    :raises ValueError: there is a cycle.
    """
    _Walk(needs, steps, lanes, priority or {}).run()
