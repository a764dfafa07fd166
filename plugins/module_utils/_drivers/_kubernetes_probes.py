# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Probes of a pod from a service's health check. Pure.

A probe goes to the pod itself, so of a URL only scheme, port and path count. It knows no expected text and takes any
2xx or 3xx; where that is not what the check wants, an open port is all that is asked for.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from .._errors import Problem
from .._model import AnyHealthCheck, CommandHealthCheck, HttpHealthCheck, ServiceDefinition, TcpHealthCheck
from .._secrets import references
from ._kubernetes_names import seconds
from ._kubernetes_workload import ServedPort, target_port

_PROBED_METHODS = ("GET", "HEAD")
_DEFAULT_PORTS = {"http": 80, "https": 443}
#: A pod that starts is asked this often, so that its being ready is not found out late.
_STARTUP_PERIOD = 2


def probes(service: ServiceDefinition, ports: Sequence[ServedPort]) -> dict[str, Any]:
    """Return the three probes of a container; none where the service has no check that a pod can answer.

    The startup probe keeps the others from counting until ``startup.timeout`` or ``health.start_period``, whichever
    is longer; from then on ``retries`` failures take the pod out of service and start its container anew.
    """
    check = service.health
    handler = None if check is None or probe_problems(service) else _handler(check, ports)
    if check is None or handler is None:
        return {}
    timing = {"timeoutSeconds": seconds(check.timeout), "periodSeconds": seconds(check.interval)}
    running = {**handler, **timing, "failureThreshold": check.retries}
    period = min(seconds(check.interval), _STARTUP_PERIOD)
    patience = max(service.startup.timeout, check.start_period)
    startup = {"periodSeconds": period, "failureThreshold": max(1, math.ceil(patience / period))}
    return {
        # Kubernetes allows no other threshold than one for these two.
        "startupProbe": {**handler, **timing, **startup, "successThreshold": 1},
        "livenessProbe": {**running, "successThreshold": 1},
        "readinessProbe": {**running, "successThreshold": check.success_threshold},
    }


def probe_problems(service: ServiceDefinition) -> list[Problem]:
    """Return why a pod cannot be asked what the service's health check asks."""
    check, path = service.health, f"{service.name}.health"
    other = "Choose http, tcp, or a command with inside: true for the cluster."
    if isinstance(check, CommandHealthCheck):
        if not check.inside:
            return [Problem(f"{path}.inside", "a command beside a pod has no place to run in", other)]
        if check.expected_exit_code != 0:
            why = f"a pod's probe succeeds with 0, not with {check.expected_exit_code}"
            return [Problem(f"{path}.expected_exit_code", why, "Use a command that ends with 0.")]
        if references(check.command):
            return [_readable(f"{path}.command")]
    elif isinstance(check, HttpHealthCheck):
        if references([check.url, check.headers]) and _takes_http(check):
            return [_readable(f"{path}.headers")]
    elif check is not None and not isinstance(check, TcpHealthCheck):
        return [Problem(f"{path}.type", f"a {check.type} check cannot be made of a pod", other)]
    return []


def _readable(path: str) -> Problem:
    why = "holds a secret, which all who may look at pods would read in the probe"
    return Problem(path, why, "Ask for something that needs no credentials, or use a command with inside: true.")


def _handler(check: AnyHealthCheck, ports: Sequence[ServedPort]) -> dict[str, Any] | None:
    if isinstance(check, CommandHealthCheck):
        return {"exec": {"command": list(check.command)}}
    if isinstance(check, TcpHealthCheck):
        return {"tcpSocket": {"port": target_port(check.port, ports)}}
    if not isinstance(check, HttpHealthCheck):
        return None
    parts = urlsplit(check.url)
    port = target_port(parts.port or _DEFAULT_PORTS[parts.scheme], ports)
    if not _takes_http(check):
        return {"tcpSocket": {"port": port}}
    path = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
    # As a client says it: some answer only to names that they know.
    headers = {"Host": parts.netloc.rpartition("@")[2], **check.headers}
    return {
        "httpGet": {
            "path": path,
            "port": port,
            "scheme": parts.scheme.upper(),
            "httpHeaders": [{"name": name, "value": value} for name, value in headers.items()],
        }
    }


def _takes_http(check: HttpHealthCheck) -> bool:
    return check.method in _PROBED_METHODS and all(200 <= status < 400 for status in check.expected_status)
