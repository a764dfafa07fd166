# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Delivery of a run's notifications: follows the journal, sends in order, keeps what cannot be sent.

A courier runs beside the run, in a thread or in a process of its own, and never in its way: whatever the receiver
does costs the run nothing, and its end no more than the deadline given to :meth:`Courier.finish`.
"""

from __future__ import annotations

import random as random_numbers
import re
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from ansible_collections.provisioning.platform.plugins.module_utils._events import RUN_ENDINGS, Event, Journal
from ansible_collections.provisioning.platform.plugins.plugin_utils.notify.breaker import Breaker
from ansible_collections.provisioning.platform.plugins.plugin_utils.notify.delivery import Outcome, Sender, backoff
from ansible_collections.provisioning.platform.plugins.plugin_utils.notify.follow import JournalFollower
from ansible_collections.provisioning.platform.plugins.plugin_utils.notify.formats.message import Message
from ansible_collections.provisioning.platform.plugins.plugin_utils.notify.outbox import Outbox, OutboxEntry
from ansible_collections.provisioning.platform.plugins.plugin_utils.notify.payload import RunProgress, advance
from ansible_collections.provisioning.platform.plugins.plugin_utils.notify.report import DeliveryReport
from ansible_collections.provisioning.platform.plugins.plugin_utils.notify.target import WebhookTarget, redact

__all__ = ["OUTBOX_NAME", "Courier", "DeliveryReport"]

#: Name of the outbox, beside the journal.
OUTBOX_NAME = "outbox.jsonl"
_POLL_SECONDS = 0.1
#: Seconds that finish() waits for a receiver that has not answered at all; one that is merely slow gets more.
_PATIENCE = 2.0
_NOT_IN_HEADERS = re.compile(r"[^\x21-\x7e]")


@dataclass(eq=False)
class _Parcel:
    id: str
    message: Message
    attempts: int = 0
    error: str = "not tried: the receiver did not answer"
    is_kept: bool = False


class Courier:
    """Delivers the notifications of one run.

    What fails after the target's retries goes to the outbox and the next is tried. After a few failures in a row
    everything goes straight to the outbox, and now and then the oldest of it is tried; when that succeeds, the rest
    follows in order. A receiver never gets something older than what it has already got.

    :param journal: the run's journal; its folder's name is the installation's id unless ``run.started`` says another.
    :param outbox: where to keep what is not delivered; ``outbox.jsonl`` beside the journal when absent.
    :param offset: bytes of the journal to pass over (``follow.journal_size``), for a journal that holds earlier runs.
    :param clock: seconds, monotonic.
    :param sleep: waits so many seconds; when absent, waits end early as :meth:`finish` is called.
    :param random: gives a number from 0 to 1, for the backoff.
    :raises ConfigurationError: nothing can be sent to the target as it is.
    """

    def __init__(
        self,
        journal: Journal,
        target: WebhookTarget,
        *,
        outbox: Path | None = None,
        offset: int = 0,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] | None = None,
        random: Callable[[], float] = random_numbers.random,
    ) -> None:
        self._target = target
        self._sender = Sender(target)
        self._follower = JournalFollower(journal.path, offset=offset)
        self._outbox = Outbox(outbox or journal.path.with_name(OUTBOX_NAME))
        self._clock = clock
        self._sleep = sleep
        self._random = random
        self._state = RunProgress(installation_id=journal.path.parent.name)
        self._breaker = Breaker(clock)
        self._pending: deque[_Parcel] = deque()
        self._shelved: list[_Parcel] = []
        self._kept: dict[str, _Parcel] = {}
        self._arrived: set[str] = set()
        self._last_tries: deque[_Parcel] | None = None
        self._report = DeliveryReport()
        self._is_gone = False
        self._slowest = 0.0
        self._headway = 0.0
        self._has_asked_for_patience = False
        # Guards all of the above, the sender apart: the thread may hang in a delivery while another one finishes.
        self._lock = threading.RLock()
        self._abandoned = False
        self._closing = threading.Event()
        self._deadline = 0.0
        self._ended_at: float | None = None
        self._thread: threading.Thread | None = None

    def run_in_thread(self) -> Courier:
        """Begin to deliver in a daemon thread; returns the courier itself."""
        self._thread = threading.Thread(target=self.run, name="webhook-courier", daemon=True)
        self._thread.start()
        return self

    def run(self) -> None:
        """Deliver until the run has ended, or :meth:`finish` is called, and nothing is left that could be sent."""
        while True:
            is_last_look = self._closing.is_set()
            with self._lock:
                if self._abandoned:
                    return
                has_ended = self.look() or is_last_look
                parcel = self._next(has_ended=has_ended)
            if parcel is not None:
                self._deliver(parcel)
            elif has_ended:
                break
            else:
                self._pause(_POLL_SECONDS)
        self._sender.close()

    def look(self) -> bool:
        """Take in what is new in the journal; return whether the run has ended."""
        with self._lock:
            if not self._state.has_ended:
                try:
                    events = self._follower.read()
                except OSError as error:
                    self._fail(f"The journal cannot be read: {error.strerror}.")
                    events = []
                for event in events:
                    self._take(event)
            return self._state.has_ended

    def finish(self, deadline_seconds: float) -> DeliveryReport:
        """Deliver what is left, for a bounded time; keep the rest in the outbox and say what became of all.

        :param deadline_seconds: the longest it may take, from when the run was seen to end: what has passed since then
            is part of it. A receiver that does not answer at all gets less.
        """
        begun = self._clock() if self._ended_at is None else self._ended_at
        self._deadline = begun + deadline_seconds
        self._closing.set()
        if self._thread is None:
            self.run()
        else:
            self._await(self._thread, begun)
        with self._lock:
            self._abandoned = True
            self.look()
            for parcel in (*self._shelved, *self._pending):
                self._keep(parcel)
            self._clear_outbox()
            silence = f"{redact(self._target.url)}: has not answered."
            error = (self._report.last_error or silence) if self._kept else ""
            return replace(self._report, undelivered=len(self._kept), last_error=error)

    def _await(self, thread: threading.Thread, begun: float) -> None:
        while thread.is_alive():
            now = self._clock()
            patience = max(_PATIENCE, 2 * self._slowest)
            if now >= self._deadline or now > max(begun, self._headway) + patience:
                return
            thread.join(0.05)

    def _take(self, event: Event) -> None:
        if self._state.has_ended:
            return
        self._state, payload = advance(self._state, event)
        if event.kind in RUN_ENDINGS:
            self._ended_at = self._clock()
        message = self._target.message(payload) if payload is not None else None
        if message is not None:
            identifier = _NOT_IN_HEADERS.sub("-", self._state.installation_id)
            self._pending.append(_Parcel(f"{identifier}-{event.sequence}", message))

    def _next(self, *, has_ended: bool) -> _Parcel | None:
        """Return what to try now. Once the receiver seems dead, the rest is kept, and tries become rare."""
        if self._breaker.is_closed and not self._is_gone:
            return self._pending[0] if self._pending else None
        for parcel in self._pending:
            self._keep(parcel)
        if self._is_gone or not self._pending:
            return None
        if has_ended:
            return self._last_try()
        return self._pending[0] if self._breaker.may_probe else None

    def _last_try(self) -> _Parcel | None:
        """Return the oldest, then the newest: how the run has ended matters most."""
        if self._last_tries is None:
            newest = self._pending[-1]
            self._last_tries = deque([newest] if len(self._pending) == 1 else [self._pending[0], newest])
        return self._last_tries.popleft() if self._last_tries else None

    def _deliver(self, parcel: _Parcel) -> None:
        tries = 1 + self._target.retry_attempts if self._breaker.is_closed else 1
        body, path = self._target.bytes_of(parcel.message), self._target.path_of(parcel.message)
        for number in range(1, tries + 1):
            begun = self._clock()
            outcome = self._sender.send(body, parcel.id, path=path)
            with self._lock:
                if self._abandoned:
                    return
                parcel.attempts += 1
                parcel.error = outcome.error
                if outcome.error:
                    self._fail(outcome.error)
                if outcome.verdict != "retry" or number == tries:
                    self._settle(parcel, outcome, self._clock() - begun)
                    return
                wait = backoff(number, retry_after=outcome.retry_after, random=self._random)
                if outcome.retry_after and not self._has_asked_for_patience:
                    self._has_asked_for_patience = True  # which it gets once; then it has to take something, too
                    self._headway = self._clock() + wait
                # Towards the end only a receiver that has shown signs of life is worth a wait.
                is_alive = bool(self._report.delivered or outcome.retry_after)
            if not self._pause(wait, at_the_end=is_alive):
                with self._lock:
                    if not self._abandoned:
                        self._settle(parcel, outcome, 0.0)
                return

    def _settle(self, parcel: _Parcel, outcome: Outcome, seconds: float) -> None:
        if outcome.verdict == "delivered":
            self._arrive(parcel, seconds)
            return
        if outcome.verdict == "gone":
            self._is_gone = True
            return
        was_closed = self._breaker.is_closed
        self._breaker.failed()
        self._keep(parcel)
        if outcome.verdict == "refused":
            self._pending.remove(parcel)
        elif was_closed:
            self._pending.remove(parcel)
            self._shelved.append(parcel)
        if not self._breaker.is_closed:
            self._pending.extendleft(reversed(self._shelved))
            self._shelved.clear()

    def _arrive(self, parcel: _Parcel, seconds: float) -> None:
        while self._pending.popleft() is not parcel:
            pass  # older than what has arrived: waits in the outbox, to be replayed by hand
        self._shelved.clear()
        self._last_tries = None
        self._breaker.succeeded()
        self._slowest = max(self._slowest, seconds)
        self._headway = self._clock()
        self._has_asked_for_patience = False
        self._report = replace(self._report, delivered=self._report.delivered + 1)
        if self._kept.pop(parcel.id, None) is not None:
            self._arrived.add(parcel.id)
        if not self._pending:
            self._clear_outbox()

    def _keep(self, parcel: _Parcel) -> None:
        if parcel.is_kept:
            return
        parcel.is_kept = True
        self._kept[parcel.id] = parcel
        entry = OutboxEntry(parcel.id, parcel.attempts, parcel.error, parcel.message.body)
        try:
            self._outbox.append(entry)
        except OSError as error:
            self._fail(f"{self._outbox.path}: cannot be written: {error.strerror}.")

    def _clear_outbox(self) -> None:
        try:
            self._outbox.discard(self._arrived)
        except OSError as error:
            self._fail(f"{self._outbox.path}: cannot be written: {error.strerror}.")
            return
        self._arrived.clear()

    def _fail(self, error: str) -> None:
        self._report = replace(self._report, last_error=error)

    def _pause(self, seconds: float, *, at_the_end: bool = True) -> bool:
        """Wait; return false, at once, when the wait would outlast the deadline of :meth:`finish`.

        :param at_the_end: whether to wait even though :meth:`finish` has been called.
        """
        until = self._clock() + seconds
        while (left := until - self._clock()) > 0:
            if not self._closing.is_set():
                (self._sleep or self._closing.wait)(left)
            elif not at_the_end or left > self._deadline - self._clock():
                return False
            else:
                (self._sleep or time.sleep)(left)
        return True
