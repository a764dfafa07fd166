# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The compose driver: how services begin and how they end."""

from __future__ import annotations

import time

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils._drivers._base import ABSENT
from ansible_collections.provisioning.platform.plugins.module_utils._drivers.docker import DockerDriver
from ansible_collections.provisioning.platform.plugins.module_utils._model import CommandHealthCheck
from ansible_collections.provisioning.platform.plugins.module_utils._plan import digest_of
from ansible_collections.provisioning.platform.plugins.module_utils._secrets import Secret

from tests.fixtures.docker_bench import eventually, get
from tests.fixtures.docker_bench import service as docker_service
from tests.fixtures.ports import free_port

NEEDS_DB = {"depends_on": {"db": {"condition": "service_started"}}}


def test_a_service_is_created_stopped_started_again_and_removed_without_a_trace(bench):
    port = free_port()
    bench.write({"web": {"ports": [f"127.0.0.1:{port}:8080"], "volumes": ["/scratch"], "restart": "unless-stopped"}})
    web = bench.service()
    digest = digest_of(bench.driver.render(web))
    assert bench.driver.check(web) == []
    assert bench.see(web) == ABSENT
    assert bench.networks() == [], "looking makes nothing"

    started = bench.start(web)
    assert started.status == "running"
    assert get(port) == "hello\n"
    seen = bench.see(web)
    assert (seen.status, seen.digest, seen.id, seen.instances) == ("running", digest, started.id, (started.id,))
    assert seen.since == pytest.approx(time.time(), abs=60)
    assert bench.driver.check(web) == [], "what is ours is in nobody's way"

    assert bench.start(web).id == started.id, "what runs and has not changed is left alone"

    bench.driver.stop(web, seen)
    assert (bench.see(web).status, bench.see(web).digest) == ("stopped", digest)
    assert bench.start(web).id == started.id
    assert get(port) == "hello\n"

    bench.remove(web)
    assert bench.see(web) == ABSENT
    assert bench.driver.clean() == [bench.context.network]
    assert (bench.containers(), bench.networks(), bench.volumes()) == ([], [], [])


def test_what_a_service_needs_inside_its_file_comes_and_goes_with_it(bench):
    bench.write(
        {"web": NEEDS_DB, "db": {"volumes": ["data:/data"]}, "other": {}, "tool": {"profiles": ["tools"]}},
        volumes={"data": {}},
    )
    web = bench.service()
    bench.start(web)
    assert bench.containers() == ["db", "web"]
    bench.driver.stop(web, bench.see(web))
    assert not any(bench.inspect(name)["State"]["Running"] for name in ("web", "db"))
    bench.start(web)
    assert all(bench.inspect(name)["State"]["Running"] for name in ("web", "db"))
    (bench.folder / "compose.yaml").unlink()
    bench.remove(web)
    assert bench.containers() == [], "the file is not needed to take away what came from it"
    assert bench.volumes() == [f"{bench.project}_data"], "named volumes are data"
    bench.driver.clean()
    assert bench.driver.purge() == [f"{bench.project}_data"]
    assert (bench.networks(), bench.volumes()) == ([], [])


def test_two_services_of_one_file_share_what_they_need(bench):
    bench.write({"web": NEEDS_DB, "api": NEEDS_DB, "db": {}})
    web, api = bench.service("web"), bench.service("shop-api", {"service": "api"})
    bench.start(web, api)
    before = {name: bench.id_of(name) for name in ("web", "api", "db")}
    seen = bench.driver.observe([web, api])
    assert [seen["web"].id, seen["shop-api"].id] == [before["web"], before["api"]]
    bench.start(web, api)
    assert {name: bench.id_of(name) for name in before} == before, "neither takes it from the other"
    bench.driver.stop(web, seen["web"])
    assert bench.inspect("db")["State"]["Running"], "the other needs it"
    bench.remove(web)
    assert bench.containers() == ["api", "db"]
    bench.remove(api)
    assert bench.containers() == []


def test_a_service_of_the_platform_that_another_needs_in_the_file_keeps_its_own_settings(bench):
    bench.write({"web": NEEDS_DB, "db": {}})
    web, db = bench.service("web"), bench.service("db", {"env": {"LEVEL": "debug"}})
    bench.start(db, web)
    before = bench.id_of("db")
    bench.start(web)
    assert bench.id_of("db") == before
    assert bench.is_current(db)
    bench.remove(web)
    assert bench.containers() == ["db"]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"environment": {"LEVEL": "debug"}}, "debug"),
        ({"labels": {"colour": "blue"}}, "blue"),
    ],
)
def test_a_change_in_the_file_replaces_the_container(bench, change, told):
    bench.write({"web": {"environment": {"LEVEL": "info"}}})
    web = bench.service()
    first = bench.start(web)
    bench.write({"web": {"environment": {"LEVEL": "info"}, **change}})
    assert not bench.is_current(web)
    assert told in str(bench.driver.render(web))
    second = bench.start(web)
    assert second.id != first.id
    assert bench.is_current(web)
    assert bench.containers() == ["web"]


def test_a_change_leaves_what_the_service_needs_alone(bench):
    bench.write({"web": NEEDS_DB, "db": {}})
    bench.start(bench.service())
    before = bench.id_of("db"), bench.id_of("web")
    bench.write({"web": {**NEEDS_DB, "environment": {"LEVEL": "debug"}}, "db": {}})
    bench.start(bench.service())
    assert bench.id_of("db") == before[0]
    assert bench.id_of("web") != before[1]
    bench.write({"web": {**NEEDS_DB, "environment": {"LEVEL": "debug"}}, "db": {"environment": {"LEVEL": "debug"}}})
    bench.start(bench.service())
    assert bench.id_of("db") != before[0]


def test_what_is_no_longer_needed_goes(bench):
    bench.write({"web": NEEDS_DB, "db": {}})
    web = bench.service()
    bench.start(web)
    bench.write({"web": {}, "db": {}})
    bench.start(web)
    assert bench.containers() == ["web"]


def test_a_service_moves_to_another_service_of_the_file_and_another_project(bench):
    port = free_port()
    both = {"ports": [f"127.0.0.1:{port}:8080"]}
    bench.write({"web": both, "new": both})
    bench.start(bench.service())
    bench.start(bench.service("web", {"service": "new"}))
    assert bench.containers() == ["new"]
    elsewhere = f"{bench.context.project}-elsewhere"
    moved = bench.start(bench.service("web", {"service": "new", "project": elsewhere}))
    assert bench.containers() == []
    assert bench.api.inspect_container(moved.id)["Config"]["Labels"]["com.docker.compose.project"] == elsewhere
    assert get(port) == "hello\n"


def test_containers_of_other_modes_reach_it_by_its_name(bench):
    bench.write({"web": {}})
    ledger = bench.service("ledger", {"service": "web"})
    bench.start(ledger)
    docker = DockerDriver(bench.context)
    other = docker_service("other", docker={"image": bench.inspect("web")["Config"]["Image"]})
    docker.prepare([other])
    docker.start(other, ABSENT, "1")
    check = CommandHealthCheck(type="command", command=["wget", "-qO-", "http://ledger:8080/"])
    assert docker.execute(other, check) == (0, "hello\n")
    assert docker.observe([docker_service("ledger")])["ledger"] == ABSENT, "it is not one of the docker driver's"
    assert bench.see(bench.service("other")) == ABSENT, "nor the other way round"
    assert [one.name for one in bench.driver.find()] == ["ledger"]
    bench.remove(ledger)
    assert bench.networks() == [bench.context.network], "which is in use"


def test_variables_reach_the_file_and_the_container_with_secrets_filled_in(bench):
    bench.write({"web": {"environment": {"LEVEL": "${LEVEL:-info}", "COLOUR": "red", "DB": "${DB_PASSWORD}"}}})
    secret = "s$ecr${t}et-5"
    bench.context.secrets.write("web", {"password": Secret(secret)})
    env = {"LEVEL": "debug", "DB_PASSWORD": "${secret.web.password}", "COLOUR": "blue", "PATH": "/bin:/sbin"}
    web = bench.service("web", {"env": env})
    rendered = bench.driver.render(web)
    assert secret not in str(rendered)
    assert rendered["secrets"] == {"web.password": 1}
    bench.start(web)
    found = dict(entry.split("=", 1) for entry in bench.inspect("web")["Config"]["Env"])
    wanted = {"LEVEL": "debug", "DB": secret, "DB_PASSWORD": secret, "COLOUR": "blue", "PATH": "/bin:/sbin"}
    assert found.items() >= wanted.items()
    left = [path for path in bench.folder.parent.rglob("*") if path.is_file() and secret in path.read_text()]
    assert left == [bench.context.work_dir.secrets / "web.json"]


def test_env_files_profiles_and_limits_are_honoured(bench):
    bench.write({"web": {"environment": {"COLOUR": "${COLOUR}"}, "profiles": ["extra"]}})
    (bench.folder / "colours.env").write_text("COLOUR=green\n")
    compose = {"env_files": [str(bench.folder / "colours.env")], "profiles": ["extra"]}
    web = bench.service("web", compose, resources={"memory": "64m"})
    bench.start(web)
    found = bench.inspect("web")
    assert "COLOUR=green" in found["Config"]["Env"]
    assert found["HostConfig"]["Memory"] == 64 * 2**20


def test_logs_and_commands_are_those_of_the_container(bench):
    bench.write({"web": {"command": ["sh", "-c", "echo one; echo two >&2; sleep 1000"]}})
    web = bench.service()
    bench.start(web)
    eventually(lambda: len(list(bench.driver.logs(web))) == 2)
    assert {(line.stream, line.text) for line in bench.driver.logs(web)} == {("stdout", "one"), ("stderr", "two")}
    check = CommandHealthCheck(type="command", command=["echo", "inside"])
    assert bench.driver.execute(web, check) == (0, "inside\n")


def test_what_is_gone_behind_our_back_is_made_again(bench):
    bench.write({"web": NEEDS_DB, "db": {}})
    web = bench.service()
    bench.start(web)
    bench.api.remove_container(bench.id_of("web"), force=True)
    assert bench.see(web) == ABSENT
    bench.api.remove_container(bench.id_of("db"), force=True)
    bench.start(web)
    assert bench.containers() == ["db", "web"]
    bench.api.remove_container(bench.id_of("web"), force=True)
    bench.api.remove_container(bench.id_of("db"), force=True)
    bench.driver.stop(web, ABSENT)
    bench.driver.remove(web, ABSENT)


@pytest.mark.parametrize(
    ("lose", "drift"),
    [
        (lambda bench: bench.api.kill(bench.id_of("db")), "db, which it needs inside its file, has ended"),
        (
            lambda bench: bench.api.remove_container(bench.id_of("db"), force=True),
            "db, which it needs inside its file, is",
        ),
    ],
    ids=["killed", "removed"],
)
def test_what_a_service_needs_inside_its_file_is_missed_and_brought_back(bench, lose, drift):
    bench.write({"web": NEEDS_DB, "db": {"restart": "no"}})
    web = bench.service()
    before = bench.start(web)
    lose(bench)
    assert bench.see(web).drift.startswith(drift)
    after = bench.start(web)
    assert (after.id, after.drift) == (before.id, "")
    assert bench.inspect("db")["State"]["Running"]


def test_what_somebody_paused_runs_on(bench):
    bench.write({"web": {}})
    web = bench.service()
    seen = bench.start(web)
    bench.api.pause(seen.id)
    assert (bench.see(web).status, bench.see(web).detail) == ("paused", "is paused")
    assert bench.start(web).id == seen.id
    assert bench.see(web).status == "running"
    bench.api.pause(seen.id)
    bench.driver.stop(web, bench.see(web))
    assert not bench.see(web).is_up


def test_a_network_that_somebody_took_away_is_joined_again(bench):
    bench.write({"web": {}})
    web = bench.service()
    seen = bench.start(web)
    bench.api.disconnect_container_from_network(seen.id, bench.context.network)
    assert bench.see(web).drift == f"is not connected to the network {bench.context.network}"
    assert bench.start(web).id == seen.id
    assert bench.see(web).drift == ""
    found = bench.inspect("web")["NetworkSettings"]["Networks"][bench.context.network]
    assert "web" in found["Aliases"]


def test_what_lost_its_service_or_its_state_is_found(bench):
    bench.write({"web": NEEDS_DB, "db": {}, "api": {}})
    bench.start(bench.service("web"), bench.service("shop-api", {"service": "api"}))
    assert [one.name for one in bench.driver.find()] == ["shop-api", "web"]
    bench.api.remove_container(bench.id_of("web"), force=True)
    bench.driver.remove(bench.driver.find()[0], ABSENT)
    assert bench.containers() == ["db"]
    assert f"{bench.project}-db-1" in bench.driver.clean()
    assert (bench.containers(), bench.networks()) == ([], [])


@pytest.mark.parametrize(
    ("script", "status", "code", "detail"),
    [("exit 0", "stopped", 0, ""), ("exit 3", "failed", 3, "exited with code 3")],
)
def test_how_a_service_ended_is_known(bench, script, status, code, detail):
    bench.write({"web": {"command": ["sh", "-c", script]}})
    web = bench.service()
    bench.start(web)
    seen = eventually(lambda: found if (found := bench.see(web)).exit_code is not None else None)
    assert (seen.status, seen.exit_code, seen.detail) == (status, code, detail)
