# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The callback at work in real ansible-playbook runs, on playbooks that only look like ours."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.provisioning.platform.plugins.module_utils._events import Event, Journal
from ansible_collections.provisioning.platform.plugins.plugin_utils.notify.outbox import Outbox
from ansible_collections.provisioning.platform.plugins.plugin_utils.notify.recorder import steps_of
from provisioning_platform.process_tree import children

from tests.fixtures.receiver import Receiver

FARM = Path(__file__).parents[4] / "playbooks" / "collections"
BINARY = Path(sys.executable).with_name("ansible-playbook")
STEPS = steps_of("Docker")
PLATFORM = "{{ (deployment | default({})).platform | default('Docker') | lower }}"

# Writes an event as the action plugins do: in the worker, to the journal that the environment names.
EMIT = """
from ansible.plugins.action import ActionBase
from ansible_collections.provisioning.platform.plugins.plugin_utils.live import journal_of_run

class ActionModule(ActionBase):
    def run(self, tmp=None, task_vars=None):
        args = self._task.args
        journal_of_run().append(args["kind"], service=args["service"], step="s", data=args.get("data", {}))
        return {"changed": True}
"""
FAIL = """
from ansible.plugins.action import ActionBase

class ActionModule(ActionBase):
    def run(self, tmp=None, task_vars=None):
        problem = {"what": "gitea", "why": "port 3000 is taken", "remedy": "Stop node."}
        return {
            "failed": True,
            "msg": "gitea: port 3000 is taken. Stop node.",
            "provisioning_error": {"kind": "prerequisites", "problems": [problem]},
        }
"""


def play(name: str, *tasks: dict[str, Any], operation: str = "install", **settings: Any) -> dict[str, Any]:
    return {
        "name": name,
        "hosts": "localhost",
        "gather_facts": False,
        "vars": {"provisioning_operation": operation},
        "tasks": list(tasks) or [{"meta": "noop"}, {"name": "Work", "ansible.builtin.debug": {"msg": "done"}}],
        **settings,
    }


def emit(kind: str, service: str, **data: Any) -> dict[str, Any]:
    return {"name": kind, "emit": {"kind": f"service.{kind}", "service": service, "data": data}}


def install(**tasks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The seven plays, with tasks for some of them: ``deploy``, ``wait``."""
    found = []
    for step in STEPS:
        name = f"deploy-{PLATFORM}" if step.startswith("deploy-") else step
        found.append(play(name, *tasks.get(step.partition("-")[0], ())))
    return found


@dataclass
class Result:
    code: int
    output: str
    journal: Path
    events: list[Event] = field(default_factory=list)

    @property
    def kinds(self) -> list[str]:
        return [event.kind for event in self.events]

    @property
    def ending(self) -> Event:
        return self.events[-1]

    @property
    def outbox(self) -> list[Any]:
        return list(Outbox(self.journal.with_name("outbox.jsonl")))


class Project:
    """A folder with a playbook, run with our callback and nothing else of ours."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.work_dir = folder / "work"
        actions = folder / "action_plugins"
        actions.mkdir()
        (actions / "emit.py").write_text(EMIT)
        (actions / "fail_as_ours.py").write_text(FAIL)

    def environment(self, **changes: str) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "PROVISIONING_"))}
        return {
            **kept,
            "HOME": str(self.folder / "home"),
            "ANSIBLE_CALLBACKS_ENABLED": "provisioning.platform.webhook",
            "ANSIBLE_COLLECTIONS_PATH": str(FARM),
            "ANSIBLE_ACTION_PLUGINS": str(self.folder / "action_plugins"),
            "ANSIBLE_INJECT_FACT_VARS": "false",
            "ANSIBLE_LOCALHOST_WARNING": "false",
            "ANSIBLE_INVENTORY_UNPARSED_WARNING": "false",
            "ANSIBLE_NOCOLOR": "1",
            **changes,
        }

    def command(self, plays: list[dict[str, Any]], variables: dict[str, Any], *arguments: str) -> list[str]:
        (self.folder / "playbook.yml").write_text(yaml.safe_dump(plays))
        extra = {"work_dir": str(self.work_dir), "installation_id": "ci-7", **variables}
        (self.folder / "vars.yml").write_text(yaml.safe_dump(extra))
        return [str(BINARY), "playbook.yml", "-e", "@vars.yml", *arguments]

    def run(
        self,
        plays: list[dict[str, Any]],
        *arguments: str,
        variables: dict[str, Any] | None = None,
        environment: dict[str, str] | None = None,
    ) -> Result:
        done = subprocess.run(
            self.command(plays, variables or {}, *arguments),
            cwd=self.folder,
            env=self.environment(**(environment or {})),
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        return self.result(done.returncode, done.stdout + done.stderr)

    def result(self, code: int, output: str) -> Result:
        journal = self.work_dir / "installations" / "ci-7" / "events.jsonl"
        return Result(code, output, journal, list(Journal(journal).read()))


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def told(receiver: Receiver, **settings: Any) -> dict[str, Any]:
    return {"notifications": {"webhook_url": receiver.url, **settings}}


def test_an_installation_is_written_down_and_told_from_start_to_completion(project):
    plays = install(
        deploy=[emit("started", "api"), emit("skipped", "gitea", reason="no engine", required=False)],
        wait=[emit("healthy", "api", address="http://127.0.0.1:8083")],
    )
    with Receiver() as receiver:
        result = project.run(plays, variables=told(receiver, headers={"X-Token": "${CI_TOKEN:-t0ken}"}))

    assert result.code == 0, result.output
    assert "WARNING" not in result.output
    assert [event.step for event in result.events if event.kind == "step.completed"] == STEPS
    assert result.kinds[0] == "run.started"
    assert result.events[0].data["steps"] == STEPS
    assert result.ending.kind == "run.completed"
    assert result.ending.data["degraded"] is True
    assert result.ending.data["changed"] == 3
    assert result.ending.data["services"]["api"] == {
        "status": "healthy",
        "reason": "",
        "address": "http://127.0.0.1:8083",
    }
    assert result.journal.stat().st_mode & 0o777 == 0o600

    assert receiver.events[0] == "started"
    assert receiver.events.count("step_completed") == 7
    assert receiver.events[-1] == "completed"
    assert set(receiver.events[1:-1]) == {"progress", "step_completed"}
    progress = [payload["progress"] for payload in receiver.payloads]
    assert progress == sorted(progress)
    assert progress[-1] == 100
    fields = {"event", "installation_id", "timestamp", "current_step", "progress"}
    fields |= {"completed_steps", "total_steps", "error", "metadata"}
    assert all(set(payload) == fields for payload in receiver.payloads)
    assert receiver.payloads[-1]["metadata"]["degraded"] is True
    assert {delivery.headers["x-token"] for delivery in receiver.deliveries} == {"t0ken"}
    assert receiver.deliveries[0].headers["webhook-id"] == "ci-7-1"
    assert not result.journal.with_name("outbox.jsonl").exists()


def test_a_failure_is_told_with_the_first_error_and_not_that_of_the_clean_up(project):
    cleaned = {"name": "Clean up", "ansible.builtin.fail": {"msg": "cleaned up"}}
    guarded = {"name": "Deploy", "block": [{"name": "Start", "fail_as_ours": {}}], "rescue": [cleaned]}
    with Receiver() as receiver:
        result = project.run(install(deploy=[guarded]), variables=told(receiver))

    assert result.code == 2
    assert result.kinds[-2:] == ["step.failed", "run.failed"]
    assert result.ending.step == "deploy-docker"
    assert result.ending.data["error"] == "gitea: port 3000 is taken. Stop node."
    assert result.ending.data["kind"] == "prerequisites"
    assert result.ending.data["problems"] == [{"what": "gitea", "why": "port 3000 is taken", "remedy": "Stop node."}]
    assert receiver.events[-1] == "failed"
    assert receiver.payloads[-1]["error"] == "gitea: port 3000 is taken. Stop node."
    assert receiver.payloads[-1]["metadata"]["kind"] == "prerequisites"
    assert receiver.payloads[-1]["completed_steps"] == 4


def test_failures_that_are_rescued_or_ignored_do_not_fail_the_installation(project):
    rescued = {"block": [{"name": "Try", "ansible.builtin.fail": {}}], "rescue": [{"ansible.builtin.debug": {}}]}
    ignored = {"name": "Ask", "ansible.builtin.fail": {}, "ignore_errors": True}
    result = project.run(install(deploy=[rescued], wait=[ignored]))
    assert result.code == 0
    assert result.ending.kind == "run.completed"


def test_an_unreachable_host_fails_the_installation(project):
    plays = install()
    plays[0] |= {"hosts": "web1", "tasks": [{"name": "Ping", "ansible.builtin.ping": {}}]}
    result = project.run(plays, "-i", "web1,", "-e", "ansible_host=127.0.0.1 ansible_port=1")
    assert result.code == 4
    assert result.ending.kind == "run.failed"
    assert "Ping" in result.ending.data["error"]


def test_an_installation_on_no_host_has_not_completed(project):
    result = project.run([{**step, "hosts": "platform"} for step in install()])
    assert result.ending.kind == "run.failed"
    assert "No host matched" in result.ending.data["error"]


def test_a_hidden_result_stays_hidden(project):
    secret = {"name": "Log in", "ansible.builtin.fail": {"msg": "password s3cret refused"}, "no_log": True}
    result = project.run(install(deploy=[secret]))
    assert result.ending.kind == "run.failed"
    assert "s3cret" not in result.journal.read_text()


def test_check_mode_writes_and_sends_nothing(project):
    with Receiver() as receiver:
        result = project.run(install(), "--check", variables=told(receiver))
    assert result.code == 0
    assert not project.work_dir.exists()
    assert receiver.deliveries == []


def test_other_playbooks_are_left_alone(project):
    plays = [{**step, "vars": {}} for step in install()]
    with Receiver() as receiver:
        result = project.run(plays, variables=told(receiver))
    assert result.code == 0
    assert not project.work_dir.exists()
    assert receiver.deliveries == []


def test_another_operation_is_written_down_and_not_sent(project):
    with Receiver() as receiver:
        result = project.run([play("Uninstall", operation="uninstall")], variables=told(receiver))
    assert result.kinds == ["run.started", "run.completed"]
    assert result.events[0].data["operation"] == "uninstall"
    assert receiver.deliveries == []


def test_the_environment_says_where_the_journal_is_and_who_delivers(project, tmp_path):
    given = {
        "PROVISIONING_JOURNAL": str(tmp_path / "elsewhere" / "events.jsonl"),
        "PROVISIONING_INSTALLATION_ID": "run-1",
        "PROVISIONING_COURIER": "external",
    }
    with Receiver() as receiver:
        variables = {**told(receiver), "installation_id": ""}
        result = project.run(install(deploy=[emit("started", "api")]), variables=variables, environment=given)
    events = list(Journal(Path(given["PROVISIONING_JOURNAL"])).read())
    assert result.code == 0, result.output
    assert events[0].data["installation_id"] == "run-1"
    assert "service.started" in [event.kind for event in events]
    assert receiver.deliveries == []
    assert not project.work_dir.exists()


def test_an_installation_without_a_name_is_given_one_that_tasks_see(project):
    seen = {"name": "See", "ansible.builtin.debug": {"msg": "id={{ lookup('env', 'PROVISIONING_INSTALLATION_ID') }}."}}
    result = project.run(install(deploy=[seen]), variables={"installation_id": ""})
    (journal,) = project.work_dir.glob("installations/*/events.jsonl")
    assert journal.parent.name.startswith("solo-")
    assert f"id={journal.parent.name}." in result.output


def test_notifications_may_be_written_as_templates(project):
    with Receiver() as receiver:
        variables = {"notifications": {"webhook_url": "{{ hook }}"}, "hook": receiver.url}
        result = project.run(install(), variables=variables)
    assert result.code == 0, result.output
    assert receiver.events[-1] == "completed"


def test_notifications_that_the_first_step_refuses_are_no_matter_for_the_callback(project):
    result = project.run(install(), variables={"notifications": {"webhook_url": "{{ not_defined }}", "unknown": 1}})
    assert result.code == 0
    assert "WARNING" not in result.output
    assert result.ending.kind == "run.completed"


def test_a_journal_that_cannot_be_written_gives_one_warning_and_nothing_more(project):
    (project.folder / "file").touch()
    journal = str(project.folder / "file" / "events.jsonl")
    result = project.run(install(), environment={"PROVISIONING_JOURNAL": journal})
    assert result.code == 0, result.output
    assert result.output.count("WARNING") == 1
    assert "webhook: the run goes on" in result.output


@pytest.mark.parametrize("mode", ["down", "500", "hangs", "429"])
def test_whatever_the_receiver_does_the_installation_succeeds_in_about_the_same_time(mode, project):
    with Receiver(mode) as receiver:
        result = project.run(install(), variables=told(receiver, headers={"X-Key": "s3cret-header"}))
        waited = time.time() - result.ending.time
    assert result.code == 0
    assert result.ending.kind == "run.completed"
    assert waited < 20  # each notification given its timeout and its retries would take many minutes
    events = [entry.payload["event"] for entry in result.outbox]
    assert (events[0], events.count("step_completed"), events[-1]) == ("started", 7, "completed")
    words = " ".join(result.output.split())
    assert f"webhook: {len(events)} notifications were not delivered and wait in" in words
    assert f"http://127.0.0.1:{receiver.port}/***: " in words
    assert "s3cret" not in result.output + result.journal.with_name("outbox.jsonl").read_text()


def test_a_second_installation_under_the_same_name_tells_only_itself(project):
    project.run(install())
    with Receiver() as receiver:
        result = project.run(install(), variables=told(receiver))
    assert result.kinds.count("run.started") == 2
    assert receiver.events.count("started") == 1
    assert receiver.events.count("completed") == 1


def test_the_receiver_hears_of_an_installation_that_was_killed(project):
    plays = install(deploy=[{"name": "Hang", "ansible.builtin.pause": {"seconds": 60}}])
    with Receiver() as receiver:
        run = subprocess.Popen(
            project.command(plays, told(receiver)),
            cwd=project.folder,
            env=project.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            receiver.await_deliveries(10)
        finally:
            orphans = children(run.pid)
            os.killpg(run.pid, signal.SIGKILL)
            run.wait()
        receiver.await_deliveries(11)
    for orphan in orphans:  # Ansible's workers have sessions of their own; the courier ends by itself
        with contextlib.suppress(ProcessLookupError):
            os.kill(orphan, signal.SIGKILL)
    assert receiver.events[-1] == "failed"
    assert receiver.payloads[-1]["current_step"] == "deploy-docker"


def test_the_callback_works_where_the_collection_is_installed_and_not_linked(project):
    """As in the wheel, in an execution environment, or after ``ansible-galaxy collection install``."""
    collection = project.folder / "installed" / "ansible_collections" / "provisioning" / "platform"
    for part in ("plugins", "meta"):
        shutil.copytree((FARM / "ansible_collections/provisioning/platform" / part).resolve(), collection / part)
    with Receiver() as receiver:
        result = project.run(
            install(),
            variables=told(receiver),
            environment={"ANSIBLE_COLLECTIONS_PATH": str(project.folder / "installed")},
        )
    assert result.code == 0, result.output
    assert receiver.events[-1] == "completed"


def test_the_documentation_renders(project):
    done = subprocess.run(
        [str(BINARY.with_name("ansible-doc")), "-t", "callback", "--json", "provisioning.platform.webhook"],
        env=project.environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    document = json.loads(done.stdout)["provisioning.platform.webhook"]["doc"]
    assert set(document["options"]) == {"courier", "installation_id", "journal"}
