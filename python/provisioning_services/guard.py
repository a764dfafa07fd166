# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands before every request: who may be asked for, and the headers that every answer carries.

A page of a stranger, open in a browser on this machine, can let its own name resolve to 127.0.0.1 and so talk to what
listens here (DNS rebinding). The browser then still sends the stranger's name as Host, so only names that are known
are answered; a page that posts from another origin is told apart by its Origin.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

_HEADERS = {
    b"cache-control": b"no-store",
    b"content-security-policy": b"default-src 'none'; frame-ancestors 'none'",
    b"cross-origin-opener-policy": b"same-origin",
    b"cross-origin-resource-policy": b"same-origin",
    b"referrer-policy": b"no-referrer",
    b"x-content-type-options": b"nosniff",
    b"x-frame-options": b"DENY",
}


class Guard:
    """ASGI middleware around a whole application.

    :param app: the application.
    :param allowed_hosts: names that are answered beside loopback's and the address the connection came in on.
    """

    def __init__(self, app: ASGIApp, *, allowed_hosts: Iterable[str] = ()) -> None:
        self._app = app
        self._allowed = frozenset(allowed_hosts)
        #: Number of answers so far, by HTTP status.
        self.answers: dict[int, int] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                self.answers[message["status"]] = self.answers.get(message["status"], 0) + 1
                present = {name.lower() for name, _ in message.get("headers", ())}
                extra = [(name, value) for name, value in _HEADERS.items() if name not in present]
                message = {**message, "headers": [*message.get("headers", ()), *extra]}
            await send(message)

        refusal = self._refusal(scope)
        if refusal is None:
            await self._app(scope, receive, send_guarded)
        else:
            await _answer(send_guarded, *refusal)

    def _refusal(self, scope: Scope) -> tuple[int, str] | None:
        headers = [(name, value.decode("latin-1")) for name, value in scope["headers"] if name in (b"host", b"origin")]
        hosts = [value for name, value in headers if name == b"host"]
        local = scope["server"][0] if scope.get("server") else None
        if len(hosts) != 1 or not self._is_ours(name_in(hosts[0]), local):
            return 421, "This host name is not served here. Start the service with --allowed-host NAME to allow it.\n"
        for name, value in headers:
            if name == b"origin" and not self._is_ours(name_in_origin(value), local):
                return 403, "Requests from pages of another origin are refused.\n"
        return None

    def _is_ours(self, name: str | None, local: str | None) -> bool:
        if name is None:
            return False
        if name == "localhost" or name in self._allowed:
            return True
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            return False
        # An address is no name that could be bent to point here; what came in on it was meant for it. 0.0.0.0 is what
        # a health check asks for when the service is bound to all addresses; it leads to this host as well.
        return address.is_loopback or address.is_unspecified or str(address) == local


def name_in(host: str) -> str | None:
    """Return the name or address in a Host header without its port, in lower case; None when it makes no sense."""
    text = host.strip().lower()
    if text.startswith("["):
        name, bracket, rest = text[1:].partition("]")
        if not bracket or not _is_port(rest):
            return None
        try:
            return str(ipaddress.IPv6Address(name))
        except ValueError:
            return None
    name, colon, port = text.partition(":")
    if not name or not _is_port(colon + port):
        return None
    return name.removesuffix(".")


def name_in_origin(origin: str) -> str | None:
    """Return the name in an Origin header as :func:`name_in` does; None for ``null`` and what is no web origin."""
    try:
        parts = urlsplit(origin)
    except ValueError:
        return None
    return name_in(parts.netloc) if parts.scheme in ("http", "https") else None


def _is_port(text: str) -> bool:
    """Whether it is nothing, or a colon and digits."""
    return not text or (text[0] == ":" and text[1:].isascii() and text[1:].isdigit())


async def _answer(send: Send, status: int, text: str) -> None:
    body = text.encode()
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
