# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reaching a cluster with plain credentials, without the official client, whose import takes longer than the requests.

What is not plain is left to that client: plugins, tokens that run out, proxies, several files, and whatever is wrong.
"""

from __future__ import annotations

import base64
import http.client
import ssl
import tempfile
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from kubernetes.client import ApiClient
    from urllib3 import PoolManager

_CLUSTER = {"server", "certificate-authority", "certificate-authority-data"}
_USER = {"token", "client-certificate", "client-certificate-data", "client-key", "client-key-data"}
_PROXIES = ("https_proxy", "http_proxy", "all_proxy")


@dataclass(frozen=True)
class Place:
    """Where an API is and who we are to it: what the official client calls its configuration."""

    host: str
    token: str | None = None

    def auth_settings(self) -> dict[str, dict[str, Any]]:
        """Return the headers that say who we are."""
        header = {"in": "header", "key": "authorization", "value": f"Bearer {self.token}"}
        return {"BearerToken": header} if self.token else {}


class LightClient:
    """As much of the official client as requests of our own need.

    Until something is to be changed or followed, it reads with the standard library alone.

    :param trust: what a connection trusts and shows; nothing where there is no TLS.
    :param make: makes the official client.
    :param connections: how many may be open.
    """

    def __init__(
        self, place: Place, trust: ssl.SSLContext | None, make: Callable[[], ApiClient], *, connections: int
    ) -> None:
        self.configuration = place
        self._trust = trust
        self._make = make
        self._connections = connections
        self._lock = threading.Lock()
        self._made: ApiClient | None = None
        self._pool: PoolManager | None = None
        self._mine = threading.local()

    @property
    def pool(self) -> PoolManager:
        """Connections for all that is more than reading."""
        import urllib3

        with self._lock:
            if self._pool is None:
                secured: dict[str, Any] = {} if self._trust is None else {"ssl_context": self._trust}
                self._pool = urllib3.PoolManager(maxsize=self._connections, **secured)
            return self._pool

    def read(
        self, target: str, headers: Mapping[str, str], *, connect: float, timeout: float
    ) -> tuple[int, str, bytes] | None:
        """Return status, reason and body of the answer to a GET; nothing where there is none or the pool is open.

        :param target: path and query.
        :param connect: seconds for a connection to be made.
        :param timeout: seconds for which the answer may be silent.
        :raises TimeoutError: either has passed.
        """
        if self._pool is not None:
            return None
        connection: http.client.HTTPConnection | None = getattr(self._mine, "connection", None)
        try:
            if connection is None:
                connection = self._connection(connect)
                connection.connect()
                connection.sock.settimeout(timeout)
            connection.request("GET", target, headers=dict(headers))
            answer = connection.getresponse()
            found = answer.status, answer.reason, answer.read()
        except (OSError, ValueError, http.client.HTTPException) as error:
            self._mine.connection = None
            if connection is not None:
                connection.close()
            if isinstance(error, TimeoutError):
                raise
            return None
        self._mine.connection = connection
        return found

    def official(self) -> ApiClient:
        """Return the official client, made when it is first asked for."""
        with self._lock:
            if self._made is None:
                self._made = self._make()
            return self._made

    def _connection(self, timeout: float) -> http.client.HTTPConnection:
        parts = urlsplit(self.configuration.host)
        host = parts.hostname or ""
        if self._trust is None:
            return http.client.HTTPConnection(host, parts.port, timeout=timeout)
        return http.client.HTTPSConnection(host, parts.port, timeout=timeout, context=self._trust)


def light_client(
    file: Path, context: str | None, make: Callable[[], ApiClient], *, env: Mapping[str, str], connections: int
) -> LightClient | None:
    """Return a client for the cluster of a kubeconfig; nothing where more is needed than is known here.

    :param context: context in it; its current one when absent.
    :param make: makes the official client.
    :param env: environment of this process.
    :param connections: how many may be open.
    """
    if any(env.get(name) or env.get(name.upper()) for name in _PROXIES):
        return None
    found = _credentials(file, context)
    if found is None:
        return None
    cluster, user = found
    if not cluster.keys() <= _CLUSTER or not user.keys() <= _USER:
        return None
    server = str(cluster.get("server", ""))
    try:
        trust = _trust(cluster, user, file.parent) if server.startswith("https://") else None
    except (OSError, ValueError):  # among them ssl.SSLError
        return None
    if (trust is None and not server.startswith("http://")) or urlsplit(server).path.strip("/"):
        return None
    place = Place(server.rstrip("/"), user.get("token"))
    return LightClient(place, trust, make, connections=connections)


def _credentials(file: Path, context: str | None) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """Return the cluster and the user of a context as they are written."""
    import yaml  # the official client brings it

    try:
        document = yaml.load(file.read_bytes(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506
        chosen = _named(document["contexts"], context or document["current-context"])["context"]
        cluster = _named(document["clusters"], chosen["cluster"])["cluster"]
        user = _named(document["users"], chosen["user"])["user"]
    except (OSError, yaml.YAMLError, LookupError, TypeError):
        return None
    return (cluster, user) if isinstance(cluster, dict) and isinstance(user, dict) else None


def _named(entries: Any, name: Any) -> Any:
    found = [entry for entry in entries if entry["name"] == name]
    if len(found) != 1:
        raise LookupError(name)
    return found[0]


def _trust(cluster: Mapping[str, Any], user: Mapping[str, Any], folder: Path) -> ssl.SSLContext | None:
    """Return what the connection is to trust and to show; nothing where the file names no authority."""
    authority = _content(cluster, "certificate-authority", folder)
    if authority is None:
        return None
    context = ssl.create_default_context(cadata=authority.decode())
    certificate, key = (_content(user, name, folder) for name in ("client-certificate", "client-key"))
    if certificate is not None and key is not None:
        # The library takes files only; nobody else may read this one, and it is gone at once.
        with tempfile.NamedTemporaryFile(prefix="provisioning-") as stream:
            stream.write(certificate + b"\n" + key)
            stream.flush()
            context.load_cert_chain(stream.name)
    return context


def _content(entry: Mapping[str, Any], name: str, folder: Path) -> bytes | None:
    data = entry.get(f"{name}-data")
    if data:
        return base64.b64decode(data)
    path = entry.get(name)
    return (folder / path).read_bytes() if path else None
