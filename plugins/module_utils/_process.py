# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Processes of Linux by their true identity: a pid alone is handed to somebody else one day."""

from __future__ import annotations

import contextlib
import functools
import os
import select
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ._paths import read_whole

# Positions after the ')' of the command name; proc(5) counts them as 3, 4 and 22.
_STATE, _PARENT, _START_TIME = 0, 1, 19
_DEAD = ("Z", "X")
_LONGEST_POLL_SECONDS = 1_000_000.0


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
    if fields is None or fields[_STATE] in _DEAD:
        return None
    return ProcessIdentity(pid, int(fields[_START_TIME]), boot_id())


def is_alive(identity: ProcessIdentity) -> bool:
    """Whether exactly this process still runs."""
    return identity.boot_id == boot_id() and identify(identity.pid) == identity


def started_at(identity: ProcessIdentity) -> float:
    """Return when the process started, unix time in seconds."""
    return _boot_time() + identity.start_time / os.sysconf("SC_CLK_TCK")


def ticks_since_boot() -> int:
    """Return the time now as start times are counted."""
    return int(time.clock_gettime(time.CLOCK_BOOTTIME) * os.sysconf("SC_CLK_TCK"))


def command_name(pid: int) -> str:
    """Return the name of a process' command, or an empty text."""
    try:
        return Path(f"/proc/{pid}/comm").read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def pids() -> list[int]:
    """Return the numbers of all processes that may be seen."""
    return [int(entry) for entry in os.listdir("/proc") if entry.isdigit()]


def parent_of(pid: int) -> int | None:
    """Return the pid of a process' parent, or nothing if there is no such process."""
    fields = _stat(pid)
    return None if fields is None else int(fields[_PARENT])


def group_exists(group: int) -> bool:
    """Whether a process group has any member."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def group_members(group: int) -> list[ProcessIdentity]:
    """Return the living processes of a process group, its leader first."""
    # Asking the kernel for the group is a fiftieth of the work of reading a file for each process there is.
    found = [identify(pid) for pid in pids() if group_of(pid) == group]
    members = [member for member in found if member is not None]
    return sorted(members, key=lambda member: (member.pid != group, member.pid))


def group_of(pid: int) -> int | None:
    """Return the process group of a process, or nothing if there is none."""
    try:
        return os.getpgid(pid)
    except OSError:
        return None


def has_open(pid: int, path: Path) -> bool:
    """Whether a process has a file open, so far as we may know."""
    try:
        wanted = path.stat()
        for descriptor in os.listdir(f"/proc/{pid}/fd"):
            with contextlib.suppress(OSError):
                found = os.stat(f"/proc/{pid}/fd/{descriptor}")
                if (found.st_dev, found.st_ino) == (wanted.st_dev, wanted.st_ino):
                    return True
    except OSError:
        return False
    return False


def send_signal(identity: ProcessIdentity, number: signal.Signals) -> bool:
    """Send a signal to exactly this process; return whether it was there.

    The pid is pinned first and its start time checked after, so that no other process can slip in between.

    :raises PermissionError: it belongs to somebody else.
    """
    with _pinned(identity) as descriptor:
        if descriptor is None:
            return False
        try:
            signal.pidfd_send_signal(descriptor, number)
        except ProcessLookupError:
            return False
        return True


def wait_until_gone(identity: ProcessIdentity, timeout: float) -> bool:
    """Wait until this process has ended, at most ``timeout`` seconds; return whether it has."""
    with _pinned(identity) as descriptor:
        if descriptor is None:
            return True
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        poll.poll(min(max(0.0, timeout), _LONGEST_POLL_SECONDS) * 1000)
        return not is_alive(identity)


def unusual_signals() -> tuple[set[int], set[int]]:
    """Return which signals are ignored in this process, and which are blocked in this thread."""
    # Python's own functions make enumerations of all there are, which takes a hundred times as long.
    status = read_whole("/proc/thread-self/status").decode(errors="replace")
    return _signals(status, "SigIgn"), _signals(status, "SigBlk")


def _signals(status: str, name: str) -> set[int]:
    mask = int(status.partition(f"\n{name}:")[2].partition("\n")[0], 16)
    return {number for number in range(1, mask.bit_length() + 1) if mask >> (number - 1) & 1}


def find_by_name(name: str) -> list[int]:
    """Return the pids of living processes whose command has this name."""
    return [pid for pid in pids() if command_name(pid) == name[:15] and identify(pid) is not None]


@contextlib.contextmanager
def _pinned(identity: ProcessIdentity) -> Iterator[int | None]:
    """Hold a process by a descriptor for the block, or nothing where it does not live any more."""
    descriptor = None
    # The first look spares those whose number has become a thread's, which cannot be held.
    if is_alive(identity):
        with contextlib.suppress(ProcessLookupError):
            descriptor = os.pidfd_open(identity.pid)
    if descriptor is None:
        yield None
        return
    try:
        yield descriptor if is_alive(identity) else None
    finally:
        os.close(descriptor)


def _stat(pid: int) -> list[str] | None:
    try:
        descriptor = os.open(f"/proc/{pid}/stat", os.O_RDONLY)
    except OSError:
        return None
    try:
        text = os.read(descriptor, 4096).decode(errors="replace")
    except ProcessLookupError:
        return None
    finally:
        os.close(descriptor)
    return text[text.rfind(")") + 2 :].split()
