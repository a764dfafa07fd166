# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils._health import HealthResult, check_health
from ansible_collections.provisioning.platform.plugins.module_utils._model import (
    DnsVerification,
)

from tests.fixtures.ports import free_port


def _answer(question: bytes, *addresses: str, flags: int = 0x8180) -> bytes:
    """What a server says to a question: an alias, then addresses."""
    body = question[12:]
    records = [b"\xc0\x0c" + struct.pack(">HHIH", 5, 1, 60, 6) + b"\x03foo\xc0\x0c"]
    for address in addresses:
        kind, family = (28, socket.AF_INET6) if ":" in address else (1, socket.AF_INET)
        packed = socket.inet_pton(family, address)
        records.append(b"\x03foo\xc0\x0c" + struct.pack(">HHIH", kind, 1, 60, len(packed)) + packed)
    return question[:2] + struct.pack(">HHHHH", flags, 1, len(records), 0, 0) + body + b"".join(records)


@contextlib.contextmanager
def _name_server(answer: Callable[[bytes], bytes | None]) -> Iterator[int]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    question, sender = server.recvfrom(4096)
                    if not question:
                        return
                    reply = answer(question)
                    if reply is not None:
                        server.sendto(reply, sender)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
            last.sendto(b"", server.getsockname())
        thread.join(5)


def _dns(port: int, name: str = "gitea.provisioning.local", **settings: Any) -> HealthResult:
    return check_health(DnsVerification(type="dns", name=name, port=port, **{"timeout": 60.0, **settings}))


@pytest.mark.parametrize(
    ("answer", "settings", "healthy", "reason"),
    [
        (lambda q: _answer(q, "10.0.0.1"), {}, True, "gitea.provisioning.local is 10.0.0.1"),
        (lambda q: _answer(q, "10.0.0.1", "10.0.0.2"), {"expected_address": "10.0.0.2"}, True, "10.0.0.1, 10.0.0.2"),
        (lambda q: _answer(q, "10.0.0.1"), {"expected_address": "10.0.0.9"}, False, "is 10.0.0.1, not 10.0.0.9"),
        (lambda q: _answer(q, "2001:db8::7"), {}, True, "gitea.provisioning.local is 2001:db8::7"),
        (lambda q: _answer(q, "10.0.0.1", "::1"), {"expected_address": "0:0::1"}, True, "is 10.0.0.1, ::1"),
        (lambda q: _answer(q, "10.0.0.1"), {"expected_address": "::1"}, False, "is 10.0.0.1, not ::1"),
        (lambda q: _answer(q), {}, False, "knows no address for gitea.provisioning.local"),
        (lambda q: _answer(q, flags=0x8183), {}, False, "knows no address for gitea.provisioning.local"),
        (lambda q: _answer(q, flags=0x8182), {}, False, "the server failed"),
        (lambda q: _answer(q, flags=0x8185), {}, False, "it refuses to answer"),
        (lambda q: q, {}, False, "the answer belongs to another question"),
        (lambda q: b"\x00\x00" + _answer(q, "10.0.0.1")[2:], {}, False, "the answer belongs to another question"),
        (lambda q: b"", {}, False, "the answer is not a DNS message"),
        (lambda q: b"garbage", {}, False, "the answer is not a DNS message"),
        (lambda q: _answer(q, "10.0.0.1")[:-2], {}, False, "the answer is not a DNS message"),
        (lambda q: q[:2] + b"\x81\x80" + b"\xff" * 8 + b"\x3f" * 400, {}, False, "the answer is not a DNS message"),
        (lambda q: None, {"timeout": 0.05}, False, "did not answer within 0.05 s"),
    ],
)  # fmt: skip
def test_a_name_server_is_judged_by_its_answer(
    answer: Callable[[bytes], bytes | None], settings: dict[str, Any], healthy: bool, reason: str
) -> None:
    with _name_server(answer) as number:
        result = _dns(number, **settings)
    assert result.healthy == healthy
    assert reason in result.reason


@pytest.mark.parametrize("name", ["", ".", "a..b", "x" * 64 + ".local"])
def test_what_is_no_name_cannot_be_asked_for(name: str) -> None:
    result = _dns(53, name)
    assert not result.healthy
    assert result.reason.startswith("127.0.0.1:53: ")


def test_a_name_server_that_is_not_there_refuses() -> None:
    number = free_port()
    assert _dns(number).reason == f"127.0.0.1:{number} refused the connection"
