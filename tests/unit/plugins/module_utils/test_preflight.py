# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils import _preflight
from ansible_collections.provisioning.platform.plugins.module_utils._drivers._base import Observation
from ansible_collections.provisioning.platform.plugins.module_utils._errors import (
    ConfigurationError,
    DriverError,
    Problem,
    ProvisioningError,
)
from ansible_collections.provisioning.platform.plugins.module_utils._preflight import (
    check_dependencies,
    check_memory,
    check_required_services,
    check_service_conflicts,
    check_work_dir,
    preflight,
)

from tests.fixtures.definitions import graph, service, services
from tests.unit.plugins.module_utils.memory_driver import MemoryDriver

UP = Observation("running")
DOWN = Observation("stopped")


def test_what_an_operation_needs_is_sorted_by_whether_it_runs_and_may_be_started() -> None:
    found = services(service("a"), service("b"), service("c", enabled=False))
    assert check_required_services(found, ["a", "b", "c", "d"], {"a": UP, "b": DOWN}) == {
        "running": ["a"],
        "missing": ["b", "c"],
        "startable": ["b"],
        "unknown": ["d"],
    }


def test_a_dependency_must_be_defined_and_enabled() -> None:
    found = services(service("a", ["b", "c", "d"]), service("b"), service("c", enabled=False))
    assert [str(problem) for problem in check_dependencies(found["a"], found)] == [
        "a: needs c, which is not enabled. Enable c.",
        "a: needs d, which is not defined. Define d.",
    ]


def test_what_a_running_service_itself_is_does_not_conflict_with_it() -> None:
    definition = service("a", conflicts=["no-such-process", "127.0.0.1:1", "b"])
    assert check_service_conflicts(definition, services(definition), {"a": UP}) == []
    found = services(definition, service("b"))
    assert [problem.why for problem in check_service_conflicts(definition, found, {"a": UP, "b": UP})] == [
        "conflicts with b, which runs"
    ]
    assert check_service_conflicts(service("a", conflicts=["b"]), found, {"b": DOWN}) == []


@pytest.mark.parametrize("address", ["nonsense:port", "127.0.0.1:1", "[::1]:1", ":"])
def test_where_nobody_answers_there_is_no_conflict(address: str) -> None:
    definition = service("a", conflicts=[address])
    assert check_service_conflicts(definition, services(definition), {}) == []


def test_an_amount_of_memory_that_is_none_is_a_warning_and_not_the_end() -> None:
    (warning,) = check_memory([service("a", resources={"memory": "much"}), service("b", resources={"memory": "1m"})])
    assert warning.what == "a"
    assert warning.why.startswith("resources.memory: 'much' is not an amount of memory")


def test_a_work_dir_is_judged_by_what_there_is_of_it(tmp_path: Path) -> None:
    assert check_work_dir(tmp_path / "a" / "b" / "c") == []
    (tmp_path / "file").touch()
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    for name in ("file", "file/below", "dangling/below"):
        (problem,) = check_work_dir(tmp_path / name)
        assert problem.why.endswith("is not a folder")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become somebody who may not write")
def test_a_work_dir_that_may_not_be_written_or_even_looked_into_is_a_problem(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        try:
            os.setuid(54321)
            os.write(writer, str(check_work_dir(tmp_path / "a" / "b")[0]).encode())
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    os.close(writer)
    text = os.read(reader, 1000).decode()
    os.close(reader)
    assert text.endswith("cannot be written. Set work_dir to a place you may write.")


class _Refusing(MemoryDriver):
    """A driver that has an objection to everything."""

    error: ProvisioningError | None = None

    def check(self, service: object) -> list[Problem]:
        if self.error is not None:
            raise self.error
        return [Problem("a", "cannot run here", "Change it.")]


@pytest.mark.parametrize("error", [None, DriverError, ConfigurationError])
def test_what_a_driver_objects_to_or_stumbles_over_is_a_problem_of_the_service(
    tmp_path: Path, error: type[ProvisioningError] | None
) -> None:
    driver = _Refusing(tmp_path)
    driver.error = error(Problem("a", "cannot run here", "Change it.")) if error else None
    found = graph({"a": [], "b": ["a"], "c": ["b"], "d": []})
    report = preflight(found, {"binary": driver}, {}, names=["a", "c", "b"])
    assert {name: problems[0].why for name, problems in report.services.items()} == dict.fromkeys(
        ["a", "b", "c"], "cannot run here"
    )
    report = preflight(found, {"binary": MemoryDriver(tmp_path)}, {})
    assert report.services == {}


def test_a_mode_that_does_not_answer_is_the_problem_of_its_services_and_of_those_that_need_them(tmp_path: Path) -> None:
    container = service("a", deployment={"mode": "docker", "docker": {"image": "x"}})
    found = services(container, service("b", ["a"], required=False), service("c", ["b"], required=False))
    down = Problem("docker", "does not answer", "Start it.")
    report = preflight(found, {"binary": MemoryDriver(tmp_path)}, {}, unreachable={"docker": down})
    assert report.services["a"] == [Problem("a", "does not answer", "Start it.")]
    assert report.services["b"] == [Problem("b", "needs a, which cannot run: does not answer", "Start it.")]
    assert report.services["c"][0].why == "needs b, which cannot run: needs a, which cannot run: does not answer"
    assert report.blocking(found) == report.services["a"]
    assert set(report.unavailable()) == {"a", "b", "c"}


def test_the_command_that_operations_call_must_be_there(tmp_path: Path, monkeypatch) -> None:
    assert preflight({}, {}, {}, provisioning_path="sh").platform == []
    (tmp_path / "provisioning").symlink_to("/bin/sh")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert preflight({}, {}, {}, provisioning_path="~/provisioning").platform == []
    (problem,) = preflight({}, {}, {}, provisioning_path="no-such-command").platform
    assert str(problem) == ("provisioning_path: no-such-command is not an executable. Correct it or leave it out.")
    assert _preflight.Report().to_dict() == {"platform": [], "services": {}, "warnings": []}
