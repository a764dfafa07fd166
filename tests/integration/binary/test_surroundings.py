# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a process is given: its environment, folder, files, replicas."""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils import _process
from ansible_collections.provisioning.platform.plugins.module_utils._model import ServiceDefinition
from ansible_collections.provisioning.platform.plugins.module_utils._plan import digest_of
from ansible_collections.provisioning.platform.plugins.module_utils._secrets import Secret

from tests.fixtures.binary_host import Host, lives, pid_of, python, sh
from tests.fixtures.definitions import service
from tests.fixtures.disks import small_disk, umask_of_zero

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
    mark = json.loads(shown.pop("PROVISIONING_PROCESS_OF"))
    assert (mark["work_dir"], mark["service"], mark["replica"]) == (str(host.layout.root), "one", 1)
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
    pid = pid_of(host.start(one))
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


@contextlib.contextmanager
def _ignored(number: signal.Signals) -> Iterator[None]:
    before = signal.signal(number, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(number, before)


@contextlib.contextmanager
def _blocked(number: signal.Signals) -> Iterator[None]:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [number])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@pytest.mark.parametrize("surroundings", [_ignored, _blocked])
@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGINT, signal.SIGTERM])
def test_no_signal_is_ignored_or_blocked_in_a_process_whatever_is_in_ours(
    host: Host, surroundings: Callable[[signal.Signals], AbstractContextManager[None]], number: signal.Signals
) -> None:
    one = service("one")
    with surroundings(number):
        pid = pid_of(host.start(one))
    status = Path(f"/proc/{pid}/status").read_text()
    masks = [int(line.split()[1], 16) for line in status.splitlines() if line.startswith(("SigIgn", "SigBlk"))]
    # Where make runs the tests, those of the C library are ignored, which nobody can change.
    own = 1 << 31 | 1 << 32
    assert [mask & ~own for mask in masks] == [0, 0]
    os.kill(pid, number)
    host.until(lambda: host.observe(one).exit_code == -number)


def test_a_process_that_is_started_under_nohup_ends_when_it_is_hung_up(host: Host) -> None:
    pid = int(_run_host(host, ["nohup"]))
    one = sh("one", "exec sleep 1000")
    assert pid_of(host.observe(one)) == pid
    os.kill(pid, signal.SIGHUP)
    host.until(lambda: not lives(pid))


def test_a_process_is_started_also_below_make_which_leaves_signals_of_the_c_library_ignored(host: Host) -> None:
    spawn = "import os, sys; os.waitpid(os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ), 0)"
    assert lives(int(_run_host(host, [sys.executable, "-c", spawn])))


def test_replicas_know_which_one_they_are_and_a_missing_one_is_replaced_alone(host: Host) -> None:
    one = sh("one", "echo replica $REPLICA; exec sleep 1000", binary={"replicas": 3})
    started = host.start(one)
    assert len(started.instances) == 3
    for number, name in enumerate(("one.log", "one.2.log", "one.3.log"), 1):
        host.until(lambda name=name, n=number: (host.layout.logs / name).read_text() == f"replica {n}\n")
    assert sorted(line.text for line in host.driver.logs(one)) == [f"replica {n}" for n in (1, 2, 3)]
    os.kill(int(started.instances[1]), signal.SIGKILL)
    seen = host.until(lambda: (found := host.observe(one)).status == "failed" and found)
    assert seen.detail == "2 of 3 run"
    again = host.start(one)
    assert again.status == "running"
    assert set(started.instances) - set(again.instances) == {started.instances[1]}
    host.stop(one)
    assert not any(lives(int(pid)) for pid in again.instances)


def test_those_that_were_launched_before_one_that_cannot_be_are_not_forgotten(host: Host) -> None:
    (host.layout.logs / "one.2.log").mkdir(parents=True)
    one = sh("one", "exec sleep 1000", binary={"replicas": 2})
    with pytest.raises(OSError, match=r"one\.2\.log"):
        host.start(one)
    seen = host.observe(one)
    assert (seen.status, seen.detail) == ("failed", "1 of 2 run")
    host.stop(one)
    assert not lives(int(seen.instances[0]))
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


def _run_host(host: Host, command: Sequence[str] = ()) -> str:
    """Start a service in a process of its own that then ends; return the pid of the service."""
    script = f"""
import sys
sys.path[:0] = {sys.path!r}
from pathlib import Path
from tests.fixtures.binary_host import Host, sh
print(Host(Path({str(host.layout.root)!r})).start(sh("one", "exec sleep 1000")).id)
"""
    done = subprocess.run([*command, sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_processes_outlive_whoever_started_them(host: Host) -> None:
    pid = _run_host(host)
    one = sh("one", "exec sleep 1000")
    seen = host.start(one)
    assert (seen.status, seen.id) == ("running", pid)
    host.stop(one)
    assert not lives(pid_of(seen))
