# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever surrounds a run, it goes on or says why not: odd paths, settings of others, output that is gone."""

from __future__ import annotations

import signal
import time
import urllib.request
from pathlib import Path

import docker
import pytest

from tests.fixtures.images import build_image
from tests.fixtures.installations import Installation, command, container, web
from tests.fixtures.ports import free_port

IMAGE = "provisioning-test/surroundings:1"
#: Each of these would keep a playbook from doing its work, or us from knowing what it did.
HOSTILE = (
    "ANSIBLE_ANY_ERRORS_FATAL=true",
    "ANSIBLE_ASK_VAULT_PASS=true",
    "ANSIBLE_CALLBACKS_ENABLED=ansible.builtin.tree",
    "ANSIBLE_ENABLE_TASK_DEBUGGER=true",
    "ANSIBLE_FORCE_COLOR=true",
    "ANSIBLE_HASH_BEHAVIOUR=merge",
    "ANSIBLE_NO_LOG=true",
    "ANSIBLE_SKIP_TAGS=all",
    "ANSIBLE_RUN_TAGS=mine",
    "ANSIBLE_STDOUT_CALLBACK=no.such.callback",
    "ANSIBLE_STRATEGY=free",
)


def shell(redirection: str) -> list[str]:
    """Return the prefix of a command whose streams are redirected."""
    return ["/bin/sh", "-c", f'exec "$@" {redirection}', "sh"]


def at(one: Installation, work_dir: Path) -> Installation:
    """Give an installation another work dir."""
    one.work_dir = work_dir
    one.document["work_dir"] = str(work_dir)
    return one


def test_a_work_dir_may_have_spaces_and_letters_of_any_language(make, tmp_path):
    one = make({"keeper": web(free_port())})
    at(one, tmp_path / "für später" / "平台 (1)")
    ran = one.run()
    assert (ran.returncode, ran.stderr) == (0, "")
    assert list(one.pids()) == ["keeper"]
    assert one.playbook("status").returncode == 0
    ran = one.playbook("uninstall", purge=True)
    assert ran.returncode == 0
    assert "keeper: removed (uninstalled)" in ran.stdout
    assert one.pids() == {}
    assert not one.work_dir.exists()


def test_a_container_sees_its_data_in_such_a_work_dir(make, tmp_path, docker_url):
    api = docker.APIClient(docker_url, version="auto", timeout=120)
    build_image(api, IMAGE)
    try:
        port = free_port()
        one = at(make({"boxed": container(IMAGE, port)}, engine_url=docker_url), tmp_path / "für später" / "平台 (1)")
        one.registry["boxed"]["deployment"]["docker"]["volumes"] = ["${self.data_dir}:/www/data:ro"]
        (one.work_dir / "data" / "boxed").mkdir(parents=True)
        (one.work_dir / "data" / "boxed" / "word").write_text("seen", encoding="utf-8")
        ran = one.run()
        assert (ran.returncode, ran.stderr) == (0, "")
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/data/word", timeout=60) as answer:
            assert answer.read() == b"seen"
    finally:
        one.clean()
        api.remove_image(IMAGE, force=True)
        api.close()


def test_placeholders_mean_the_same_to_all_playbooks(make):
    one = make({"keeper": web(free_port())})
    one.document["work_dir"] = f"${{NOT_SET_ANYWHERE:-{one.work_dir}}}"
    one.document["deployment"]["platform"] = "${NOT_SET_ANYWHERE:-Docker}"
    ran = one.run()
    assert (ran.returncode, ran.stderr) == (0, "")
    steps = [event["step"] for event in one.events() if event["kind"] == "step.completed"]
    assert len(steps) == 7
    assert steps[4] == "deploy-docker"
    assert "keeper" in one.playbook("status").stdout
    one.document["work_dir"] = "${NOT_SET_ANYWHERE}/work"
    ran = one.playbook("uninstall")
    assert ran.returncode == 2
    assert "work_dir: ${NOT_SET_ANYWHERE}/work cannot be the work dir" in ran.stdout + ran.stderr
    assert list(one.pids()) == ["keeper"]
    one.document["work_dir"] = f"${{NOT_SET_ANYWHERE:-{one.work_dir}}}"
    assert one.playbook("uninstall", purge=True).returncode == 0
    assert one.pids() == {}
    assert not one.work_dir.exists()


@pytest.mark.parametrize("name", ["a:b", "a{{b", "a$b", "a\nb"])
def test_a_work_dir_that_would_be_misread_is_refused_before_anything_is_touched(make, tmp_path, name):
    one = at(make({"keeper": web(free_port())}), tmp_path / name)
    ran = one.run()
    assert ran.returncode == 2
    assert ran.stderr.startswith("error: work_dir: ")
    assert ran.stderr.endswith("in it. Set work_dir to a path without it.\n") or "would take for its own" in ran.stderr
    assert len(ran.stderr.splitlines()) == 1
    assert not one.work_dir.exists()


@pytest.mark.parametrize("below", ["", "work"])
def test_a_file_in_the_place_of_the_work_dir_is_one_error_with_the_remedy(make, tmp_path, below):
    file = tmp_path / "file"
    file.write_text("kept", encoding="utf-8")
    one = at(make({"keeper": web(free_port())}), file / below)
    said = f"work_dir: {file} is not a folder. Set work_dir to another place."
    ran = one.run()
    assert (ran.returncode, ran.stderr) == (3, f"error: {said}\n")
    ran = one.playbook("install")
    assert ran.returncode == 2
    assert said in ran.stdout + ran.stderr
    assert file.read_text(encoding="utf-8") == "kept"


def test_settings_of_others_do_not_reach_our_playbooks(make):
    one = make({"keeper": web(free_port())})
    ran = one.run(prefix=["env", *HOSTILE])
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.splitlines()[-1] == "1 of 1 services installed."
    assert list(one.pids()) == ["keeper"]
    assert one.run("plan", prefix=["env", *HOSTILE]).returncode == 0


def test_what_a_killed_run_left_in_the_temporary_folder_goes_with_the_next(make, tmp_path):
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    one = make({"keeper": web(free_port()), "slow": command("/bin/sleep", "600", depends_on=["keeper"])})
    one.registry["slow"]["health"] = {"type": "file", "path": "${self.data_dir}/ready"}
    prefix = ["env", f"TMPDIR={temporary}"]
    run = one.start(prefix=prefix)
    one.await_event("service.starting", "slow")
    run.send_signal(signal.SIGKILL)
    run.communicate()
    assert list(temporary.glob("provisioning-run-*/variables.yml"))
    (one.work_dir / "data" / "slow" / "ready").touch()
    deadline = time.monotonic() + 60
    while one.run(prefix=prefix).returncode == 3:  # Ansible's own process may need a moment to notice
        assert time.monotonic() < deadline
    assert list(temporary.glob("provisioning-run-*")) == []


@pytest.mark.parametrize(
    ("redirection", "said"),
    [
        (
            ">/dev/full",
            "warning: standard output: cannot be written: No space left on device. The rest of it is left out.",
        ),
        (">&-", ""),
        ("<&- >&-", ""),
        ("| head -1", ""),
    ],
)
def test_output_that_is_gone_does_not_stop_an_installation(make, redirection, said):
    one = make({"keeper": web(free_port())})
    prefix = shell(redirection)
    if redirection.startswith("|"):
        prefix = ["/bin/bash", "-c", f'set -o pipefail; "$@" {redirection}', "bash"]
    ran = one.run(prefix=prefix)
    assert (ran.returncode, ran.stderr.strip()) == (0, said)
    assert list(one.pids()) == ["keeper"]
    assert one.events()[-1]["kind"] == "run.completed"


@pytest.mark.parametrize("redirection", [">/dev/full", ">&- 2>&-", "2>/dev/full"])
def test_the_exit_code_tells_of_a_failure_that_nobody_can_read_of(make, redirection):
    one = make({"broken": command("/bin/false")})
    ran = one.run(prefix=shell(redirection))
    assert ran.returncode == 1
    assert "Traceback" not in ran.stdout + ran.stderr
    assert one.events()[-1]["kind"] == "run.failed"


def test_a_run_in_the_language_of_c_says_the_same(make):
    one = make({"keeper": web(free_port(), description="für später")})
    plain = ["LC_ALL=C", "PYTHONUTF8=0", "PYTHONCOERCECLOCALE=0"]
    for variables, more in ((["LC_ALL=C"], ""), (plain, " Nothing had to be changed.")):
        ran = one.run(prefix=["env", "-u", "LANG", *variables])
        assert (ran.returncode, ran.stderr) == (0, "")
        assert ran.stdout.splitlines()[-1] == f"1 of 1 services installed.{more}"
