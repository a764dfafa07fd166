# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import dataclasses
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils import _logs
from ansible_collections.provisioning.platform.plugins.module_utils._build import build
from ansible_collections.provisioning.platform.plugins.module_utils._errors import BusyError, PrerequisiteError
from ansible_collections.provisioning.platform.plugins.module_utils._manager import Manager
from ansible_collections.provisioning.platform.plugins.module_utils._model import (
    Dependency,
    ServiceDefinition,
    ServiceOperation,
)
from ansible_collections.provisioning.platform.plugins.module_utils._operations import (
    auto_start_required_services,
    check_operation,
    look_ahead,
    monitor,
    operate,
    readiness_report,
)
from ansible_collections.provisioning.platform.plugins.module_utils._settings import Operation, Settings
from ansible_collections.provisioning.platform.plugins.module_utils._turns import my_turn


def sleeper(name: str, *needs: str, command: str = "sleep", **more: object) -> ServiceDefinition:
    return build(
        ServiceDefinition,
        {
            "name": name,
            "depends_on": {need: {"condition": "healthy"} for need in needs},
            "deployment": {"mode": "binary", "binary": {"command": command, "args": ["300"]}},
            "startup": {"stop_timeout": 2.0},
            **more,
        },
    )


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    logs = {"max_size": "4k", "max_files": 2}
    services = [
        sleeper("base", logs=logs),
        sleeper("middle", "base"),
        sleeper("top", "middle"),
        sleeper("alone", required=False),
    ]
    manager = Manager(tmp_path / "work", {service.name: service for service in services})
    yield manager
    operate(manager, ServiceOperation(operation="remove", force=True))


def test_starting_a_service_brings_up_what_it_depends_on_and_nothing_else(manager: Manager) -> None:
    operate(manager, ServiceOperation(operation="start", services=("middle",)))
    assert sorted(manager.running()) == ["base", "middle"]


def test_stopping_is_refused_while_something_that_runs_needs_the_service(manager: Manager) -> None:
    operate(manager, ServiceOperation(operation="start", services=("top",)))
    with pytest.raises(PrerequisiteError, match="base: is needed by top, middle"):
        operate(manager, ServiceOperation(operation="stop", services=("base",)))
    assert sorted(manager.running()) == ["base", "middle", "top"]


def test_stopping_with_dependents_stops_those_first(manager: Manager) -> None:
    operate(manager, ServiceOperation(operation="start", services=("top", "alone")))
    outcomes = operate(manager, ServiceOperation(operation="stop", services=("middle",), with_dependents=True))
    assert {name: outcome.result for name, outcome in outcomes.items()} == {"top": "stopped", "middle": "stopped"}
    assert sorted(manager.running()) == ["alone", "base"]


def test_what_an_operation_needs_is_started_once_and_then_left_alone(manager: Manager) -> None:
    first = auto_start_required_services(manager, ["middle"])
    assert {name for name, outcome in first.items() if outcome.changed} == {"base", "middle"}
    assert auto_start_required_services(manager, ["middle"]) == {}


def test_what_an_operation_needs_is_only_named_where_it_may_not_be_started(manager: Manager) -> None:
    with pytest.raises(PrerequisiteError, match="middle: is needed and does not run"):
        auto_start_required_services(manager, ["middle"], may_start=False)
    with pytest.raises(PrerequisiteError, match="nobody: there is no such service"):
        auto_start_required_services(manager, ["nobody"])
    assert manager.running() == []


def test_the_check_of_an_operation_starts_what_it_takes_if_it_may(manager: Manager) -> None:
    backup = Operation(requires=["middle", "alone"], description="Save it")
    looked = check_operation(manager, "backup", backup, start=False)
    assert [(need.service, need.state) for need in looked.needs] == [("middle", "missing"), ("alone", "missing")]
    assert not check_operation(manager, "backup", dataclasses.replace(backup, may_start=False)).can_go_ahead
    assert manager.running() == []
    first = check_operation(manager, "backup", backup)
    assert first.can_go_ahead
    assert [need.state for need in first.needs] == ["started", "started"]
    again = check_operation(manager, "backup", backup).to_dict()
    assert again["can_go_ahead"] is True
    assert [need["state"] for need in again["needs"]] == ["ready", "ready"]


def test_the_check_of_an_operation_says_what_keeps_it_from_going_ahead(tmp_path: Path) -> None:
    services = {"broken": sleeper("broken", command="no-such-command"), "top": sleeper("top", "broken")}
    manager = Manager(tmp_path / "work", services, Settings(elsewhere={"far": ["host2"]}))
    found = check_operation(manager, "backup", Operation(requires=["top", "nobody", "far"]))
    assert not found.can_go_ahead
    assert [need.state for need in found.needs] == ["missing", "missing", "elsewhere"]
    assert "broken" in found.needs[0].reason
    assert "no-such-command" in found.needs[0].reason
    assert found.needs[1].reason == "is not installed"
    assert found.needs[2].reason == "is on host2"
    assert manager.running() == []


def test_the_platform_is_ready_when_all_that_is_required_runs(manager: Manager) -> None:
    assert set(readiness_report(manager).missing) == {"base", "middle", "top"}
    operate(manager, ServiceOperation(operation="start", services=("top",)))
    assert readiness_report(manager).is_ready


def test_what_is_in_the_way_during_another_run_is_that_run(manager: Manager) -> None:
    broken = {"base": sleeper("base", command="no-such-command")}
    other = Manager(manager.work_dir.root, {**{one.name: one for one in manager.services().values()}, **broken})
    with my_turn(other.work_dir), pytest.raises(BusyError, match="another run is in progress"):
        look_ahead(other, {"base": "started"}, ["base"])
    with pytest.raises(PrerequisiteError, match="no-such-command is not there"):
        look_ahead(other, {"base": "started"}, ["base"])


def test_a_report_tells_what_a_start_would_stumble_over(tmp_path: Path) -> None:
    manager = Manager(tmp_path / "work", {"broken": sleeper("broken", command="no-such-command")})
    report = readiness_report(manager)
    assert not report.is_ready
    assert "no-such-command" in report.report["services"]["broken"][0]["why"]


def test_watching_sees_changes_and_changes_nothing(manager: Manager) -> None:
    stop = threading.Event()
    looks = monitor(manager, ["base"], interval=0.01, stop=stop)
    assert [status.status for status in next(looks)] == ["absent"]
    operate(manager, ServiceOperation(operation="start", services=("base",)))
    assert [(status.status, status.health) for status in next(looks)] == [("running", "healthy")]
    stop.set()
    assert list(looks) == []


def test_the_log_of_a_service_that_goes_on_running_is_rotated_by_the_next_run(manager: Manager) -> None:
    operate(manager, ServiceOperation(operation="start", services=("base",)))
    log = manager.work_dir.logs / "base.log"
    log.write_bytes(b"a line\n" * 4096)
    pid = manager.observe(["base"])[0]["base"].id
    operate(manager, ServiceOperation(operation="start", services=("base",)))
    assert [path.name for path in _logs.rotated_files(log)] == ["base.log.1.gz"]
    assert manager.observe(["base"])[0]["base"].id == pid


def test_a_task_that_has_completed_is_well_and_is_not_run_again(tmp_path: Path) -> None:
    task = build(
        ServiceDefinition, {"name": "task", "deployment": {"mode": "binary", "binary": {"command": "/bin/true"}}}
    )
    web = dataclasses.replace(sleeper("web"), depends_on={"task": Dependency(condition="completed")})
    manager = Manager(tmp_path / "work", {"task": task, "web": web})
    try:
        first = operate(manager, ServiceOperation(operation="start"))
        assert {name: outcome.result for name, outcome in first.items()} == {"task": "completed", "web": "healthy"}
        assert {name: result.healthy for name, result in manager.wait_healthy().items()} == {"task": True, "web": True}
        again = operate(manager, ServiceOperation(operation="start"))
        assert not any(outcome.changed for outcome in again.values())
    finally:
        operate(manager, ServiceOperation(operation="remove", force=True))


def test_a_service_that_is_not_started_with_the_platform_can_be_started_by_name_later(tmp_path: Path) -> None:
    lazy = sleeper("lazy", auto_start=False)
    manager = Manager(tmp_path / "work", {"lazy": lazy})
    assert operate(manager, ServiceOperation(operation="start")) == {}
    manager.remember(manager.services())
    later = Manager.open(tmp_path / "work")
    assert operate(later, ServiceOperation(operation="start", services=("lazy",)))["lazy"].result == "healthy"
    operate(later, ServiceOperation(operation="remove"))
    assert Manager.open(tmp_path / "work").services() == {}


def test_a_process_whose_state_was_lost_is_still_found_and_removed(manager: Manager) -> None:
    operate(manager, ServiceOperation(operation="start", services=("base",)))
    (manager.work_dir.state / "base.json").unlink()
    found = Manager.open(manager.work_dir.root)
    assert found.running() == ["base"]
    operate(found, ServiceOperation(operation="remove", force=True))
    assert manager.running() == []
