# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The mark that every process we start carries in its environment: by it, it is found when its record is lost.

Whatever a process starts carries its mark, too. So only those count that began as the process itself did: what a
service that has run for a while starts on purpose, e.g. a job that is to outlive it, is none of our business.
"""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from .. import _process
from .._build import build
from .._errors import ConfigurationError
from .._process import ProcessIdentity
from .._state import PidRecord

VARIABLE = "PROVISIONING_PROCESS_OF"
_PREFIX = f"{VARIABLE}=".encode()
_START_SECONDS = 5


@dataclass(frozen=True)
class Mark:
    """Whose a process is.

    :param work_dir: absolute path of the installation's work dir, without symbolic links.
    :param digest: of what was asked for when it was started.
    :param launched: clock ticks since boot just before it was started.
    """

    work_dir: str
    service: str
    replica: int
    digest: str
    launched: int

    def to_text(self) -> str:
        """Return the mark as an environment holds it."""
        return json.dumps(vars(self))


class Marked(NamedTuple):
    """A living process and whose it is."""

    mark: Mark
    identity: ProcessIdentity


class Search:
    """The marked processes of a work dir, looked for when they are first asked for, and once.

    :param work_dir: absolute path, without symbolic links.
    """

    def __init__(self, work_dir: str) -> None:
        self._work_dir = work_dir

    @functools.cached_property
    def _found(self) -> list[Marked]:
        return [marked for pid in _process.pids() if (marked := _look_at(pid, self._work_dir)) is not None]

    def of(self, service: str, owners: Collection[int]) -> list[Marked]:
        """Return the processes of a service, the oldest first.

        :param owners: user ids that they may have; anybody may put what he likes into his own environment.
        """
        found = [marked for marked in self._found if marked.mark.service == service and _owner(marked) in owners]
        return sorted(found, key=lambda marked: (marked.identity.start_time, marked.identity.pid))

    def lost(self, service: str, owners: Collection[int]) -> list[PidRecord]:
        """Return the records that the processes of a service should have, by replica."""
        records: dict[int, PidRecord] = {}
        for mark, identity in self.of(service, owners):
            if _process.group_of(identity.pid) == identity.pid:  # each leads a session of its own
                records.setdefault(mark.replica, PidRecord(identity, identity.pid, mark.digest, mark.replica))
        return [records[replica] for replica in sorted(records)]


def _look_at(pid: int, work_dir: str) -> Marked | None:
    mark = _read(pid)
    if mark is None or mark.work_dir != work_dir:
        return None
    identity = _process.identify(pid)
    # The second reading lies between two sightings of one and the same process, so the mark is its own.
    if identity is None or _read(pid) != mark or not _process.is_alive(identity):
        return None
    age = identity.start_time - mark.launched
    return Marked(mark, identity) if -1 <= age <= _START_SECONDS * os.sysconf("SC_CLK_TCK") else None


def _read(pid: int) -> Mark | None:
    """Return the mark of a process, nothing where it has none, is gone or may not be looked at."""
    try:
        environment = Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return None
    for entry in environment.split(b"\0") if _PREFIX in environment else ():
        if entry.startswith(_PREFIX):
            return _parse(entry[len(_PREFIX) :])
    return None


def _parse(text: bytes) -> Mark | None:
    try:
        return build(Mark, json.loads(text))
    except (ValueError, ConfigurationError):
        return None


def _owner(marked: Marked) -> int | None:
    try:
        return os.stat(f"/proc/{marked.identity.pid}").st_uid
    except OSError:
        return None
