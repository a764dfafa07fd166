# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The docker driver: how services begin and how they end."""

from __future__ import annotations

import time

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils._drivers._base import ABSENT
from ansible_collections.provisioning.platform.plugins.module_utils._drivers.docker import DockerDriver
from ansible_collections.provisioning.platform.plugins.module_utils._plan import digest_of

from tests.fixtures.docker_bench import STUBBORN, eventually, get, service
from tests.fixtures.ports import free_port


def test_a_service_is_created_stopped_started_again_and_removed_without_a_trace(bench):
    port = free_port()
    web = service(docker={"ports": [f"{port}:8080"]})
    digest = digest_of(bench.driver.render(web))
    assert bench.driver.check(web) == []
    assert bench.see(web) is ABSENT

    started = bench.start(web)
    assert started.status == "running"
    assert get(port) == "hello\n"
    seen = bench.see(web)
    assert (seen.status, seen.digest, seen.id, seen.instances) == ("running", digest, started.id, (started.id,))
    assert seen.since == pytest.approx(time.time(), abs=60)
    assert started.since == pytest.approx(time.time(), abs=60)

    assert bench.start(web).id == started.id, "what runs and has not changed is left alone"

    bench.driver.stop(web, seen)
    assert (bench.see(web).status, bench.see(web).digest) == ("stopped", digest)
    assert bench.start(web).id == started.id
    assert get(port) == "hello\n"
    assert bench.driver.clean() == [], "the network is in use"

    bench.remove(web)
    assert bench.see(web) is ABSENT
    assert bench.driver.clean() == [bench.context.network]
    assert bench.driver.clean() == []
    assert bench.containers() == []


def test_all_services_are_observed_together(bench):
    one, two, three = (service(name) for name in ("one", "two", "three"))
    bench.start(one, two)
    seen = bench.driver.observe([one, two, three])
    assert {name: found.status for name, found in seen.items()} == {
        "one": "running",
        "two": "running",
        "three": "absent",
    }


def test_a_service_that_has_changed_is_replaced(bench):
    first = bench.start(service(docker={"env": {"LEVEL": "info"}}))
    changed = service(docker={"env": {"LEVEL": "debug"}})
    assert not bench.is_current(changed)
    second = bench.start(changed)
    assert second.id != first.id
    assert bench.is_current(changed)
    assert len(bench.containers()) == 1


def test_a_restart_is_a_stop_and_a_start_of_the_same_container(bench):
    web = service()
    before = bench.start(web)
    bench.driver.stop(web, before)
    after = bench.driver.start(web, before, before.digest or "")
    assert after.id == before.id
    assert bench.see(web).status == "running"


def test_stopping_and_removing_what_is_gone_already_is_no_error(bench):
    web = service()
    seen = bench.start(web)
    bench.api.remove_container(seen.id, force=True)
    bench.driver.stop(web, seen)
    bench.driver.remove(web, seen)
    bench.driver.remove(web, ABSENT)


def test_what_somebody_paused_runs_on(bench):
    port = free_port()
    web = service(docker={"ports": [f"{port}:8080"]})
    seen = bench.start(web)
    bench.api.pause(seen.id)
    assert (bench.see(web).status, bench.see(web).detail) == ("paused", "is paused")
    assert bench.plan(web).verb == "start"
    assert bench.plan(web).reason == "is paused"
    assert bench.start(web).id == seen.id
    assert bench.see(web).status == "running"
    assert get(port) == "hello\n"


def test_stopping_sends_the_signal_asked_for_and_waits(bench):
    script = ["sh", "-c", "trap 'echo bye; exit 7' INT; while true; do sleep 0.05; done"]
    startup = {"stop_signal": "SIGINT", "stop_timeout": 300, "restart": "no"}
    web = service(docker={"command": script}, startup=startup)
    bench.start(web)
    begin = time.monotonic()
    bench.driver.stop(web, bench.see(web))
    assert time.monotonic() - begin < 120
    assert bench.see(web).exit_code == 7
    assert [line.text for line in bench.driver.logs(web)] == ["bye"]


def test_what_hears_the_signal_and_goes_on_is_killed_after_the_timeout(bench):
    web = service(docker={"command": STUBBORN}, startup={"stop_timeout": 1})
    bench.start(web)
    eventually(lambda: list(bench.driver.logs(web)))
    begin = time.monotonic()
    bench.remove(web)
    assert 0.9 < time.monotonic() - begin < 60
    assert bench.see(web) is ABSENT


@pytest.mark.parametrize("end", [DockerDriver.stop, DockerDriver.remove])
def test_what_cannot_hear_the_signal_is_not_waited_for(bench, end):
    web = service(startup={"stop_timeout": 300})
    seen = bench.start(web)
    bench.await_program(web)
    begin = time.monotonic()
    end(bench.driver, web, seen)
    assert time.monotonic() - begin < 120
    assert not bench.see(web).is_up


@pytest.mark.parametrize(
    ("script", "status", "code", "detail"),
    [("exit 0", "stopped", 0, ""), ("exit 3", "failed", 3, "exited with code 3")],
)
def test_how_a_service_ended_is_known(bench, script, status, code, detail):
    web = service(docker={"command": ["sh", "-c", script]}, startup={"restart": "no"})
    bench.start(web)
    seen = eventually(lambda: found if (found := bench.see(web)).exit_code is not None else None)
    assert (seen.status, seen.exit_code, seen.detail) == (status, code, detail)


def test_what_is_killed_counts_as_failed(bench):
    web = service(startup={"restart": "no"})
    bench.api.kill(bench.start(web).id)
    seen = eventually(lambda: found if not (found := bench.see(web)).is_up else None)
    assert (seen.status, seen.exit_code, seen.detail) == ("failed", 137, "was killed by SIGKILL")


def test_what_the_engine_keeps_restarting_is_not_running(bench, engine):
    web = service(docker={"command": ["sh", "-c", "exit 3"]})
    bench.start(web)
    if engine == "docker":  # Podman has no word for it
        seen = eventually(lambda: found if (found := bench.see(web)).status == "starting" else None)
        assert seen.detail == "restarting after it exited with code 3"
    bench.remove(web)
    assert bench.see(web) is ABSENT
