# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run looks like: its journal's events folded into steps, services and an ending.

Nothing here prints or waits; the displays and the final table are made from it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from ansible_collections.provisioning.platform.plugins.module_utils import _events as kinds
from ansible_collections.provisioning.platform.plugins.module_utils._events import Event

StepState = Literal["waiting", "running", "completed", "failed"]

#: Words of a service's status, from the events and from the result in ``run.completed``, in the words of the table.
_STATUS = {
    kinds.SERVICE_UNCHANGED: "running",
    kinds.SERVICE_STARTING: "starting",
    kinds.SERVICE_PULLING: "pulling",
    kinds.SERVICE_STARTED: "started",
    kinds.SERVICE_HEALTHY: "running",
    kinds.SERVICE_COMPLETED: "completed",
    kinds.SERVICE_FAILED: "failed",
    kinds.SERVICE_SKIPPED: "skipped",
    kinds.SERVICE_STOPPING: "stopping",
    kinds.SERVICE_STOPPED: "stopped",
    kinds.SERVICE_REMOVED: "removed",
}
_RESULT = {"unchanged": "running", "healthy": "running"}
_BUSY = frozenset({"starting", "pulling", "started", "stopping"})
_INSTALLED = frozenset({"running", "completed", "started"})
_BESIDE_REASON = ("mode", "address", "error", "remedy")
_DETAILS = (*_BESIDE_REASON, "reason")


@dataclass
class StepView:
    """A step: unix times in seconds of its beginning and end, and the error it failed with."""

    name: str
    state: StepState = "waiting"
    started_at: float | None = None
    ended_at: float | None = None
    error: str = ""

    def duration(self, now: float) -> float | None:
        """Return the seconds it took, or has taken until now; nothing before it began."""
        if self.started_at is None:
            return None
        return max(0.0, (self.ended_at if self.ended_at is not None else now) - self.started_at)


@dataclass
class ServiceView:
    """A service as the run has left it so far.

    :param touched: the run has started it, so that it is the run's to clean up.
    :param is_cleaned_up: and the run has done so, having failed.
    :param since: unix time in seconds of its last change.
    """

    name: str
    status: str = "waiting"
    health: str = "-"
    mode: str = ""
    address: str = ""
    reason: str = ""
    error: str = ""
    remedy: str = ""
    required: bool = True
    touched: bool = False
    is_cleaned_up: bool = False
    since: float | None = None

    @property
    def is_busy(self) -> bool:
        """Whether something is being done to it."""
        return self.status in _BUSY

    @property
    def is_installed(self) -> bool:
        """Whether it counts as installed."""
        return self.status in _INSTALLED and self.health != "unhealthy"

    @property
    def is_up(self) -> bool:
        """Whether it runs or is about to, as far as the journal tells."""
        return self.status in ("running", "started", "starting")

    @property
    def explanation(self) -> str:
        """Why it is what it is: the error where there is one, else the reason."""
        return self.error or self.reason


@dataclass
class RunView:
    """A run so far."""

    installation_id: str = ""
    platform: str = ""
    profile: str = ""
    operation: str = "install"
    started_at: float | None = None
    steps: dict[str, StepView] = field(default_factory=dict)
    services: dict[str, ServiceView] = field(default_factory=dict)
    ending: Event | None = None
    removed_paths: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    #: What is known of services before any event tells it: their modes, by name.
    modes: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, events: Iterable[Event]) -> RunView:
        """Fold a journal."""
        view = cls()
        for event in events:
            view.apply(event)
        return view

    @property
    def current_step(self) -> StepView | None:
        """The step that runs, or the last one that did."""
        begun = [step for step in self.steps.values() if step.state != "waiting"]
        running = [step for step in begun if step.state == "running"]
        candidates = running or begun
        return candidates[-1] if candidates else None

    @property
    def failed_step(self) -> StepView | None:
        """The step that failed, if one did."""
        return next((step for step in self.steps.values() if step.state == "failed"), None)

    @property
    def total_services(self) -> int:
        """How many services the run is about."""
        return len(self.services)

    def apply(self, event: Event) -> None:
        """Take one more event in."""
        if event.kind == kinds.SERVICE_WARNING:
            self.warnings.append(f"{event.subject}: {event.data.get('reason') or event.data.get('error') or ''}")
        elif event.service is not None:
            self._apply_service(event)
        elif event.kind == kinds.RUN_STARTED:
            self._begin(event)
        elif event.kind in kinds.RUN_ENDINGS:
            self._end(event)
        elif event.step is not None:
            self._apply_step(event)

    def take_back(self, removed: Iterable[str]) -> None:
        """Take in what the clean-up of a failed run has removed: names of services, and paths."""
        for name in removed:
            service = self.services.get(name)
            if service is None:
                self.removed_paths.append(name)
                continue
            service.is_cleaned_up = True
            service.health = "-"
            if service.status != "failed":
                service.status = "removed"

    def _begin(self, event: Event) -> None:
        data = event.data
        self.installation_id = str(data.get("installation_id", ""))
        self.platform = str(data.get("platform", ""))
        self.profile = str(data.get("mode", ""))
        self.operation = str(data.get("operation", "install"))
        self.started_at = event.time
        self.steps = {name: StepView(name) for name in data.get("steps", [])}

    def _end(self, event: Event) -> None:
        self.ending = event
        for name, result in _mapping(event.data.get("services")).items():
            self._merge_result(self._service(name), _mapping(result))
        for step in self.steps.values():
            if step.state == "running":
                step.state = "completed" if event.kind == kinds.RUN_COMPLETED else "failed"
                step.ended_at = event.time

    def _apply_step(self, event: Event) -> None:
        step = self.steps.setdefault(str(event.step), StepView(str(event.step)))
        if event.kind == kinds.STEP_STARTED:
            step.state, step.started_at, step.ended_at = "running", event.time, None
        elif event.kind in (kinds.STEP_COMPLETED, kinds.STEP_FAILED):
            step.state = "completed" if event.kind == kinds.STEP_COMPLETED else "failed"
            step.ended_at = event.time
            step.error = str(event.data.get("error", ""))

    def _apply_service(self, event: Event) -> None:
        if event.kind not in _STATUS:
            return
        service = self._service(str(event.subject))
        service.mode = service.mode or self.modes.get(str(event.service), "")
        service.status = _STATUS[event.kind]
        service.is_cleaned_up = event.kind in (kinds.SERVICE_STOPPED, kinds.SERVICE_REMOVED) and service.touched
        service.since = event.time
        if event.kind in (kinds.SERVICE_STARTING, kinds.SERVICE_STARTED):
            service.touched = True
        service.health = _health(event.kind, service.health)
        # Why it is healthy is less telling than why it was started.
        told = _BESIDE_REASON if event.kind == kinds.SERVICE_HEALTHY else _DETAILS
        for name in told:
            if event.data.get(name):
                setattr(service, name, str(event.data[name]))
        if "required" in event.data:
            service.required = bool(event.data["required"])

    def _merge_result(self, service: ServiceView, result: dict[str, Any]) -> None:
        status = str(result.get("status") or service.status)
        service.status = _RESULT.get(status, status)
        if status == "healthy":
            service.health = "healthy"
        told = _BESIDE_REASON if service.reason and service.is_installed else _DETAILS
        for name in (*told, "health"):
            if result.get(name):
                setattr(service, name, str(result[name]))
        if "required" in result:
            service.required = bool(result["required"])

    def _service(self, name: str) -> ServiceView:
        return self.services.setdefault(name, ServiceView(name, mode=self.modes.get(name, "")))


def _health(kind: str, before: str) -> str:
    if kind == kinds.SERVICE_HEALTHY:
        return "healthy"
    if kind == kinds.SERVICE_UNCHANGED:
        return before
    if kind == kinds.SERVICE_STARTED:
        return "checking"
    if kind == kinds.SERVICE_FAILED:
        return "-" if before == "-" else "unhealthy"
    return "-"


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
