# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks of a service on a cluster, whose network this host is not in: by its rollout, or through the API's proxy."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

from .._errors import DriverError
from .._health import HealthResult, judged
from .._model import AnyVerification, CommandHealthCheck, HttpHealthCheck
from ._kubernetes_client import Api
from ._kubernetes_errors import ApiError
from ._kubernetes_objects import key_of

Item = Mapping[str, Any]

_BODY_LIMIT = 1 << 20
_SCHEME_PORTS = {"http": 80, "https": 443}
_NAMES = {"tcp": "a TCP check", "dns": "a DNS check", "file": "a check of a file", "command": "a command beside it"}


def is_ours_to_make(check: AnyVerification) -> bool:
    """Whether a check cannot be made from this host; commands inside are run where they always are."""
    return not (isinstance(check, CommandHealthCheck) and check.inside)


def verify(
    api: Api,
    check: AnyVerification,
    items: Iterable[Item],
    readiness: HealthResult,
    *,
    service: str,
    fill: Callable[[Any], Any],
    pod: Item | None = None,
) -> HealthResult:
    """Make a check as well as it can be made from outside: HTTP through the proxy, all else by the pods' readiness.

    :param items: the service's objects.
    :param readiness: what its pods' own probes say.
    :param fill: puts secrets in place of their placeholders.
    :param pod: ask this one instead of the Service, which may still choose others.
    """
    if not isinstance(check, HttpHealthCheck):
        if not readiness.healthy or check.type == "tcp":
            return readiness
        reason = f"its pods are ready; {_NAMES[check.type]} does not reach into the cluster"
        return HealthResult(True, reason, readiness.duration_ms)
    if any(name.lower() == "authorization" for name in check.headers):
        if not readiness.healthy:
            return readiness
        return HealthResult(True, "its pods are ready; the cluster's proxy passes no authorization on")
    target = proxy_path(check, list(items), pod)
    if target is None:
        return HealthResult(False, f"no Service of it has the port of {check.url}")
    return _ask(api, check, target, service=service, fill=fill)


def proxy_path(check: HttpHealthCheck, items: Iterable[Item], pod: Item | None = None) -> str | None:
    """Return the path under which the API passes a request on to a service; None where it has no such port."""
    url = urlsplit(check.url)
    number = url.port or _SCHEME_PORTS.get(url.scheme, 80)
    found = [(item, port) for item in items if item["kind"] == "Service" for port in _ports(item)]
    exact = [(item, port) for item, port in found if number in (port.get("port"), port.get("targetPort"))]
    if not (exact or found):
        return None
    service, port = (exact or found)[0]
    secure = "https:" if url.scheme == "https" else ""
    rest = (url.path or "/") + (f"?{url.query}" if url.query else "")
    key = key_of(service)
    if pod is None:
        return f"/api/v1/namespaces/{key.namespace}/services/{secure}{key.name}:{port['port']}/proxy{rest}"
    inside = _inside(port, pod)
    return f"/api/v1/namespaces/{key.namespace}/pods/{secure}{key_of(pod).name}:{inside}/proxy{rest}"


def _ports(service: Item) -> list[dict[str, Any]]:
    return [p for p in (service.get("spec") or {}).get("ports") or [] if p.get("protocol", "TCP") == "TCP"]


def _inside(port: Mapping[str, Any], pod: Item) -> int:
    """Return the number of the port that a Service's port means in a pod."""
    target = port.get("targetPort", port["port"])
    for container in (pod.get("spec") or {}).get("containers") or []:
        for own in container.get("ports") or []:
            if own.get("name") == target:
                return int(own["containerPort"])
    return int(target) if str(target).isdigit() else int(port["port"])


def _ask(api: Api, check: HttpHealthCheck, path: str, *, service: str, fill: Callable[[Any], Any]) -> HealthResult:
    begin = time.perf_counter()
    try:
        with api.open(
            check.method, path, service=service, headers=fill(dict(check.headers)), seconds=check.timeout
        ) as answer:
            body = answer.read(_BODY_LIMIT).decode(errors="replace")
            healthy, reason = judged(check, answer.status, answer.reason or "", lambda: body)
    except ApiError as error:
        if _is_the_proxys_own(error):
            healthy, reason = False, error.problems[0].why
        else:  # what the service itself answers may be what is expected of it
            body = str(error.document.get("message", ""))
            healthy, reason = judged(check, error.status, "", lambda: body)
    except DriverError as error:
        healthy, reason = False, error.problems[0].why
    return HealthResult(healthy, reason, round((time.perf_counter() - begin) * 1000, 3))


def _is_the_proxys_own(error: ApiError) -> bool:
    """Whether the API did not even reach the service."""
    return "kind" in error.document
