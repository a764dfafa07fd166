# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong is said once and clearly, with the right exit code, and what was there before is still there after.

All of it is tried on a platform that runs: a service was installed, and none of what follows may touch it.
"""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.disks import small_disk
from tests.fixtures.installations import NO_ENGINE, Installation, Ran, command, container, small, web
from tests.fixtures.ports import free_port

Change = Callable[[Installation], None]


@dataclasses.dataclass(frozen=True)
class Running:
    """A platform that was installed and runs, and what it was then."""

    installation: Installation
    pids: dict[str, int]
    files: dict[str, str]

    def changed(self, change: Change, **settings: Any) -> Installation:
        """Return the installation with another configuration."""
        one = dataclasses.replace(
            self.installation,
            document=copy.deepcopy({**self.installation.document, **settings}),
            registry=copy.deepcopy(self.installation.registry),
        )
        change(one)
        return one

    def is_unharmed(self) -> bool:
        """Whether all is as it was; records of runs, and what keeps two apart, may have come."""
        assert self.installation.pids() == self.pids
        assert _kept(self.installation.files()) == self.files
        return True


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, docker_url: str) -> Iterator[Running]:
    services = {"keeper": web(free_port())}
    installation = small(tmp_path_factory.mktemp("running"), services, engine_url=docker_url)
    try:
        ran = installation.run()
        assert ran.returncode == 0
        yield Running(installation, installation.pids(), _kept(installation.files()))
    finally:
        installation.clean()


def _kept(files: dict[str, str]) -> dict[str, str]:
    return {
        name: what
        for name, what in files.items()
        if not name.startswith(("installations", "services/locks")) and name != "audit.jsonl"
    }


def _fill(path: Path) -> None:
    """Leave no room at all where a path is."""
    with contextlib.suppress(OSError), path.open("wb", buffering=0) as stream:
        while True:
            stream.write(b"x" * 4096)


def _errors(ran: Ran, code: int) -> list[str]:
    """Return the lines of standard error of a run that ended as it should."""
    assert ran.returncode == code
    assert "Traceback" not in ran.stdout + ran.stderr
    return ran.stderr.splitlines()


# --- found in the configuration, before anything is begun ------------------------------------------------------------


def _top_level(one: Installation) -> None:
    one.document["deploymnt"] = {}


def _nested(one: Installation) -> None:
    one.document["deployment"]["plattform"] = "Docker"


def _of_a_service(one: Installation) -> None:
    one.document["deployment"]["services"].append({"name": "keeper", "prot": 8080})


def _wrong_type(one: Installation) -> None:
    one.document["fail_fast"] = "perhaps"


def _wrong_type_nested(one: Installation) -> None:
    one.registry["keeper"]["port"] = "eighty"


def _cycle(one: Installation) -> None:
    one.registry["keeper"]["depends_on"] = ["second"]
    one.registry["second"] = web(free_port(), depends_on=["third"])
    one.registry["third"] = web(free_port(), depends_on=["keeper"])


def _missing_dependency(one: Installation) -> None:
    one.registry["keeper"]["depends_on"] = ["postgres"]


def _unknown_service(one: Installation) -> None:
    one.document["deployment"]["services"].append({"name": "gittea", "port": 3000})


def _unresolved(one: Installation) -> None:
    one.document["env_vars"] = {"LEVEL": "${NOT_SET_ANYWHERE}"}


def _plain_http(one: Installation) -> None:
    one.document["notifications"] = {"webhook_url": "http://hooks.example.com/s3cret"}


def _port_twice(one: Installation) -> None:
    one.registry["second"] = web(one.registry["keeper"]["port"])


CONFIGURATIONS: dict[Change, tuple[str, ...]] = {
    _top_level: ("deploymnt", "Did you mean deployment"),
    _nested: ("deployment.plattform", "Did you mean platform"),
    _of_a_service: ("prot", "Did you mean port"),
    _wrong_type: ("fail_fast",),
    _wrong_type_nested: ("keeper", "port"),
    _cycle: ("keeper -> second -> third -> keeper",),
    _missing_dependency: ("keeper", "postgres"),
    _unknown_service: ("gittea", "gitea"),
    _unresolved: ("env_vars.LEVEL", "NOT_SET_ANYWHERE"),
    _plain_http: ("notifications.webhook_url", "https"),
    _port_twice: ("keeper", "second", "port"),
}


@pytest.mark.parametrize(("change", "said"), CONFIGURATIONS.items(), ids=[c.__name__[1:] for c in CONFIGURATIONS])
def test_a_wrong_configuration_is_one_error_that_names_it(running, change, said):
    ran = running.changed(change).run()
    errors = _errors(ran, 2)
    assert len(errors) == 1, errors
    assert errors[0].startswith("error: ")
    assert [words for words in said if words not in errors[0]] == []
    assert "s3cret" not in errors[0]
    assert ran.stdout == ""
    assert running.is_unharmed()


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("broken.toml", 'work_dir = "/tmp\n', "broken.toml:1:"),
        ("broken.yml", "deployment:\n  services: [\n", "broken.yml:3:"),
        ("list.yml", "- work_dir\n", "list.yml"),
        ("nothing.toml", None, "No such file"),
    ],
)
def test_a_file_that_cannot_be_read_is_one_error_that_names_it(running, name, text, said):
    path = running.installation.folder / name
    if text is not None:
        path.write_text(text, encoding="utf-8")
    errors = _errors(running.installation.run(config=path), 2)
    assert len(errors) == 1, errors
    assert str(path) in errors[0]
    assert said in errors[0]
    assert running.is_unharmed()


def test_a_playbook_says_the_same_of_a_wrong_configuration(running):
    ran = running.changed(_of_a_service).playbook("install")
    _errors(ran, 2)
    assert "Did you mean port" in ran.stdout + ran.stderr
    assert running.is_unharmed()


# --- found before anything is begun, on the machine ------------------------------------------------------------------


def test_a_port_that_is_taken_is_named_with_who_has_it(running):
    with socket.create_server(("127.0.0.1", free_port())) as taken:
        port = taken.getsockname()[1]

        def change(one: Installation) -> None:
            one.registry["second"] = web(port)

        errors = _errors(running.changed(change).run(), 3)
    assert f"second: port {port} is taken by pid {os.getpid()} (python" in errors[0]
    assert "deployment.services" in errors[0]
    assert running.is_unharmed()


def test_an_engine_that_a_required_service_needs_is_named_with_the_remedy(running):
    def change(one: Installation) -> None:
        one.document["deployment"]["engine_url"] = NO_ENGINE
        one.registry["boxed"] = container("example.org/boxed:1", free_port())

    errors = _errors(running.changed(change).run(), 3)
    assert "boxed: Docker does not answer" in errors[0]
    assert "/nonexistent/engine.sock" in errors[0]
    assert "engine_url" in errors[0]
    assert running.is_unharmed()


def test_a_command_that_a_required_service_needs_is_named(running):
    def change(one: Installation) -> None:
        one.registry["second"] = command("/nonexistent/second")

    errors = _errors(running.changed(change).run(), 3)
    assert "second: the command /nonexistent/second is not there" in errors[0]
    assert "deployment.binary.command" in errors[0]
    assert running.is_unharmed()


def test_a_full_disk_is_found_before_anything_is_begun(running):
    with small_disk("8m") as disk:

        def change(one: Installation) -> None:
            one.document["work_dir"] = str(disk / "work")
            one.work_dir = disk / "work"

        one = running.changed(change)
        errors = _errors(one.run(), 3)
        assert one.pids() == {}
    assert str(disk) in errors[0]
    assert "space" in errors[0]
    assert "work_dir" in errors[0]
    assert running.is_unharmed()


def test_a_disk_without_any_room_at_all_is_one_clear_error(running):
    with small_disk("64k") as disk:
        _fill(disk / "filler")

        def change(one: Installation) -> None:
            one.document["work_dir"] = str(disk / "work")
            one.work_dir = disk / "work"

        one = running.changed(change)
        errors = _errors(one.run(), 3)
        assert one.pids() == {}
    assert str(disk) in "".join(errors)
    assert "space" in "".join(errors).lower()
    assert running.is_unharmed()


def test_a_work_dir_that_may_not_be_written_is_one_clear_error(running, tmp_path):
    folder = tmp_path / "of-somebody"
    folder.mkdir(mode=0o755)
    os.chown(folder, 65534, 65534)

    def change(one: Installation) -> None:
        one.document["work_dir"] = str(folder / "work")
        one.work_dir = folder / "work"

    # As root would be without the right to pass by permissions.
    powers = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search", "--inh-caps", "-all"]
    errors = _errors(running.changed(change).run(prefix=powers), 3)
    assert len(errors) == 1
    assert str(folder) in errors[0]
    assert "Permission denied" in errors[0]
    assert list(folder.iterdir()) == []
    assert running.is_unharmed()


# --- found on the way ------------------------------------------------------------------------------------------------


def test_an_image_that_cannot_be_had_fails_what_is_required(running):
    def change(one: Installation) -> None:
        one.registry["boxed"] = container("127.0.0.1:1/boxed:1", free_port())

    errors = _errors(running.changed(change).run(), 1)
    assert "boxed: " in errors[0]
    assert "127.0.0.1:1/boxed:1" in errors[0]
    assert running.installation.containers() == {}
    assert running.is_unharmed()


def test_what_optional_services_lack_degrades_and_is_named(running):
    def change(one: Installation) -> None:
        one.registry["boxed"] = container("127.0.0.1:1/boxed:1", free_port(), required=False)
        one.registry["second"] = command("/nonexistent/second", required=False)

    ran = running.changed(change).run()
    assert _errors(ran, 4) == []
    assert "1 of 3 services" in ran.stdout
    assert "127.0.0.1:1/boxed:1" in ran.stdout
    assert "/nonexistent/second" in ran.stdout
    assert running.installation.containers() == {}
    assert running.installation.pids() == running.pids
