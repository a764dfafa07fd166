# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The audit log: who did what to which service, when, and with what result."""

from __future__ import annotations

import fcntl
import json
import os
import pwd
import time
from pathlib import Path

from . import _events as events
from ._events import Event, write_line
from ._paths import FILE_MODE, make_directory

_AUDITED = {
    events.SERVICE_STARTED: "start",
    events.SERVICE_STOPPED: "stop",
    events.SERVICE_REMOVED: "remove",
    events.SERVICE_FAILED: "start",
}
_WHAT_FAILED = {"stop": "stop", "remove": "remove", "verify": "verify"}


class AuditLog:
    """An append-only file of JSON lines, mode 0600.

    :param path: the file, made when first written.
    :param run: id of the installation or command on whose behalf things are done.
    """

    def __init__(self, path: Path, *, run: str = "") -> None:
        self._path = path
        self._run = run
        self._who = who()

    def record(self, action: str, service: str, *, result: str, reason: str = "", at: float | None = None) -> None:
        """Append one line.

        :param at: unix time in seconds; now by default.
        :raises OSError: the file cannot be written.
        """
        line = {
            "time": round(time.time() if at is None else at, 3),
            "who": self._who,
            "run": self._run,
            "action": action,
            "service": service,
            "result": result,
            "reason": reason,
        }
        descriptor = self._open()
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            write_line(descriptor, json.dumps(line).encode() + b"\n")
        finally:
            os.close(descriptor)

    def _open(self) -> int:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        try:
            return os.open(self._path, flags, FILE_MODE)
        except FileNotFoundError:
            make_directory(self._path.parent)
            return os.open(self._path, flags, FILE_MODE)

    def __call__(self, event: Event) -> None:
        """Be a sink of the event stream: record what changed a service."""
        action = _AUDITED.get(event.kind)
        if action is not None and event.service is not None:
            failed = event.kind == events.SERVICE_FAILED
            if failed:
                action = _WHAT_FAILED.get(str(event.data.get("action")), action)
            self.record(
                action,
                event.service,
                result="failed" if failed else "ok",
                reason=str(event.data.get("error" if failed else "reason", "")),
                at=event.time,
            )


def who() -> str:
    """Return who acts: the user, and who became him by sudo."""
    try:
        user = pwd.getpwuid(os.getuid()).pw_name  # not the environment, which says what one likes it to
    except KeyError:
        user = str(os.getuid())
    behind = os.environ.get("SUDO_USER")
    return f"{user} ({behind})" if behind and behind != user else user
