# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Telling a webhook receiver what the supervisor sees: in order, never lost, and never in the supervisor's way.

What is to be told is written to the outbox first; a thread of its own sends it, oldest first, for as long as that
takes. So a receiver that is away, or an end of the supervisor, costs nothing but time.
"""

from __future__ import annotations

import contextlib
import random
import threading

from ansible_collections.provisioning.platform.plugins.module_utils._events import Event
from ansible_collections.provisioning.platform.plugins.plugin_utils.notify.delivery import Sender, backoff
from ansible_collections.provisioning.platform.plugins.plugin_utils.notify.formats.message import Message
from ansible_collections.provisioning.platform.plugins.plugin_utils.notify.outbox import Outbox, OutboxEntry
from ansible_collections.provisioning.platform.plugins.plugin_utils.notify.supervision import message_of, payload_of
from ansible_collections.provisioning.platform.plugins.plugin_utils.notify.target import WebhookTarget

#: Messages kept at most; beyond that the oldest say the least.
MOST = 1000
_LONGEST_REST = 60.0
_END_SECONDS = 5.0


class Notifier:
    """A sink of the supervisor's events that tells a receiver of them.

    :param outbox: where what is not delivered yet waits, also while no supervisor runs.
    :param installation_id: of the installation that is supervised.
    :param host: name of this host.
    :raises ConfigurationError: nothing can be sent to the target.
    """

    def __init__(self, target: WebhookTarget, outbox: Outbox, *, installation_id: str, host: str) -> None:
        self._target = target
        self._outbox = outbox
        self._installation_id = installation_id
        self._host = host
        self._sender = Sender(target)
        self._news = threading.Event()
        self._ending = threading.Event()
        self._lock = threading.Lock()  # of the outbox: others append while the thread takes out
        self._set_aside: set[str] = set()
        self._thread = threading.Thread(target=self._run, name="notifier", daemon=True)
        self._thread.start()

    def __call__(self, event: Event) -> None:
        """Take note of an event; returns at once."""
        payload = payload_of(event, installation_id=self._installation_id, host=self._host)
        message = message_of(self._target, payload) if payload is not None else None
        if message is None:
            return
        name = f"{self._installation_id}-supervision-{event.time:.3f}-{event.sequence}"
        with self._lock, contextlib.suppress(OSError):  # a full disk is told of elsewhere
            self._outbox.append(OutboxEntry(name, 0, "not tried yet", message.body))
        self._news.set()

    def stop(self) -> None:
        """Send no more; what is left stays in the outbox."""
        self._ending.set()
        self._news.set()
        self._thread.join(_END_SECONDS)

    def _run(self) -> None:
        tries = 0
        while not self._ending.is_set():
            self._news.clear()
            entry = self._oldest()
            if entry is None:
                self._news.wait()
                continue
            body = self._target.bytes_of(Message(entry.payload))
            outcome = self._sender.send(body, entry.id)
            if outcome.verdict == "delivered":
                self._discard([entry.id])
                tries = 0
            elif outcome.verdict == "retry":
                tries += 1
                rest = backoff(tries, retry_after=outcome.retry_after, random=random.random)
                self._ending.wait(min(_LONGEST_REST, max(rest, 0.5)))
            else:  # no try of this one will succeed; it stays in the outbox for a person
                self._set_aside.add(entry.id)
        self._sender.close()

    def _oldest(self) -> OutboxEntry | None:
        try:
            with self._lock:
                waiting = [entry for entry in self._outbox if entry.id not in self._set_aside]
                surplus = [entry.id for entry in waiting[:-MOST]]
                self._outbox.discard(surplus)
        except OSError:
            return None
        return waiting[len(surplus)] if waiting else None

    def _discard(self, identifiers: list[str]) -> None:
        with self._lock:
            try:
                self._outbox.discard(identifiers)
            except OSError:  # it would be sent again and again
                self._set_aside.update(identifiers)
