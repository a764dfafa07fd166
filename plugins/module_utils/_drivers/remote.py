# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The mode ``remote``: services that run elsewhere and are only used.

They are awaited and checked like all others, and nothing is ever done to them. What they are is asked from the network
each time, never remembered.
"""

from __future__ import annotations

import dataclasses
import queue
import threading
import time
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import urlsplit

from .._errors import DriverError, Problem
from .._health import HealthResult, check_health
from .._model import (
    AnyHealthCheck,
    AnyVerification,
    HttpHealthCheck,
    RemoteDeployment,
    ServiceDefinition,
    TcpHealthCheck,
)
from .._tls import TlsSettings
from ._base import Driver, LogLine, Observation

_CONNECT_SECONDS = 2.0
#: Looking a name up has no time limit of its own.
_PROBE_SECONDS = 3.0
#: What refuses us is of no use to us, even if it answers.
_REFUSALS = (401, 403)
_ANSWERS = [status for status in range(200, 500) if status not in _REFUSALS]
_PORTS = {
    "amqp": 5672,
    "amqps": 5671,
    "http": 80,
    "https": 443,
    "ldap": 389,
    "ldaps": 636,
    "mongodb": 27017,
    "mysql": 3306,
    "nats": 4222,
    "postgres": 5432,
    "postgresql": 5432,
    "redis": 6379,
    "rediss": 6379,
    "smtp": 25,
    "ssh": 22,
}


class RemoteDriver(Driver):
    """Looks at services that run elsewhere."""

    mode = "remote"
    parallelism = 32  # all there is to do is to wait

    def check(self, service: ServiceDefinition) -> list[Problem]:
        """Return what keeps the service from being used from here; whether it answers is found out by waiting."""
        remote = _block(service)
        problems = TlsSettings(True, remote.ca_file, remote.client_certificate, remote.client_key).problems(
            service.name
        )
        if endpoint_of(remote.url, service.port) is None:
            why = f"{remote.url} does not say where to connect to"
            problems.append(Problem(service.name, why, "Write scheme, host and port in deployment.remote.url."))
        return problems

    def observe(self, services: Sequence[ServiceDefinition]) -> dict[str, Observation]:
        """Return whether each service can be connected to; all are asked at the same time, for two seconds at most."""
        answers: queue.SimpleQueue[tuple[str, Observation]] = queue.SimpleQueue()

        def ask(service: ServiceDefinition) -> None:
            answers.put((service.name, _probe(service)))

        for service in services:
            # Whoever still waits for a name server when the time is up must not keep the program from ending.
            threading.Thread(target=ask, args=(service,), name=f"probe-{service.name}", daemon=True).start()
        found: dict[str, Observation] = {}
        deadline = time.monotonic() + _PROBE_SECONDS
        while len(found) < len(services):
            try:
                name, seen = answers.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                break
            found[name] = seen
        late = Observation("unreachable", detail=f"its name was not found within {_PROBE_SECONDS:g} s")
        return {service.name: found.get(service.name, late) for service in services}

    def render(self, service: ServiceDefinition) -> dict[str, Any]:
        """Return what is used."""
        remote = _block(service)
        document = {
            "url": remote.url,
            "ca_file": remote.ca_file,
            "client_certificate": remote.client_certificate,
            "client_key": remote.client_key,
            "token": remote.token,
        }
        return {key: value for key, value in document.items() if value is not None}

    def start(self, service: ServiceDefinition, observation: Observation, digest: str) -> Observation:  # noqa: ARG002
        """Return what it is; it is not ours to start."""
        return dataclasses.replace(observation, digest=digest)

    def stop(self, service: ServiceDefinition, observation: Observation) -> None:
        """Leave it alone; it is not ours to stop."""

    def remove(self, service: ServiceDefinition, observation: Observation) -> None:
        """Leave it alone; there is nothing of it here."""

    def logs(self, service: ServiceDefinition, *, follow: bool = False, tail: int | None = None) -> Iterator[LogLine]:  # noqa: ARG002
        """Say that there are none here.

        :raises DriverError: always.
        """
        remedy = f"Look where it runs: {_block(service).url}."
        raise DriverError(Problem(service.name, "runs elsewhere, so there is no log of it here", remedy))

    def judge(self, service: ServiceDefinition, check: AnyVerification | None) -> HealthResult | None:
        """Check it with the certificates and the token of its block; without a check, by its URL."""
        remote = _block(service)
        wanted = check or default_check(service)
        if wanted is None:
            return HealthResult(False, f"{remote.url} does not say where to connect to")
        if not isinstance(wanted, HttpHealthCheck):
            return None if check is not None else check_health(wanted)
        wanted = with_credentials(wanted, remote)
        result = check_health(wanted, secrets=self.context.secrets)
        return dataclasses.replace(result, reason=_explained(result.reason, wanted)) if not result.healthy else result


def endpoint_of(url: str, port: int | None = None) -> tuple[str, int] | None:
    """Return the host and port that a URL means, or nothing where it does not say.

    :param port: where neither the URL nor, as with HTTP, its scheme names one.
    """
    try:
        parts = urlsplit(url)
        host, number = parts.hostname, parts.port
    except ValueError:
        return None
    by_scheme = _PORTS.get(parts.scheme)
    is_http = parts.scheme in ("http", "https")
    number = number or (by_scheme if is_http else port or by_scheme)
    return (host, number) if host and number else None


def default_check(service: ServiceDefinition) -> AnyHealthCheck | None:
    """Return how a service is checked that says nothing of it; nothing where its URL does not say where it is.

    One that speaks HTTP is healthy when it answers anything but a server error (5xx) and a refusal (401, 403); any
    other, when it can be connected to.
    """
    url = _block(service).url
    if urlsplit(url).scheme in ("http", "https"):
        return HttpHealthCheck(type="http", url=url, expected_status=_ANSWERS)
    end = endpoint_of(url, service.port)
    return None if end is None else TcpHealthCheck(type="tcp", host=end[0], port=end[1])


def with_credentials(check: HttpHealthCheck, remote: RemoteDeployment) -> HttpHealthCheck:
    """Return a check with what the block adds to it; what the check says itself counts.

    The certificate and the token are shown to nobody but the service's own host.
    """
    check = dataclasses.replace(check, ca_file=check.ca_file or remote.ca_file)
    if urlsplit(check.url).hostname != urlsplit(remote.url).hostname:
        return check
    if check.client_certificate is None:
        check = dataclasses.replace(
            check, client_certificate=remote.client_certificate, client_key=remote.client_key or check.client_key
        )
    if remote.token is None or any(name.lower() == "authorization" for name in check.headers):
        return check
    return dataclasses.replace(check, headers={**check.headers, "Authorization": f"Bearer {remote.token}"})


def _explained(reason: str, check: HttpHealthCheck) -> str:
    """Add to a refusal what it may be about."""
    if not any(f" answered {status}" in reason for status in _REFUSALS):
        return reason
    has_token = any(name.lower() == "authorization" for name in check.headers)
    return f"{reason}: it {'does not accept the token' if has_token else 'wants a token (deployment.remote.token)'}"


def _probe(service: ServiceDefinition) -> Observation:
    end = endpoint_of(_block(service).url, service.port)
    if end is None:
        return Observation("unreachable", detail="its URL does not say where to connect to")
    result = check_health(TcpHealthCheck(type="tcp", host=end[0], port=end[1], timeout=_CONNECT_SECONDS))
    if result.healthy:
        return Observation("running", detail="runs elsewhere")
    return Observation("unreachable", detail=result.reason)


def _block(service: ServiceDefinition) -> RemoteDeployment:
    remote = service.deployment.remote
    if remote is None:
        why, remedy = "has no remote block", f"Add deployment.remote to {service.name}, or choose another mode."
        raise DriverError(Problem(service.name, why, remedy))
    return remote
