# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a new version of a service's objects takes the place of the old one."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from .._errors import DriverError, Problem, ProvisioningError
from .._health import HealthResult
from .._model import ServiceDefinition
from . import _kubernetes_prune
from ._kubernetes_apply import Applier
from ._kubernetes_checks import is_ours_to_make, verify
from ._kubernetes_client import Api
from ._kubernetes_colours import BLUE, can_be_coloured, colour_of, coloured, other
from ._kubernetes_logs import execute, read_logs
from ._kubernetes_objects import DIGEST, Manifest, annotations_of, key_of, recorded_kinds, workloads
from ._kubernetes_observe import Found, look
from ._kubernetes_rollout import progress_of

_LAST_LINES = 5
_ONCE = ("Job", "Pod")

Item = Mapping[str, Any]


class Update:
    """Brings the objects of one service to what is wanted.

    :param wanted: the objects as they are to be applied.
    :param found: what there is of it.
    :param namespaces: where there may be objects of it.
    :param fill: puts secrets in place of their placeholders.
    :param patience: seconds that something may take to go.
    """

    def __init__(
        self,
        api: Api,
        applier: Applier,
        service: ServiceDefinition,
        wanted: Sequence[Manifest],
        found: Found,
        *,
        project: str,
        namespaces: Collection[str],
        fill: Callable[[Any], Any],
        patience: float,
        sleep: Callable[[float], None],
        clock: Callable[[], float],
    ) -> None:
        self._api = api
        self._applier = applier
        self._service = service
        self._found = found
        self._project = project
        self._namespaces = namespaces
        self._fill = fill
        self._patience = patience
        self._sleep = sleep
        self._clock = clock
        self._way = service.deployment.kubernetes.update if service.deployment.kubernetes else "rolling"
        self._plain = list(wanted)
        self._colour = colour_of(found.items)
        first = BLUE if self._way == "blue-green" and not found.items else None
        self._wanted = coloured(wanted, self._colour or first)

    @property
    def can_switch(self) -> bool:
        """Whether the new version is put beside the old one."""
        return self._way == "blue-green" and can_be_coloured(self._plain)

    def bring_up(self, *, is_stuck: bool) -> None:
        """Apply all, start again what was stopped, and delete what is not wanted any more.

        :param is_stuck: its pods failed: where nothing else has changed, they are replaced.
        :raises DriverError: the API refuses.
        """
        there = {key_of(item): item for item in self._found.items}
        changed = [
            there[key]
            for item in workloads(self._wanted)
            if (key := key_of(item)) in there and annotations_of(there[key]).get(DIGEST) != annotations_of(item)[DIGEST]
        ]
        again = [item for item in there.values() if item["kind"] in _ONCE and (item in changed or _is_over(item))]
        gone = changed if self._way == "recreate" else [item for item in again if key_of(item) in self._keys()]
        self._remove(gone)
        for item in self._wanted:
            self._applier.apply(item)
        for item in self._wanted:
            key = key_of(item)
            if key in there and there[key] not in gone:
                self._applier.resume(there[key], item)
                if is_stuck and not changed:
                    self._applier.restart(there[key])
        self._prune()

    def restart(self) -> None:
        """Replace the pods of all that runs, one after the other where there are several.

        :raises DriverError: the API refuses.
        """
        there = {key_of(item): item for item in self._found.items}
        once = [there[key] for key in self._keys() if key in there and key.kind in _ONCE]
        self._remove(once)
        for item in self._wanted:
            key = key_of(item)
            if key.kind in _ONCE:
                self._applier.apply(item)
            elif key in there:
                self._applier.restart(there[key])

    def switch(self) -> None:
        """Put a second Deployment beside the first, and let the Service choose it once it has proved itself.

        :raises DriverError: it did not; it is gone then, and the old one goes on serving.
        """
        wanted = coloured(self._plain, other(self._colour))
        deployment = next(item for item in wanted if item["kind"] == "Deployment")
        self._remove([item for item in self._found.items if key_of(item) == key_of(deployment)])
        chosen = [item for item in wanted if item["kind"] == "Service"]
        try:
            for item in wanted:
                if item not in chosen:
                    self._applier.apply(item)
            self._prove(deployment, wanted)
        except ProvisioningError as error:
            there = self._applier.read(deployment)
            self._remove([there] if there is not None else [])
            why = f"the new version did not prove itself: {error.problems[0].why}; the old one goes on serving"
            raise DriverError(Problem(self._service.name, why, error.problems[0].remedy)) from error
        for item in chosen:
            self._applier.apply(item)
        self._wanted = wanted
        self._prune()

    def _prove(self, deployment: Manifest, wanted: Sequence[Manifest]) -> None:
        """Wait until a Deployment is rolled out, and make the service's checks against one of its pods."""
        limit = self._service.startup.timeout
        last = HealthResult(False, "it is new")
        pods: list[Item] = []

        def is_up() -> bool:
            nonlocal last
            found = self._look_again(deployment)
            item = next((i for i in found.items if key_of(i) == key_of(deployment)), None)
            if item is None:
                return False
            pods[:] = found.current_pods(item)
            progress = progress_of(item, pods, now=self._clock())
            if progress.status == "failed":
                why = f"{progress.detail}{self._last_words(pods)}"
                raise DriverError(Problem(self._service.name, why, f"Look at the log of {self._service.name}."))
            last = HealthResult(progress.status == "running", progress.detail or "it is rolled out")
            return last.healthy

        if not _kubernetes_prune.wait(is_up, limit, sleep=self._sleep):
            why = f"not rolled out within {limit:g} s: {last.reason}{self._last_words(pods)}"
            raise DriverError(Problem(self._service.name, why, f"Raise startup.timeout of {self._service.name}."))
        for check in self._service.verify:
            result = last
            if is_ours_to_make(check) and pods:
                result = verify(
                    self._api, check, wanted, last, service=self._service.name, fill=self._fill, pod=pods[0]
                )
            elif check.type == "command" and pods:
                code, output = execute(self._api, pods[0], self._service.name, check.command, check.timeout)
                result = HealthResult(code == check.expected_exit_code, f"{check.command[0]} exited {code}: {output}")
            if not result.healthy:
                raise DriverError(Problem(self._service.name, result.reason, "Correct it, or its verify checks."))

    def _look_again(self, deployment: Manifest) -> Found:
        kinds = [("apps/v1", "Deployment"), ("apps/v1", "ReplicaSet"), ("v1", "Pod")]
        spaces = [key_of(deployment).namespace]
        return look(self._api, self._project, {self._service.name: [deployment]}, spaces, kinds=kinds)[
            self._service.name
        ]

    def _last_words(self, pods: Sequence[Item]) -> str:
        try:
            lines = [line.text for line in read_logs(self._api, pods, self._service.name, tail=_LAST_LINES)]
        except DriverError:
            return ""
        return f"; its last words: {' / '.join(lines[-_LAST_LINES:])}" if lines else ""

    def _keys(self) -> list[Any]:
        return [key_of(item) for item in self._wanted]

    def _remove(self, items: Collection[Item]) -> None:
        name, patience = self._service.name, self._patience
        _kubernetes_prune.remove(self._api, items, service=name, timeout=patience, sleep=self._sleep)

    def _prune(self) -> None:
        """Delete what was applied before and is not wanted any more."""
        if not self._found.items:
            return
        kinds = recorded_kinds(self._found.items) | {(item["apiVersion"], item["kind"]) for item in self._found.items}
        items = _kubernetes_prune.applied(self._api, self._project, self._service.name, kinds, self._namespaces)
        _kubernetes_prune.prune(self._api, items, self._keys(), service=self._service.name)


def _is_over(item: Item) -> bool:
    status = item.get("status") or {}
    ends = ("Complete", "Failed")
    return status.get("phase") in ("Succeeded", "Failed") or any(
        condition.get("type") in ends and condition.get("status") == "True"
        for condition in status.get("conditions") or []
    )
