# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Processes of Linux by their true identity: a pid alone is handed to somebody else one day."""

from __future__ import annotations

import functools
import os
import select
import signal
from dataclasses import dataclass
from pathlib import Path

_STATE, _START_TIME = 0, 19  # positions after the ')' of the command name; proc(5) counts them as 3 and 22


@dataclass(frozen=True)
class ProcessIdentity:
    """One process and no other.

    :param start_time: clock ticks after boot (proc(5), field 22).
    :param boot_id: the boot it belongs to.
    """

    pid: int
    start_time: int
    boot_id: str


@functools.cache
def boot_id() -> str:
    """Return the id of this boot of the machine."""
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


@functools.cache
def _boot_time() -> float:
    for line in Path("/proc/stat").read_text(encoding="ascii").splitlines():
        if line.startswith("btime "):
            return float(line.split()[1])
    return 0.0


def identify(pid: int) -> ProcessIdentity | None:
    """Return the identity of a living process, or nothing if there is none; a zombie does not live."""
    fields = _stat(pid)
    if fields is None or fields[_STATE] in ("Z", "X"):
        return None
    return ProcessIdentity(pid, int(fields[_START_TIME]), boot_id())


def is_alive(identity: ProcessIdentity) -> bool:
    """Whether exactly this process still runs."""
    return identity.boot_id == boot_id() and identify(identity.pid) == identity


def started_at(identity: ProcessIdentity) -> float:
    """Return when the process started, unix time in seconds."""
    return _boot_time() + identity.start_time / os.sysconf("SC_CLK_TCK")


def command_name(pid: int) -> str:
    """Return the name of a process' command, or an empty text."""
    try:
        return Path(f"/proc/{pid}/comm").read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def group_members(group: int) -> list[ProcessIdentity]:
    """Return the living processes of a process group."""
    members = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            fields = _stat(int(entry))
            if fields is not None and int(fields[2]) == group and fields[_STATE] not in ("Z", "X"):
                members.append(ProcessIdentity(int(entry), int(fields[_START_TIME]), boot_id()))
    return members


def send_signal(identity: ProcessIdentity, number: signal.Signals) -> bool:
    """Send a signal to exactly this process; return whether it was there.

    The pid is pinned first and its start time checked after, so that no other process can slip in between.

    :raises PermissionError: it belongs to somebody else.
    """
    try:
        descriptor = os.pidfd_open(identity.pid)
    except ProcessLookupError:
        return False
    try:
        if not is_alive(identity):
            return False
        signal.pidfd_send_signal(descriptor, number)
        return True
    except ProcessLookupError:
        return False
    finally:
        os.close(descriptor)


def wait_until_gone(identity: ProcessIdentity, timeout: float) -> bool:
    """Wait until this process has ended, at most ``timeout`` seconds; return whether it has."""
    try:
        descriptor = os.pidfd_open(identity.pid)
    except ProcessLookupError:
        return True
    try:
        if not is_alive(identity):
            return True
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        poll.poll(max(0, int(timeout * 1000)))
        return not is_alive(identity)
    finally:
        os.close(descriptor)


def find_by_name(name: str) -> list[int]:
    """Return the pids of processes whose command has this name."""
    return [int(entry) for entry in os.listdir("/proc") if entry.isdigit() and command_name(int(entry)) == name[:15]]


def _stat(pid: int) -> list[str] | None:
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    return text[text.rfind(")") + 2 :].split()
