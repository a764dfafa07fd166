# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose turn it is: one run at a time changes the services of a host. The supervisor gives way, and is waited for.

A run that finds another one is refused. The supervisor's restarts are short and nobody has asked for them: it holds a
second lock around the first, by which it is known, and whoever finds that one held waits.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

from ._errors import BusyError
from ._paths import WorkDir
from ._state import locked

_RUN = "run.lock"
_SUPERVISOR = "supervisor-acts.lock"
#: Seconds that a run waits for the supervisor: as long as stopping a slow service takes, and not for ever.
_PATIENCE = 120.0
_PAUSE = 0.02


@contextlib.contextmanager
def my_turn(layout: WorkDir) -> Iterator[None]:
    """Be the one run for the block; wait for the supervisor, should it be the one that is at it.

    :raises BusyError: another run is in progress, or the supervisor does not come to an end; the message has the pid.
    """
    with contextlib.ExitStack() as held:
        is_last_try = False
        while True:
            try:
                held.enter_context(locked(layout.locks / _RUN))
                break
            except BusyError:
                if is_last_try:
                    raise
                # Where it had just ended what it did, one more try tells.
                is_last_try = not _waited_for_supervisor(layout)
        yield


@contextlib.contextmanager
def supervisors_turn(layout: WorkDir) -> Iterator[None]:
    """Hold, around a run of the supervisor's, what tells others to wait for it.

    :raises BusyError: somebody is just waiting for his own turn.
    """
    with locked(layout.locks / _SUPERVISOR):
        yield


def is_taken(layout: WorkDir) -> bool:
    """Whether a run is in progress. For the supervisor: others that come in this very moment wait for it."""
    try:
        with supervisors_turn(layout), locked(layout.locks / _RUN):
            return False
    except BusyError:
        return True


def _waited_for_supervisor(layout: WorkDir) -> bool:
    """Wait until the supervisor has ended what it does; return whether it did anything.

    :raises BusyError: it does not come to an end.
    """
    deadline = time.monotonic() + _PATIENCE
    has_waited = False
    while True:
        try:
            with locked(layout.locks / _SUPERVISOR):
                return has_waited
        except BusyError:
            if time.monotonic() > deadline:
                raise
        has_waited = True
        time.sleep(_PAUSE)
