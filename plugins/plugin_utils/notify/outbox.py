# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Payloads that could not be delivered, kept beside the journal until somebody replays them."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.provisioning.platform.plugins.module_utils._events import write_line
from ansible_collections.provisioning.platform.plugins.module_utils._paths import (
    FILE_MODE,
    make_directory,
    write_atomically,
)


@dataclass(frozen=True)
class OutboxEntry:
    """A payload that waits.

    :param id: its ``webhook-id``; a replay uses it again, so that a receiver can tell it has it already.
    :param attempts: how often it has been sent in vain.
    :param error: why the last try failed, fit to be shown.
    :param payload: the body, without the receiver's key.
    """

    id: str
    attempts: int
    error: str
    payload: dict[str, Any]


class Outbox:
    """A file of JSON lines, oldest first, mode 0600. It holds no address, header or key of the receiver.

    :param path: the file; made, with its folder, when first written, and removed when nothing waits any more.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, entry: OutboxEntry) -> None:
        """Add one payload.

        :raises OSError: the file cannot be written; no part of the payload is in it then.
        """
        make_directory(self.path.parent)
        line = json.dumps({"id": entry.id, "attempts": entry.attempts, "error": entry.error, "payload": entry.payload})
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, FILE_MODE)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            write_line(descriptor, line.encode() + b"\n")
        finally:
            os.close(descriptor)

    def __iter__(self) -> Iterator[OutboxEntry]:
        """Yield what waits, oldest first; a line that is no entry is passed over.

        :raises OSError: the file exists and cannot be read.
        """
        try:
            lines = self.path.read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return
        for line in lines:
            try:
                yield OutboxEntry(**json.loads(line))
            except (ValueError, TypeError):
                continue

    def discard(self, identifiers: Collection[str]) -> None:
        """Take out what has been delivered after all.

        :raises OSError: the file cannot be written; it is as it was.
        """
        if not identifiers:
            return
        kept = [entry for entry in self if entry.id not in identifiers]
        if kept:
            write_atomically(self.path, "".join(json.dumps(vars(entry)) + "\n" for entry in kept))
        else:
            self.path.unlink(missing_ok=True)
