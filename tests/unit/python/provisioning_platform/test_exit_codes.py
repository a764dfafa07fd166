# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Exit codes, decided from a journal and how Ansible ended."""

from __future__ import annotations

import signal

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils._errors import (
    BusyError,
    CancelledRun,
    ConfigurationError,
    DriverError,
    PrerequisiteError,
)
from ansible_collections.provisioning.platform.plugins.module_utils._events import Event
from provisioning_platform.exit_codes import MEANING, ExitCode, decide, of_kind, of_signal

STARTED = Event("run.started", 1.0, 1)
COMPLETED = Event("run.completed", 2.0, 2, data={"degraded": False, "changed": 0})
DEGRADED = Event("run.completed", 2.0, 2, data={"degraded": True})
CANCELLED = Event("run.cancelled", 2.0, 2, data={"error": "cancelled"})


def failed(kind: str | None, **data: object) -> Event:
    return Event("run.failed", 2.0, 2, data={"error": "x", **({"kind": kind} if kind else {}), **data})


@pytest.mark.parametrize(
    ("events", "status", "signal_number", "code"),
    [
        ([STARTED, COMPLETED], "successful", None, 0),
        ([STARTED, DEGRADED], "successful", None, 4),
        ([STARTED, failed("failed")], "failed", None, 1),
        ([STARTED, failed(None)], "failed", None, 1),
        ([STARTED, failed("a kind of tomorrow")], "failed", None, 1),
        ([STARTED, failed("configuration")], "failed", None, 2),
        ([STARTED, failed("prerequisites")], "failed", None, 3),
        ([STARTED, failed("rolled-back")], "failed", None, 5),
        ([STARTED, failed("failed", rolled_back=True)], "failed", None, 5),
        ([STARTED, failed("cancelled")], "failed", None, 130),
        # A signal asked it to stop: what Ansible made of its killed workers does not matter.
        ([STARTED, CANCELLED], "canceled", signal.SIGINT, 130),
        ([STARTED, CANCELLED], "failed", signal.SIGTERM, 143),
        ([STARTED, failed("failed")], "failed", signal.SIGINT, 130),
        ([], "canceled", signal.SIGINT, 130),
        ([], "canceled", signal.SIGHUP, 143),
        # The signal came when all was done.
        ([STARTED, COMPLETED], "canceled", signal.SIGINT, 0),
        ([STARTED, DEGRADED], "successful", signal.SIGTERM, 4),
        # The journal has no ending, or one that Ansible contradicts.
        ([], "failed", None, 1),
        ([], "error", None, 1),
        ([STARTED], "successful", None, 1),
        ([STARTED, COMPLETED], "failed", None, 1),
        # An earlier run of the same installation stands before it.
        ([STARTED, failed("prerequisites"), STARTED, COMPLETED], "successful", None, 0),
    ],
)
def test_the_exit_code_follows_from_the_journal_and_how_ansible_ended(events, status, signal_number, code):
    assert decide(events, status=status, signal_number=signal_number) == code


@pytest.mark.parametrize(
    ("events", "status", "code"),
    [([], "successful", 0), ([], "failed", 1), ([failed("prerequisites")], "failed", 3), ([], "canceled", 1)],
)
def test_in_check_mode_which_keeps_no_journal_ansible_is_believed(events, status, code):
    assert decide(events, status=status, check=True) == code


@pytest.mark.parametrize(
    ("error", "code"),
    [(ConfigurationError, 2), (PrerequisiteError, 3), (BusyError, 3), (DriverError, 1), (CancelledRun, 130)],
)
def test_each_kind_of_error_has_its_code(error, code):
    assert of_kind(error.kind) == code


def test_only_an_interrupt_counts_as_cancelled():
    assert (of_signal(signal.SIGINT), of_signal(signal.SIGTERM)) == (130, 143)


def test_every_code_is_explained():
    assert set(MEANING) == set(ExitCode)
