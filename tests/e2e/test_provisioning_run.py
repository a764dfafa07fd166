# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``provisioning-run`` as its users run it: the real command, the real playbooks, services that are real processes."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils._converge import Options
from ansible_collections.provisioning.platform.plugins.module_utils._manager import Manager
from provisioning_platform.configuration import load_installation
from provisioning_platform.unattended import run_operation

from tests.fixtures.ports import free_port
from tests.fixtures.receiver import Receiver

ROOT = Path(__file__).parents[2]
PROFILE = ["orchestrator", "control-center", "api-gateway", "mcp-server", "coredns", "gitea", "oci-registry"]
SECRET = "hunter2-of-the-environment"
STEPS = [
    "validate-prerequisites",
    "create-work-directory",
    "generate-secrets",
    "generate-configuration",
    "deploy-docker",
    "wait-for-services",
    "verify-deployment",
]


def web(port: int | str, **more: Any) -> dict[str, Any]:
    """A service that is healthy as soon as it listens."""
    return {
        "port": port,
        "deployment": {
            "mode": "binary",
            "binary": {"command": sys.executable, "args": ["-m", "http.server", str(port), "--bind", "127.0.0.1"]},
        },
        "health": {"type": "tcp", "port": port, "timeout": 30},
        "startup": {"timeout": 90},
        **more,
    }


def sleeper(**more: Any) -> dict[str, Any]:
    """A service that runs and never becomes healthy."""
    return {
        "deployment": {"mode": "binary", "binary": {"command": "/bin/sleep", "args": ["600"]}},
        "health": {"type": "file", "path": "${self.data_dir}/never"},
        "startup": {"timeout": 300},
        **more,
    }


@dataclass
class Platform:
    """A configuration of services of its own, in a folder of its own."""

    folder: Path
    services: dict[str, dict[str, Any]]
    settings: dict[str, Any] = field(default_factory=dict)
    started: list[subprocess.Popen[str]] = field(default_factory=list)

    @property
    def work_dir(self) -> Path:
        return self.folder / "work"

    @property
    def config(self) -> Path:
        registry = self.folder / "services.yml"
        registry.write_text(json.dumps({"services": self.services}), encoding="utf-8")
        document = {
            "installation_id": "e2e",
            "work_dir": str(self.work_dir),
            "registry": ["services.yml"],
            "deployment": {"supervise": False, "services": [{"name": name, "enabled": False} for name in PROFILE]},
            **self.settings,
        }
        path = self.folder / "platform.yml"
        path.write_text(json.dumps(document), encoding="utf-8")
        path.chmod(0o600)
        return path

    @property
    def journal(self) -> Path:
        return self.work_dir / "installations" / "e2e" / "events.jsonl"

    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.journal.read_text(encoding="utf-8").splitlines()]

    def command(self, *arguments: str) -> list[str]:
        # Elsewhere than the checkout: neither its ansible.cfg nor its paths may be found by chance.
        return [sys.executable, "-m", "provisioning_platform", *arguments, "--config", str(self.config)]

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*arguments),
            cwd=self.folder,
            env={**ENVIRONMENT, **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        run = subprocess.Popen(
            self.command(*arguments),
            cwd=self.folder,
            env=ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.started.append(run)
        return run

    def await_event(self, kind: str, *, seconds: float = 240.0) -> None:
        deadline = time.monotonic() + seconds
        while not self.journal.exists() or f'"{kind}"' not in self.journal.read_text(encoding="utf-8"):
            assert time.monotonic() < deadline, f"no {kind} within {seconds} s"
            assert all(run.poll() is None for run in self.started), f"it ended without {kind}"
            time.sleep(0.05)

    def end(self) -> None:
        for run in self.started:
            if run.poll() is None:
                run.terminate()
                run.communicate(timeout=240)
            for stream in (run.stdout, run.stderr):
                if stream is not None:
                    stream.close()
        self.uninstall()

    def uninstall(self) -> None:
        manager = Manager.open(self.work_dir)
        manager.converge(dict.fromkeys(manager.services(), "absent"), Options(fail_fast=False))


ENVIRONMENT = {
    **{name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "PROVISIONING_"))},
    "PYTHONPATH": os.pathsep.join([str(ROOT / "python"), str(ROOT / "playbooks/collections")]),
    "TOKEN": SECRET,
}


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[Callable[..., Platform]]:
    made: list[Platform] = []

    def make(services: dict[str, dict[str, Any]] | None = None, **settings: Any) -> Platform:
        made.append(Platform(tmp_path, services or {"web": web(free_port())}, settings))
        return made[-1]

    yield make
    for one in made:
        one.end()


def with_argument(text: str) -> list[int]:
    """Return the pids of the processes that have a text in their command line."""
    return [pid for pid, line, _ in processes() if text in line]


def ansible_of(one: Platform) -> list[int]:
    """Return the pids of what is left of a run's Ansible: playbook, workers, modules."""
    return [pid for pid, line, variables in processes() if "ansible" in line.lower() and str(one.journal) in variables]


def processes() -> Iterator[tuple[int, str, str]]:
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            line, variables = ((folder / name).read_bytes().decode(errors="replace") for name in ("cmdline", "environ"))
        except OSError:
            continue
        yield int(folder.name), line.replace("\0", " "), variables


def test_an_installation_is_planned_made_and_then_left_alone(platform):
    one = platform({"web": web(free_port()), "second": web(free_port(), depends_on=["web"])})

    planned = one.run("plan")
    assert (planned.returncode, planned.stderr) == (10, "")
    assert [line.split()[:2] for line in planned.stdout.splitlines()[1:3]] == [["web", "create"], ["second", "create"]]
    assert planned.stdout.splitlines()[-1] == "2 changes: 2 to create."
    assert not one.work_dir.exists()

    installed = one.run()
    assert (installed.returncode, installed.stderr) == (0, "")
    assert installed.stdout.splitlines()[-1] == "2 of 2 services installed."
    assert "deploy-docker           web              started  (new)" in installed.stdout
    assert [event["step"] for event in one.events() if event["kind"] == "step.completed"] == STEPS

    again = one.run("--quiet")
    assert (again.returncode, again.stderr) == (0, "")
    assert again.stdout == "2 of 2 services installed. Nothing had to be changed.\n"
    nothing = one.run("plan", "--json")
    assert nothing.returncode == 0
    assert [json.loads(line)["action"] for line in nothing.stdout.splitlines()] == ["none", "none"]

    # The other playbooks are run the same way.
    removed = run_operation("uninstall", load_installation(one.config), variables={"purge": True})
    assert removed.outcome.status == "successful"
    assert not [path for path in one.work_dir.rglob("*") if path.is_file() and one.journal.parent not in path.parents]


def test_stdout_and_the_receiver_of_webhooks_are_told_everything_in_order(platform):
    with Receiver() as receiver:
        one = platform(notifications={"webhook_url": receiver.url})
        run = one.run("--json")
        payloads = receiver.payloads
    assert (run.returncode, run.stderr) == (0, "")
    assert [json.loads(line) for line in run.stdout.splitlines()] == one.events()
    told = [payload["event"] for payload in payloads]
    assert (told[0], told[-1], told.count("step_completed")) == ("started", "completed", 7)
    progress = [payload["progress"] for payload in payloads]
    assert progress == sorted(progress)
    assert progress[-1] == 100


def test_a_service_that_fails_is_named_and_cleaned_up(platform):
    one = platform({"web": web(free_port()), "broken": web(free_port(), depends_on=["web"])})
    one.services["broken"]["deployment"]["binary"] = {"command": "/bin/false"}
    run = one.run()
    assert run.returncode == 1
    assert re.search("install failed in (deploy-docker|wait-for-services): broken: ", run.stderr)
    assert "Cleaned up, because this run had created it: " in run.stderr
    assert "This run left no service running." in run.stderr
    assert "Traceback" not in run.stdout + run.stderr


def test_an_optional_service_that_fails_degrades_the_installation(platform):
    one = platform({"web": web(free_port()), "broken": web(free_port(), required=False)})
    one.services["broken"]["deployment"]["binary"] = {"command": "/nonexistent/binary"}
    host = "localhost ansible_connection=local ansible_python_interpreter='{{ ansible_playbook_python }}'"
    (one.folder / "hosts").write_text(f"[platform]\n{host}\n", encoding="utf-8")
    run = one.run("--inventory", "hosts")
    assert run.returncode == 4
    assert "1 of 2 services; 1 skipped (broken)" in run.stdout
    assert one.events()[-1]["data"]["degraded"] is True


def test_an_optional_service_that_does_not_do_its_work_degrades_the_installation(platform):
    one = platform({"web": web(free_port()), "idle": web(free_port(), required=False)})
    url = f"http://127.0.0.1:{one.services['idle']['port']}/nothing"
    one.services["idle"]["verify"] = [{"type": "http", "url": url}]
    run = one.run()
    assert run.returncode == 4
    assert "1 of 2 services; 1 unhealthy (idle)" in run.stdout
    assert re.search(rf"idle: does not do its work: .*{re.escape(url)} answered 404", run.stdout)
    assert "Look at the log of idle." in run.stdout
    assert one.events()[-1]["data"]["degraded"] is True


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"deploymnt": {}}, "deploymnt"),
        ({"verbose": "perhaps", "fail_fast": 3}, "fail_fast"),
        ({"notifications": {"webhook_url": "http://example.com/"}}, "https"),
        ({"variables": {"a": "${NOT_SET_ANYWHERE}"}, "env_vars": {"A": "${NOT_SET_ANYWHERE}"}}, "NOT_SET_ANYWHERE"),
    ],
)
def test_a_wrong_configuration_touches_nothing(platform, settings, said):
    one = platform(**settings)
    for argument in ("validate", "--quiet"):
        run = one.run(argument)
        assert run.returncode == 2
        assert said in run.stderr
        assert all(line.startswith("error: ") for line in run.stderr.splitlines())
        assert run.stdout == ""
        assert not one.work_dir.exists()


def test_a_file_that_is_not_there_and_broken_toml_are_one_error_each(tmp_path):
    broken = tmp_path / "broken.toml"
    broken.write_text("installation_id = \n", encoding="utf-8")
    for path, said in ((tmp_path / "none.toml", "No such file"), (broken, "is not TOML")):
        run = subprocess.run(
            [sys.executable, "-m", "provisioning_platform", "--config", str(path)],
            env=ENVIRONMENT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert (run.returncode, len(run.stderr.splitlines())) == (2, 1)
        assert str(path) in run.stderr
        assert said in run.stderr


def test_a_variable_of_the_command_line_fills_in(platform):
    port = free_port()
    one = platform({"web": web("${var.port}")}, variables={"other": 1})
    assert one.run("validate").returncode == 2
    assert one.run("validate", "--var", f"port={port}").returncode == 0
    wrong = one.run("validate", "--var", "port")
    assert wrong.returncode == 2
    assert "NAME=VALUE" in wrong.stderr


def test_secrets_of_the_environment_are_written_nowhere(platform, tmp_path, monkeypatch):
    monkeypatch.setitem(ENVIRONMENT, "TMPDIR", str(tmp_path))
    with Receiver() as receiver:
        one = platform(
            {"web": web(free_port()), "slow": sleeper()},
            notifications={"webhook_url": receiver.url, "headers": {"Authorization": "Bearer ${TOKEN}"}},
            verbose=True,
        )
        run = one.start()
        one.await_event("service.starting")
        assert with_argument(SECRET) == []
        assert ansible_of(one)
        folders = list(tmp_path.glob("provisioning-run-*/variables.yml"))
        assert folders
        for path in folders:
            assert SECRET not in path.read_text(encoding="utf-8")
            assert path.stat().st_mode & 0o777 == 0o600
            assert path.parent.stat().st_mode & 0o777 == 0o700
        run.send_signal(signal.SIGTERM)
        assert run.wait(240) == 143
        run.communicate()
        assert receiver.deliveries[0].headers["authorization"] == f"Bearer {SECRET}"
    log = one.journal.with_name("provisioning-run.log")
    assert "TASK [" in log.read_text(encoding="utf-8")
    assert log.stat().st_mode & 0o777 == 0o600
    assert not any(folder.parent.exists() for folder in folders)
    kept = [path for path in one.work_dir.rglob("*") if path.is_file()]
    assert [path for path in kept if SECRET in path.read_text(encoding="utf-8", errors="replace")] == []


@pytest.mark.parametrize(
    ("number", "code", "word"), [(signal.SIGINT, 130, "Cancelled"), (signal.SIGTERM, 143, "Terminated")]
)
def test_a_signal_stops_the_run_and_says_what_was_left(platform, number, code, word):
    with Receiver() as receiver:
        one = platform(
            {"web": web(free_port()), "slow": sleeper(depends_on=["web"])},
            notifications={"webhook_url": receiver.url},
        )
        run = one.start()
        one.await_event("slow")
        run.send_signal(number)
        output, errors = run.communicate(timeout=240)
        assert run.returncode == code
        assert f"{word} in " in errors
        assert "Left running: web and slow." in errors
        assert "Traceback" not in output + errors
        assert receiver.payloads[-1]["event"] == "failed"
        assert receiver.payloads[-1]["error"] == "cancelled"
    last = one.events()[-1]
    assert (last["kind"], last["data"]["left_running"]) == ("run.cancelled", ["web", "slow"])
    assert ansible_of(one) == []


def test_a_second_signal_ends_it_at_once(platform):
    """With one signal it waits ten seconds for its deliveries; one that stalls gets another chance to be quick."""
    took: list[float] = []
    while len(took) < 4 and not any(seconds < 9 for seconds in took):
        with Receiver("hangs") as receiver:
            one = platform({f"slow-{len(took)}": sleeper()}, notifications={"webhook_url": receiver.url})
            one.journal.unlink(missing_ok=True)
            run = one.start()
            one.await_event("service.starting")
            begun = time.monotonic()
            run.send_signal(signal.SIGINT)
            time.sleep(0.5)  # two that come while it has no time for either are one
            run.send_signal(signal.SIGINT)
            run.communicate(timeout=240)
            took.append(time.monotonic() - begun)
        assert run.returncode == 130
        assert one.events()[-1]["kind"] == "run.cancelled"
        assert ansible_of(one) == []
    assert min(took) < 9


def test_a_second_run_of_an_installation_is_refused_with_the_pid_of_the_first(platform):
    one = platform({"slow": sleeper()})
    first = one.start()
    one.await_event("run.started")
    second = one.run()
    first.send_signal(signal.SIGTERM)
    first.communicate(timeout=240)
    assert second.returncode == 3
    assert f"pid {first.pid}" in second.stderr
    assert [event["kind"] for event in one.events()].count("run.started") == 1


@pytest.mark.parametrize("mode", ["down", "hangs"])
def test_a_receiver_that_fails_costs_a_warning_and_little_time(platform, mode):
    with Receiver(mode) as receiver:
        one = platform(notifications={"webhook_url": receiver.url, "retry_attempts": 0})
        run = one.run("--quiet")
    assert run.returncode == 0
    assert "could not be delivered" in run.stderr
    assert "s3cret" not in run.stderr
    assert one.journal.with_name("outbox.jsonl").exists()


def test_a_reader_that_goes_away_does_not_stop_the_run(platform):
    one = platform()
    run = one.start("--json")
    assert run.stdout is not None
    run.stdout.readline()
    run.stdout.close()
    assert run.wait(240) == 0
    assert one.events()[-1]["kind"] == "run.completed"


def test_an_ansible_that_cannot_start_is_one_clear_error(platform):
    one = platform()
    run = one.run(ANSIBLE_STDOUT_CALLBACK="default", ANSIBLE_STRATEGY="no.such.strategy", ANSIBLE_FORKS="none")
    assert run.returncode == 1
    assert run.stderr.startswith("install failed: Ansible ended with exit code ")
    assert "Traceback" not in run.stderr


def test_a_sample_is_valid_as_it_is_printed(tmp_path):
    for file_format, name in (("toml", "solo.toml"), ("yaml", "solo.yml")):
        command = [sys.executable, "-m", "provisioning_platform"]
        with (tmp_path / name).open("w", encoding="utf-8") as stream:
            subprocess.run([*command, "sample", "--format", file_format], env=ENVIRONMENT, stdout=stream, check=True)
        assert (tmp_path / name).read_bytes() == (ROOT / "examples" / name).read_bytes()
        valid = subprocess.run(
            [*command, "validate", "--config", name],
            cwd=tmp_path,
            env=ENVIRONMENT,
            capture_output=True,
            text=True,
            check=True,
        )
        assert valid.stdout.startswith("OK\n")
