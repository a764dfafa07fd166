# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Installations that fail on the way, are interrupted, or meet: what is said, what goes on, what is left."""

from __future__ import annotations

import os
import re
import signal
import time
from pathlib import Path
from typing import Any

from tests.fixtures.installations import Installation, Ran, command, finish, web
from tests.fixtures.ports import free_port

#: Says why and ends at once.
DIES = ("/bin/sh", "-c", "echo cannot open the ledger; echo it is locked >&2; exit 7")


def dies(**more: Any) -> dict[str, Any]:
    """A service that ends at once, which is noticed however long a moment it takes: it never passes its check."""
    return command(*DIES, **{"health": {"type": "file", "path": "${self.data_dir}/never"}, **more})


def never_healthy(**more: Any) -> dict[str, Any]:
    """A service that runs and never passes its check."""
    check = {"type": "file", "path": "${self.data_dir}/never"}
    return web(free_port(), health=check, startup={"timeout": 2, "stop_timeout": 2}, **more)


def gated(folder: Path, **more: Any) -> dict[str, Any]:
    """A service that becomes healthy when the test opens its gate."""
    return web(free_port(), health={"type": "file", "path": str(folder / "gate")}, startup={"timeout": 600}, **more)


def failed(ran: Ran, code: int = 1) -> str:
    """Return what a run said when it ended as it should."""
    assert ran.returncode == code
    assert "Traceback" not in ran.stdout + ran.stderr
    return ran.stderr


def test_a_service_that_ends_at_once_is_named_with_its_last_words_and_all_is_cleaned_up(make):
    one = make({"first": web(free_port()), "broken": dies(depends_on=["first"]), "last": web(free_port())})
    one.registry["last"]["depends_on"] = ["broken"]
    said = failed(one.run())
    assert "broken: " in said
    assert "cannot open the ledger" in said
    assert "it is locked" in said
    assert one.leftovers() == []
    assert not any(event["kind"] == "service.starting" and event["service"] == "last" for event in one.events())
    # What tells of the run stays, and nothing else.
    assert {name.partition("/")[0] for name in one.files()} == {"installations", "audit.jsonl"}


def test_a_service_that_never_becomes_healthy_is_named_with_the_check_and_all_is_cleaned_up(make):
    one = make({"first": web(free_port()), "never": never_healthy(depends_on=["first"])})
    said = failed(one.run())
    assert "never: not healthy within 2 s" in said
    assert "does not exist" in said
    assert "startup.timeout" in said
    assert "Cleaned up, because this run had created it: first, never" in said
    assert one.leftovers() == []


def test_in_continue_mode_the_rest_goes_on_and_every_error_is_told(make):
    services = {
        "good": web(free_port()),
        "broken": dies(depends_on=["good"]),
        "behind": web(free_port(), depends_on=["broken"]),
        "never": never_healthy(),
        "other": web(free_port(), depends_on=["good"]),
        "missing": command("/nonexistent/missing"),
    }
    one = make(services, fail_fast=False, cleanup_on_failure=False)
    said = failed(one.run())
    assert {"good", "other"} <= one.pids().keys()
    assert not {"broken", "behind", "missing"} & one.pids().keys()
    for name, why in {
        "broken": "cannot open the ledger",
        "never": "not healthy within 2 s",
        "missing": "/nonexistent/missing is not there",
        "behind": "broken",
    }.items():
        assert re.search(rf"^\W*.*\b{name}: .*{re.escape(why)}", said, re.MULTILINE), f"{name} is not told"
    assert "Left running: " in said


def test_a_clean_up_spares_what_was_there_before(make):
    one = make({"keeper": web(free_port())})
    assert one.run().returncode == 0
    before, files = one.pids(), _lasting(one)
    config = {"dest": "${self.config_dir}/below/extra.conf", "content": "token ${secret.token}\n"}
    one.registry["extra"] = web(free_port(), depends_on=["keeper"], config=[config], secrets={"token": {"length": 32}})
    one.registry["broken"] = dies(depends_on=["extra"])
    said = failed(one.run())
    assert one.pids() == before
    assert _lasting(one) == files
    assert "Cleaned up, because this run had created it: extra, broken" in said
    assert "Left running: keeper." in said


def test_what_is_taken_out_of_the_configuration_is_removed_and_nothing_else(make):
    config = {"dest": "${self.config_dir}/leaving.conf", "content": "token ${secret.token}\n"}
    leaving = web(free_port(), config=[config], secrets={"token": {"length": 32}})
    one = make({"keeper": web(free_port()), "leaving": leaving})
    assert one.run().returncode == 0
    before = one.pids()
    assert "config/leaving/leaving.conf" in one.files()
    del one.registry["leaving"]
    ran = one.run()
    assert (ran.returncode, ran.stderr) == (0, "")
    assert one.pids() == {"keeper": before["keeper"]}
    assert not [name for name in one.files() if name.startswith(("config/leaving", "services/state/leaving"))]
    assert ran.stdout.splitlines()[-1] == "1 of 1 services installed. Removed, as no longer wanted: leaving."
    again = one.run()
    assert (again.returncode, again.stderr) == (0, "")
    assert again.stdout.splitlines()[-1] == "1 of 1 services installed. Nothing had to be changed."


def test_what_a_failed_run_kept_can_be_uninstalled(make):
    one = make({"first": web(free_port()), "broken": dies(depends_on=["first"])}, cleanup_on_failure=False)
    said = failed(one.run())
    assert "Left running: first." in said
    assert one.pids().keys() == {"first"}
    assert one.playbook("uninstall", purge=True).returncode == 0
    assert one.leftovers() == []
    assert not one.work_dir.exists()


def test_an_interrupt_from_the_terminal_ends_all_of_it_and_the_next_run_goes_on_from_there(make, tmp_path):
    one = make({"first": web(free_port()), "slow": gated(tmp_path, depends_on=["first"])})
    run = one.start(own_session=True)
    try:
        one.await_event("service.started", "slow")
    finally:
        # A terminal tells every process of its session.
        os.killpg(run.pid, signal.SIGINT)
        ran = finish(run)
    said = failed(ran, 130)
    assert "Cancelled in " in said
    assert "Left running: first and slow." in said
    assert _ansible_of(one) == []
    left = one.pids()
    assert left.keys() == {"first", "slow"}

    (tmp_path / "gate").touch()
    assert one.run().returncode == 0
    assert one.pids() == left


def test_a_run_that_is_killed_takes_ansible_with_it_and_keeps_nobody_out(make, tmp_path):
    one = make({"slow": gated(tmp_path), "last": web(free_port(), depends_on=["slow"])})
    run = one.start()
    try:
        one.await_event("service.started", "slow")
    finally:
        run.kill()
        finish(run)
    (tmp_path / "gate").touch()
    deadline = time.monotonic() + 120
    while _ansible_of(one):
        assert time.monotonic() < deadline, "Ansible is still there"
        time.sleep(0.05)
    before = one.pids()
    assert one.run().returncode == 0
    assert one.pids().keys() == {"slow", "last"}
    assert one.pids()["slow"] == before["slow"]


def test_a_second_run_is_refused_with_the_pid_of_the_first_which_goes_on(make, tmp_path):
    one = make({"slow": gated(tmp_path)})
    first = one.start()
    try:
        one.await_event("service.started", "slow")
        one.document["installation_id"] = "another"
        from_a_pipeline = one.run()
        from_ansible = one.playbook("install")
        uninstallation = one.playbook("uninstall")
        descendants = _descendants(first.pid)
    finally:
        (tmp_path / "gate").touch()
        ran = finish(first)
    assert "in progress" in failed(from_a_pipeline, 3)
    assert failed(from_ansible, 2) is not None
    assert failed(uninstallation, 2) is not None
    texts = [ran.stdout + ran.stderr for ran in (from_ansible, uninstallation)]
    for text in (from_a_pipeline.stderr, *texts):
        holder = re.search(r"in progress: .*?pid (\d+)", text)
        assert holder is not None
        assert int(holder[1]) in descendants
    assert ran.returncode == 0
    assert one.pids().keys() == {"slow"}


def _lasting(one: Installation) -> dict[str, str]:
    """Return the files that are not records of runs."""
    records = ("installations", "services/locks", "audit.jsonl")
    return {name: what for name, what in one.files().items() if not name.startswith(records)}


def _ansible_of(one: Installation) -> list[int]:
    """Return the processes of Ansible that work for an installation."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            environment = (folder / "environ").read_bytes().decode(errors="replace")
            command_line = (folder / "cmdline").read_bytes().decode(errors="replace")
        except OSError:
            continue
        if f"PROVISIONING_JOURNAL={one.journal}" in environment and "ansible" in command_line:
            found.append(int(folder.name))
    return found


def _descendants(pid: int) -> set[int]:
    parents = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(path.parent.name)] = int(path.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
    found = {pid}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found
