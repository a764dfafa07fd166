# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An installation whose records were lost: what it has on an engine is found by its labels."""

from __future__ import annotations

import json
import shutil

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils import _installation
from ansible_collections.provisioning.platform.plugins.module_utils._converge import Outcome
from ansible_collections.provisioning.platform.plugins.module_utils._errors import DriverError, PrerequisiteError
from ansible_collections.provisioning.platform.plugins.module_utils._manager import Manager
from ansible_collections.provisioning.platform.plugins.module_utils._model import ServiceDefinition, ServiceOperation
from ansible_collections.provisioning.platform.plugins.module_utils._operations import operate
from ansible_collections.provisioning.platform.plugins.module_utils._settings import Settings, settings_path

from tests.fixtures.docker_bench import Bench, service

ABSENT = ServiceOperation(operation="remove", force=True)


def install(bench: Bench, *services: ServiceDefinition) -> None:
    """Install services as the playbook does, and record that."""
    settings = Settings(project=bench.context.project, engine=bench.context.engine, engine_url=bench.context.engine_url)
    _installation.begin(bench.context.work_dir, "run-1")
    manager = Manager(bench.context.work_dir.root, {one.name: one for one in services}, settings)
    manager.save_settings()
    operate(manager, ServiceOperation(operation="start"))
    _installation.complete(bench.context.work_dir, services, settings, "run-1")


def uninstall(bench: Bench, *, purge: bool = False) -> tuple[dict[str, Outcome], list[str]]:
    manager = Manager.open(bench.context.work_dir.root, thorough=True)
    return operate(manager, ABSENT), manager.clean(purge=purge)


def volumes(bench: Bench) -> list[str]:
    ours = {"label": f"io.provisioning.project={bench.context.project}"}
    return [volume["Name"] for volume in bench.api.volumes(filters=ours)["Volumes"] or []]


@pytest.mark.parametrize("lost", ["services/state", "services"])
def test_what_has_lost_its_state_is_removed_all_the_same(bench: Bench, lost: str) -> None:
    several = service("several", {"replicas": 2, "networks": ["back"], "volumes": ["kept:/kept"]})
    install(bench, service("web"), several)
    bench.start(service("unnoted"))
    shutil.rmtree(bench.context.work_dir.root / lost)
    assert Manager.open(bench.context.work_dir.root).services() == {}

    outcomes, cleaned = uninstall(bench)
    project = bench.context.project
    assert {name: outcome.result for name, outcome in outcomes.items()} == {
        "several": "removed",
        "unnoted": "removed",
        "web": "removed",
    }
    assert bench.containers() == []
    assert sorted(cleaned) == [f"{project}-back", f"{project}-net"]
    assert volumes(bench) == [f"{project}-kept"]

    assert uninstall(bench, purge=True) == ({}, [f"{project}-kept"])
    assert volumes(bench) == []
    _installation.remove(bench.context.work_dir, purge=True)
    assert not bench.context.work_dir.root.exists()


def test_what_has_other_labels_is_not_touched(bench: Bench) -> None:
    web = service()
    install(bench, web)
    shutil.rmtree(bench.context.work_dir.state)
    theirs = {"io.provisioning.project": bench.context.project, "io.provisioning.work-dir": "/somewhere/else"}
    image = bench.inspect(web)["Config"]["Image"]
    body = {"Image": image, "Labels": {**theirs, "io.provisioning.service": "web"}}
    bench.api.create_container_from_config(body, f"{bench.context.project}-theirs")
    bench.api.create_network(f"{bench.context.project}-theirs", driver="bridge", labels=theirs)
    bench.api.create_volume(f"{bench.context.project}-theirs", labels=theirs)

    outcomes, cleaned = uninstall(bench, purge=True)
    assert list(outcomes) == ["web"]
    assert cleaned == [bench.context.network]
    assert bench.containers() == [f"{bench.context.project}-theirs"]
    assert volumes(bench) == [f"{bench.context.project}-theirs"]


def test_in_a_folder_that_holds_no_installation_nothing_is_looked_for(bench: Bench) -> None:
    install(bench, service())
    root = bench.context.work_dir.root
    shutil.rmtree(root)
    root.mkdir()
    (root / "mine").touch()
    project = Settings(project=bench.context.project, engine=bench.context.engine, engine_url=bench.context.engine_url)
    settings_path(bench.context.work_dir).parent.mkdir()
    settings_path(bench.context.work_dir).write_text(json.dumps(vars(project)))
    assert uninstall(bench, purge=True) == ({}, [])
    assert bench.containers() == [f"{bench.context.project}-web"]
    with pytest.raises(PrerequisiteError, match="holds no installation; nothing was removed"):
        _installation.remove(bench.context.work_dir)


def test_an_engine_that_may_have_something_must_answer(bench: Bench) -> None:
    web = service()
    install(bench, web)
    settings = Settings(project=bench.context.project, engine=bench.context.engine, engine_url="unix:///nowhere/socket")
    settings_path(bench.context.work_dir).write_text(json.dumps(vars(settings)))
    shutil.rmtree(bench.context.work_dir.state)
    with pytest.raises(DriverError, match="does not answer"):
        Manager.open(bench.context.work_dir.root, thorough=True)
    shutil.rmtree(bench.context.work_dir.installations)
    assert Manager.open(bench.context.work_dir.root, thorough=True).services() == {}, "nothing says that it had"
