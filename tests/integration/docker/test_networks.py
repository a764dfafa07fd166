# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The networks of containers, when somebody else lays hands on them."""

from __future__ import annotations

import contextlib

import docker.errors
import pytest

from tests.fixtures.docker_bench import Bench, get, service
from tests.fixtures.ports import free_port


def networks(bench: Bench, name: str) -> list[str]:
    return [network["Id"] for network in bench.api.networks() if network["Name"] == name]


def test_what_somebody_disconnected_is_connected_again(bench: Bench) -> None:
    port = free_port()
    web, client = service(docker={"ports": [f"{port}:8080"]}), service("client")
    started = bench.start(client, web)
    assert bench.plan(web).verb == "none"
    bench.api.disconnect_container_from_network(started.id, bench.context.network)

    seen = bench.see(web)
    assert (seen.status, seen.detail) == ("running", f"is not connected to the network {bench.context.network}")
    assert (bench.plan(web).verb, bench.plan(web).reason) == ("start", seen.detail)
    assert bench.plan(client).verb == "none"
    assert bench.plan(web, "stopped").verb == "stop"

    assert bench.start(web).id == started.id, "it is not made anew"
    assert bench.plan(web).verb == "none"
    assert get(port) == "hello\n"
    assert bench.run(client, "wget", "-qO-", "http://web:8080/") == "hello\n"


def test_a_further_network_that_was_taken_away_is_joined_again(bench: Bench) -> None:
    web = service(docker={"networks": ["back"]})
    started = bench.start(web)
    assert bench.plan(web).verb == "none"
    back = f"{bench.context.project}-back"
    bench.api.disconnect_container_from_network(started.id, back)
    assert bench.plan(web).reason == "is not connected to the network back"
    assert bench.start(web).id == started.id
    assert bench.plan(web).verb == "none"
    assert set(bench.inspect(web)["NetworkSettings"]["Networks"]) == {bench.context.network, back}


@pytest.mark.parametrize("runs", [True, False])
def test_a_network_that_was_removed_and_made_again_is_joined_again(bench: Bench, runs: bool) -> None:
    port = free_port()
    web = service(docker={"ports": [f"{port}:8080"]})
    started = bench.start(web)
    if runs:
        bench.api.disconnect_container_from_network(started.id, bench.context.network)
    else:
        bench.driver.stop(web, started)
        with contextlib.suppress(docker.errors.APIError):  # Podman does not remove what a stopped container is on
            bench.api.remove_network(bench.context.network)
    if runs:
        bench.api.remove_network(bench.context.network)
    if not networks(bench, bench.context.network):
        labels = {"io.provisioning.project": bench.context.project}
        bench.api.create_network(bench.context.network, driver="bridge", labels=labels)
    assert bench.plan(web).verb == "start"
    assert bench.start(web).id == started.id
    assert bench.plan(web).verb == "none"
    assert get(port) == "hello\n"


def test_a_network_that_was_disconnected_while_its_container_was_stopped_is_joined_again(bench: Bench) -> None:
    web = service()
    started = bench.start(web)
    bench.driver.stop(web, started)
    bench.api.disconnect_container_from_network(started.id, bench.context.network)
    bench.api.remove_network(bench.context.network)
    assert bench.start(web).id == started.id
    assert bench.plan(web).verb == "none"
    assert set(bench.inspect(web)["NetworkSettings"]["Networks"]) == {bench.context.network}


def make_twins(bench: Bench) -> list[str]:
    """Make our network as often as two runs at once would; only Docker before version 25 lets them."""
    labels = {
        "io.provisioning.project": bench.context.project,
        "io.provisioning.work-dir": str(bench.context.work_dir.root),
    }
    for _ in range(2):
        with contextlib.suppress(docker.errors.APIError):
            bench.api.create_network(bench.context.network, driver="bridge", labels=labels)
    return networks(bench, bench.context.network)


def test_of_two_networks_with_our_name_the_unused_one_goes(bench: Bench) -> None:
    web = service()
    first = make_twins(bench)
    bench.start(web)
    (kept,) = networks(bench, bench.context.network)
    assert kept in first
    if bench.context.engine == "docker":
        assert len(first) == 2 or bench.api.version()["Version"] >= "25"


def test_of_two_networks_with_our_name_the_one_in_use_stays(bench: Bench) -> None:
    web, other = service(), service("other")
    bench.start(web)
    (used,) = networks(bench, bench.context.network)
    make_twins(bench)
    bench.start(web, other)
    assert networks(bench, bench.context.network) == [used]
    assert bench.run(other, "wget", "-qO-", "http://web:8080/") == "hello\n"


def test_a_network_of_our_name_that_somebody_else_made_is_never_removed(bench: Bench) -> None:
    foreign = bench.api.create_network(bench.context.network, driver="bridge")["Id"]
    try:
        if bench.context.engine == "docker":
            make_twins(bench)
        web = service()
        bench.start(web)
        assert len(networks(bench, bench.context.network)) == 1
        bench.remove(web)
        assert bench.driver.clean() == []
    finally:
        bench.api.remove_network(foreign)


def test_all_unused_networks_of_our_name_are_removed_in_the_end(bench: Bench) -> None:
    made = make_twins(bench)
    assert bench.driver.clean() == [bench.context.network] * len(made)
    assert networks(bench, bench.context.network) == []
