# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Processes whose records are lost are known by the mark in their environment, and nobody else is taken for one."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils import _process
from ansible_collections.provisioning.platform.plugins.module_utils._drivers._base import ABSENT
from ansible_collections.provisioning.platform.plugins.module_utils._drivers._marks import VARIABLE, Mark, Search
from ansible_collections.provisioning.platform.plugins.module_utils._state import PidStore

from tests.fixtures.binary_host import AS_ROOT, Host, lives, pid_of, sh
from tests.fixtures.ports import free_port


@contextmanager
def _bearer(text: str, *, user: str | None = None) -> Iterator[subprocess.Popen[bytes]]:
    """Somebody's process with a mark that he has written himself."""
    environment = {VARIABLE: text}
    with subprocess.Popen(["sleep", "1000"], env=environment, start_new_session=True, user=user) as process:
        try:
            yield process
        finally:
            process.kill()


def _mark(host: Host, **changes: object) -> Mark:
    mark = Mark(str(host.layout.root), "one", 1, "digest", _process.ticks_since_boot())
    return replace(mark, **changes)  # type: ignore[arg-type]


def test_processes_are_known_and_stopped_when_the_folder_of_their_records_is_gone(host: Host) -> None:
    port = free_port()
    one = sh("one", f"exec busybox httpd -f -p 127.0.0.1:{port}", port=port)
    three = sh("three", "exec sleep 1000", binary={"replicas": 3})
    before = {"one": host.start(one), "three": host.start(three)}
    records = {name: PidStore(host.layout.pids).read(name) for name in before}
    shutil.rmtree(host.layout.pids)
    assert host.new_driver().observe([one, three]) == before
    assert {name: PidStore(host.layout.pids).read(name) for name in before} == records
    shutil.rmtree(host.layout.pids)
    assert host.start(one).id == before["one"].id
    shutil.rmtree(host.layout.pids)
    host.driver = host.new_driver()
    for definition in (one, three):
        host.remove(definition)
    assert not any(lives(int(pid)) for seen in before.values() for pid in seen.instances)
    assert host.observe(one) == ABSENT


def test_a_change_is_seen_and_replaces_a_process_whose_record_is_lost(host: Host) -> None:
    before = host.start(sh("one", "exec sleep 1000"))
    shutil.rmtree(host.layout.pids)
    host.driver = host.new_driver()
    after = host.start(sh("one", "exec sleep 2000"))
    assert after.digest != before.digest
    assert not lives(pid_of(before))


def test_a_work_dir_that_is_reached_by_another_way_is_the_same(host: Host, tmp_path: Path) -> None:
    one = sh("one", "exec sleep 1000")
    before = host.start(one)
    shutil.rmtree(host.layout.pids)
    (tmp_path / "way").symlink_to(host.layout.root)
    assert Host(tmp_path / "way").observe(one) == before


def test_what_a_service_starts_is_not_taken_for_the_service(host: Host) -> None:
    one = sh("one", "setsid sleep 1000 & echo $!; wait")
    started = host.start(one)
    child = int(host.until(lambda: host.log(one))[0])
    host.until(lambda: os.getsid(child) == child)
    shutil.rmtree(host.layout.pids)
    assert host.new_driver().observe([one])["one"].id == started.id
    os.kill(child, signal.SIGKILL)


@pytest.mark.parametrize(
    "text",
    [
        lambda host: _mark(host, work_dir="/elsewhere").to_text(),
        lambda host: _mark(host, service="two").to_text(),
        lambda host: _mark(host, launched=1).to_text(),
        lambda host: _mark(host, launched=_process.ticks_since_boot() + 100_000).to_text(),
        lambda host: _mark(host, replica="1").to_text(),
        lambda host: _mark(host, digest=None).to_text(),
        lambda host: json.dumps({**vars(_mark(host)), "more": 1}),
        lambda host: "[1]",
        lambda host: "{",
        lambda host: "",
    ],
    ids=[
        "work dir", "service", "began later", "began before", "replica", "digest", "more", "list", "torn", "empty",
    ],
)  # fmt: skip
def test_a_mark_that_is_not_ours_is_nobody_s(host: Host, text: Callable[[Host], str]) -> None:
    with _bearer(text(host)):
        assert host.observe(sh("one", "exec sleep 1000")) == ABSENT


def test_a_mark_counts_only_in_a_process_that_leads_its_session(host: Host) -> None:
    environment = {**os.environ, VARIABLE: _mark(host).to_text()}
    with subprocess.Popen(["sleep", "1000"], env=environment) as process:
        assert host.observe(sh("one", "exec sleep 1000")) == ABSENT
        process.kill()


@AS_ROOT
def test_another_user_s_process_is_not_taken_for_one_of_ours_whatever_it_says(host: Host) -> None:
    one = sh("one", "exec sleep 1000")
    with _bearer(_mark(host).to_text(), user="nobody") as process:
        assert host.observe(one) == ABSENT
        his = sh("one", "exec sleep 1000", binary={"user": "nobody"})
        assert host.observe(his).id == str(process.pid)
        host.stop(his)
        assert process.wait(60) != 0


def test_processes_are_looked_for_once_and_only_where_a_record_is_missing(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    services = [sh(name, "exec sleep 1000") for name in ("one", "two", "three")]
    host.start(services[0])
    looks: list[int] = []
    look = _process.pids
    monkeypatch.setattr(_process, "pids", lambda: looks.append(1) or look())
    host.driver.observe(services[:1])
    assert looks == []
    host.driver.observe(services)
    assert looks == [1]
    assert Search(str(host.layout.root)).of("two", {os.geteuid()}) == []
