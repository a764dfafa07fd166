# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the supervisor counts and measures, for whoever publishes it."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field

from ansible_collections.provisioning.platform.plugins.module_utils._drivers._base import Observation
from ansible_collections.provisioning.platform.plugins.module_utils._health import HealthResult
from ansible_collections.provisioning.platform.plugins.module_utils._supervision import Restart
from ansible_collections.provisioning.platform.plugins.module_utils._watch import Phase, Sight, Watch


@dataclass
class Counted:
    """What is known of one service.

    :param restarts: by reason: died, unhealthy, dependency.
    """

    observation: Observation | None = None
    result: HealthResult | None = None
    checked_at: float | None = None
    phase: Phase = "new"
    is_flapping: bool = False
    changed_at: float | None = None
    began_at: float | None = None
    start_duration_s: float | None = None
    restarts: dict[str, int] = field(default_factory=dict)


class Tally:
    """Counts and measures; read from other threads by way of :meth:`copy`."""

    def __init__(self) -> None:
        self.observed_at: float | None = None
        self._services: dict[str, Counted] = {}
        self._lock = threading.Lock()

    def keep(self, watches: Mapping[str, Watch]) -> None:
        """Count for these services from now on, and for no others."""
        with self._lock:
            self._services = {name: self._services.get(name, Counted()) for name in watches}

    def saw(self, name: str, observation: Observation, result: HealthResult | None) -> None:
        """Take note of a look."""
        with self._lock:
            one = self._services.setdefault(name, Counted())
            one.observation = observation
            one.result = result

    def note(self, watches: Mapping[str, Watch], sights: Mapping[str, Sight], now: float) -> None:
        """Take note of what was made of looks.

        :param now: unix time in seconds.
        """
        with self._lock:
            for name in sights:
                one, watch = self._services.setdefault(name, Counted()), watches[name]
                if sights[name].healthy is not None:
                    one.checked_at = now
                if watch.phase != one.phase:
                    # Started by somebody else; what is seen for the first time may have run for long.
                    if watch.phase == "starting" and one.phase != "new" and one.began_at is None:
                        one.began_at = (one.observation and one.observation.since) or now
                    if watch.phase == "healthy" and one.began_at is not None:
                        one.start_duration_s, one.began_at = now - one.began_at, None
                    one.changed_at = now
                one.phase, one.is_flapping = watch.phase, watch.is_flapping

    def restarted(self, one: Restart, error: str, *, began_at: float) -> None:
        """Count a restart.

        :param error: why it could not be made, which does not count.
        :param began_at: unix time in seconds.
        """
        reason = "dependency" if not one.counts else "unhealthy" if one.again else "died"
        with self._lock:
            counted = self._services.setdefault(one.service, Counted())
            counted.began_at = None if error else began_at
            if not error:
                counted.restarts[reason] = counted.restarts.get(reason, 0) + 1

    def copy(self) -> dict[str, Counted]:
        """Return what is known, by service."""
        import copy

        with self._lock:
            return {name: copy.copy(one) for name, one in self._services.items()}
