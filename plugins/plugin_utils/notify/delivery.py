# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One delivery over HTTP: what is sent, and what the answer means.

Errors name the receiver by scheme and host only.
"""

from __future__ import annotations

import base64
import http.client
import io
import os
import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any, Literal, cast

from ansible_collections.provisioning.platform.plugins.plugin_utils.notify.target import Address, WebhookTarget
from ansible_collections.provisioning.platform.plugins.plugin_utils.published import is_loopback

USER_AGENT = "provisioning-platform-webhook/1"
#: The longest wait, in seconds, that a receiver can ask for with Retry-After.
LONGEST_RETRY_AFTER = 60.0
_FIRST_BACKOFF = 0.5
_LONGEST_BACKOFF = 20.0
_LARGEST_ANSWER = 65536
_TRY_AGAIN = frozenset({408, 425, 429})
#: What the transport says for itself; a receiver's own headers cannot replace it.
_RESERVED = frozenset({"connection", "content-length", "transfer-encoding", "webhook-id", "webhook-timestamp"})

Verdict = Literal["delivered", "retry", "refused", "gone"]


@dataclass(frozen=True)
class Outcome:
    """What came of one try.

    :param verdict: ``retry``: another try may succeed; ``refused``: none of this payload will; ``gone``: none at all.
    :param error: what went wrong, fit to be shown.
    :param retry_after: seconds the receiver asked to wait.
    """

    verdict: Verdict
    error: str = ""
    retry_after: float | None = None


class Sender:
    """Sends to one receiver over a connection that is kept as long as the receiver keeps it.

    :param target: the receiver.
    :param clock: unix time in seconds, for ``webhook-timestamp``.
    :raises ConfigurationError: the target's address or a header cannot be used.
    """

    def __init__(self, target: WebhookTarget, *, clock: Callable[[], float] = time.time) -> None:
        target.check()
        self._target = target
        self._address = Address.of(target.url)
        self._clock = clock
        self._connection: http.client.HTTPConnection | None = None

    def send(self, body: bytes, identifier: str, *, path: str | None = None) -> Outcome:
        """Send once and say what came of it; nothing is raised for what a receiver or the network does.

        :param identifier: ``webhook-id``; the same for every try of a payload.
        :param path: path and query, where they are others than the target's.
        """
        path = path or self._address.path
        reused = self._connection is not None
        try:
            return self._post(path, body, identifier)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            if not (reused and isinstance(error, (ConnectionError, http.client.HTTPException))):
                return self._failure(error)
        # The receiver had closed the idle connection: that says nothing about this delivery, so open another.
        try:
            return self._post(path, body, identifier)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            return self._failure(error)

    def close(self) -> None:
        """Close the connection; the next delivery opens another."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _post(self, path: str, body: bytes, identifier: str) -> Outcome:
        if self._connection is None:
            self._connection = _connect(self._address, self._target.timeout)
        connection = self._connection
        if connection.sock is not None:
            connection.sock.settimeout(self._target.timeout)
        deadline = time.monotonic() + self._target.timeout
        connection.response_class = lambda sock, **options: _Response(sock, deadline, **options)  # type: ignore[assignment]
        headers = request_headers(self._target, self._address, identifier, self._clock())
        connection.request("POST", path, body, headers)
        response = connection.getresponse()
        response.read(_LARGEST_ANSWER)
        if not response.isclosed():
            self.close()
        return judge(response.status, response.getheader("Retry-After"), receiver=self._address.name, now=self._clock())

    def _failure(self, error: Exception) -> Outcome:
        if isinstance(error, ssl.SSLCertVerificationError):
            return Outcome("refused", f"{self._address.name}: its certificate is not valid: {error.verify_message}.")
        return Outcome("retry", f"{self._address.name}: {_reason(error)}.")


def judge(status: int, retry_after: str | None, *, receiver: str, now: float) -> Outcome:
    """Say what an answer means.

    410 means stop for good and 3xx are failures, as Standard Webhooks 1.0 has it; 408, 425, 429 and 5xx ask for
    another try; other 4xx will not change for this payload.

    :param retry_after: the header Retry-After: seconds or a date.
    :param receiver: what may be shown of the receiver.
    :param now: unix time in seconds, for a Retry-After that is a date.
    """
    if 200 <= status < 300:
        return Outcome("delivered")
    error = f"{receiver}: answered {status}"
    if status == 410:
        return Outcome("gone", f"{error} (gone); nothing more is sent there.")
    if status in _TRY_AGAIN or status >= 500:
        return Outcome("retry", f"{error}.", _retry_after(retry_after, now))
    if 300 <= status < 400:
        return Outcome("refused", f"{error}, a redirect, and none is followed. Set its final address.")
    return Outcome("refused", f"{error}.")


def backoff(tries: int, *, retry_after: float | None, random: Callable[[], float]) -> float:
    """Return the seconds to wait before another try: exponential with full jitter, or longer if asked.

    :param tries: how many tries have failed, from 1.
    :param retry_after: seconds the receiver asked for.
    :param random: gives a number from 0 to 1.
    """
    wait = random() * min(_LONGEST_BACKOFF, _FIRST_BACKOFF * 2.0 ** (tries - 1))
    return max(wait, min(retry_after or 0.0, LONGEST_RETRY_AFTER))


def request_headers(target: WebhookTarget, address: Address, identifier: str, now: float) -> dict[str, str]:
    """Return the headers of a request: ours, the target's over them, and what only the transport may say.

    :param now: unix time in seconds.
    """
    headers = {"content-type": "application/json", "user-agent": USER_AGENT}
    if address.user is not None:
        headers["authorization"] = _basic(address.user)
    headers.update({name.lower(): value for name, value in target.headers.items() if name.lower() not in _RESERVED})
    headers["webhook-id"] = identifier
    headers["webhook-timestamp"] = str(int(now))
    return headers


class _Response(http.client.HTTPResponse):
    """An answer that must have been read by a point in time, however slowly its bytes come.

    :param deadline: on the monotonic clock, in seconds.
    """

    def __init__(self, sock: socket.socket, deadline: float, **options: Any) -> None:
        super().__init__(cast("socket.socket", _Deadline(sock, deadline)), **options)


class _Deadline(io.RawIOBase):
    """Reads from a socket until a deadline; has of a socket what :class:`http.client.HTTPResponse` uses."""

    def __init__(self, sock: socket.socket, deadline: float) -> None:
        self._sock = sock
        self._stream = sock.makefile("rb", buffering=0)  # holds the socket open until the answer has been read
        self._deadline = deadline

    def makefile(self, mode: str) -> io.BufferedReader:  # noqa: ARG002
        return io.BufferedReader(self)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._sock.settimeout(left)
        return self._stream.readinto(buffer) or 0

    def close(self) -> None:
        self._stream.close()
        super().close()


def _connect(address: Address, timeout: float) -> http.client.HTTPConnection:
    if address.scheme == "http":
        return http.client.HTTPConnection(address.host, address.port, timeout=timeout)
    context = ssl.create_default_context()
    proxy = proxy_for(address)
    if proxy is None:
        return http.client.HTTPSConnection(address.host, address.port, timeout=timeout, context=context)
    connection = http.client.HTTPSConnection(proxy.host, proxy.port, timeout=timeout, context=context)
    headers = {"Proxy-Authorization": _basic(proxy.user)} if proxy.user is not None else {}
    connection.set_tunnel(address.host, address.port, headers)
    return connection


@dataclass(frozen=True)
class Proxy:
    """An HTTP proxy; ``user`` is ``user:password`` where it wants them."""

    host: str
    port: int
    user: str | None = field(default=None, repr=False)


def proxy_for(address: Address) -> Proxy | None:
    """Return the proxy that the environment names for an https address, as every HTTP client takes it."""
    if is_loopback(address.host) or not any(name.lower().endswith("_proxy") for name in os.environ):
        return None
    from urllib.parse import unquote, urlsplit
    from urllib.request import getproxies_environment, proxy_bypass_environment  # type: ignore[attr-defined]

    proxies = getproxies_environment()
    url = proxies.get("https") or proxies.get("all")
    if not url or proxy_bypass_environment(f"{address.host}:{address.port}", proxies):
        return None
    parts = urlsplit(url if "://" in url else f"http://{url}")
    if not parts.hostname:
        return None
    user = None if parts.username is None else f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return Proxy(parts.hostname, parts.port or 80, user)


def _retry_after(value: str | None, now: float) -> float | None:
    if value is None:
        return None
    text = value.strip()
    if text.isdecimal():
        return min(float(text), LONGEST_RETRY_AFTER)
    try:
        wait = parsedate_to_datetime(text).timestamp() - now
    except ValueError:
        return None
    return min(max(0.0, wait), LONGEST_RETRY_AFTER)


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, ConnectionRefusedError):
        return "refuses connections"
    if isinstance(error, socket.gaierror):
        return "its name cannot be resolved"
    if isinstance(error, ssl.SSLError):
        return f"TLS failed ({error.reason or 'unknown reason'})"
    if isinstance(error, OSError):
        return error.strerror or str(error).rstrip(".") or "the connection broke"
    return "did not answer with HTTP"


def _basic(user: str) -> str:
    return "Basic " + base64.b64encode(user.encode()).decode()
