# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The docker driver: what goes wrong is named, and leaves nothing behind."""

from __future__ import annotations

import socket

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils._drivers._base import ABSENT, Context
from ansible_collections.provisioning.platform.plugins.module_utils._drivers.docker import DockerDriver
from ansible_collections.provisioning.platform.plugins.module_utils._errors import DriverError
from ansible_collections.provisioning.platform.plugins.module_utils._paths import WorkDir
from ansible_collections.provisioning.platform.plugins.module_utils._secrets import Secret, SecretStore

from tests.fixtures.docker_bench import (
    make_bench,
    problem_of,
    service,
)
from tests.fixtures.images import IMAGE


def test_a_port_that_is_taken_is_named_and_the_half_made_container_goes(bench):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        text = problem_of(bench, service(docker={"ports": [f"{port}:8080"]}))
    assert text == (
        f"web: port {port} of 127.0.0.1 is already taken. Stop what uses it, or set deployment.services[web].port."
    )


def test_an_image_that_may_not_be_pulled_is_missed_by_the_check_and_by_the_start(bench):
    web = service(docker={"image": "provisioning-test/none:1"})
    expected = (
        "web: the image provisioning-test/none:1 is not on this machine. "
        "Pull or build it first, or set docker.pull of web to missing."
    )
    assert [str(problem) for problem in bench.driver.check(web)] == [expected]
    assert problem_of(bench, web) == expected


def test_a_command_that_the_image_does_not_have_is_named(bench):
    text = problem_of(bench, service(docker={"command": ["nonesuch"]}))
    assert text == "web: the image has no command nonesuch. Correct docker.command or docker.entrypoint of web."


def test_no_secret_gets_into_an_error(bench):
    bench.context.secrets.write("web", {"token": Secret("s3cr3t-value")})
    text = problem_of(bench, service(docker={"command": ["${secret.web.token}"]}))
    assert "s3cr3t-value" not in text
    assert "${secret.web.token}" in text


def test_a_user_that_the_image_does_not_have_is_named(bench):
    text = problem_of(bench, service(docker={"user": "nobody2"}))
    assert text == "web: the image has no user nobody2. Correct docker.user of web; a number always works."


def test_a_path_that_does_not_exist_is_not_made_by_the_engine(bench, tmp_path):
    web = service(docker={"volumes": [f"{tmp_path}/none:/x"]})
    expected = (
        f"web: {tmp_path}/none, which is to be mounted, does not exist. Create it, or correct docker.volumes of web."
    )
    assert [str(problem) for problem in bench.driver.check(web)] == [expected]
    assert problem_of(bench, web) == expected
    assert not (tmp_path / "none").exists()


def test_what_runs_is_not_given_up_for_an_image_that_cannot_be_had(bench):
    before = bench.start(service())
    with pytest.raises(DriverError, match="is not on this machine"):
        bench.start(service(docker={"image": "provisioning-test/none:1"}))
    assert bench.see(service()).id == before.id
    assert bench.see(service()).status == "running"


def test_a_foreign_container_of_our_name_is_a_problem_and_never_touched(bench):
    name = f"{bench.context.project}-web"
    foreign = bench.api.create_container_from_config({"Image": IMAGE}, name)["Id"]
    try:
        expected = (
            f"web: a container named {name} exists already and was not made for this installation. "
            "Remove it, or set deployment.project to another name."
        )
        assert [str(problem) for problem in bench.driver.check(service())] == [expected]
        assert bench.see(service()) is ABSENT
        assert problem_of(bench, service()) == expected
        assert list(bench.driver.logs(service())) == []
        bench.driver.remove(service(), bench.see(service()))
        assert bench.api.inspect_container(foreign)["Id"] == foreign
    finally:
        bench.api.remove_container(foreign, force=True)


def test_another_installation_of_the_same_project_is_foreign(bench, tmp_path, engine, engine_url, api):
    bench.start(service())
    with make_bench(tmp_path / "other", engine, engine_url, api, project=bench.context.project) as other:
        assert other.see(service()) is ABSENT
        assert "was not made for this installation" in str(other.driver.check(service())[0])
        assert other.driver.clean() == []
    assert bench.context.project


def test_an_engine_that_is_gone_is_an_error_that_says_so(tmp_path):
    context = Context(
        work_dir=WorkDir(tmp_path), secrets=SecretStore(tmp_path), engine_url=f"unix://{tmp_path}/no.sock"
    )
    driver = DockerDriver(context)
    with pytest.raises(DriverError, match=r"Docker does not answer \(tried .*no\.sock: not there\)"):
        driver.observe([service()])
    assert "Docker does not answer" in str(driver.check(service())[0])
