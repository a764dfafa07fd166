# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Processes that are started here, each in a session of its own; and how they ended, which only a parent learns."""

from __future__ import annotations

import os
import resource
import subprocess
import threading

from .. import _cgroups, _events, _logs, _process
from .._errors import DriverError, Problem
from .._model import ResourceLimits
from .._paths import FILE_MODE, make_directory
from .._state import PidRecord
from . import _launch, _marks
from ._base import Notify
from ._launch import Launch


class Children:
    """What we have started. It outlives us."""

    def __init__(self) -> None:
        self._known: dict[int, subprocess.Popen[bytes]] = {}
        self._lock = threading.Lock()

    def start(self, launch: Launch, work_dir: str, notify: Notify) -> PidRecord:
        """Start a process; return its record.

        :param work_dir: absolute path, without symbolic links.
        :raises DriverError: it cannot be run.
        :raises OSError: its log cannot be opened.
        """
        mark = _marks.Mark(work_dir, launch.service, launch.replica, launch.digest, _process.ticks_since_boot())
        account = launch.account
        log = open_log(launch, notify)
        try:
            child = subprocess.Popen(
                launch.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=launch.working_dir,
                env={**launch.env, _marks.VARIABLE: mark.to_text()},
                user=account.uid if launch.user else None,
                group=account.gid if launch.user or launch.group else None,
                extra_groups=account.groups if launch.user and os.geteuid() == 0 else None,
                umask=launch.umask,
                start_new_session=True,
                preexec_fn=_launch.signal_reset(),  # noqa: PLW1509 - it calls the kernel and takes no lock
            )
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            why = f"{launch.command[0]} cannot be run: {reason}"
            remedy = "Check the file, its permissions and its interpreter."
            raise DriverError(Problem(launch.service, why, remedy)) from error
        finally:
            os.close(log)
        with self._lock:
            self._known[child.pid] = child
        return _launch.record_of(child.pid, launch.digest, launch.replica)

    def exit_code(self, pid: int) -> int | None:
        """Return how a process ended, if it has and is ours."""
        with self._lock:
            child = self._known.get(pid)
            return None if child is None else child.poll()

    def wait(self, pid: int) -> None:
        """Wait until a process has ended, if it is ours."""
        with self._lock:
            child = self._known.get(pid)
        if child is not None:
            child.wait()


def open_log(launch: Launch, notify: Notify) -> int:
    """Open the log of a process, for its owner alone, and rotate it if that is due.

    :raises OSError: it cannot be opened.
    """
    make_directory(launch.log.parent)
    try:
        _logs.rotate(launch.log, launch.rotation)
    except OSError as error:
        notify(_events.SERVICE_WARNING, service=launch.service, reason=f"its log is not rotated: {error.strerror}")
    return os.open(launch.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, FILE_MODE)


def limit(record: PidRecord, limits: ResourceLimits, group: str) -> str | None:
    """Hold a process to limits; return in words why they are not in force, or nothing when they are.

    :param group: name of its control group.
    """
    trouble = None
    if limits.open_files is not None:
        try:
            resource.prlimit(record.identity.pid, resource.RLIMIT_NOFILE, (limits.open_files, limits.open_files))
        except ProcessLookupError:
            return None
        except (OSError, ValueError) as error:
            trouble = f"the limit of open files is not in force: {getattr(error, 'strerror', None) or error}"
    if limits.cpu is not None or limits.memory is not None:
        pids = [member.pid for member in _process.group_members(record.group)]
        trouble = _cgroups.limit(group, pids, limits) or trouble
    return trouble
