# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Following a run's journal while it is being written."""

from __future__ import annotations

import json
from pathlib import Path

from ansible_collections.provisioning.platform.plugins.module_utils._events import Event


def journal_size(path: Path) -> int:
    """Return the bytes of a journal: where the events of the next run begin. 0 when there is none."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


class JournalFollower:
    """Reads what was appended to a journal since the last look; a look costs as much as is new.

    :param path: the journal; it need not exist yet.
    :param offset: bytes to pass over: an earlier run of the same installation.
    """

    def __init__(self, path: Path, *, offset: int = 0) -> None:
        self._path = path
        self._offset = offset

    def read(self) -> list[Event]:
        """Return the new events. A line still being written is left for the next look, a damaged one is passed over.

        :raises OSError: the journal exists and cannot be read.
        """
        if journal_size(self._path) <= self._offset:
            return []
        with self._path.open("rb") as stream:
            stream.seek(self._offset)
            data = stream.read()
        end = data.rfind(b"\n") + 1
        self._offset += end
        return [event for line in data[:end].splitlines() if (event := _parse(line)) is not None]


def _parse(line: bytes) -> Event | None:
    try:
        document = json.loads(line)
        if not isinstance(document["sequence"], int) or not isinstance(document["time"], (int, float)):
            return None
        return Event.from_dict(document) if isinstance(document.get("data", {}), dict) else None
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
