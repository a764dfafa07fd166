# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sessions of processes: stopping all of one, and telling what is left of one from what has nothing to do with it.

The number of a process group is not given to a new process while a member lives. So its members are ours when the
process of that number is our leader; and when there is none, either all of them are ours or none is.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .. import _process
from .._process import ProcessIdentity
from .._state import PidRecord

_KILL_SECONDS = 5.0


@dataclass(frozen=True)
class Session:
    """One of our processes, with all that it has started.

    :param log: where its output goes; who has it open is ours.
    """

    record: PidRecord
    log: Path

    @property
    def is_led(self) -> bool:
        """Whether the process itself lives."""
        return _process.is_alive(self.record.identity)

    def members(self, *, led_at: int | None = None) -> list[ProcessIdentity]:
        """Return the living processes of the session, none where its number has become somebody else's.

        :param led_at: clock ticks since boot at which the process itself was seen alive.
        """
        identity = self.record.identity
        if identity.boot_id != _process.boot_id() or not _process.group_exists(self.record.group):
            return []
        members = _process.group_members(self.record.group)
        if members and members[0].pid == self.record.group:
            return members if members[0] == identity else []
        is_ours = any(
            (led_at is not None and member.start_time <= led_at) or _process.has_open(member.pid, self.log)
            for member in members
        )
        return members if is_ours else []


def stop(sessions: Sequence[Session], number: signal.Signals, timeout: float) -> list[int]:
    """Ask all processes of sessions to stop, wait, then kill what remains; return the pids that survive even that.

    :param number: the signal that asks.
    :param timeout: seconds from the signal until they are killed.
    :raises PermissionError: they belong to somebody else.
    """
    led = [session for session in sessions if session.is_led]
    led_at = _process.ticks_since_boot()
    for session in led:
        # The group's number cannot pass to others while its leader lives.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(session.record.group, number)
    deadline = time.monotonic() + timeout
    for session in led:
        _process.wait_until_gone(session.record.identity, deadline - time.monotonic())
    for session in led:
        for member in session.members(led_at=led_at):
            _process.wait_until_gone(member, deadline - time.monotonic())
    return [pid for session in sessions for pid in kill(session, led_at=led_at if session in led else None)]


def kill(session: Session, *, led_at: int | None = None) -> list[int]:
    """Kill what there is of a session; return the pids that survive it.

    :param led_at: clock ticks since boot at which its leader was seen alive.
    :raises PermissionError: it belongs to somebody else.
    """
    return kill_all(session.members(led_at=led_at))


def kill_all(members: Sequence[ProcessIdentity]) -> list[int]:
    """Kill processes; return the pids of those that survive it.

    :raises PermissionError: one belongs to somebody else.
    """
    for member in members:
        _process.send_signal(member, signal.SIGKILL)
    deadline = time.monotonic() + _KILL_SECONDS
    return [member.pid for member in members if not _process.wait_until_gone(member, deadline - time.monotonic())]
