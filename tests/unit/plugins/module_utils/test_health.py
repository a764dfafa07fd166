# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import contextlib
import os
import socket
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils._errors import DriverError, Problem
from ansible_collections.provisioning.platform.plugins.module_utils._health import HealthResult, check_health
from ansible_collections.provisioning.platform.plugins.module_utils._model import (
    CommandHealthCheck,
    FileHealthCheck,
    TcpHealthCheck,
)

from tests.fixtures.ports import free_port


def _command(*command: str, **settings: Any) -> HealthResult:
    return check_health(CommandHealthCheck(type="command", command=list(command), **{"timeout": 60.0, **settings}))


def _file(path: Path, **settings: Any) -> HealthResult:
    return check_health(FileHealthCheck(type="file", path=str(path), **settings))


# --- TCP -------------------------------------------------------------------------------------------------------------


def test_a_port_is_healthy_when_somebody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        result = check_health(TcpHealthCheck(type="tcp", port=port))
    assert (result.healthy, result.reason) == (True, f"127.0.0.1:{port} accepts connections")
    number = free_port()
    result = check_health(TcpHealthCheck(type="tcp", port=number))
    assert (result.healthy, result.reason) == (False, f"127.0.0.1:{number} refused the connection")


def test_a_port_that_answers_nothing_times_out() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        number = listener.getsockname()[1]
        with contextlib.ExitStack() as stack:
            for _ in range(4):  # until the queue is full, and the kernel answers nobody any more
                waiting = stack.enter_context(socket.socket())
                waiting.setblocking(False)
                waiting.connect_ex(("127.0.0.1", number))
            result = check_health(TcpHealthCheck(type="tcp", port=number, timeout=0.05))
    assert (result.healthy, result.reason) == (False, f"127.0.0.1:{number} did not answer within 0.05 s")


def test_a_connection_that_meets_itself_is_no_service(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as itself:
        itself.bind(("127.0.0.1", 0))
        address = itself.getsockname()
        itself.connect(address)  # what the kernel does by chance when it gives out the very port
        monkeypatch.setattr(socket, "create_connection", lambda *args, **kwargs: itself)
        result = check_health(TcpHealthCheck(type="tcp", port=address[1]))
    assert (result.healthy, result.reason) == (False, f"127.0.0.1:{address[1]} refused the connection")


# --- commands --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "settings", "healthy", "reason"),
    [
        (["true"], {}, True, "true exited 0"),
        (["false"], {}, False, "false exited 1"),
        (["sh", "-c", "exit 7"], {"expected_exit_code": 7}, True, "sh exited 7"),
        (["sh", "-c", "echo first; echo the last >&2; exit 3"], {}, False, "sh exited 3: the last"),
        (["sh", "-c", "kill -9 $$"], {}, False, "sh exited -9"),
        (["no-such-command"], {}, False, "the command no-such-command is not there"),
        (["/etc/passwd"], {}, False, "the command /etc/passwd may not be executed"),
        ([], {}, False, "the check has no command"),
        (["sleep", "10"], {"timeout": 0.05}, False, "sleep did not end within 0.05 s"),
        (["sh", "-c", "yes & sleep 10"], {"timeout": 0.05}, False, "sh did not end within 0.05 s"),
        (["sh", "-c", "sleep 50 & exit 0"], {}, True, "sh exited 0"),
        (["sh", "-c", "exec >&- 2>&-; sleep 0.02"], {}, True, "sh exited 0"),
        (["cat"], {}, True, "cat exited 0"),
        (["id"], {"inside": True}, False, "the command is to be run inside the service, which has no inside"),
    ],
)  # fmt: skip
def test_a_command_is_judged_by_its_exit_code(
    command: list[str], settings: dict[str, Any], healthy: bool, reason: str
) -> None:
    result = _command(*command, **settings)
    assert (result.healthy, result.reason) == (healthy, reason)
    assert result.duration_ms < 45_000


def _lives(pid: str) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def test_a_command_that_takes_too_long_is_killed_with_all_it_has_started(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    script = f"sleep 1000 & echo $! $$ > {pids}; wait"
    for timeout in (0.2, 1, 5, 25):  # however long it takes here to begin
        assert not _command("sh", "-c", script, timeout=timeout).healthy
        if pids.exists() and (found := pids.read_text().split()):
            break
    assert len(found) == 2
    deadline = time.monotonic() + 60
    while any(_lives(pid) for pid in found):
        assert time.monotonic() < deadline, "it has not been killed"
        time.sleep(0.01)


def test_the_end_of_a_long_output_is_kept_and_no_more() -> None:
    result = _command(sys.executable, "-c", "print('x' * 10_000_000); print('the end'); raise SystemExit(1)")
    assert result.reason == f"{sys.executable} exited 1: the end"
    assert len(_command("sh", "-c", "printf '%01000d' 0; exit 1").reason) < 250


def test_a_command_inside_is_run_by_the_driver() -> None:
    check = CommandHealthCheck(type="command", command=["id"], inside=True)
    assert check_health(check, execute=lambda _: (0, "")).healthy
    assert check_health(check, execute=lambda _: (1, "a\nb\n")).reason == "id exited 1: b"

    def refuse(_: CommandHealthCheck) -> tuple[int, str]:
        raise DriverError(Problem("gitea", "the engine does not answer"))

    assert check_health(check, execute=refuse).reason == "the engine does not answer"


# --- files -----------------------------------------------------------------------------------------------------------


def test_a_file_is_judged_by_being_there_its_text_and_its_age(tmp_path: Path) -> None:
    path = tmp_path / "ready"
    assert _file(path) == HealthResult(False, f"{path} does not exist", pytest.approx(0, abs=60_000))
    path.write_text("one\ntwo\nthree\n")
    assert _file(path).healthy
    assert _file(path, contains="two").healthy
    assert _file(path, contains="two\nthree").healthy
    assert _file(path, contains="").healthy
    assert _file(path, contains="four").reason == f"{path} does not contain 'four'"
    assert _file(path, max_age=60).healthy
    os.utime(path, (time.time() - 100, time.time() - 100))
    assert _file(path, max_age=60).reason == f"{path} was last changed 100 s ago, more than 60 s"
    assert _file(tmp_path).healthy


def test_a_text_is_found_wherever_it_stands_in_a_large_file(tmp_path: Path) -> None:
    path = tmp_path / "large"
    path.write_bytes(b"x" * ((1 << 20) - 3) + "grün".encode() + b"x" * (1 << 20))
    assert _file(path, contains="grün").healthy
    assert _file(path, contains="xgrünx").healthy
    assert not _file(path, contains="grau").healthy


def test_what_is_no_file_contains_nothing_and_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    result = _file(tmp_path / "pipe", contains="x")
    assert result.reason == f"{tmp_path / 'pipe'} is not a file that could contain 'x'"
    assert _file(tmp_path / "pipe").healthy


def test_a_path_through_a_file_is_unhealthy_in_words(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    path = tmp_path / "file" / "below"
    assert _file(path).reason == f"{path}: Not a directory"
