# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One question to one DNS server, which the system's resolver cannot be asked to put (RFC 1035, section 4)."""

from __future__ import annotations

import secrets
import socket
import struct

#: Type of the records that have a family's addresses, and the bytes of an address.
_TYPES = {socket.AF_INET: 1, socket.AF_INET6: 28}
_SIZES = {socket.AF_INET: 4, socket.AF_INET6: 16}
_CLASS_IN = 1
_RECURSION_DESIRED = 0x0100
_IS_ANSWER = 0x8000
_FAULT = 0x000F
_FAULTS = {1: "it did not understand the question", 2: "the server failed", 5: "it refuses to answer"}
_HEADER = struct.Struct(">HHHHHH")


def query(
    name: str, *, host: str, port: int, timeout: float, family: socket.AddressFamily = socket.AF_INET
) -> list[str]:
    """Ask a server over UDP for the addresses of a name.

    :param timeout: seconds to wait for the answer.
    :param family: which addresses: those of IPv4 (A) or of IPv6 (AAAA, RFC 3596).
    :return: the addresses as text, none when the server knows none.
    :raises OSError: no answer came in time, or the server cannot be reached.
    :raises ValueError: the name cannot be asked for, the server refuses or fails, or the answer is not one to this
        question.
    """
    identifier = secrets.randbelow(1 << 16)
    question = _HEADER.pack(identifier, _RECURSION_DESIRED, 1, 0, 0, 0)
    question += _encode_name(name) + struct.pack(">HH", _TYPES[family], _CLASS_IN)
    transport = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(transport, socket.SOCK_DGRAM) as connection:
        connection.settimeout(timeout)
        connection.connect((host, port))
        connection.send(question)
        return _addresses(connection.recv(4096), identifier, family)


def _encode_name(name: str) -> bytes:
    labels = name.rstrip(".").encode("idna").split(b".")
    if any(not 0 < len(label) < 64 for label in labels):
        raise ValueError(f"{name!r} is not a DNS name")
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def _addresses(answer: bytes, identifier: int, family: socket.AddressFamily) -> list[str]:
    try:
        got, flags, questions, answers, _authorities, _additional = _HEADER.unpack_from(answer)
        if got != identifier or not flags & _IS_ANSWER:
            raise ValueError("the answer belongs to another question")
        if flags & _FAULT in _FAULTS:
            raise ValueError(_FAULTS[flags & _FAULT])
        position = _HEADER.size
        for _question in range(questions):
            position = _skip_name(answer, position) + 4
        found = []
        for _answer in range(answers):
            position = _skip_name(answer, position)
            kind, _class, _ttl, length = struct.unpack_from(">HHIH", answer, position)
            position += 10
            if kind == _TYPES[family] and length == _SIZES[family]:
                found.append(socket.inet_ntop(family, struct.unpack_from(f"{length}s", answer, position)[0]))
            position += length
    except (struct.error, IndexError, OSError) as error:
        raise ValueError("the answer is not a DNS message") from error
    return found


def _skip_name(message: bytes, position: int) -> int:
    while True:
        length = message[position]
        if length == 0:
            return position + 1
        if length >= 0xC0:  # a pointer to an earlier name ends this one
            return position + 2
        position += length + 1
