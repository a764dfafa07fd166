# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Metrics over HTTP: ``/metrics`` for Prometheus and ``/health`` for whoever watches the watcher.

One thread answers all, and waits for nobody: a connection has a few seconds and a few kilobytes, and when there are too
many the oldest is closed. So who asks and reads at once is always answered, whatever others do.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from http import HTTPStatus
from typing import cast

from ._errors import PrerequisiteError, Problem
from ._exposition import CONTENT_TYPE
from ._metrics import Snapshot, render

SETTING = "deployment.metrics.port"
_MOST_CONNECTIONS = 64
_MOST_BYTES = 8192
_SECONDS = 10.0  # as long as Prometheus waits
_JSON = "application/json"
_TEXT = "text/plain; charset=utf-8"

Answer = tuple[HTTPStatus, str, str]


class MetricsServer:
    """Answers with what a function knows at the moment it is asked.

    :param host: address to listen on; loopback unless its owner wants others to ask.
    :param port: 0 takes any that is free; see ``port`` for which.
    :param snapshot: called in the server's thread for each answer; must return at once.
    :param stale_after: seconds after which the last look at the services is too long ago for ``/health`` to be well.
    """

    def __init__(
        self,
        host: str,
        port: int,
        snapshot: Callable[[], Snapshot],
        *,
        stale_after: float = 300.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.host = host
        self.port = port
        self._snapshot = snapshot
        self._stale_after = stale_after
        self._clock = clock
        self._thread: threading.Thread | None = None
        self._end: Callable[[], object] = lambda: None
        self._clients: dict[_Client, None] = {}  # oldest first

    def start(self) -> None:
        """Listen and answer from now on.

        :raises PrerequisiteError: the port or the address is not to be had. Nothing runs then.
        """
        listener = _listen(self.host, self.port)
        self.port = listener.getsockname()[1]
        ready = threading.Event()
        serving = self._serve(listener, ready)
        self._thread = threading.Thread(target=asyncio.run, args=(serving,), name="metrics", daemon=True)
        self._thread.start()
        ready.wait()

    def stop(self) -> None:
        """Answer no more; what is being answered is cut off."""
        if self._thread is not None:
            self._end()
            self._thread.join()
        self._thread = None

    def __enter__(self) -> MetricsServer:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    async def _serve(self, listener: socket.socket, ready: threading.Event) -> None:
        loop, over = asyncio.get_running_loop(), asyncio.Event()
        self._end = lambda: loop.call_soon_threadsafe(over.set)
        server = await loop.create_server(
            lambda: _Client(self._clients, self._content), sock=listener, backlog=_MOST_CONNECTIONS
        )
        ready.set()
        await over.wait()
        loop.remove_reader(listener)
        # Those that are just being accepted: once the server is closed, asyncio forgets them with their sockets open.
        await asyncio.gather(*asyncio.all_tasks() - {asyncio.current_task()})
        with contextlib.suppress(BlockingIOError):  # nobody waits any more
            while True:
                listener.accept()[0].close()
        server.close()
        for client in list(self._clients):
            client.hang_up()
        await asyncio.sleep(0)  # the loop closes their sockets in its next turn

    def _content(self, method: str, target: str) -> Answer:
        if method not in ("GET", "HEAD"):
            return HTTPStatus.METHOD_NOT_ALLOWED, _TEXT, "Only GET and HEAD are answered.\n"
        path = target.partition("?")[0]
        if path == "/metrics":
            return HTTPStatus.OK, CONTENT_TYPE, render(self._snapshot())
        if path == "/health":
            return self._health()
        return HTTPStatus.NOT_FOUND, _TEXT, "There are /metrics and /health.\n"

    def _health(self) -> Answer:
        observed = self._snapshot().observed_at
        age = None if observed is None else max(0.0, self._clock() - observed)
        is_well = age is None or age <= self._stale_after  # one that has just begun has not looked yet
        document = {"status": "ok" if is_well else "stale", "seconds_since_last_look": age and round(age, 3)}
        status = HTTPStatus.OK if is_well else HTTPStatus.SERVICE_UNAVAILABLE
        return status, _JSON, json.dumps(document) + "\n"


class _Client(asyncio.Protocol):
    """One connection: one request, one answer, and the end.

    :param others: all that there are, oldest first; the oldest has to go when there are too many.
    """

    def __init__(self, others: dict[_Client, None], content: Callable[[str, str], Answer]) -> None:
        self._others = others
        self._content = content
        self._received = b""
        self._transport: asyncio.Transport | None = None
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._deadline = asyncio.get_running_loop().call_later(_SECONDS, self.hang_up)
        self._others[self] = None
        if len(self._others) > _MOST_CONNECTIONS:
            next(iter(self._others)).hang_up()

    def data_received(self, data: bytes) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        self._received += data
        head, end, _body = self._received.partition(b"\r\n\r\n")
        if end:
            self._answer(self._transport, head)
        elif len(self._received) > _MOST_BYTES:
            self.hang_up()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - why it went does not matter
        self._others.pop(self, None)
        if self._deadline is not None:
            self._deadline.cancel()

    def hang_up(self) -> None:
        """Close the connection, whatever is under way."""
        self._others.pop(self, None)
        if self._transport is not None:
            self._transport.abort()

    def _answer(self, transport: asyncio.Transport, head: bytes) -> None:
        request = _request(head)
        if request is None:
            self.hang_up()
            return
        for part in _response(*self._content(*request), is_head=request[0] == "HEAD"):
            transport.write(part)
        transport.close()  # once all is sent; the deadline still holds


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(_MOST_CONNECTIONS)
    except OSError as error:
        listener.close()
        why = f"metrics cannot be shown on {host} port {port}: {error.strerror}"
        raise PrerequisiteError(Problem(SETTING, why, "Stop what uses it, or choose another port.")) from error
    return listener


def _request(head: bytes) -> tuple[str, str] | None:
    """Return method and target of a request; nothing if it is none."""
    words = head.partition(b"\r\n")[0].decode("latin-1").split(" ")
    return (words[0], words[1]) if len(words) == 3 and words[2].startswith("HTTP/1.") else None


def _response(status: HTTPStatus, kind: str, body: str, *, is_head: bool) -> Iterator[bytes]:
    content = body.encode()
    headers = [
        f"HTTP/1.1 {status.value} {status.phrase}",
        f"Content-Type: {kind}",
        f"Content-Length: {len(content)}",
        "Cache-Control: no-store",
        "X-Content-Type-Options: nosniff",
        "Connection: close",
    ]
    if status == HTTPStatus.METHOD_NOT_ALLOWED:
        headers.append("Allow: GET, HEAD")
    yield "\r\n".join([*headers, "", ""]).encode("latin-1")
    if not is_head:
        yield content
