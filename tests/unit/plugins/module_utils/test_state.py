# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils._errors import BusyError, ConfigurationError
from ansible_collections.provisioning.platform.plugins.module_utils._model import ServiceState
from ansible_collections.provisioning.platform.plugins.module_utils._paths import WorkDir
from ansible_collections.provisioning.platform.plugins.module_utils._process import ProcessIdentity
from ansible_collections.provisioning.platform.plugins.module_utils._state import (
    PidRecord,
    PidStore,
    StateStore,
    locked,
    valid_name,
)

from tests.fixtures.disks import full_disk, umask_of_zero

RECORDS = [
    PidRecord(ProcessIdentity(4242, 77, "boot"), 4242, "abc"),
    PidRecord(ProcessIdentity(4243, 78, "boot"), 4243, "abc", replica=2, exit_code=-9, stopped=True),
]

_HOLD = """
import sys
from pathlib import Path
from ansible_collections.provisioning.platform.plugins.module_utils._state import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def _holder(path: Path) -> subprocess.Popen[str]:
    """Another process that holds the lock until its input ends."""
    import ansible_collections.provisioning.platform as collection

    environment = {**os.environ, "PYTHONPATH": str(Path(next(iter(collection.__path__))).parents[2])}
    holder = subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    return holder


@pytest.mark.parametrize(
    ("name", "is_valid"),
    [
        ("a", True),
        ("a-b", True),
        ("0", True),
        ("a" * 63, True),
        ("", False),
        ("-a", False),
        ("a-", False),
        ("A", False),
        ("a_b", False),
        ("a.b", False),
        ("a" * 64, False),
        ("a\n", False),
        ("../a", False),
        ("a/b", False),
        ("ä", False),
    ],
)
def test_a_name_is_one_that_dns_accepts(name: str, is_valid: bool) -> None:
    assert valid_name(name) == is_valid


# --- records of processes --------------------------------------------------------------------------------------------


def test_records_are_read_as_they_were_written_until_they_are_removed(tmp_path: Path) -> None:
    store = PidStore(tmp_path / "pids")
    assert store.read("a") == []
    store.write("a", RECORDS)
    assert PidStore(tmp_path / "pids").read("a") == RECORDS
    store.remove("a")
    store.remove("a")
    assert store.read("a") == []


def _damaged(**changes: object) -> str:
    document = {
        "pid": 4242,
        "start_time": 77,
        "boot_id": "boot",
        "group": 4242,
        "digest": "abc",
        "replica": 1,
        "exit_code": None,
    }
    return json.dumps([{key: value for key, value in {**document, **changes}.items() if value != "absent"}])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "7",
        "{}",
        "[7]",
        '["a"]',
        "\x00\xff",
        "null",
        _damaged(pid="x"),
        _damaged(pid="absent"),
        # What would signal others than our own processes: everybody, our own group, init.
        _damaged(pid=-1),
        _damaged(pid=0),
        _damaged(group=0),
        _damaged(group=1),
        _damaged(group="4242"),
        _damaged(start_time=None),
        _damaged(boot_id=7),
        _damaged(pid=True),
        _damaged(exit_code="0"),
    ],
)
def test_a_damaged_record_is_no_record(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.json").write_text(text, encoding="latin-1")
    found = PidStore(tmp_path).read("a")
    assert found == []


# --- states ----------------------------------------------------------------------------------------------------------


def test_states_are_read_as_they_were_written(tmp_path: Path) -> None:
    store = StateStore(WorkDir(tmp_path))
    assert store.read("a") is None
    assert store.read_all() == {}
    state = ServiceState(name="a", mode="binary", reason="not there", definition={"name": "a"}, started_at=1.5)
    store.write(state)
    store.write(ServiceState(name="b", mode="docker"))
    assert StateStore(WorkDir(tmp_path)).read("a") == state
    assert list(store.read_all()) == ["a", "b"]
    store.update("a", wanted="stopped")
    store.update("nobody", wanted="stopped")
    changed = store.read("a")
    assert changed is not None
    assert (changed.wanted, changed.reason) == ("stopped", "not there")
    store.remove("a")
    store.remove("a")
    assert list(store.read_all()) == ["b"]


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"name": "a", "mode": "binary", "unknown": 1}', "\x00\xff"])
def test_a_damaged_state_is_an_error_with_its_path_and_the_remedy(tmp_path: Path, text: str) -> None:
    store = StateStore(WorkDir(tmp_path))
    store.write(ServiceState(name="a", mode="binary"))
    path = tmp_path / "services" / "state" / "a.json"
    path.write_text(text, encoding="latin-1")
    with pytest.raises(ConfigurationError, match=rf"^a: {path} is damaged: .*Install again: provisioning-run"):
        store.read("a")


def test_a_damaged_state_concerns_no_other_is_not_written_over_and_can_be_set_aside(tmp_path: Path) -> None:
    store = StateStore(WorkDir(tmp_path))
    for name in ("a", "b"):
        store.write(ServiceState(name=name, mode="binary"))
    path = tmp_path / "services" / "state" / "a.json"
    path.write_text("{")
    states, damaged = store.survey()
    assert (list(states), list(damaged), list(store.read_all())) == (["b"], ["a"], ["b"])
    store.update("a", wanted="stopped")
    assert path.read_text() == "{"
    aside = []
    for _twice in range(2):
        path.write_text("{")
        aside.append(store.set_aside("a"))
    assert [one.read_text() for one in aside if one] == ["{", "{"]
    assert all(one and one.name.startswith("a.json.damaged-20") for one in aside)
    assert (store.set_aside("a"), store.survey()[1]) == (None, {})


def test_states_and_records_are_for_the_owner_alone_whatever_the_umask_is(tmp_path: Path) -> None:
    with umask_of_zero():
        StateStore(WorkDir(tmp_path)).write(ServiceState(name="a", mode="binary"))
        PidStore(WorkDir(tmp_path).pids).write("a", RECORDS)
        with locked(WorkDir(tmp_path).locks / "run.lock"):
            pass
    for path in (tmp_path / "services").rglob("*"):
        assert path.stat().st_mode & 0o7777 == (0o700 if path.is_dir() else 0o600)


def test_on_a_full_disk_the_state_of_before_is_kept() -> None:
    with full_disk() as folder:
        store = StateStore(WorkDir(folder))
        store.write(ServiceState(name="a", mode="binary", reason="before"))
        with pytest.raises(OSError, match="No space"):
            store.write(ServiceState(name="a", mode="binary", reason="x" * (1 << 20)))
        kept = store.read("a")
        assert kept is not None
        assert kept.reason == "before"


# --- locks -----------------------------------------------------------------------------------------------------------


def test_a_second_process_is_refused_with_the_pid_of_the_first(tmp_path: Path) -> None:
    path = tmp_path / "locks" / "run.lock"
    with _holder(path) as holder:
        refusal = rf"another run is in progress: pid {holder.pid} \(python.*\)\. Wait until"
        with pytest.raises(BusyError, match=refusal), locked(path):
            pass
        holder.communicate()
    with locked(path):
        pass


def test_a_lock_is_free_once_its_holder_was_killed(tmp_path: Path) -> None:
    path = tmp_path / "run.lock"
    with _holder(path) as holder:
        holder.send_signal(signal.SIGKILL)
        holder.wait()
        with locked(path):
            pass


def test_a_lock_is_held_by_one_of_several_threads_too(tmp_path: Path) -> None:
    path = tmp_path / "run.lock"
    with locked(path), pytest.raises(BusyError, match=f"pid {os.getpid()}"), locked(path):
        pass


def test_one_may_wait_for_a_lock(tmp_path: Path) -> None:
    path = tmp_path / "run.lock"
    entered = threading.Event()

    def wait() -> None:
        with locked(path, wait=True):
            entered.set()

    with locked(path):
        waiting = threading.Thread(target=wait)
        waiting.start()
        assert not entered.wait(0.05)
    waiting.join()
    assert entered.is_set()


def test_who_waited_for_a_lock_whose_file_was_removed_takes_that_of_the_new_file(tmp_path: Path) -> None:
    path = tmp_path / "run.lock"
    entered = threading.Event()
    go_on = threading.Event()

    def wait() -> None:
        with locked(path, wait=True):
            entered.set()
            go_on.wait()

    with locked(path):
        waiting = threading.Thread(target=wait)
        waiting.start()
        assert not entered.wait(0.05)
        path.unlink()  # as an uninstallation does
    assert entered.wait(60)
    with pytest.raises(BusyError), locked(path):
        pass
    go_on.set()
    waiting.join()


def test_the_pid_of_a_holder_that_is_gone_is_not_told(tmp_path: Path) -> None:
    path = tmp_path / "run.lock"
    with locked(path):
        path.write_text("999999999")
        with pytest.raises(BusyError, match="another run is in progress: another process"), locked(path):
            pass
