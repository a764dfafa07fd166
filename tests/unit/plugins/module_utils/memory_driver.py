# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A driver whose services exist in memory only, for tests of what uses drivers."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from ansible_collections.provisioning.platform.plugins.module_utils._drivers._base import (
    ABSENT,
    Context,
    Driver,
    LogLine,
    Observation,
)
from ansible_collections.provisioning.platform.plugins.module_utils._errors import Problem
from ansible_collections.provisioning.platform.plugins.module_utils._model import ServiceDefinition
from ansible_collections.provisioning.platform.plugins.module_utils._paths import WorkDir
from ansible_collections.provisioning.platform.plugins.module_utils._secrets import SecretStore

#: What a test has happen when a service is started or stopped; may raise.
Hook = Callable[[], object]


class MemoryDriver(Driver):
    """Keeps what runs in a dictionary and what was done in a list.

    :param folder: of the secrets.
    """

    mode = "binary"
    parallelism = 4

    def __init__(self, folder: Path) -> None:
        super().__init__(Context(WorkDir(folder), SecretStore(folder / "secrets")))
        self.running: dict[str, Observation] = {}
        self.done: list[tuple[str, str]] = []
        self.on_start: dict[str, Hook] = {}
        self.on_stop: dict[str, Hook] = {}
        self.on_prepare: Hook = lambda: None
        self.lines: dict[str, list[str]] = {}
        self.busy = 0
        self.busiest = 0
        self._lock = threading.Lock()

    def check(self, service: ServiceDefinition) -> list[Problem]:
        return []

    def observe(self, services: Sequence[ServiceDefinition]) -> dict[str, Observation]:
        return {service.name: self.running.get(service.name, ABSENT) for service in services}

    def render(self, service: ServiceDefinition) -> dict[str, Any]:
        return {"name": service.name}

    def prepare(self, services: Sequence[ServiceDefinition]) -> None:
        self.on_prepare()

    def start(self, service: ServiceDefinition, observation: Observation, digest: str) -> Observation:
        with self._lock:
            self.busy += 1
            self.busiest = max(self.busiest, self.busy)
        try:
            self.on_start.get(service.name, lambda: None)()
            with self._lock:
                self.done.append(("start", service.name))
                return self.running.setdefault(service.name, Observation("running", digest, "7"))
        finally:
            with self._lock:
                self.busy -= 1

    def stop(self, service: ServiceDefinition, observation: Observation) -> None:
        self._end("stop", service)

    def remove(self, service: ServiceDefinition, observation: Observation) -> None:
        self._end("remove", service)

    def logs(self, service: ServiceDefinition, *, follow: bool = False, tail: int | None = None) -> Iterator[LogLine]:
        for text in self.lines.get(service.name, []):
            yield LogLine(service.name, text)

    def _end(self, verb: str, service: ServiceDefinition) -> None:
        self.on_stop.get(service.name, lambda: None)()
        with self._lock:
            self.done.append((verb, service.name))
            self.running.pop(service.name, None)
