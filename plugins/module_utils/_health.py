# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The four checks, and the DNS question that verification adds: one attempt each, with its duration and its reason."""

from __future__ import annotations

import io
import os
import select
import signal
import socket
import ssl
import stat
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any, Literal
from urllib.parse import urlsplit

from . import _dns
from ._errors import ProvisioningError
from ._model import (
    AnyVerification,
    CommandHealthCheck,
    DnsVerification,
    FileHealthCheck,
    HttpHealthCheck,
    TcpHealthCheck,
)
from ._secrets import SecretStore
from ._tls import TlsSettings
from ._tls import reason as tls_reason

#: Runs a command inside a service: arguments and seconds it may take; returns exit code and output.
Execute = Callable[[CommandHealthCheck], "tuple[int, str]"]

_BODY_LIMIT = 1 << 20
_OUTPUT_LIMIT = 1 << 16


@dataclass(frozen=True)
class HealthResult:
    """The outcome of one attempt.

    :param duration_ms: how long it took, in milliseconds.
    :param reason: in words, why it is not healthy; what was seen when it is.
    """

    healthy: bool
    reason: str
    duration_ms: float = 0.0


def check_health(
    check: AnyVerification, *, execute: Execute | None = None, secrets: SecretStore | None = None
) -> HealthResult:
    """Carry one check out once.

    :param execute: runs a command check that asks to be run inside the service.
    :param secrets: those that placeholders in the headers of a request stand for.
    :return: never raises for an unhealthy service; the reason is in the result.
    """
    begin = time.perf_counter()
    try:
        healthy, reason = _attempt(check, execute, secrets)
    except TimeoutError:
        healthy, reason = False, f"{_target(check)} did not answer within {check.timeout:g} s"
    except ConnectionRefusedError:
        healthy, reason = False, f"{_target(check)} refused the connection"
    except (ConnectionResetError, BrokenPipeError):
        healthy, reason = False, f"{_target(check)} closed the connection without an answer{_perhaps(check)}"
    except ssl.SSLError as error:
        healthy, reason = False, tls_reason(error, _target(check))
    except OSError as error:
        healthy, reason = False, f"{_target(check)}: {error.strerror or error}"
    except ProvisioningError as error:
        healthy, reason = False, "; ".join(problem.why for problem in error.problems)
    except (HTTPException, ValueError) as error:
        healthy, reason = False, f"{_target(check)}: {str(error).strip() or type(error).__name__}"
    return HealthResult(healthy, reason, round((time.perf_counter() - begin) * 1000, 3))


def _attempt(check: AnyVerification, execute: Execute | None, secrets: SecretStore | None) -> tuple[bool, str]:
    if isinstance(check, HttpHealthCheck):
        return _http(check, secrets.fill(check.headers) if secrets else check.headers)
    if isinstance(check, TcpHealthCheck):
        return _tcp(check)
    if isinstance(check, CommandHealthCheck):
        return _command(check, execute)
    if isinstance(check, FileHealthCheck):
        return _file(check)
    return _ask_dns(check)


def _http(check: HttpHealthCheck, headers: Mapping[str, str]) -> tuple[bool, str]:
    url = urlsplit(check.url)
    if url.scheme not in ("http", "https") or not url.hostname:
        return False, f"{check.url} is not an http or https URL"
    deadline = time.monotonic() + check.timeout
    if url.scheme == "https":
        tls = TlsSettings(check.verify_tls, check.ca_file, check.client_certificate, check.client_key)
        connection: HTTPConnection = HTTPSConnection(
            url.hostname, url.port, timeout=check.timeout, context=tls.context()
        )
    else:
        connection = HTTPConnection(url.hostname, url.port, timeout=check.timeout)
    try:
        connection.connect()
        connection.sock = _Patient(connection.sock, deadline)
        path = (url.path or "/") + (f"?{url.query}" if url.query else "")
        connection.request(check.method, path, headers={"User-Agent": "provisioning-health", **headers})
        answer = connection.getresponse()
        return judged(check, answer.status, answer.reason, lambda: answer.read(_BODY_LIMIT).decode(errors="replace"))
    finally:
        connection.close()


def judged(check: HttpHealthCheck, status: int, reason: str, body: Callable[[], str]) -> tuple[bool, str]:
    """Say whether an answer is what a check expects, and what it was.

    :param body: reads the answer's text, which is done only where it matters.
    """
    accepted = status in check.expected_status if check.expected_status else 200 <= status < 400
    if not accepted:
        return False, f"{check.url} answered {status} {reason}".rstrip()
    if check.expected_body is not None and check.expected_body not in body():
        return False, f"{check.url} answered {status} without the text {check.expected_body!r}"
    return True, f"{check.url} answered {status}"


class _Patient:
    """A connected socket for ``http.client`` whose patience counts for the whole answer.

    A socket's own timeout begins anew with each piece that comes; whoever sends a byte a second holds one for ever.
    """

    def __init__(self, connection: socket.socket, deadline: float) -> None:
        self._connection = connection
        self._deadline = deadline

    def sendall(self, data: Any) -> None:
        self._hurry()
        self._connection.sendall(data)

    def makefile(self, mode: Literal["rb"]) -> io.BufferedReader:
        return io.BufferedReader(_PatientReader(self._connection.makefile(mode, buffering=0), self._hurry))

    def close(self) -> None:
        self._connection.close()

    def _hurry(self) -> None:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._connection.settimeout(left)


class _PatientReader(io.RawIOBase):
    def __init__(self, stream: Any, hurry: Callable[[], None]) -> None:
        super().__init__()
        self._stream = stream
        self._hurry = hurry

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> Any:
        self._hurry()
        return self._stream.readinto(buffer)

    def close(self) -> None:
        self._stream.close()
        super().close()


def _perhaps(check: AnyVerification) -> str:
    """With TLS 1.3 a server refuses who has no certificate after the handshake; what it says is lost at times."""
    is_bare = isinstance(check, HttpHealthCheck) and check.url.startswith("https:") and not check.client_certificate
    return "; it may want a client certificate" if is_bare else ""


def _tcp(check: TcpHealthCheck) -> tuple[bool, str]:
    with socket.create_connection((check.host, check.port), timeout=check.timeout) as connection:
        # Where nobody listens on a port of those that the kernel gives out, a connection may come to meet itself.
        if connection.getsockname() == connection.getpeername():
            raise ConnectionRefusedError
        return True, f"{_target(check)} accepts connections"


def _command(check: CommandHealthCheck, execute: Execute | None) -> tuple[bool, str]:
    if not check.command:
        return False, "the check has no command"
    if check.inside:
        if execute is None:
            return False, "the command is to be run inside the service, which has no inside"
        code, output = execute(check)
    else:
        try:
            code, output = _run(check.command, check.timeout)
        except subprocess.TimeoutExpired:
            return False, f"{check.command[0]} did not end within {check.timeout:g} s"
        except FileNotFoundError:
            return False, f"the command {check.command[0]} is not there"
        except PermissionError:
            return False, f"the command {check.command[0]} may not be executed"
    if code == check.expected_exit_code:
        return True, f"{check.command[0]} exited {code}"
    last = output.strip().splitlines()[-1:] or [""]
    return False, f"{check.command[0]} exited {code}" + (f": {last[0][:200]}" if last[0] else "")


def _run(command: list[str], timeout: float) -> tuple[int, str]:
    """Run a command for so many seconds at most; return its exit code and the end of its output.

    :raises TimeoutExpired: it, and what it has started, was killed.
    """
    child = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True
    )
    with child:
        try:
            output = _follow(child, timeout)
        finally:
            if child.poll() is None:
                os.killpg(child.pid, signal.SIGKILL)
    return child.returncode, output.decode(errors="replace")


def _follow(child: subprocess.Popen[bytes], timeout: float) -> bytes:
    """Read a child's output until it ends; whoever it leaves behind with its output open is not waited for."""
    if child.stdout is None:
        return b""
    pipe, ending = child.stdout.fileno(), os.pidfd_open(child.pid)
    os.set_blocking(pipe, False)
    output = b""
    deadline = time.monotonic() + timeout
    poll = select.poll()
    poll.register(pipe, select.POLLIN)
    poll.register(ending, select.POLLIN)
    try:
        while (left := deadline - time.monotonic()) > 0:
            ready = {descriptor for descriptor, _event in poll.poll(left * 1000)}
            if pipe in ready:
                piece = os.read(pipe, _OUTPUT_LIMIT)
                output = (output + piece)[-_OUTPUT_LIMIT:]
                if not piece:
                    poll.unregister(pipe)
            if ending in ready:  # what it wrote is read by now: a pipe holds no more than one piece
                return output
    finally:
        os.close(ending)
    raise subprocess.TimeoutExpired(child.args, timeout)


def _file(check: FileHealthCheck) -> tuple[bool, str]:
    try:
        found = os.stat(check.path)
    except FileNotFoundError:
        return False, f"{check.path} does not exist"
    age = time.time() - found.st_mtime
    if check.max_age is not None and age > check.max_age:
        return False, f"{check.path} was last changed {age:.0f} s ago, more than {check.max_age:g} s"
    if check.contains is not None:
        if not stat.S_ISREG(found.st_mode):
            return False, f"{check.path} is not a file that could contain {check.contains!r}"
        if not _contains(check.path, check.contains.encode()):
            return False, f"{check.path} does not contain {check.contains!r}"
    return True, f"{check.path} exists"


def _contains(path: str, text: bytes) -> bool:
    """Whether a file contains a text, in whatever lines: it is read in pieces that overlap."""
    with open(path, "rb") as stream:
        end = b""
        while piece := stream.read(1 << 20):
            if text in end + piece:
                return True
            end = (end + piece)[-len(text) :]
    return not text


def _ask_dns(check: DnsVerification) -> tuple[bool, str]:
    expected = check.expected_address
    addresses = _dns.query(check.name, host=check.host, port=check.port, timeout=check.timeout)
    if not addresses or (expected and ":" in expected):
        family = socket.AF_INET6
        addresses += _dns.query(check.name, host=check.host, port=check.port, timeout=check.timeout, family=family)
    if not addresses:
        return False, f"{_target(check)} knows no address for {check.name}"
    if expected and ":" in expected:  # in the one way of many that answers are written in
        expected = socket.inet_ntop(socket.AF_INET6, socket.inet_pton(socket.AF_INET6, expected))
    if expected and expected not in addresses:
        return False, f"{check.name} is {', '.join(addresses)}, not {expected}"
    return True, f"{check.name} is {', '.join(addresses)}"


def _target(check: AnyVerification) -> str:
    if isinstance(check, HttpHealthCheck):
        return check.url
    if isinstance(check, (TcpHealthCheck, DnsVerification)):
        return f"[{check.host}]:{check.port}" if ":" in check.host else f"{check.host}:{check.port}"
    if isinstance(check, CommandHealthCheck):
        return check.command[0] if check.command else "the command"
    return check.path
