# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The exit codes of ``provisioning-run`` and ``provisioning``: the one table, and how the right one is found."""

from __future__ import annotations

import signal
from collections.abc import Iterable
from enum import IntEnum
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from ansible_collections.provisioning.platform.plugins.module_utils._events import Event

#: How Ansible ended: ``error`` means that it could not be run at all.
RunnerStatus = Literal["successful", "failed", "canceled", "timeout", "error"]


class ExitCode(IntEnum):
    """What ``provisioning-run`` exits with."""

    OK = 0
    FAILED = 1
    CONFIGURATION = 2
    PREREQUISITES = 3
    DEGRADED = 4
    ROLLED_BACK = 5
    PLAN_HAS_CHANGES = 10
    CANCELLED = 130
    TERMINATED = 143


MEANING: dict[ExitCode, str] = {
    ExitCode.OK: "all installed; plan: nothing to do",
    ExitCode.FAILED: "failed; what was cleaned up or kept is said",
    ExitCode.CONFIGURATION: "the configuration is invalid; nothing was touched",
    ExitCode.PREREQUISITES: "prerequisites are not met, or another run is in progress",
    ExitCode.DEGRADED: "installed, but services that are not required are missing",
    ExitCode.ROLLED_BACK: "failed and rolled back to the generation before",
    ExitCode.PLAN_HAS_CHANGES: "plan: there are changes to make",
    ExitCode.CANCELLED: "cancelled (Ctrl-C)",
    ExitCode.TERMINATED: "terminated (SIGTERM)",
}

_BY_KIND: dict[str, ExitCode] = {
    "configuration": ExitCode.CONFIGURATION,
    "prerequisites": ExitCode.PREREQUISITES,
    "failed": ExitCode.FAILED,
    "degraded": ExitCode.DEGRADED,
    "rolled-back": ExitCode.ROLLED_BACK,
    "cancelled": ExitCode.CANCELLED,
}


def of_kind(kind: str) -> ExitCode:
    """Return the code for the kind of an error (``ProvisioningError.kind``); an unknown kind is a plain failure."""
    return _BY_KIND.get(kind, ExitCode.FAILED)


def of_signal(number: int) -> ExitCode:
    """Return the code for a run that a signal ended: 130 for an interrupt, 143 for every other one."""
    return ExitCode.CANCELLED if number == signal.SIGINT else ExitCode.TERMINATED


def decide(
    events: Iterable[Event], *, status: RunnerStatus, signal_number: int | None = None, check: bool = False
) -> ExitCode:
    """Return the exit code of a run.

    :param events: the run's journal, in order; the last ending in it counts.
    :param status: how Ansible ended.
    :param signal_number: the signal that asked the run to stop, if one did.
    :param check: it was check mode, which keeps no journal, so that Ansible's word for success is enough.
    """
    # Only here: the table is wanted by those, too, who have no events.
    from ansible_collections.provisioning.platform.plugins.module_utils import _events as kinds

    ending = None
    for event in events:
        if event.kind in kinds.RUN_ENDINGS:
            ending = event
    if ending is not None and ending.kind == kinds.RUN_COMPLETED and status in ("successful", "canceled"):
        # What was complete before the signal came stays complete.
        return ExitCode.DEGRADED if ending.data.get("degraded") else ExitCode.OK
    if signal_number is not None:
        return of_signal(signal_number)
    if ending is None and check and status == "successful":
        return ExitCode.OK
    if ending is None or ending.kind == kinds.RUN_COMPLETED:
        return ExitCode.FAILED
    if ending.kind == kinds.RUN_CANCELLED:
        return ExitCode.CANCELLED
    if ending.data.get("rolled_back"):
        return ExitCode.ROLLED_BACK
    return of_kind(str(ending.data.get("kind", "failed")))
