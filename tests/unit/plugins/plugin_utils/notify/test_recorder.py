# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils._events import Journal
from ansible_collections.provisioning.platform.plugins.plugin_utils.notify.recorder import (
    Failure,
    Run,
    RunRecorder,
    is_step,
    steps_of,
)

INSTALL = Run("install", "solo-1", "Docker", "Solo", "laptop")
PROBLEM = {"what": "gitea", "why": "port 3000 is taken", "remedy": "Stop node."}


@pytest.fixture
def recorder(journal: Journal) -> RunRecorder:
    recorder = RunRecorder(journal, INSTALL)
    recorder.begin()
    return recorder


def end(recorder: RunRecorder, *failed_hosts: str, any_host: bool = True) -> None:
    recorder.end(failed_hosts=failed_hosts, changed=3, any_host=any_host)


def told(journal: Journal) -> list[str]:
    return [f"{event.kind} {event.step or event.service or ''}".strip() for event in journal.read()]


def ending(journal: Journal) -> dict[str, Any]:
    return list(journal.read())[-1].data


@pytest.mark.parametrize(
    ("platform", "deploy"),
    [("Docker", "deploy-docker"), ("OrbStack", "deploy-orbstack"), ("Kubernetes", "deploy-kubernetes")],
)
def test_the_seven_steps_name_the_platform(platform, deploy):
    steps = steps_of(platform)
    assert len(steps) == 7
    assert steps[4] == deploy
    assert all(is_step(step) for step in steps)


@pytest.mark.parametrize("play", ["Check the inventory", "deploy-", "deploy-{platform} x", "", "Deploy-docker"])
def test_other_plays_are_no_steps(play):
    assert not is_step(play)


def test_the_beginning_tells_what_the_run_is_about(recorder, journal):
    (event,) = journal.read()
    assert event.kind == "run.started"
    assert event.data == {
        "operation": "install",
        "installation_id": "solo-1",
        "platform": "Docker",
        "mode": "Solo",
        "steps": steps_of("docker"),
        "total_steps": 7,
        "controller": "laptop",
    }


def test_a_step_is_completed_when_the_next_play_begins_or_the_run_ends(recorder, journal):
    for play in ("Check the inventory", "validate-prerequisites", "validate-prerequisites", "deploy-docker"):
        recorder.play(play)
    end(recorder)
    assert told(journal) == [
        "run.started",
        "step.started validate-prerequisites",
        "step.completed validate-prerequisites",
        "step.started deploy-docker",
        "step.completed deploy-docker",
        "run.completed",
    ]


def test_completion_gathers_what_became_of_services(recorder, journal):
    recorder.play("deploy-docker")
    journal.append("service.started", service="api", data={"mode": "binary"})
    journal.append("service.healthy", service="api", data={"address": "http://127.0.0.1:8083", "required": True})
    journal.append("service.warning", service="api", data={"reason": "no limit can be set"})
    journal.append("service.skipped", service="gitea", data={"reason": "no engine", "remedy": "Start Docker."})
    end(recorder)
    assert ending(journal) == {
        "degraded": True,
        "services": {
            "api": {
                "status": "healthy",
                "reason": "",
                "mode": "binary",
                "address": "http://127.0.0.1:8083",
                "required": True,
            },
            "gitea": {"status": "skipped", "reason": "no engine", "remedy": "Start Docker."},
        },
        "changed": 3,
    }


def test_a_run_is_not_degraded_by_what_an_earlier_run_did(journal):
    journal.append("service.failed", service="gitea")
    recorder = RunRecorder(journal, INSTALL)
    recorder.begin()
    journal.append("service.unchanged", service="gitea")
    end(recorder)
    assert ending(journal)["degraded"] is False


def test_failure_ends_the_step_and_the_run_with_the_error(recorder, journal):
    recorder.play("deploy-docker")
    recorder.fail(Failure("localhost", "gitea: port 3000 is taken", "prerequisites", (PROBLEM,)))
    end(recorder, "localhost")
    assert told(journal)[-2:] == ["step.failed deploy-docker", "run.failed deploy-docker"]
    assert ending(journal) == {"error": "gitea: port 3000 is taken", "kind": "prerequisites", "problems": [PROBLEM]}


def test_the_first_error_of_a_step_is_told_and_not_that_of_its_clean_up(recorder, journal):
    recorder.play("deploy-docker")
    recorder.fail(Failure("localhost", "the cause"))
    recorder.fail(Failure("localhost", "the clean-up failed, too"))
    end(recorder, "localhost")
    assert ending(journal)["error"] == "the cause"


def test_an_error_that_was_rescued_in_an_earlier_step_is_not_the_cause(recorder, journal):
    recorder.play("validate-prerequisites")
    recorder.fail(Failure("localhost", "rescued"))
    recorder.play("deploy-docker")
    recorder.fail(Failure("localhost", "the cause"))
    end(recorder, "localhost")
    assert ending(journal)["error"] == "the cause"


def test_a_failure_on_one_host_is_told_although_others_went_on(recorder, journal):
    recorder.play("deploy-docker")
    recorder.fail(Failure("web1", "web1 has no space left"))
    recorder.play("wait-for-services")
    end(recorder, "web1")
    assert ending(journal)["error"] == "web1 has no space left"


def test_errors_that_were_all_rescued_do_not_fail_the_run(recorder, journal):
    recorder.play("deploy-docker")
    recorder.fail(Failure("localhost", "rescued"))
    end(recorder)
    assert told(journal)[-1] == "run.completed"


def test_a_host_that_failed_without_a_word_still_fails_the_run(recorder, journal):
    end(recorder, "web1")
    assert ending(journal)["error"] == "Ansible failed on web1."


def test_a_run_that_no_host_took_part_in_has_failed(recorder, journal):
    end(recorder, any_host=False)
    assert ending(journal)["error"] == "No host matched, so that nothing was done."


def test_an_operation_that_is_no_installation_has_no_steps_to_count(journal):
    recorder = RunRecorder(journal, Run("uninstall", "solo-1"))
    recorder.begin()
    recorder.play("Uninstall the platform")
    end(recorder)
    assert told(journal) == ["run.started", "run.completed"]
    assert next(iter(journal.read())).data["total_steps"] == 0


@pytest.mark.parametrize(
    ("result", "error", "kind"),
    [
        ({"msg": "boom"}, "Start: boom", "failed"),
        ({"stderr": "no such file"}, "Start: no such file", "failed"),
        ({"censored": "hidden by no_log"}, "Start: hidden by no_log", "failed"),
        ({}, "Start: the task failed", "failed"),
        (
            {"msg": "No start of json char found", "module_stderr": "Traceback\n  x\nImportError: no y\n\n", "rc": 1},
            "Start: No start of json char found (ImportError: no y)",
            "failed",
        ),
        (
            {
                "msg": "Module failed",
                "module_stderr": "\n",
                "module_stdout": "/bin/sh: 1: /usr/bin/python9: not found\r\n",
            },
            "Start: Module failed (/bin/sh: 1: /usr/bin/python9: not found)",
            "failed",
        ),
        ({"msg": "Module failed", "module_stderr": "", "module_stdout": ""}, "Start: Module failed", "failed"),
        ({"msg": "All items failed", "results": [{"msg": "ok"}, {"failed": True, "msg": "b"}]}, "Start: b", "failed"),
        (
            {
                "msg": "gitea: port 3000 is taken.",
                "provisioning_error": {"kind": "prerequisites", "problems": [PROBLEM]},
            },
            "gitea: port 3000 is taken.",
            "prerequisites",
        ),
        (
            {"provisioning_error": {"kind": "prerequisites", "problems": [PROBLEM]}},
            "gitea: port 3000 is taken. Stop node.",
            "prerequisites",
        ),
        ({"provisioning_error": {}}, "Start failed", "failed"),
        ({"provisioning_error": "odd", "msg": "m"}, "Start: m", "failed"),
    ],
)
def test_a_failure_is_read_from_a_result(result, error, kind):
    failure = Failure.of("localhost", "Start", result)
    assert (failure.error, failure.kind) == (error, kind)


def test_an_endless_error_is_cut():
    assert len(Failure.of("localhost", "Start", {"msg": "x" * 100_000}).error) == 4000
