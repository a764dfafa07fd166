# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A circuit breaker: a receiver that fails again and again is left alone for a while."""

from __future__ import annotations

from collections.abc import Callable

#: Failures of whole deliveries, in a row, after which the receiver is taken for dead.
FAILURES_THAT_OPEN = 3
_FIRST_REST = 5.0
_LONGEST_REST = 60.0


class Breaker:
    """Closed while things go well; open after failures in a row, and then a probe is due only now and then.

    :param clock: seconds, monotonic.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._failures = 0
        self._rest = _FIRST_REST
        self._probe_at = 0.0

    @property
    def is_closed(self) -> bool:
        """Whether deliveries are worth their retries."""
        return self._failures < FAILURES_THAT_OPEN

    @property
    def may_probe(self) -> bool:
        """Whether one try is due although it is open."""
        return self._clock() >= self._probe_at

    def succeeded(self) -> None:
        """Close it: the receiver lives."""
        self._failures = 0
        self._rest = _FIRST_REST

    def failed(self) -> None:
        """Count a delivery that failed; from the third in a row on, rest, twice as long each time, up to a minute."""
        self._failures += 1
        if not self.is_closed:
            self._probe_at = self._clock() + self._rest
            self._rest = min(2 * self._rest, _LONGEST_REST)
