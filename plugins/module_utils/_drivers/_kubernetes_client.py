# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Talking to a cluster's API: JSON in, JSON out, with a time limit and bounded retries."""

from __future__ import annotations

import json
import random
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from .._errors import DriverError, Problem
from ._kubernetes_errors import ApiError, explain, status_of
from ._kubernetes_light import LightClient

if TYPE_CHECKING:
    from kubernetes.client import ApiClient
    from urllib3 import BaseHTTPResponse

FIELD_MANAGER = "provisioning-platform"

_CONNECT_SECONDS = 10.0
_READ_SECONDS = 30.0
_ATTEMPTS = 5
_LONGEST_PAUSE = 10.0
_HTTP_OK, _HTTP_OTHER = 200, 300


@dataclass(frozen=True)
class Kind:
    """A kind of objects, as the API serves it.

    :param plural: its name in paths, e.g. ``deployments``.
    """

    api_version: str
    name: str
    plural: str
    namespaced: bool

    def path(self, namespace: str | None = None, name: str | None = None) -> str:
        """Return the path of its objects, or of one."""
        root = f"/apis/{self.api_version}" if "/" in self.api_version else f"/api/{self.api_version}"
        within = f"/namespaces/{quote(namespace)}" if self.namespaced and namespace else ""
        return f"{root}{within}/{self.plural}" + (f"/{quote(name)}" if name else "")


def _everywhere() -> dict[tuple[str, str], Kind]:
    """Return the kinds that every cluster has, so that none needs to be asked for them."""
    found = {}
    for api_version, names in {
        "v1": "ConfigMap Event PersistentVolumeClaim Pod Secret Service ServiceAccount",
        "apps/v1": "DaemonSet Deployment ReplicaSet StatefulSet",
        "batch/v1": "CronJob Job",
        "policy/v1": "PodDisruptionBudget",
    }.items():
        for name in names.split():
            found[api_version, name] = Kind(api_version, name, f"{name.lower()}s", namespaced=True)
    found["v1", "Namespace"] = Kind("v1", "Namespace", "namespaces", namespaced=False)
    return found


_EVERYWHERE = _everywhere()


class Unreachable(DriverError):
    """An API did not answer.

    :param was_cut_off: whether it was there, and the connection ended before the answer.
    """

    def __init__(self, problem: Problem, *, was_cut_off: bool = False) -> None:
        super().__init__(problem)
        self.was_cut_off = was_cut_off


class Api:
    """One cluster's API. It may be used by several threads.

    :param client: the official client, with its credentials, or what serves in its place.
    :param sleep: waits some seconds between attempts.
    """

    def __init__(self, client: ApiClient | LightClient, *, sleep: Callable[[float], None] = time.sleep) -> None:
        self.client = client
        self._sleep = sleep
        self._kinds: dict[str, dict[str, Kind]] = {}
        self._lock = threading.Lock()

    @property
    def host(self) -> str:
        """Address of the API."""
        return str(self.client.configuration.host)

    def official(self) -> ApiClient:
        """Return the official client."""
        return self.client.official() if isinstance(self.client, LightClient) else self.client

    def request(
        self,
        method: str,
        path: str,
        *,
        service: str,
        thing: str = "",
        query: Mapping[str, Any] | None = None,
        body: Any = None,
        content_type: str = "application/json",
    ) -> dict[str, Any]:
        """Make a request and return the answer; what may succeed in a moment is tried up to five times.

        :param service: whom the request is for, named in errors.
        :param thing: what it is about, e.g. ``Deployment gitea``.
        :raises ApiError: it is refused.
        :raises DriverError: there is no answer.
        """
        data = None if body is None else json.dumps(body).encode()
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                answer = self._read(path, service, thing, query) if method == "GET" and data is None else None
                if answer is None:
                    with self.open(
                        method, path, service=service, thing=thing, query=query, body=data, kind=content_type
                    ) as response:
                        answer = response.data
                document = json.loads(answer or b"{}")
                return document if isinstance(document, dict) else {"items": document}
            except ApiError as error:
                if attempt == _ATTEMPTS or not error.is_transient:
                    raise
                self._sleep(_pause(attempt, (error.document.get("details") or {}).get("retryAfterSeconds")))
            except Unreachable as error:  # all that we ask for may be asked for twice
                if attempt == _ATTEMPTS or not error.was_cut_off:
                    raise
                self._sleep(_pause(attempt, None))
        raise AssertionError("the last attempt returns or raises")

    def _read(self, path: str, service: str, thing: str, query: Mapping[str, Any] | None) -> bytes | None:
        """Return the answer to a GET without the client's transport, where that is enough and there is an answer."""
        if not isinstance(self.client, LightClient):
            return None
        target = path + (f"?{urlencode(query)}" if query else "")
        try:
            answer = self.client.read(target, self._headers(), connect=_CONNECT_SECONDS, timeout=_READ_SECONDS)
        except TimeoutError:
            with connection_errors(service, self.host):
                raise
        if answer is None:
            return None
        status, reason, data = answer
        if not _HTTP_OK <= status < _HTTP_OTHER:
            raise self._refusal(service, status, reason, data, thing)
        return data

    def _headers(self) -> dict[str, str]:
        return {"Accept": "application/json", "User-Agent": FIELD_MANAGER, **self.credentials()}

    def _refusal(self, service: str, status: int, reason: str | None, data: bytes, thing: str) -> ApiError:
        document = status_of(data, status, reason)
        return ApiError(explain(service, status, document, thing=thing, cluster=self.host), status, document)

    @contextmanager
    def open(
        self,
        method: str,
        path: str,
        *,
        service: str,
        thing: str = "",
        query: Mapping[str, Any] | None = None,
        body: bytes | None = None,
        kind: str = "application/json",
        headers: Mapping[str, str] | None = None,
        seconds: float | None = _READ_SECONDS,
    ) -> Iterator[BaseHTTPResponse]:
        """Make a request and give the answer, to be read in the block.

        :param seconds: how long the answer may be silent; for as long as it likes when None.
        :raises ApiError: it is refused.
        :raises DriverError: there is no answer.
        """
        import urllib3

        url = f"{self.host}{path}" + (f"?{urlencode(query)}" if query else "")
        sent = {"Accept": "application/json", "User-Agent": FIELD_MANAGER, **(headers or {}), **self.credentials()}
        if body is not None:
            sent["Content-Type"] = kind
        timeout = urllib3.Timeout(connect=_CONNECT_SECONDS, read=seconds)
        with connection_errors(service, self.host):
            client = self.client
            manager = client.pool if isinstance(client, LightClient) else client.rest_client.pool_manager
            response: BaseHTTPResponse = manager.request(
                method, url, headers=sent, body=body, timeout=timeout, preload_content=False, retries=False
            )
            try:
                if not _HTTP_OK <= response.status < _HTTP_OTHER:
                    raise self._refusal(service, response.status, response.reason, response.data, thing)
                yield response
            finally:
                response.close()  # goes back to the pool instead, where all of it was read

    def credentials(self) -> dict[str, str]:
        """Return the headers that say who we are; tokens that run out are renewed by the client."""
        settings = self.client.configuration.auth_settings().values()
        return {s["key"]: s["value"] for s in settings if s["in"] == "header" and s["value"]}

    def kind(self, api_version: str, name: str, *, service: str) -> Kind:
        """Return a kind as the cluster serves it.

        :raises DriverError: the cluster does not have it.
        """
        found = _EVERYWHERE.get((api_version, name)) or self._served(api_version, service).get(name)
        if found is None:
            group = api_version.rpartition("/")[0]
            remedy = "Correct its apiVersion or kind" + (f", or install what brings {group} first." if group else ".")
            raise DriverError(Problem(service, f"the cluster has no kind {name} in {api_version}", remedy))
        return found

    def _served(self, api_version: str, service: str) -> dict[str, Kind]:
        with self._lock:
            known = self._kinds.get(api_version)
        if known is not None:
            return known
        root = "apis" if "/" in api_version else "api"
        try:
            listing = self.request("GET", f"/{root}/{api_version}", service=service)
        except ApiError as error:
            if not error.is_missing:
                raise
            return {}  # not kept: whoever brings the kind may be among what is applied
        kinds = {
            entry["kind"]: Kind(api_version, entry["kind"], entry["name"], bool(entry.get("namespaced")))
            for entry in listing.get("resources") or []
            if "/" not in entry["name"]
        }
        with self._lock:
            self._kinds[api_version] = kinds
        return kinds

    def list(
        self, kind: Kind, namespace: str | None, *, labels: Mapping[str, str], service: str, fields: str = ""
    ) -> list[dict[str, Any]]:
        """Return the objects of a kind that carry these labels.

        :param fields: a field selector.
        :raises ApiError: it is refused.
        """
        query = {
            "labelSelector": ",".join(f"{name}={value}" for name, value in labels.items()),
            "fieldSelector": fields,
        }
        query = {name: value for name, value in query.items() if value}
        answer = self.request("GET", kind.path(namespace), service=service, query=query)
        found: list[dict[str, Any]] = answer.get("items") or []
        # Items of a list do not say what they are.
        return [{"apiVersion": kind.api_version, "kind": kind.name, **item} for item in found]


@contextmanager
def connection_errors(service: str, host: str) -> Iterator[None]:
    """Turn what the transport raises into one error."""
    import urllib3.exceptions

    try:
        yield
    except urllib3.exceptions.SSLError as error:
        why = f"the certificate of the cluster {host} is not trusted: {_innermost(error)}"
        raise Unreachable(Problem(service, why, "Correct certificate-authority in the kubeconfig.")) from error
    except (urllib3.exceptions.HTTPError, OSError) as error:
        why = f"the cluster {host} does not answer: {_innermost(error)}"
        remedy = "See whether it runs and can be reached from here; deployment.kubernetes chooses another one."
        was_cut_off = isinstance(error, (urllib3.exceptions.ProtocolError, ConnectionResetError))
        raise Unreachable(Problem(service, why, remedy), was_cut_off=was_cut_off) from error


def _innermost(error: BaseException) -> str:
    """Return the part of a transport's message that says what happened, without objects' addresses."""
    if isinstance(error, TimeoutError):
        return "timed out"
    text = str(error)
    for sign, words in _FAULTS.items():
        if sign in text:
            return words
    return re.sub(r"<[^>]*>(, )?", "", text).strip(": ()'\"")


_FAULTS = {
    "Connection refused": "the connection is refused",
    "timed out": "timed out",
    "Name or service not known": "its name is not known",
    "nodename nor servname": "its name is not known",
    "Temporary failure in name resolution": "its name cannot be resolved",
    "No route to host": "there is no way to it",
    "Connection reset": "the connection was reset",
    "Remote end closed": "it closed the connection without an answer",
}


def _pause(attempt: int, asked: Any) -> float:
    """Return the seconds before another attempt: as the API asks, else doubling, with some chance in it."""
    if isinstance(asked, (int, float)) and asked > 0:
        return min(float(asked), _LONGEST_PAUSE)
    return min(0.2 * 2.0**attempt, _LONGEST_PAUSE) * random.uniform(0.75, 1.25)  # noqa: S311
