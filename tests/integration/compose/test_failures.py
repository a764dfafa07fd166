# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The compose driver: bad input gives one clear error, and nothing half-made stays."""

from __future__ import annotations

import importlib.util
import re
import socket
import uuid

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils._drivers.compose import ComposeDriver
from ansible_collections.provisioning.platform.plugins.module_utils._errors import DriverError
from ansible_collections.provisioning.platform.plugins.module_utils._manager import Manager
from ansible_collections.provisioning.platform.plugins.module_utils._settings import Settings

from tests.fixtures.images import IMAGE
from tests.fixtures.ports import free_port


def problem_of(bench, service):
    """Start a service that cannot be; nothing of it may stay."""
    with pytest.raises(DriverError) as caught:
        bench.start(service)
    (problem,) = caught.value.problems
    assert bench.containers() == []
    assert [name for name in bench.networks() if name != bench.context.network] == []
    return str(problem)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("services:\n  web: {image: x\n", r"the Compose file has an error: .*compose.yaml: yaml: "),
        ("services:\n  web: {imag: x}\n", r"services.web additional properties 'imag' not allowed. Correct it\."),
        ("services:\n  web: {image: x, depends_on: [db]}\n", r'compose.yaml: service "web" depends on undefined'),
        ("services:\n  web: {image: x, env_file: [gone.env]}\n", r"env file .*gone.env not found"),
        ("services:\n  web: {image: x, user: '${WHO:?say who}'}\n", r"required variable WHO is missing.*say who"),
        ("services:\n  api: {image: x}\n", r"compose.yaml has no service web. Name one that it has in deployment"),
    ],
)
def test_an_error_in_the_file_is_told_in_composes_own_words(bench, text, told):
    bench.write({})
    (bench.folder / "compose.yaml").write_text(text)
    web = bench.service()
    (problem,) = bench.driver.check(web)
    assert re.search(told, str(problem))
    assert "\n" not in str(problem)
    assert problem_of(bench, web) == str(problem)


def test_files_that_are_not_there_are_named(bench):
    bench.folder.mkdir()
    web = bench.service("web", {"env_files": [str(bench.folder / "gone.env")]})
    assert [problem.why for problem in bench.driver.check(web)] == [
        f"the Compose file {bench.folder}/compose.yaml does not exist",
        f"the env file {bench.folder}/gone.env does not exist",
    ]


def test_an_image_that_cannot_be_had_is_named(bench):
    image = "127.0.0.1:9/team/app:1"
    bench.write({"web": {"image": image, "depends_on": ["db"]}, "db": {}})
    told = problem_of(bench, bench.service())
    assert image in told
    assert "cannot be pulled" in told


def test_a_build_that_fails_is_told(bench):
    bench.write({"web": {"image": f"{IMAGE}-built", "build": str(bench.folder / "context")}})
    (bench.folder / "context").mkdir()
    (bench.folder / "context" / "Dockerfile").write_text(f"FROM {IMAGE}\nRUN false\n")
    assert "building its image failed" in problem_of(bench, bench.service())


def test_an_image_is_built(bench):
    image = f"provisioning-test/built-{uuid.uuid4().hex[:8]}:1"
    bench.write({"web": {"image": image, "build": str(bench.folder / "context")}})
    (bench.folder / "context").mkdir()
    (bench.folder / "context" / "Dockerfile").write_text(f"FROM {IMAGE}\nLABEL colour=blue\n")
    bench.start(bench.service())
    assert bench.inspect("web")["Config"]["Labels"]["colour"] == "blue"
    bench.remove(bench.service())
    bench.api.remove_image(image, force=True)


def test_a_port_that_is_taken_and_a_command_that_is_missing_are_named(bench):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", free_port()))
        taken.listen()
        port = taken.getsockname()[1]
        bench.write({"web": {"ports": [f"127.0.0.1:{port}:8080"]}})
        told = problem_of(bench, bench.service())
    assert f"port {port}" in told
    assert told.endswith("Stop what uses it, or publish another port in the Compose file.")
    bench.write({"web": {"command": ["nosuchcommand"]}})
    told = problem_of(bench, bench.service())
    assert "the image has no command nosuchcommand. Correct the Compose file." in told


def test_a_project_of_somebody_else_is_not_touched(bench):
    bench.write({"web": {}})
    labels = {"com.docker.compose.project": bench.project, "com.docker.compose.service": "web"}
    name = f"{bench.context.project}-foreign"
    theirs = bench.api.create_container(IMAGE, ["sleep", "1000"], labels=labels, name=name)["Id"]
    (problem,) = bench.driver.check(bench.service())
    assert f"the Compose project {bench.project} exists already and was not made for this installation" in str(problem)
    bench.remove(bench.service())
    assert bench.id_of("web") == theirs


def test_two_files_that_share_a_project_and_a_name_are_refused(bench):
    bench.write({"web": {}, "db": {}})
    project = f"{bench.context.project}-shared"
    bench.start(bench.service("web", {"project": project}))
    other = bench.folder / "other.yaml"
    other.write_text((bench.folder / "compose.yaml").read_text())
    (problem,) = bench.driver.check(bench.service("shop", {"file": str(other), "service": "web", "project": project}))
    assert "has a service web of another file" in problem.why
    assert bench.driver.check(bench.service("db", {"file": str(other), "project": project})) == []
    bench.remove(bench.service("web", {"project": project}))


def test_without_compose_and_with_an_old_one_the_remedy_is_told(bench, tmp_path, monkeypatch):
    bench.write({"web": {}})
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "none"))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    module = "ansible_collections.provisioning.platform.plugins.module_utils._drivers._compose_command"
    monkeypatch.setattr(f"{module}._SYSTEM_FOLDERS", ())
    found = importlib.util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "compose" else found(name))
    (problem,) = ComposeDriver(bench.context).check(bench.service())
    assert problem.why == "is not installed: there is no docker-compose plugin"
    assert "docker-compose-plugin" in problem.remedy
    (tmp_path / "bin").mkdir()
    old = tmp_path / "bin" / "docker-compose"
    old.write_text("#!/bin/sh\necho 1.29.2\n")
    old.chmod(0o755)
    (problem,) = ComposeDriver(bench.context).check(bench.service())
    assert problem.why == f"{old} is version 1.29.2, and 2.17 or newer is needed"


def test_a_service_that_cannot_run_keeps_none_but_those_that_need_it_back(bench):
    bench.write({"web": {}})
    broken = bench.service("broken", {"service": "nope"}, required=False)
    web = bench.service()
    settings = Settings(project=bench.context.project, engine=bench.context.engine, engine_url=bench.context.engine_url)
    manager = Manager(bench.context.work_dir.root, {"web": web, "broken": broken}, settings)
    plan, outcomes = manager.converge({"web": "started", "broken": "started"})
    assert "has no service nope" in plan.unavailable["broken"].why
    assert (outcomes["web"].result, outcomes["broken"].result) == ("healthy", "skipped")


def test_an_engine_that_does_not_answer_is_told_once(tmp_path, bench):
    settings = Settings(project="tdown", engine="docker", engine_url=f"unix://{tmp_path}/none.sock")
    bench.write({"web": {}})
    plan = Manager(tmp_path / "other", {"web": bench.service()}, settings).plan({"web": "started"})
    assert "Docker does not answer" in plan.unavailable["web"].why
