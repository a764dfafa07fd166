# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What would keep services from running."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
from pathlib import Path

from ansible_collections.provisioning.platform.plugins.module_utils import _process
from ansible_collections.provisioning.platform.plugins.module_utils._manager import Manager

from tests.fixtures.definitions import service, services
from tests.fixtures.disks import small_disk
from tests.fixtures.small_platform import Platform, until_gone


def test_preflight_names_what_is_in_the_way_and_by_whom(platform: Platform, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", platform.ports["b"])):
        report = platform.manager().preflight()
    (taken,) = report.services["b"]
    assert str(taken) == (
        f"b: port {platform.ports['b']} is taken by pid {os.getpid()} ({_process.command_name(os.getpid())}). "
        "Stop it, or set deployment.services[b].port."
    )
    assert report.services["c"][0].why == f"needs b, which cannot run: {taken.why}"
    assert "a" not in report.services
    assert report.blocking(platform.definitions) == [*report.services["b"], *report.services["c"]]
    assert not platform.folder.exists()


def test_preflight_does_not_mind_our_own_processes_nor_what_they_left_behind(platform: Platform) -> None:
    serve = f"{sys.executable} -m http.server --bind 127.0.0.1 {platform.ports['a']} & wait"
    parent = service(
        "a",
        command="sh",
        args=["-c", serve],
        port=platform.ports["a"],
        conflicts=[f"127.0.0.1:{platform.ports['a']}"],
        health={"type": "tcp", "port": platform.ports["a"]},
        startup={"timeout": 90},
    )
    platform.start("a", a=parent)
    assert platform.manager().preflight(["a"]).services == {}
    pid = platform.pids()["a"]
    os.kill(pid, signal.SIGKILL)
    until_gone(pid)
    unconflicted = service("a", command="sh", args=["-c", serve], port=platform.ports["a"])
    assert platform.manager(a=unconflicted).preflight(["a"]).services == {}


def test_preflight_finds_conflicts_with_services_processes_and_addresses(platform: Platform) -> None:
    platform.start("a")
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        rival = service("c", conflicts=["a", address, _process.command_name(os.getpid()), "no-such-process"])
        problems = platform.manager(c=rival).preflight(["c"]).services["c"]
    assert [problem.why for problem in problems][:2] == [
        "conflicts with a, which runs",
        f"something answers at {address}",
    ]
    assert problems[2].why.startswith(f"conflicts with {_process.command_name(os.getpid())}, which runs as pid ")


def test_preflight_finds_what_is_missing(platform: Platform, tmp_path: Path) -> None:
    changed = {
        "a": service("a", command="no-such-command"),
        "b": service("b", ["a", "nobody", "off"]),
        "off": service("off", enabled=False),
    }
    (tmp_path / "file").touch()
    manager = Manager(tmp_path / "file" / "work", {**platform.definitions, **changed})
    report = manager.preflight(["a", "b"], provisioning_path="/no/such/provisioning")
    assert [problem.why for problem in report.platform] == [
        f"{tmp_path / 'file'} is not a folder",
        "/no/such/provisioning is not an executable",
    ]
    assert report.services["a"][0].why == "the command no-such-command is not there or not executable"
    assert [problem.why for problem in report.services["b"]] == [
        "needs nobody, which is not defined",
        "needs off, which is not enabled",
    ]
    json.dumps(report.to_dict())


def test_a_work_dir_without_space_is_a_problem_of_the_platform() -> None:
    with small_disk("1m") as disk:
        (problem,) = Manager(disk / "work", {}).preflight().platform
    assert problem.why.startswith(f"{disk} has ")
    assert problem.why.endswith("MiB of free space; 100 are needed")


def test_more_memory_than_there_is_is_a_warning(tmp_path: Path) -> None:
    large = services(service("a", resources={"memory": "900g"}), service("b", resources={"memory": "900g"}))
    (warning,) = Manager(tmp_path, large).preflight().warnings
    assert warning.why.startswith("the services may use 1843200 MiB together; ")
