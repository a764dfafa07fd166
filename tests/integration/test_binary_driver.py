# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The mode ``binary`` with real processes."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import pwd
import signal
import socket
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import ansible_collections.provisioning.platform as collection
import pytest
from ansible_collections.provisioning.platform.plugins.module_utils import _process
from ansible_collections.provisioning.platform.plugins.module_utils._drivers._base import (
    ABSENT,
    Context,
    Observation,
)
from ansible_collections.provisioning.platform.plugins.module_utils._drivers.binary import BinaryDriver
from ansible_collections.provisioning.platform.plugins.module_utils._errors import DriverError
from ansible_collections.provisioning.platform.plugins.module_utils._model import ServiceDefinition
from ansible_collections.provisioning.platform.plugins.module_utils._paths import WorkDir, make_directory
from ansible_collections.provisioning.platform.plugins.module_utils._plan import digest_of
from ansible_collections.provisioning.platform.plugins.module_utils._process import ProcessIdentity
from ansible_collections.provisioning.platform.plugins.module_utils._secrets import Secret, SecretStore
from ansible_collections.provisioning.platform.plugins.module_utils._state import PidRecord, PidStore

from tests.fixtures.definitions import free_port, service
from tests.fixtures.disks import small_disk, umask_of_zero

AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root may run processes as another user")


class Host:
    """A work dir and the driver that starts processes in it."""

    def __init__(self, folder: Path, **context: Any) -> None:
        self.layout = WorkDir(folder)
        self.notes: list[dict[str, Any]] = []
        self.secrets = SecretStore(self.layout.secrets)
        self._context = context
        self.driver = self.new_driver()
        self._services: dict[str, ServiceDefinition] = {}

    def new_driver(self) -> BinaryDriver:
        """Return the driver as the next process would have it, which is not the parent of what runs."""
        secrets = SecretStore(self.layout.secrets)
        return BinaryDriver(Context(self.layout, secrets, notify=self._note, **self._context))

    def _note(self, kind: str, **data: Any) -> None:
        self.notes.append({"kind": kind, **data})

    def observe(self, definition: ServiceDefinition) -> Observation:
        return self.driver.observe([definition])[definition.name]

    def start(self, definition: ServiceDefinition) -> Observation:
        self._services[definition.name] = definition
        assert self.driver.check(definition) == []
        digest = digest_of(self.driver.render(definition))
        return self.driver.start(definition, self.observe(definition), digest)

    def stop(self, definition: ServiceDefinition) -> None:
        self.driver.stop(definition, self.observe(definition))

    def remove(self, definition: ServiceDefinition) -> None:
        self.driver.remove(definition, self.observe(definition))

    def log(self, definition: ServiceDefinition) -> list[str]:
        return [line.text for line in self.driver.logs(definition)]

    def until(self, condition: Callable[[], Any]) -> Any:
        """Wait until something is so, and return it."""
        deadline = time.monotonic() + 10
        while not (found := condition()):
            assert time.monotonic() < deadline, "it did not come to pass"
            time.sleep(0.005)
        return found

    def close(self) -> None:
        for definition in self._services.values():
            self.remove(definition)


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    found = Host(tmp_path / "work")
    yield found
    found.close()


def sh(name: str, script: str, **settings: Any) -> ServiceDefinition:
    """A service that is a shell script."""
    binary = settings.pop("binary", {})
    return service(name, command="sh", args=["-c", script], binary=binary, **settings)


def python(name: str, script: str, **settings: Any) -> ServiceDefinition:
    """A service that is a Python script."""
    binary = settings.pop("binary", {})
    return service(name, command=sys.executable, args=["-c", script], binary=binary, **settings)


def _pid(observation: Observation) -> int:
    assert observation.id is not None
    return int(observation.id)


def _lives(pid: int) -> bool:
    return _process.identify(pid) is not None


# --- the life of a process -------------------------------------------------------------------------------------------


def test_a_process_is_started_seen_stopped_and_started_again(host: Host) -> None:
    one = sh("one", "exec sleep 1000")
    assert host.observe(one) == ABSENT
    started = host.start(one)
    assert started.status == "running"
    assert started.digest == digest_of(host.driver.render(one))
    assert started.since is not None
    assert abs(started.since - time.time()) < 5
    assert host.observe(one) == started
    assert host.new_driver().observe([one])["one"] == started
    assert os.getsid(_pid(started)) == os.getpgid(_pid(started)) == _pid(started)
    host.stop(one)
    assert not _lives(_pid(started))
    stopped = host.observe(one)
    assert (stopped.status, stopped.detail, stopped.exit_code) == ("stopped", "was stopped", -signal.SIGTERM)
    assert stopped.digest == started.digest
    host.stop(one)
    again = host.start(one)
    assert again.status == "running"
    assert again.id != started.id


def test_what_runs_is_left_alone_when_it_is_started_again(host: Host) -> None:
    one = sh("one", "exec sleep 1000")
    assert host.start(one).id == host.start(one).id


def test_what_has_changed_is_replaced(host: Host) -> None:
    before = host.start(sh("one", "exec sleep 1000"))
    after = host.start(sh("one", "exec sleep 2000"))
    assert after.status == "running"
    assert after.digest != before.digest
    assert not _lives(_pid(before))


def test_a_process_that_was_killed_is_seen_as_failed_by_whom_it_was_killed_and_only_it_is_started(host: Host) -> None:
    one, two = sh("one", "exec sleep 1000"), sh("two", "exec sleep 1000")
    first, second = host.start(one), host.start(two)
    os.kill(_pid(first), signal.SIGKILL)
    host.until(lambda: host.observe(one).status == "failed")
    seen = host.observe(one)
    assert (seen.detail, seen.exit_code) == (f"pid {first.id} was killed by SIGKILL", -9)
    assert host.new_driver().observe([one])["one"].detail == seen.detail
    assert host.start(two).id == second.id
    assert host.start(one).id != first.id


def test_how_a_process_ended_is_unknown_to_whoever_did_not_start_it(host: Host) -> None:
    one = sh("one", "exec sleep 1000")
    started = host.start(one)
    stranger = host.new_driver()
    os.kill(_pid(started), signal.SIGKILL)
    host.until(lambda: not _lives(_pid(started)))
    seen = stranger.observe([one])["one"]
    assert (seen.status, seen.detail, seen.exit_code) == ("failed", f"pid {started.id} is gone", None)


@pytest.mark.parametrize(
    ("script", "status", "code", "detail"),
    [
        ("exit 0", "stopped", 0, "exited with code 0"),
        ("echo cannot; exit 3", "failed", 3, "exited with code 3"),
        ("kill -SEGV $$", "failed", -11, "was killed by SIGSEGV"),
        ("kill -40 $$", "failed", -40, "was killed by signal 40"),
    ],
)
def test_a_process_that_ends_at_once_is_seen_with_its_exit_code(
    host: Host, script: str, status: str, code: int, detail: str
) -> None:
    one = sh("one", script)
    host.start(one)
    seen = host.until(lambda: (found := host.observe(one)).status != "running" and found)
    assert (seen.status, seen.exit_code) == (status, code)
    assert detail in seen.detail


def test_a_process_that_ignores_the_stop_signal_is_killed_when_its_time_is_up(host: Host) -> None:
    one = sh("one", "trap '' TERM; echo ready; while :; do sleep 0.1; done", startup={"stop_timeout": 0.2})
    pid = _pid(host.start(one))
    host.until(lambda: host.log(one) == ["ready"])
    begin = time.monotonic()
    host.stop(one)
    assert 0.2 <= time.monotonic() - begin < 5
    assert not _lives(pid)
    assert host.observe(one).exit_code == -signal.SIGKILL


def test_the_stop_signal_is_the_one_that_was_asked_for(host: Host) -> None:
    script = (
        "trap 'echo on INT; exit 0' INT; trap 'echo on TERM; exit 0' TERM; echo ready; while :; do sleep 0.01; done"
    )
    for name, wanted in (("SIGINT", "on INT"), ("int", "on INT"), ("SIGTERM", "on TERM")):
        one = sh("one", script, startup={"stop_signal": name})
        host.start(one)
        host.until(lambda one=one: host.log(one)[-1:] == ["ready"])
        host.stop(one)
        assert host.log(one)[-1] == wanted
        assert host.observe(one).exit_code == 0


def test_children_are_given_the_time_to_stop_too(host: Host, tmp_path: Path) -> None:
    mark = tmp_path / "stopped-in-order"
    child = f"trap 'sleep 0.2; touch {mark}; exit' TERM; echo ready; while :; do sleep 0.01; done"
    one = sh("one", f"({child}) & trap 'exit 0' TERM; wait")
    host.start(one)
    host.until(lambda: host.log(one) == ["ready"])
    host.stop(one)
    assert mark.exists()


def test_children_that_ignore_the_stop_signal_are_killed_with_their_parent(host: Host) -> None:
    one = sh("one", "(trap '' TERM; echo ready; sleep 1000) & wait", startup={"stop_timeout": 0.2})
    pid = _pid(host.start(one))
    host.until(lambda: host.log(one) == ["ready"])
    host.new_driver().stop(one, host.observe(one))
    assert _process.group_members(pid) == []


def test_a_stopped_process_is_killed_as_well(host: Host) -> None:
    one = sh("one", "exec sleep 1000", startup={"stop_timeout": 0.1})
    pid = _pid(host.start(one))
    os.kill(pid, signal.SIGSTOP)
    host.stop(one)
    assert not _lives(pid)


def test_removing_leaves_nothing_but_data(host: Host) -> None:
    one = sh("one", "echo text; touch kept; exec sleep 1000", binary={"replicas": 3})
    host.start(one)
    host.until((host.layout.service_data("one") / "kept").exists)
    assert sorted(path.name for path in host.layout.logs.iterdir()) == ["one.2.log", "one.3.log", "one.log"]
    fewer = sh("one", "echo text; touch kept; exec sleep 1000")
    host.remove(fewer)
    files = [path for path in host.layout.root.rglob("*") if not path.is_dir()]
    assert files == [host.layout.service_data("one") / "kept"]
    assert host.observe(one) == ABSENT
    host.remove(fewer)


# --- the wrong process -----------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _stranger() -> Iterator[subprocess.Popen[bytes]]:
    """A process that has nothing to do with us, with a session and a child of its own."""
    with subprocess.Popen(
        ["sh", "-c", "sleep 1000 & echo; wait"], stdout=subprocess.PIPE, start_new_session=True
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def _record(host: Host, name: str, identity: ProcessIdentity, digest: str = "x") -> None:
    PidStore(host.layout.pids).write(name, [PidRecord(identity, identity.pid, digest)])


@pytest.mark.parametrize("change", [{"start_time": 1}, {"boot_id": "another boot"}])
def test_who_got_the_pid_of_one_of_our_processes_later_is_never_signalled(host: Host, change: dict[str, Any]) -> None:
    one = sh("one", "exec sleep 1000")
    with _stranger() as stranger:
        identity = _process.identify(stranger.pid)
        assert identity is not None
        before = _process.group_members(stranger.pid)
        assert len(before) == 2
        stale = ProcessIdentity(**{**vars(identity), **change})
        for act in (host.stop, host.remove, host.start):
            _record(host, "one", stale)
            assert host.observe(one).status == "failed"
            assert host.observe(one).instances == ()
            act(one)
            time.sleep(0.02)
            assert stranger.poll() is None
            assert _process.group_members(stranger.pid) == before
        assert host.observe(one).id != str(stranger.pid)


def test_a_group_without_a_leader_that_is_not_ours_is_never_signalled(host: Host) -> None:
    one = sh("one", "exec sleep 1000")
    with _stranger() as stranger:
        members = _process.group_members(stranger.pid)
        stranger.send_signal(signal.SIGKILL)
        stranger.wait()
        for act in (host.stop, host.start):
            _record(host, "one", members[0])
            act(one)
            time.sleep(0.02)
            assert _process.group_members(stranger.pid) == members[1:]


def test_what_a_dead_process_left_behind_is_told_and_killed_before_the_next_start(host: Host) -> None:
    port = free_port()
    listen = f"s = socket.create_server(('127.0.0.1', {port}))"
    server = f"import socket, time; {listen}; print('ready', flush=True); time.sleep(1000)"
    script = f'{sys.executable} -c "{server}" & wait'
    one = sh("one", script, port=port)
    first = host.start(one)
    host.until(lambda: host.log(one) == ["ready"])
    os.kill(_pid(first), signal.SIGKILL)
    seen = host.until(lambda: (found := host.new_driver().observe([one])["one"]).status == "failed" and found)
    assert len(seen.instances) == 1
    assert seen.detail.endswith("and left 1 processes behind")
    again = host.start(one)
    assert again.status == "running"
    assert not _lives(int(seen.instances[0]))
    host.until(lambda: host.log(one) == ["ready", "ready"])


def test_what_a_dead_process_left_behind_is_stopped_with_it(host: Host) -> None:
    one = sh("one", "sleep 1000 & echo ready; wait")
    first = host.start(one)
    host.until(lambda: host.log(one) == ["ready"])
    os.kill(_pid(first), signal.SIGKILL)
    host.until(lambda: not _lives(_pid(first)))
    host.new_driver().stop(one, ABSENT)
    assert _process.group_members(_pid(first)) == []


def test_a_port_that_somebody_else_has_keeps_the_service_from_being_started(host: Host) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        one = sh("one", "exec sleep 1000", port=other.getsockname()[1])
        with pytest.raises(DriverError, match=rf"one: port \d+ is taken by pid {os.getpid()} \(.+\)\. Stop it, or set"):
            host.start(one)
        assert host.observe(one) == ABSENT
    assert host.start(one).status == "running"


# --- what a process is given -----------------------------------------------------------------------------------------

_SHOW = "import json, os; print(json.dumps({**dict(os.environ)}), flush=True); import time; time.sleep(1000)"


def _environment(host: Host, definition: ServiceDefinition) -> dict[str, str]:
    host.start(definition)
    found: dict[str, str] = json.loads(host.until(lambda: host.log(definition))[-1])
    return found


def test_the_environment_holds_what_was_asked_for_and_what_a_process_needs_and_nothing_else(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("JENKINS_NODE_COOKIE", "BUILD_ID", "RUNNER_TRACKING_ID", "AWS_SECRET_ACCESS_KEY", "TMPDIR", "XDG_X"):
        monkeypatch.setenv(name, "outer")
    monkeypatch.setenv("LANG", "C.UTF-8")
    monkeypatch.setenv("LC_TIME", "C")
    host.driver = host.new_driver()  # it looks at the environment when it is made
    host.secrets.write("one", {"password": Secret("t0ps3cret")})
    env = {"TEXT": "ä $HOME", "NUMBER": 7, "REAL": 1.5, "TRUE": True, "PASSWORD": "x-${secret.one.password}"}
    shown = _environment(host, python("one", _SHOW, binary={"env": env}))
    account = pwd.getpwuid(os.getuid())
    assert shown.pop("PATH").startswith(f"{host.layout.bin}:")
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR", "TZ", "LANGUAGE", "http_proxy", "https_proxy", "no_proxy"):
        shown.pop(name, None)
        shown.pop(name.upper(), None)
    for name in [name for name in shown if name.startswith("LC_")]:
        shown.pop(name)
    assert shown == {
        "LANG": "C.UTF-8",
        "HOME": account.pw_dir,
        "USER": account.pw_name,
        "LOGNAME": account.pw_name,
        "TEXT": "ä $HOME",
        "NUMBER": "7",
        "REAL": "1.5",
        "TRUE": "true",
        "PASSWORD": "x-t0ps3cret",
    }


def test_the_installation_s_variables_reach_every_service_and_its_own_come_before_them(tmp_path: Path) -> None:
    host = Host(tmp_path / "work", env={"LOG_LEVEL": "info", "PATH": "/opt"})
    try:
        shown = _environment(host, python("one", _SHOW, binary={"env": {"LOG_LEVEL": "debug"}}))
        assert (shown["LOG_LEVEL"], shown["PATH"]) == ("debug", "/opt")
    finally:
        host.close()


def test_secrets_are_on_no_command_line_in_no_digest_and_in_no_record(host: Host) -> None:
    host.secrets.write("one", {"password": Secret("t0ps3cret")})
    one = sh("one", "exec sleep 1000", binary={"env": {"PASSWORD": "${secret.one.password}"}})
    pid = _pid(host.start(one))
    assert b"t0ps3cret" not in Path(f"/proc/{pid}/cmdline").read_bytes()
    assert "t0ps3cret" not in json.dumps(host.driver.render(one))
    assert host.driver.render(one)["secrets"] == {"one.password": 1}
    before = digest_of(host.driver.render(one))
    host.secrets.write("one", {"password": Secret("changed", 2)})
    assert digest_of(host.new_driver().render(one)) != before
    for path in host.layout.root.rglob("*"):
        if path.is_file() and path.parent != host.layout.secrets:
            assert b"t0ps3cret" not in path.read_bytes()


def test_a_process_works_in_its_data_folder_or_where_it_is_told_to(host: Host, tmp_path: Path) -> None:
    one = sh("one", "pwd; umask; exec sleep 1000")
    two = sh("two", "pwd; exec sleep 1000", binary={"working_dir": str(tmp_path)})
    with umask_of_zero():
        host.start(one)
        host.start(two)
    assert host.until(lambda: len(host.log(one)) == 2 and host.log(one)) == [
        str(host.layout.service_data("one")),
        "0022",
    ]
    assert host.until(lambda: host.log(two)) == [str(tmp_path)]
    assert host.layout.service_data("one").stat().st_mode & 0o7777 == 0o700
    assert (host.layout.logs / "one.log").stat().st_mode & 0o7777 == 0o600


def test_a_process_has_no_terminal_no_input_and_none_of_our_files(host: Host) -> None:
    one = python(
        "one", "import os; print(sorted(os.listdir('/proc/self/fd')), os.readlink('/proc/self/fd/0'), flush=True)"
    )
    with tempfile.TemporaryFile() as ours:
        os.set_inheritable(ours.fileno(), True)
        host.start(one)
    assert host.until(lambda: host.log(one)) == ["['0', '1', '2', '3'] /dev/null"]


def test_replicas_know_which_one_they_are_and_a_missing_one_is_replaced_alone(host: Host) -> None:
    one = sh("one", "echo replica $REPLICA; exec sleep 1000", binary={"replicas": 3})
    started = host.start(one)
    assert len(started.instances) == 3
    for number, name in enumerate(("one.log", "one.2.log", "one.3.log"), 1):
        host.until(lambda name=name, n=number: (host.layout.logs / name).read_text() == f"replica {n}\n")
    os.kill(int(started.instances[1]), signal.SIGKILL)
    seen = host.until(lambda: (found := host.observe(one)).status == "failed" and found)
    assert seen.detail == "2 of 3 run"
    again = host.start(one)
    assert again.status == "running"
    assert set(started.instances) - set(again.instances) == {started.instances[1]}
    host.stop(one)
    assert not any(_lives(int(pid)) for pid in again.instances)


def test_those_that_were_launched_before_one_that_cannot_be_are_not_forgotten(host: Host) -> None:
    (host.layout.logs / "one.2.log").mkdir(parents=True)
    one = sh("one", "exec sleep 1000", binary={"replicas": 2})
    with pytest.raises(OSError, match=r"one\.2\.log"):
        host.start(one)
    seen = host.observe(one)
    assert (seen.status, seen.detail) == ("failed", "1 of 2 run")
    host.stop(one)
    assert not _lives(int(seen.instances[0]))
    (host.layout.logs / "one.2.log").rmdir()


def test_what_cannot_be_written_down_is_not_left_running() -> None:
    with small_disk("256k") as disk:
        host = Host(disk / "work")
        one = sh("one", "exec sleep 1003")
        host.start(one)
        host.remove(one)
        with (disk / "filler").open("wb", buffering=0) as filler, contextlib.suppress(OSError):
            while filler.write(b"x" * 4096):
                pass
        with pytest.raises(OSError, match="No space"):
            host.start(one)
        assert _process.find_by_name("sleep") == [] or not any(
            b"1003" in Path(f"/proc/{pid}/cmdline").read_bytes() for pid in _process.find_by_name("sleep")
        )
        (disk / "filler").unlink()
        assert host.start(one).status == "running"
        host.close()


def test_processes_outlive_whoever_started_them(host: Host) -> None:
    script = f"""
import sys
sys.path.insert(0, {str(Path(next(iter(collection.__path__))).parents[2])!r})
sys.path.insert(0, {str(Path(__file__).parents[2])!r})
from pathlib import Path
from tests.integration.test_binary_driver import Host, sh
print(Host(Path({str(host.layout.root)!r})).start(sh("one", "exec sleep 1000")).id)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    one = sh("one", "exec sleep 1000")
    seen = host.start(one)
    assert (seen.status, seen.id) == ("running", done.stdout.strip())
    host.stop(one)
    assert not _lives(_pid(seen))


# --- limits ----------------------------------------------------------------------------------------------------------


def test_the_limit_of_open_files_is_in_force(host: Host) -> None:
    one = sh("one", "exec sleep 1000", resources={"open_files": 123})
    pid = _pid(host.start(one))
    (line,) = [
        line for line in Path(f"/proc/{pid}/limits").read_text().splitlines() if line.startswith("Max open files")
    ]
    assert line.split()[3:5] == ["123", "123"]
    assert host.notes == []


def _control_group(pid: int, controller: str) -> Path | None:
    """The folder of a process' control group, where there are any that we may write."""
    for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines():
        number, controllers, path = line.split(":", 2)
        root = Path("/sys/fs/cgroup")
        if controller in controllers.split(","):
            return root / controller / path.lstrip("/")
        if number == "0" and (root / "cgroup.controllers").exists():
            return root / path.lstrip("/")
    return None


def test_limits_of_memory_and_processor_are_control_groups_with_all_the_processes_in_them(host: Host) -> None:
    one = sh("one", "sleep 1000 & echo ready; wait", resources={"memory": "64m", "cpu": 0.5})
    pid = _pid(host.start(one))
    host.until(lambda: host.log(one) == ["ready"])
    if host.notes:
        assert "the limits are not in force, control groups cannot be written here" in host.notes[0]["reason"]
        return
    folder = _control_group(pid, "memory")
    processor = _control_group(pid, "cpu")
    assert folder is not None
    assert processor is not None
    assert folder.name == processor.name == "provisioning-one-1"
    limit = next(file for file in ("memory.max", "memory.limit_in_bytes") if (folder / file).exists())
    assert (folder / limit).read_text().strip() == str(64 << 20)
    quota = next(file for file in ("cpu.max", "cpu.cfs_quota_us") if (processor / file).exists())
    assert (processor / quota).read_text().split()[0] == "50000"
    host.stop(one)
    assert not folder.exists()
    assert not processor.exists()


def test_a_limit_that_cannot_be_set_is_a_warning_and_the_service_runs(host: Host) -> None:
    one = sh("one", "exec sleep 1000", resources={"open_files": 1 << 40})
    assert host.start(one).status == "running"
    (note,) = host.notes
    assert note["kind"] == "service.warning"
    assert note["reason"].startswith("the limit of open files is not in force: ")


# --- users -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def open_host() -> Iterator[Host]:
    """A work dir where others may get to."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        Path(folder).chmod(0o755)
        found = Host(Path(folder) / "work")
        yield found
        found.close()


@AS_ROOT
def test_a_process_runs_as_the_user_it_is_to_run_as_and_its_data_is_his(open_host: Host) -> None:
    show = "id -un; id -gn; id -G; echo $HOME $USER; pwd; touch mine; cat /dev/null > $PWD/too; exec sleep 1000"
    one = sh("one", show, binary={"user": "nobody"})
    data = open_host.layout.service_data("one")
    make_directory(data)
    (data / "from before").touch()
    pid = _pid(open_host.start(one))
    lines = open_host.until(lambda: len(open_host.log(one)) == 5 and open_host.log(one))
    nobody = pwd.getpwnam("nobody")
    assert lines == ["nobody", "nogroup", str(nobody.pw_gid), f"{nobody.pw_dir} nobody", str(data)]
    open_host.until((data / "too").exists)
    assert {path.owner() for path in (data, *data.iterdir())} == {"nobody"}
    assert os.stat(f"/proc/{pid}").st_uid == nobody.pw_uid
    assert open_host.layout.root.stat().st_mode & 0o777 == 0o711
    assert open_host.layout.data.stat().st_mode & 0o777 == 0o711
    assert (open_host.layout.logs / "one.log").owner() == "root"


@AS_ROOT
def test_a_group_may_be_another_than_the_user_s_own(open_host: Host) -> None:
    one = sh("one", "id -gn; exec sleep 1000", binary={"user": "nobody", "group": "daemon"})
    two = sh("two", "id -un; id -gn; exec sleep 1000", binary={"group": "daemon"})
    open_host.start(one)
    open_host.start(two)
    assert open_host.until(lambda: open_host.log(one)) == ["daemon"]
    assert open_host.until(lambda: len(open_host.log(two)) == 2 and open_host.log(two)) == ["root", "daemon"]


@AS_ROOT
def test_a_work_dir_that_the_user_cannot_reach_is_a_problem_with_a_remedy(tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir(mode=0o700)
    host = Host(tmp_path / "closed" / "work")
    problems = host.driver.check(sh("one", "exit", binary={"user": "nobody"}))
    assert problems[0].why.startswith(f"nobody cannot reach {host.layout.root}, since ")
    assert host.driver.check(sh("one", "exit", binary={"user": "root"})) == []


# --- what keeps a service from running -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("definition", "problem"),
    [
        (service("a", command="no-such-command"), "a: the command no-such-command is not there or not executable. I"),
        (service("a", command="/etc/passwd"), "a: the command /etc/passwd is not there or not executable."),
        (service("a", binary={"user": "no-such-user"}), "a: there is no user no-such-user. Create it, or name another"),
        (service("a", binary={"group": "no-such-group"}), "a: there is no group no-such-group. Create it or name"),
        (service("a", binary={"working_dir": "/no/such"}), "a: the working directory /no/such does not exist. Create"),
        (service("a", startup={"stop_signal": "SIGNAL"}), "a: startup.stop_signal: there is no signal SIGNAL. Name"),
        (
            service("a", args=["--password", "${secret.a.password}"]),
            "a: its arguments hold the secret a.password, which ps would show to every user. Hand it over",
        ),
        (
            service("a", health={"type": "command", "command": ["curl", "-H", "${secret.a.token}"]}),
            "a: the command of a check holds the secret a.token, which ps would show to every user. Let",
        ),
        (
            service("a", verify=[{"type": "command", "command": ["id"], "inside": True}]),
            "a: the command of a check is to be run inside it, and a process has no inside. Set inside to false.",
        ),
    ],
)  # fmt: skip
def test_what_keeps_a_service_from_running_is_known_before_it_is_started(
    host: Host, definition: ServiceDefinition, problem: str
) -> None:
    (found,) = host.driver.check(definition)
    assert str(found).startswith(problem)


@pytest.mark.parametrize("content", [b"\x7fELFnot really", b"#!/no/such/interpreter\n"])
def test_a_file_that_cannot_be_run_is_an_error_in_words(host: Host, tmp_path: Path, content: bytes) -> None:
    program = tmp_path / "program"
    program.write_bytes(content)
    program.chmod(0o755)
    with pytest.raises(DriverError, match=rf"one: {program} cannot be run: .*\. Check the file, its permissions"):
        host.start(service("one", command=str(program)))
    assert host.observe(service("one")) == ABSENT


# --- downloads -------------------------------------------------------------------------------------------------------

PROGRAM = b"#!/bin/sh\necho program $1\nexec sleep 1000\n"


def _tar() -> bytes:
    with io.BytesIO() as stream:
        with tarfile.open(fileobj=stream, mode="w:gz") as packed:
            for name in ("release-1/README", "release-1/program"):
                entry = tarfile.TarInfo(name)
                entry.size = len(PROGRAM)
                packed.addfile(entry, io.BytesIO(PROGRAM))
            packed.addfile(tarfile.TarInfo("release-1/folder"))
        return stream.getvalue()


def _zip() -> bytes:
    with io.BytesIO() as stream:
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as packed:
            packed.writestr("release-1/program", PROGRAM)
        return stream.getvalue()


FILES = {"/program": PROGRAM, "/release.tar.gz": _tar(), "/release.zip": _zip(), "/broken": PROGRAM}


class _Files(BaseHTTPRequestHandler):
    asked: list[str]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        if self.path not in FILES:
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(FILES[self.path]) + (self.path == "/broken")))
        self.end_headers()
        self.wfile.write(FILES[self.path])

    def log_message(self, *args: Any) -> None:
        pass


class Depot:
    """A web server that has artefacts, and knows what it was asked for."""

    def __init__(self) -> None:
        handler = type("Handler", (_Files,), {"asked": []})
        self.asked: list[str] = handler.asked
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def service(self, path: str, *, command: str = "program", **download: Any) -> ServiceDefinition:
        content = FILES.get(path, b"")
        settings = {"url": f"{self.url}{path}", "sha256": hashlib.sha256(content).hexdigest(), **download}
        return service("one", command=command, args=["7"], binary={"download": settings})


@pytest.fixture
def depot(monkeypatch: pytest.MonkeyPatch) -> Iterator[Depot]:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")  # which nobody must ask for what is here
    found = Depot()
    threading.Thread(target=found.server.serve_forever, args=(0.01,), daemon=True).start()
    yield found
    found.server.shutdown()
    found.server.server_close()


@pytest.mark.parametrize(
    ("path", "download"),
    [
        ("/program", {}),
        ("/release.tar.gz", {"extract": "release-1/program"}),
        ("/release.zip", {"extract": "release-1/program"}),
    ],
)
def test_an_artefact_is_fetched_checked_unpacked_run_and_removed(
    host: Host, depot: Depot, path: str, download: dict[str, Any]
) -> None:
    one = depot.service(path, **download)
    first = host.start(one)
    assert host.until(lambda: host.log(one)) == ["program 7"]
    target = host.layout.bin / "program"
    assert target.read_bytes() == PROGRAM
    host.stop(one)
    assert host.start(one).id != first.id
    assert depot.asked == [path]
    host.remove(one)
    assert list(host.layout.bin.iterdir()) == []


def test_an_artefact_may_have_its_place_elsewhere_and_another_version_replaces_it(
    host: Host, depot: Depot, tmp_path: Path
) -> None:
    dest = tmp_path / "opt" / "it"
    host.start(depot.service("/program", command=str(dest), dest=str(dest)))
    one = depot.service("/release.zip", command=str(dest), dest=str(dest), extract="release-1/program")
    assert host.start(one).status == "running"
    assert depot.asked == ["/program", "/release.zip"]
    host.remove(one)
    assert not dest.exists()


@pytest.mark.parametrize(
    ("path", "download", "message"),
    [
        ("/program", {"sha256": "0" * 64}, r"/program has the SHA-256 [0-9a-f]{64}, not 0{64}\. Do not use it"),
        ("/none", {}, r"/none cannot be fetched: HTTP Error 404: Not Found\. Check the URL"),
        ("/broken", {"sha256": "0" * 64}, r"/broken has the SHA-256|/broken cannot be fetched"),
        ("/program", {"url": "http://example.org/program"}, r"http://example.org/program is not https\. Use an https"),
        ("/program", {"url": "file://localhost/etc/passwd"}, r"file://localhost/etc/passwd is not https\."),
        ("/program", {"url": "http://127.0.0.1:1/program"}, r"cannot be fetched: .*refused"),
        ("/release.zip", {"extract": "none"}, r"none cannot be taken out of .*: There is no item named 'none'"),
        ("/release.tar.gz", {"extract": "none"}, r"none cannot be taken out of .*: filename 'none' not found"),
        (
            "/program",
            {"extract": "none"},
            r"none cannot be taken out of .*: it is no tar or zip archive\. Correct download",
        ),
    ],
)
def test_an_artefact_that_cannot_be_had_is_an_error_and_leaves_nothing(
    host: Host, depot: Depot, path: str, download: dict[str, Any], message: str
) -> None:
    with pytest.raises(DriverError, match=message):
        host.start(depot.service(path, **download))
    assert list(host.layout.bin.glob("*")) == []


def test_a_wrong_artefact_does_not_replace_the_one_that_is_there(host: Host, depot: Depot) -> None:
    host.start(depot.service("/program"))
    with pytest.raises(DriverError, match="has the SHA-256"):
        host.start(depot.service("/program", sha256="0" * 64))
    assert (host.layout.bin / "program").read_bytes() == PROGRAM


# --- logs ------------------------------------------------------------------------------------------------------------


def test_output_and_errors_are_logged_together_and_kept_across_starts(host: Host) -> None:
    one = sh("one", "echo out; echo err >&2; exec sleep 1000")
    host.start(one)
    host.until(lambda: host.log(one) == ["out", "err"])
    host.stop(one)
    host.start(one)
    host.until(lambda: host.log(one) == ["out", "err"] * 2)
    assert [line.text for line in host.driver.logs(one, tail=3)] == ["err", "out", "err"]


def test_a_log_is_followed_until_the_service_ends(host: Host) -> None:
    one = sh("one", "for i in 1 2 3 4; do echo $i; sleep 0.05; done; printf last")
    host.start(one)
    assert [line.text for line in host.driver.logs(one, follow=True)] == ["1", "2", "3", "4", "last"]
