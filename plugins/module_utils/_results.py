# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What becomes of services while a plan is carried out: noted, told, and with the consequences for the others."""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from . import _events as events
from ._drivers._base import Driver, Observation
from ._errors import DriverError, Problem, ProvisioningError, os_problem
from ._events import Emitter
from ._health import HealthResult
from ._model import ServiceDefinition
from ._outcome import Outcome, Result
from ._plan import Action
from ._wait import last_words

#: How far a service had come that was started when the run was stopped.
NOT_AWAITED = "started, but not waited for: "
_NOT_BEGUN = "not begun: "


class Results:
    """What became of each service of a run.

    :param drivers: by mode.
    :param fail_fast: have nothing more begin once a required service has failed.
    :param cancelled: set then; and by whoever wants the run to stop.
    :ivar by_name: the outcomes, by name of the service.
    :ivar unheard: why events could not be written down.
    """

    def __init__(
        self,
        services: Mapping[str, ServiceDefinition],
        actions: Mapping[str, Action],
        drivers: Mapping[str, Driver],
        emit: Emitter,
        *,
        fail_fast: bool,
        cancelled: threading.Event,
    ) -> None:
        self.by_name: dict[str, Outcome] = {}
        self.unheard: list[OSError] = []
        self._services = services
        self._actions = actions
        self._drivers = drivers
        self._emit = emit
        self._fail_fast = fail_fast
        self._cancelled = cancelled
        self._tripped = False

    def is_stopped(self) -> bool:
        """Whether nothing more is to begin."""
        return self._cancelled.is_set()

    def reached(
        self,
        name: str,
        result: Result,
        action: Action,
        observation: Observation,
        health: HealthResult | None,
        *,
        begin: float,
    ) -> None:
        """Note that a service has become what it was to be.

        :param begin: of ``time.perf_counter``, when it was begun with.
        """
        self.by_name[name] = Outcome(
            name,
            result,
            action.reason,
            changed=action.is_change,
            duration_ms=since(begin),
            observation=observation,
            health=health,
        )

    def fail_health(self, name: str, health: HealthResult, begin: float) -> None:
        """Note that a service did not become healthy, with its last words."""
        service = self._services[name]
        look = f"Look at the log of {name}" if service.is_ours else f"See whether {service.url} answers from here"
        usual = f"{look}, or raise its startup.timeout."
        remedy = self._drivers[service.mode].remedy(service, health.reason) or usual
        problem = Problem(name, f"{health.reason}{self.last_words(name)}", remedy)
        self.fail(name, ProvisioningError(problem), begin)

    def fail(self, name: str, error: ProvisioningError | OSError, begin: float) -> None:
        """Note that something could not be done with a service."""
        if isinstance(error, OSError):
            error = DriverError(os_problem(name, error))
        why = "; ".join(problem.why for problem in error.problems)
        remedy = error.problems[0].remedy
        duration = since(begin)
        action = self._actions[name]
        self.by_name[name] = Outcome(name, "failed", why, remedy, changed=action.is_change, duration_ms=duration)
        self.tell(
            events.SERVICE_FAILED,
            service=name,
            action=action.verb,
            error=why,
            remedy=remedy,
            required=self._services[name].required,
            duration_ms=duration,
        )
        self._trip(name)

    def broken(self, name: str, error: Exception) -> None:
        """A driver, or we, have a bug: say so clearly, and where, and go on with what does not depend on it."""
        place = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{Path(place.filename).name}, line {place.lineno}"
        why = f"internal error: {type(error).__name__}: {error} ({where})"
        problem = Problem(name, why, "This is a bug of ours; please report it.")
        self.fail(name, ProvisioningError(problem), time.perf_counter())

    def skip_for(self, name: str, because: Collection[str]) -> None:
        """Note that a service was not begun with because of others; without any, because the run was stopped."""
        if name in self.by_name:
            return
        if self.is_stopped() or not because:
            self.cancel(name, _NOT_BEGUN)
            return
        need = next(iter(because))
        self.skip(name, self._lost(need), self.by_name[need].remedy if need in self.by_name else "")

    def cancel(self, name: str, how_far: str) -> None:
        """Note that the run was stopped before a service was what it was to be.

        :param how_far: how far it had come, before the reason.
        """
        lost = [
            self._lost(need)
            for need in self._services[name].depends_on
            if need in self.by_name and self.by_name[need].result in ("failed", "skipped")
        ]
        why = lost[0] if lost else "another service failed" if self._tripped else "the run was cancelled"
        was_touched = how_far != _NOT_BEGUN and self._actions[name].is_change
        self.by_name[name] = Outcome(name, "cancelled", how_far + why, changed=was_touched)
        required = self._services[name].required
        self.tell(events.SERVICE_SKIPPED, service=name, reason=how_far + why, required=required)

    def skip(self, name: str, reason: str, remedy: str = "") -> None:
        """Note that a service may not, or cannot, be started."""
        required = self._services[name].required
        self.by_name[name] = Outcome(name, "skipped", reason, remedy)
        self.tell(events.SERVICE_SKIPPED, service=name, reason=reason, remedy=remedy, required=required)
        self._trip(name)

    def last_words(self, name: str) -> str:
        """Return what a service has said last, fit to follow a reason."""
        service = self._services[name]
        return last_words(service, self._drivers[service.mode])

    def about(self, name: str) -> dict[str, Any]:
        """Return what events tell of a service beside what has happened."""
        service = self._services[name]
        return {"mode": service.mode, "address": service.url or ""}

    def tell(self, kind: str, **details: Any) -> None:
        """Emit an event. That it cannot be written down, e.g. for want of space, must not leave services half done."""
        try:
            self._emit(kind, **details)
        except OSError as error:
            self.unheard.append(error)

    def _lost(self, need: str) -> str:
        became = self.by_name[need].result if need in self.by_name else "failed"
        return f"needs {need}, which {'failed' if became == 'failed' else f'was {became}'}"

    def _trip(self, name: str) -> None:
        if self._fail_fast and self._services[name].required:
            self._tripped = True
            self._cancelled.set()


def since(begin: float) -> float:
    """Return the milliseconds since then."""
    return round((time.perf_counter() - begin) * 1000, 1)
