# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Starting, stopping and looking at services, which are real processes."""

from __future__ import annotations

import os
import signal
import socket
import time
from pathlib import Path

import yaml
from ansible_collections.provisioning.platform.plugins.module_utils._manager import Manager
from ansible_collections.provisioning.platform.plugins.module_utils._settings import Settings

from tests.fixtures.command import Command
from tests.fixtures.ports import free_port
from tests.fixtures.small_platform import Platform, web


def test_services_are_stopped_and_started_with_what_they_need_and_what_needs_them(
    platform: Platform, provisioning: Command
) -> None:
    platform.start()
    before = platform.pids()

    refused = provisioning("services", "stop", "a")
    assert refused.code == 3
    assert refused.err.startswith("error: a: is needed by c, b. Stop those too: --with-dependents.")
    assert platform.pids() == before

    stopped = provisioning("services", "stop", "b", "--with-dependents", "--json")
    assert (stopped.code, stopped.of("result")) == (0, {"c": "stopped", "b": "stopped"})
    assert list(platform.pids()) == ["a"]

    seen = provisioning("platform", "status", "--json")
    assert (seen.code, seen.of("status")) == (1, {"a": "running", "b": "stopped", "c": "stopped"})
    assert provisioning("services", "status", "a", "--json").code == 0

    started = provisioning("platform", "start", "c", "--json")
    assert (started.code, started.of("result")) == (0, {"a": "unchanged", "b": "healthy", "c": "healthy"})
    assert platform.pids()["a"] == before["a"]

    again = provisioning("services", "restart", "c", "--output", "yaml")
    results = {one["name"]: one["changed"] for one in yaml.safe_load(again.out)["services"]}
    assert (again.code, results) == (0, {"a": False, "b": False, "c": True})

    forced = provisioning("services", "stop", "a", "--force")
    assert forced.code == 0
    assert "1 service stopped.\n" in forced.out
    assert sorted(platform.pids()) == ["b", "c"]


def test_who_stops_what_other_hosts_may_need_is_warned(platform: Platform, provisioning: Command) -> None:
    platform.start("a")
    settings = Settings(elsewhere={"x": ["web2"]})
    Manager(platform.folder, platform.definitions, settings).save_settings()
    forced = provisioning("services", "stop", "a", "--force")
    assert "nobody asked" not in forced.err
    warned = provisioning("services", "stop", "a")
    assert (warned.code, warned.err.partition(".")[0]) == (
        0,
        "warning: web2: nobody asked what runs there whether it needs what stops here",
    )


def test_one_damaged_file_concerns_no_other_service(platform: Platform, provisioning: Command) -> None:
    platform.start()
    Path(platform.folder, "services", "state", "a.json").write_text("{")
    seen = provisioning("platform", "status", "--json")
    assert (seen.code, seen.of("status")) == (1, dict.fromkeys("abc", "running"))
    assert "a.json is damaged: it holds no JSON. Install again" in seen.of("fault")["a"]
    assert "fault: " in provisioning("services", "status", "a").out
    assert provisioning("platform", "status", "b", "c").code == 0
    restarted = provisioning("platform", "restart", "--json")
    assert (restarted.code, restarted.of("result")) == (1, {"a": "failed", "b": "healthy", "c": "healthy"})
    refused = provisioning("services", "start", "a")
    assert (refused.code, refused.err.count("Install again"), "--force" in refused.err) == (3, 1, False)


def test_what_is_in_the_way_is_told_before_anything_is_touched(platform: Platform, provisioning: Command) -> None:
    platform.start()
    assert provisioning("platform", "stop").code == 0
    with socket.create_server(("127.0.0.1", platform.ports["b"])):
        refused = provisioning("platform", "start", "--json")
        going = provisioning("platform", "start", "--keep-going", "--json")
    assert refused.code == 3
    (problem,) = [one for one in refused.document["error"]["problems"] if one["what"] == "b"]
    assert problem["why"].startswith(f"port {platform.ports['b']} is taken by pid {os.getpid()} ")
    assert problem["remedy"].startswith("Stop it, or set")
    assert f"error: b: {problem['why']}" in refused.err
    assert (going.code, going.of("result")) == (1, {"a": "healthy", "b": "skipped", "c": "skipped"})
    assert list(platform.pids()) == ["a"]


def test_health_is_asked_now_and_only_what_is_not_required_may_miss(platform: Platform, provisioning: Command) -> None:
    ill = {"type": "tcp", "port": free_port(), "timeout": 1}
    platform.start("a")
    platform.start("a", b=web("b", port=platform.ports["b"], required=False))
    platform.start("b", c=web("c", port=platform.ports["c"], auto_start=False))
    assert provisioning("platform", "health").code == 0
    os.kill(platform.pids()["b"], signal.SIGKILL)
    found = provisioning("platform", "health", "--json")
    assert (found.code, found.document["healthy"]) == (4, False)
    assert found.of("health") == {"a": "healthy", "b": "unknown"}
    assert provisioning("services", "health", "b").code == 1
    # A check is written down with the next start, though it touches nothing that runs.
    platform.start("a", a=web("a", port=platform.ports["a"], health=ill, startup={"timeout": 2}))
    found = provisioning("platform", "health", "a", "--json")
    assert (found.code, found.of("health")) == (1, {"a": "unhealthy"})
    assert found.of("reason")["a"].endswith("refused the connection")


def test_the_services_are_listed_with_what_they_need(platform: Platform, provisioning: Command) -> None:
    platform.start("a")
    platform.manager().remember("abc")
    listed = provisioning("services", "list", "--json")
    assert (listed.code, listed.of("depends_on")) == (0, {"a": [], "b": ["a"], "c": ["b"]})
    assert provisioning("services", "list", "--running", "--json").of("status") == {"a": "running"}


def test_two_who_start_at_the_same_time_start_nothing_twice(platform: Platform, provisioning: Command) -> None:
    platform.start()
    provisioning("platform", "stop")
    both = [provisioning.begin("platform", "start") for _ in range(2)]
    said = [one.communicate(timeout=120) for one in both]
    codes = [one.returncode for one in both]
    # Who comes second either waits for nothing, or is told who is at work.
    assert sorted(codes) in ([0, 0], [0, 3]), said
    if 3 in codes:
        assert "another run is in progress" in said[codes.index(3)][1]
    assert sorted(platform.pids()) == ["a", "b", "c"]
    for name, pid in platform.pids().items():
        twins = [one for one in processes_on(platform.ports[name]) if one != pid]
        assert twins == [], name


def processes_on(port: int) -> list[int]:
    """Return the pids of web servers that were told to listen at a port."""
    found = []
    for entry in os.scandir("/proc"):
        try:
            words = open(f"/proc/{int(entry.name)}/cmdline", "rb").read().split(b"\0")  # noqa: SIM115
        except (OSError, ValueError):
            continue
        if b"httpd" in words and f"127.0.0.1:{port}".encode() in words:
            found.append(int(entry.name))
    return found


def test_a_command_that_is_interrupted_leaves_services_whole(platform: Platform, provisioning: Command) -> None:
    slow = {"type": "tcp", "port": free_port(), "timeout": 1}
    platform.manager(c=web("c", ["b"], port=platform.ports["c"], health=slow, startup={"timeout": 120})).remember("abc")
    going = provisioning.begin("services", "start", "c")
    deadline = time.monotonic() + 60
    while "c" not in platform.pids():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    going.send_signal(signal.SIGINT)
    _, said = going.communicate(timeout=60)
    assert going.returncode == 130, said
    assert "Traceback" not in said
    assert sorted(platform.pids()) == ["a", "b", "c"]
    assert provisioning("services", "status", "a", "b").code == 0


def test_nothing_installed_and_unknown_names_are_one_clear_error(platform: Platform, provisioning: Command) -> None:
    nothing = provisioning("platform", "status")
    assert (nothing.code, nothing.out) == (3, "")
    assert nothing.err.startswith(f"error: {platform.folder}: holds no installation; it is what --work-dir")
    platform.start("a")
    unknown = provisioning("services", "stop", "d")
    assert (unknown.code, unknown.out) == (2, "")
    assert unknown.err == "error: d: there is no such service. Known services: a.\n"
