# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A service that runs as a process today and as a container tomorrow, or in another project, on the same port."""

from __future__ import annotations

import dataclasses
from typing import Any

from ansible_collections.provisioning.platform.plugins.module_utils._build import build
from ansible_collections.provisioning.platform.plugins.module_utils._events import Event
from ansible_collections.provisioning.platform.plugins.module_utils._manager import Manager
from ansible_collections.provisioning.platform.plugins.module_utils._model import ServiceDefinition
from ansible_collections.provisioning.platform.plugins.module_utils._settings import Settings

from tests.fixtures.docker_bench import Bench
from tests.fixtures.images import IMAGE
from tests.fixtures.ports import free_port


def manager(bench: Bench, mode: str, port: int, told: list[Event]) -> Manager:
    document: dict[str, Any] = {
        "name": "web",
        "port": port,
        "deployment": {
            "mode": mode,
            "binary": {"command": "busybox", "args": ["httpd", "-f", "-p", f"127.0.0.1:{port}"]},
            "docker": {"image": IMAGE, "pull": "never", "ports": [f"127.0.0.1:{port}:8080"]},
        },
        "health": {"type": "tcp", "port": port},
        "startup": {"stop_timeout": 1},
    }
    settings = Settings(project=bench.context.project, engine=bench.context.engine, engine_url=bench.context.engine_url)
    service = build(ServiceDefinition, document)
    return Manager(bench.context.work_dir.root, {"web": service}, settings, sinks=[told.append])


def test_a_service_that_changes_its_mode_leaves_the_former_one_first(bench: Bench) -> None:
    port = free_port()
    told: list[Event] = []
    manager(bench, "binary", port, told).converge({"web": "started"})
    for mode, other in (("docker", "binary"), ("binary", "docker")):
        moving = manager(bench, mode, port, told)
        assert moving.preflight().unavailable() == {}
        plan, outcomes = moving.converge({"web": "started"})
        assert plan.actions["web"].reason == f"moves from {other} to {mode}"
        assert outcomes["web"].result == "healthy"
        assert manager(bench, mode, port, told).plan({"web": "started"}).changes == []
    assert bench.containers() == []
    kinds = [event.kind for event in told]
    assert kinds.count("service.removed") == 2
    manager(bench, "binary", port, told).converge({"web": "absent"})
    assert manager(bench, "binary", port, told).observe()[0]["web"].status == "absent"


def test_a_container_that_changes_its_project_leaves_nothing_of_the_former_one(bench: Bench) -> None:
    port = free_port()
    told: list[Event] = []
    manager(bench, "docker", port, told).converge({"web": "started"})
    former = bench.context.project
    bench.context = dataclasses.replace(bench.context, project=f"{former}x")
    moving = manager(bench, "docker", port, told)
    try:
        assert moving.preflight().unavailable() == {}
        plan, outcomes = moving.converge({"web": "started"})
        assert plan.actions["web"].reason == f"moves from the project {former} to {former}x"
        assert outcomes["web"].result == "healthy"
        assert manager(bench, "docker", port, told).plan({"web": "started"}).changes == []
        ours = {"label": f"io.provisioning.project={former}"}
        assert bench.api.containers(all=True, filters=ours) == []
        assert bench.api.networks(filters=ours) == []
    finally:
        moving.converge({"web": "absent"})
        moving.clean()
    assert bench.containers() == []
