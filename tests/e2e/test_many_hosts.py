# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A platform on three hosts: folders of this machine, each with an address of its own, and containers over ssh."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.fleets import Fleet
from tests.fixtures.installations import Ran, web
from tests.fixtures.machine import accepts
from tests.fixtures.ports import free_ports
from tests.fixtures.ssh_hosts import ssh_hosts

PORTS = {"two": 8001, "one": 8002, "three": 8003}
HOSTS = {"one": "127.0.0.11", "two": "127.0.0.12", "three": "127.0.0.13"}


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    """Front needs app, which needs store: each on another host; alone is beside app."""
    store, app, front, alone = free_ports(4)
    hosts = {
        name: {
            "ansible_connection": "local",
            "ansible_python_interpreter": sys.executable,
            "platform_address": address,
            "work_dir": str(tmp_path / name),
        }
        for name, address in HOSTS.items()
    }
    everywhere = {"bind_address": "0.0.0.0"}
    services = {
        "store": {**web(store), **everywhere, "secrets": {"password": {"length": 20}}},
        "app": {
            **web(app, depends_on=["store"]),
            **everywhere,
            "config": [{"dest": "app", "content": "${secret.store.password} ${service.store.url}"}],
        },
        "front": {**web(front, depends_on=["app"]), **everywhere, "hosts": ["edge"]},
        "alone": web(alone),
    }
    one = Fleet(tmp_path, hosts, services, {"store": ["two"], "edge": ["three"]})
    try:
        yield one
    finally:
        one.clean()


def done(ran: Ran) -> str:
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "Traceback" not in ran.stdout + ran.stderr
    return ran.stdout


def told(output: str, *words: str) -> list[str]:
    """What was told of services, e.g. ``two store started``, in order."""
    pattern = rf"\[(\w+)\] ([\w-]+): ({'|'.join(words)})"
    return [" ".join(match) for match in re.findall(pattern, output)]


def test_services_start_on_their_hosts_in_the_order_of_their_needs_and_stop_in_reverse(fleet):
    installed = done(fleet.playbook("install"))
    started = told(installed, "started")
    assert set(started[:2]) == {"two store started", "one alone started"}
    assert started[2:] == ["one app started", "three front started"]
    password = json.loads((fleet.folder / "two/secrets/store.json").read_text())["password"]["value"]
    url = f"http://127.0.0.12:{fleet.services['store']['port']}"
    assert (fleet.folder / "one/config/app/app").read_text() == f"{password} {url}"
    assert password not in installed

    again = done(fleet.playbook("install"))
    assert told(again, "started", "stopped") == []
    assert re.findall(r"changed=(\d+)", again) == ["0", "0", "0"]

    stopped = told(done(fleet.playbook("stop")), "stopped")
    assert stopped[:2] == ["three front stopped", "one app stopped"]
    assert set(stopped[2:]) == {"two store stopped", "one alone stopped"}
    restarted = told(done(fleet.playbook("start", "-f", "1")), "started")
    assert restarted[2:] == ["one app started", "three front started"]
    # One that is on another host than the first is no unknown one.
    assert told(done(fleet.playbook("stop", "-e", "service_names=front")), "stopped") == ["three front stopped"]

    gone = told(done(fleet.playbook("uninstall", "-e", "purge=true")), "removed")
    assert gone[:2] == ["three front removed", "one app removed"]
    assert not any(accepts(service["port"]) for service in fleet.services.values())
    assert not any((fleet.folder / name).exists() for name in HOSTS)


@pytest.mark.parametrize("limits", [["--limit", "one"], ["-e", "platform_serial=1"]], ids=["limit", "serial"])
def test_what_is_on_a_host_outside_the_batch_is_looked_for_once_and_missed_with_its_reason(fleet, limits):
    ran = fleet.playbook("install", *limits)
    assert ran.returncode == 2
    assert "store: has no secrets yet on two, where they are made" in ran.stdout + ran.stderr
    del fleet.services["app"]["config"]
    ran = fleet.playbook("install", *limits)
    assert ran.returncode == 2
    assert "app: needs store on two, which does not answer there" in ran.stdout + ran.stderr
    assert "Start store first, in a run that includes two." in ran.stdout + ran.stderr


def test_batches_that_come_in_the_order_of_needs_bring_everything_up(fleet):
    fleet.hosts = {name: fleet.hosts[name] for name in ("two", "one", "three")}
    fleet.services["alone"]["hosts"] = fleet.services["app"]["hosts"] = ["one"]
    done(fleet.playbook("install", "-e", "platform_serial=1"))
    assert all(accepts(service["port"]) for service in fleet.services.values())


def test_an_address_that_cannot_be_reached_is_found_before_anything_is_touched(fleet):
    fleet.services["store"]["bind_address"] = "127.0.0.1"
    ran = fleet.playbook("install")
    assert ran.returncode == 2
    assert "store: listens on 127.0.0.1 alone, where no other host reaches it" in ran.stdout + ran.stderr
    assert not any((fleet.folder / name / "services").exists() for name in HOSTS)


def test_what_one_host_lacks_keeps_all_from_being_touched(fleet):
    fleet.services["front"]["deployment"] = {"mode": "binary", "binary": {"command": "/nonexistent/front"}}
    ran = fleet.playbook("install")
    assert ran.returncode == 2
    assert "/nonexistent/front" in ran.stdout + ran.stderr
    assert "undefined" not in ran.stdout + ran.stderr
    assert not any((fleet.folder / name / "services").exists() for name in HOSTS)


def test_what_runs_on_another_host_keeps_what_it_needs_from_being_stopped_unless_it_is_stopped_too(fleet):
    done(fleet.playbook("install"))
    ran = fleet.playbook("stop", "-e", "service_names=store")
    assert ran.returncode == 2
    assert "store: is needed by app on one. Stop those too (with_dependents), or force it." in ran.stdout + ran.stderr
    assert accepts(fleet.services["store"]["port"])
    stopped = done(fleet.playbook("stop", "-e", "service_names=app,store", "-e", "with_dependents=true"))
    assert told(stopped, "stopped") == ["three front stopped", "one app stopped", "two store stopped"]


def test_the_program_installs_on_the_hosts_of_an_inventory_with_their_own_settings(fleet):
    fleet.services["front"]["bind_address"] = "127.0.0.1"
    fleet.hosts["three"]["front_service"] = {"bind_address": "0.0.0.0"}
    planned = fleet.run("plan")
    assert planned.returncode == 10, planned.stdout + planned.stderr
    assert all(name in planned.stdout for name in fleet.services)
    ran = fleet.run()
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert re.search(r"^front on three +running +healthy", ran.stdout, re.MULTILINE)
    assert accepts(fleet.services["front"]["port"], "127.0.0.13")


# --- hosts that are machines of their own, as far as containers are ---------------------------------------------------


@pytest.fixture(scope="module")
def machines(docker_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, dict[str, Any]]]:
    """Three containers that are reached over ssh."""
    with ssh_hosts(docker_url, HOSTS, tmp_path_factory.mktemp("ssh")) as hosts:
        yield hosts


def test_a_platform_is_installed_on_hosts_over_ssh(machines, tmp_path):
    """The same graph; what one host asks of another goes over the network between them."""
    everywhere = {"bind_address": "0.0.0.0"}
    hosts = {name: {**variables, "work_dir": "/srv/platform"} for name, variables in machines.items()}
    services = {
        "store": {**web(8001), **everywhere, "secrets": {"password": {"length": 20}}},
        "app": {
            **web(8002, depends_on=["store"]),
            **everywhere,
            "config": [{"dest": "app", "content": "${secret.store.password} ${service.store.url}"}],
        },
        "front": {**web(8003, depends_on=["app"]), **everywhere, "hosts": ["edge"]},
    }
    fleet = Fleet(tmp_path, hosts, services, {"store": ["two"], "edge": ["three"]})
    try:
        installed = done(fleet.playbook("install"))
        assert told(installed, "started") == ["two store started", "one app started", "three front started"]
        assert all(accepts(port, machines[host]["ansible_host"]) for host, port in PORTS.items())
        again = done(fleet.playbook("install", "-vvv"))
        assert re.findall(r"changed=(\d+)", again) == ["0", "0", "0"]
        # What ssh brings back is shown then, and the password was asked for to see that it is there.
        assert not re.search(r'"value\W+\w{20}\W', again)
        assert told(done(fleet.playbook("stop")), "stopped") == [
            "three front stopped",
            "one app stopped",
            "two store stopped",
        ]
        assert not any(accepts(port, machines[host]["ansible_host"]) for host, port in PORTS.items())
        done(fleet.playbook("uninstall", "-e", "purge=true"))
    finally:
        fleet.clean()
