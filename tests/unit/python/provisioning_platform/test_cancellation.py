# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asking a run to stop."""

from __future__ import annotations

import os
import signal

import pytest
from provisioning_platform.cancellation import Cancellation, on_signals


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_asks_to_stop_and_a_second_one_at_once(number):
    with on_signals(Cancellation()) as cancellation:
        assert not cancellation.is_requested
        os.kill(os.getpid(), number)
        assert (cancellation.is_requested, cancellation.is_urgent) == (True, False)
        os.kill(os.getpid(), signal.SIGTERM)
        assert (cancellation.signal_number, cancellation.is_urgent) == (number, True)


def test_handlers_are_put_back():
    before = signal.getsignal(signal.SIGTERM)
    with on_signals(Cancellation()):
        assert signal.getsignal(signal.SIGTERM) != before
    assert signal.getsignal(signal.SIGTERM) == before


def test_a_signal_that_is_ignored_stays_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with on_signals(Cancellation()) as cancellation:
            os.kill(os.getpid(), signal.SIGHUP)
            assert not cancellation.is_requested
    finally:
        signal.signal(signal.SIGHUP, before)
