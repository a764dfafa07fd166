# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The four checks, and the DNS question that verification adds: one attempt each, with its duration and its reason."""

from __future__ import annotations

import os
import socket
import ssl
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from urllib.parse import urlsplit

from . import _dns
from ._model import (
    AnyVerification,
    CommandHealthCheck,
    DnsVerification,
    FileHealthCheck,
    HttpHealthCheck,
    TcpHealthCheck,
)

#: Runs a command inside a service: arguments and seconds it may take; returns exit code and output.
Execute = Callable[[CommandHealthCheck], "tuple[int, str]"]

_BODY_LIMIT = 1 << 20


@dataclass(frozen=True)
class HealthResult:
    """The outcome of one attempt.

    :param duration_ms: how long it took, in milliseconds.
    :param reason: in words, why it is not healthy; what was seen when it is.
    """

    healthy: bool
    reason: str
    duration_ms: float = 0.0


def check_health(check: AnyVerification, *, execute: Execute | None = None) -> HealthResult:
    """Carry one check out once.

    :param execute: runs a command check that asks to be run inside the service.
    :return: never raises for an unhealthy service; the reason is in the result.
    """
    begin = time.perf_counter()
    try:
        healthy, reason = _attempt(check, execute)
    except TimeoutError:
        healthy, reason = False, f"{_target(check)} did not answer within {check.timeout:g} s"
    except ConnectionRefusedError:
        healthy, reason = False, f"{_target(check)} refused the connection"
    except (OSError, HTTPException, ValueError) as error:
        healthy, reason = False, f"{_target(check)}: {str(error) or type(error).__name__}"
    return HealthResult(healthy, reason, round((time.perf_counter() - begin) * 1000, 3))


def _attempt(check: AnyVerification, execute: Execute | None) -> tuple[bool, str]:
    if isinstance(check, HttpHealthCheck):
        return _http(check)
    if isinstance(check, TcpHealthCheck):
        return _tcp(check)
    if isinstance(check, CommandHealthCheck):
        return _command(check, execute)
    if isinstance(check, FileHealthCheck):
        return _file(check)
    return _ask_dns(check)


def _http(check: HttpHealthCheck) -> tuple[bool, str]:
    url = urlsplit(check.url)
    if url.scheme not in ("http", "https") or not url.hostname:
        return False, f"{check.url} is not an http or https URL"
    if url.scheme == "https":
        connection: HTTPConnection = HTTPSConnection(
            url.hostname, url.port, timeout=check.timeout, context=_tls(check)
        )
    else:
        connection = HTTPConnection(url.hostname, url.port, timeout=check.timeout)
    try:
        path = (url.path or "/") + (f"?{url.query}" if url.query else "")
        connection.request(check.method, path, headers={"User-Agent": "provisioning-health", **check.headers})
        answer = connection.getresponse()
        accepted = answer.status in check.expected_status if check.expected_status else 200 <= answer.status < 400
        if not accepted:
            return False, f"{check.url} answered {answer.status} {answer.reason}"
        if check.expected_body is not None:
            body = answer.read(_BODY_LIMIT).decode(errors="replace")
            if check.expected_body not in body:
                return False, f"{check.url} answered {answer.status} without the text {check.expected_body!r}"
        return True, f"{check.url} answered {answer.status}"
    finally:
        connection.close()


def _tls(check: HttpHealthCheck) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=check.ca_file)
    if not check.verify_tls:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _tcp(check: TcpHealthCheck) -> tuple[bool, str]:
    with socket.create_connection((check.host, check.port), timeout=check.timeout):
        return True, f"{check.host}:{check.port} accepts connections"


def _command(check: CommandHealthCheck, execute: Execute | None) -> tuple[bool, str]:
    if check.inside:
        if execute is None:
            return False, "the command is to be run inside the service, which has no inside"
        code, output = execute(check)
    else:
        try:
            done = subprocess.run(  # noqa: S603 - a list, no shell, from the service's own definition
                check.command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=check.timeout,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return False, f"{check.command[0]} did not end within {check.timeout:g} s"
        code, output = done.returncode, done.stdout.decode(errors="replace")
    if code == check.expected_exit_code:
        return True, f"{check.command[0]} exited {code}"
    last = output.strip().splitlines()[-1:] or [""]
    return False, f"{check.command[0]} exited {code}" + (f": {last[0][:200]}" if last[0] else "")


def _file(check: FileHealthCheck) -> tuple[bool, str]:
    try:
        found = os.stat(check.path)
    except FileNotFoundError:
        return False, f"{check.path} does not exist"
    age = time.time() - found.st_mtime
    if check.max_age is not None and age > check.max_age:
        return False, f"{check.path} was last changed {age:.0f} s ago, more than {check.max_age:g} s"
    if check.contains is not None:
        with open(check.path, encoding="utf-8", errors="replace") as stream:
            if not any(check.contains in line for line in stream):
                return False, f"{check.path} does not contain {check.contains!r}"
    return True, f"{check.path} exists"


def _ask_dns(check: DnsVerification) -> tuple[bool, str]:
    addresses = _dns.query_a(check.name, host=check.host, port=check.port, timeout=check.timeout)
    if not addresses:
        return False, f"{check.host}:{check.port} knows no address for {check.name}"
    if check.expected_address and check.expected_address not in addresses:
        return False, f"{check.name} is {', '.join(addresses)}, not {check.expected_address}"
    return True, f"{check.name} is {', '.join(addresses)}"


def _target(check: AnyVerification) -> str:
    if isinstance(check, HttpHealthCheck):
        return check.url
    if isinstance(check, (TcpHealthCheck, DnsVerification)):
        return f"{check.host}:{check.port}"
    if isinstance(check, CommandHealthCheck):
        return check.command[0] if check.command else "the command"
    return check.path
