# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Running the ``helm`` binary: for a limited time, and not a moment longer than it is of use."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .._errors import ProvisioningError

#: Seconds between two looks at whether it is still of use.
_TICK = 0.25


@dataclass(frozen=True)
class Ended:
    """How it ended.

    :param interrupted_by: why it was asked to end before that; None where it ended by itself.
    """

    code: int
    stdout: str
    stderr: str
    interrupted_by: ProvisioningError | None = None


def run(
    command: Sequence[str],
    *,
    given: str = "",
    timeout: float,
    until: Callable[[], ProvisioningError | None] = lambda: None,
) -> Ended:
    """Run a command to its end.

    :param given: for its standard input.
    :param timeout: seconds until it is killed.
    :param until: asked several times a second; for what it returns, the command is asked to end. Helm then takes back
        what it was told to take back on failure, and waits for that.
    :raises subprocess.TimeoutExpired: it was killed.
    :raises OSError: it cannot be run.
    """
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, errors="replace")
    with process:
        try:
            return _attend(process, given, timeout, until)
        finally:
            process.kill()  # nothing where it has ended


def _attend(
    process: subprocess.Popen[str], given: str, timeout: float, until: Callable[[], ProvisioningError | None]
) -> Ended:
    deadline = time.monotonic() + timeout
    reason: ProvisioningError | None = None
    words: str | None = given
    while True:
        try:
            stdout, stderr = process.communicate(words, timeout=_TICK)
            return Ended(process.returncode, stdout, stderr, reason)
        except subprocess.TimeoutExpired:
            words = None  # they are on their way
        if time.monotonic() >= deadline:
            raise subprocess.TimeoutExpired(process.args, timeout)
        if reason is None and (reason := until()) is not None:
            # Not SIGINT, which is ignored by what was started in the background of a shell.
            process.send_signal(signal.SIGTERM)
