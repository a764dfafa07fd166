# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The docker driver: several containers of one service."""

from __future__ import annotations

import time
from typing import Any

from ansible_collections.provisioning.platform.plugins.module_utils._model import ServiceDefinition

from tests.fixtures.docker_bench import eventually, get, service
from tests.fixtures.ports import free_ports


def replicas(count: int, **settings: Any) -> ServiceDefinition:
    return service(docker={"replicas": count, **settings})


def test_replicas_share_a_name_and_have_numbers_and_ports_of_their_own(bench):
    port = free_ports(3)[0]
    web = replicas(3, ports=[f"{port}-{port + 2}:8080"])
    seen = bench.start(web)
    assert len(seen.instances) == 3
    assert bench.containers() == [f"{bench.context.project}-web-{number}" for number in (1, 2, 3)]
    for number in (1, 2, 3):
        assert f"REPLICA={number}" in get(port + number - 1, "/cgi-bin/env").splitlines()
    assert bench.see(web).instances == seen.instances
    assert bench.is_current(web)
    bench.remove(web)
    assert bench.containers() == []


def test_a_replica_that_is_gone_is_replaced_and_the_others_are_left_alone(bench):
    web = replicas(3)
    before = bench.start(web).instances
    bench.api.remove_container(before[1], force=True)
    seen = bench.see(web)
    assert (seen.status, seen.detail) == ("stopped", "2 of 3 replicas are there")
    assert bench.is_current(web)
    after = bench.start(web).instances
    assert (after[0], after[2]) == (before[0], before[2])
    assert after[1] != before[1]
    assert bench.see(web).status == "running"


def test_a_replica_that_was_stopped_is_started_again(bench):
    web = replicas(2)
    before = bench.start(web).instances
    bench.api.stop(before[1], timeout=0)
    assert bench.see(web).status == "stopped"
    assert bench.start(web).instances == before
    assert bench.see(web).status == "running"


def test_another_number_of_replicas_touches_only_those_that_come_or_go(bench):
    three = bench.start(replicas(3)).instances
    assert not bench.is_current(replicas(2))
    two = bench.start(replicas(2)).instances
    assert two == three[:2]
    assert bench.is_current(replicas(2))
    assert bench.see(replicas(4)).detail == "2 of 4 replicas are there"
    four = bench.start(replicas(4)).instances
    assert four[:2] == two
    assert bench.is_current(replicas(4))
    one = bench.start(service()).instances
    assert len(one) == 1
    assert one[0] not in four
    assert bench.containers() == [f"{bench.context.project}-web"]


def test_all_replicas_stop_at_the_same_time(bench, tmp_path):
    # Each ends once it has seen that all have been asked to.
    script = (
        "trap 'touch /notes/$(hostname); until set -- /notes/*; [ $# = 3 ]; do sleep 0.05; done; echo bye; exit' TERM;"
        "echo ready; while true; do sleep 0.05; done"
    )
    notes = tmp_path / "notes"
    notes.mkdir()
    settings = {"replicas": 3, "command": ["sh", "-c", script], "volumes": [f"{notes}:/notes"], "user": "0:0"}
    web = service(docker=settings, startup={"stop_timeout": 240, "restart": "no"})
    bench.start(web)
    eventually(lambda: len(list(bench.driver.logs(web))) == 3)
    begin = time.monotonic()
    bench.driver.stop(web, bench.see(web))
    assert time.monotonic() - begin < 200
    assert [line.text for line in bench.driver.logs(web)].count("bye") == 3
    assert bench.see(web).status == "stopped"
