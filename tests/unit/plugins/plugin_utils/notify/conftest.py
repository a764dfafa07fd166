# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run's events, as the callback and the action plugins write them, for tests of what follows a journal."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils._events import Journal
from ansible_collections.provisioning.platform.plugins.plugin_utils.notify.recorder import steps_of

STEPS = steps_of("Docker")


class Script:
    """Writes a run into a journal, piece by piece."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self.now = 1_700_000_000.0

    def event(self, kind: str, **fields: object) -> None:
        self.now += 1
        self.journal.append(kind, at=self.now, **fields)  # type: ignore[arg-type]

    def begin(self) -> None:
        data = {"operation": "install", "installation_id": "solo-1", "platform": "Docker", "mode": "Solo"}
        self.event("run.started", data={**data, "steps": STEPS, "total_steps": 7, "controller": "laptop"})

    def steps(self, names: list[str] = STEPS) -> None:
        for name in names:
            self.event("step.started", step=name)
            if name.startswith("deploy-"):
                for service in ("orchestrator", "control-center", "gitea"):
                    self.event("service.starting", service=service, step=name, data={"reason": "not there"})
                    self.event("service.started", service=service, step=name)
            if name == "wait-for-services":
                for service in ("orchestrator", "control-center"):
                    self.event("service.healthy", service=service, step=name, data={"address": "http://127.0.0.1:8080"})
                self.event("service.failed", service="gitea", step=name, data={"error": "no image", "required": False})
            self.event("step.completed", step=name)

    def complete(self) -> None:
        services = {"gitea": {"status": "failed", "reason": ""}}
        self.event("run.completed", data={"degraded": True, "services": services, "changed": 3})

    def fail(self) -> None:
        data = {"error": "gitea: port 3000 is taken", "kind": "prerequisites", "problems": [{"what": "gitea"}]}
        self.event("run.failed", step="deploy-docker", data=data)

    def whole(self) -> None:
        self.begin()
        self.steps()
        self.complete()


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "installations" / "solo-1" / "events.jsonl")


@pytest.fixture
def script(journal: Journal) -> Script:
    return Script(journal)
