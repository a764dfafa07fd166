# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asking a local engine what there is, without the SDK, whose import costs more than all else that a look takes."""

from __future__ import annotations

import http.client
import json
import socket
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

if TYPE_CHECKING:
    from docker import APIClient

_OK = 200


class LightClient:
    """The SDK's client of a local engine, made when the first thing is asked of it that is not answered here.

    :param path: the engine's socket.
    :param version: of the API that it is asked in.
    :param make: makes the SDK's client.
    :param timeout: for a request, in seconds.
    """

    def __init__(self, path: Path, version: str, make: Callable[[], APIClient], *, timeout: float) -> None:
        self._path = path
        self._version = version
        self._make = make
        self._timeout = timeout
        self._lock = threading.Lock()
        self._made: APIClient | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sdk(), name)

    def containers(self, **query: Any) -> list[dict[str, Any]]:
        """Return a list of containers, as the SDK's method of that name does.

        :param query: ``all`` and ``filters``, lists by name.
        """
        wanted = {"all": int(query["all"]), "limit": -1, "filters": json.dumps(query["filters"])}
        found = ask(self._path, f"/v{self._version}/containers/json", wanted, timeout=self._timeout)
        if isinstance(found, list):
            return found
        # What is wrong is told in the SDK's words, from which all errors are made.
        listed: list[dict[str, Any]] = self._sdk().containers(**query)
        return listed

    def inspect_container(self, container: str) -> dict[str, Any]:
        """Return all of a container, as the SDK's method of that name does."""
        found = ask(self._path, f"/v{self._version}/containers/{quote(container)}/json", timeout=self._timeout)
        if isinstance(found, dict):
            return found
        inspected: dict[str, Any] = self._sdk().inspect_container(container)
        return inspected

    def close(self) -> None:
        """Close the connection, if there is one."""
        if self._made is not None:
            self._made.close()

    def _sdk(self) -> APIClient:
        with self._lock:
            if self._made is None:
                self._made = self._make()
            return self._made


def ask(path: Path, target: str, query: Mapping[str, Any] | None = None, *, timeout: float) -> Any:
    """Return an engine's answer to a GET, or nothing where it is no success and no JSON.

    :param path: the engine's socket.
    :param timeout: seconds.
    """
    try:
        status, _said, body = _get(path, target + (f"?{urlencode(query)}" if query else ""), timeout)
        return json.loads(body) if status == _OK else None
    except (OSError, ValueError, http.client.HTTPException):
        return None


def greeting(path: Path, *, timeout: float) -> Mapping[str, str]:
    """Return the headers of an engine's answer to a ping, by name in lower case; none where there is no such answer.

    :param path: the engine's socket.
    :param timeout: seconds.
    """
    try:
        return _get(path, "/_ping", timeout)[1]
    except (OSError, ValueError, http.client.HTTPException):
        return {}


def _get(path: Path, target: str, timeout: float) -> tuple[int, Mapping[str, str], bytes]:
    connection = _SocketConnection(path, timeout)
    try:
        connection.request("GET", target)
        answer = connection.getresponse()
        said = {name.lower(): value for name, value in answer.headers.items()}
        return answer.status, said, answer.read()
    finally:
        connection.close()


class _SocketConnection(http.client.HTTPConnection):
    def __init__(self, path: Path, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))
