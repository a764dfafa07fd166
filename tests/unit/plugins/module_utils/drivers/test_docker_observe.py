# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils._build import build
from ansible_collections.provisioning.platform.plugins.module_utils._drivers._base import ABSENT, Observation
from ansible_collections.provisioning.platform.plugins.module_utils._drivers._docker_observe import (
    ending,
    instances,
    observation,
)
from ansible_collections.provisioning.platform.plugins.module_utils._drivers._docker_render import template_of
from ansible_collections.provisioning.platform.plugins.module_utils._model import ServiceDefinition
from ansible_collections.provisioning.platform.plugins.module_utils._plan import digest_of

NOW = 1_000_000.0


def entry(state: str, text: str, *, replica: str = "", created: float = NOW - 5, **labels: str) -> dict[str, Any]:
    return {
        "Id": f"id{replica}",
        "Names": [f"/p-web{replica and '-'}{replica}"],
        "State": state,
        "Status": text,
        "Created": created,
        "Labels": {
            "io.provisioning.service": "web",
            "io.provisioning.digest": labels.get("digest", "d1"),
            "io.provisioning.replica": replica,
            "io.provisioning.template": labels.get("template", ""),
        },
    }


def service(*, replicas: int = 1, restart: str = "no", stop_signal: str = "SIGTERM") -> ServiceDefinition:
    return build(
        ServiceDefinition,
        {
            "name": "web",
            "deployment": {"mode": "docker", "docker": {"image": "web:1", "replicas": replicas}},
            "startup": {"restart": restart, "stop_signal": stop_signal},
        },
    )


def seen(
    definition: ServiceDefinition, *entries: dict[str, Any], rendered: dict[str, Any] | None = None
) -> Observation:
    return observation(definition, instances(entries).get("web", []), rendered or {}, NOW)


def test_a_service_without_a_container_is_absent():
    assert seen(service()) is ABSENT


@pytest.mark.parametrize(
    ("state", "text", "restart", "status", "exit_code", "detail"),
    [
        ("running", "Up 5 seconds", "no", "running", None, ""),
        ("running", "Up 5 seconds (healthy)", "no", "running", None, ""),
        ("running", "Up 5 seconds (unhealthy)", "no", "running", None, "unhealthy"),
        ("running", "Up 5 seconds (health: starting)", "no", "running", None, ""),
        (
            "restarting",
            "Restarting (3) 2 seconds ago",
            "no",
            "starting",
            None,
            "restarting after it exited with code 3",
        ),
        ("created", "Created", "no", "stopped", None, "created, but never started"),
        ("paused", "Up 5 seconds (Paused)", "no", "paused", None, "is paused"),
        ("removing", "Removal In Progress", "no", "stopped", None, "being removed"),
        ("dead", "Dead", "no", "failed", None, "is dead"),
        ("exited", "Exited (0) 2 seconds ago", "no", "stopped", 0, ""),
        ("exited", "Exited (3) 2 seconds ago", "no", "failed", 3, "exited with code 3"),
        ("exited", "Exited (137) 2 seconds ago", "no", "failed", 137, "was killed by SIGKILL"),
        ("exited", "Exited (143) 2 seconds ago", "no", "stopped", 143, ""),
        ("exited", "Exited (143) 2 seconds ago", "on-failure", "stopped", 143, ""),
        ("exited", "Exited (1) 2 seconds ago", "on-failure", "failed", 1, "exited with code 1"),
        ("exited", "Exited (1) 2 seconds ago", "always", "stopped", 1, "was stopped and exited with code 1"),
        (
            "exited",
            "Exited (137) 2 seconds ago",
            "unless-stopped",
            "stopped",
            137,
            "was stopped and was killed by SIGKILL",
        ),
        ("stopped", "Exited (0) 2 seconds ago", "no", "stopped", 0, ""),
        ("stopping", "", "no", "running", None, ""),
        ("Running", "Up 5 seconds", "no", "running", None, ""),
        ("", "", "no", "failed", None, "is in an unknown state"),
    ],
)
def test_what_the_engine_says_of_a_container_becomes_a_status(state, text, restart, status, exit_code, detail):
    found = seen(service(restart=restart), entry(state, text))
    assert (found.status, found.exit_code, found.detail) == (status, exit_code, detail)


@pytest.mark.parametrize(
    ("state", "joined", "drift"),
    [
        ("running", {"p-net": {"NetworkID": "1"}, "p-back": {"NetworkID": "2"}}, ""),
        ("running", {"p-net": {"NetworkID": "1"}, "back": None}, ""),
        ("running", {"p-net": {"NetworkID": "1"}}, "is not connected to the network back"),
        ("running", {}, "is not connected to the network back, p-net"),
        ("running", None, "is not connected to the network back, p-net"),
        ("exited", {}, ""),
    ],
)
def test_a_container_that_runs_is_on_all_its_networks(state, joined, drift):
    about = {**entry(state, ""), "NetworkSettings": {"Networks": joined}}
    networks = [("p-net",), ("back", "p-back")]
    found = observation(service(), instances([about])["web"], {}, NOW, networks=networks)
    assert (found.drift, found.detail) == (drift, drift)
    unknown = observation(service(), instances([entry(state, "")])["web"], {}, NOW, networks=networks)
    assert unknown.drift == "", "an engine that does not tell says nothing"


@pytest.mark.parametrize("state", ["exited", "created", "dead"])
def test_what_has_ended_is_nothing_to_be_stopped(state):
    assert seen(service(), entry(state, "")).instances == ()


def test_one_of_several_that_is_paused_speaks_for_all():
    found = seen(service(replicas=2), entry("running", "Up", replica="1"), entry("paused", "Up", replica="2"))
    assert (found.status, found.detail, found.instances) == ("paused", "is paused", ("id1", "id2"))


def test_the_signal_that_asks_a_service_to_stop_is_no_failure():
    assert seen(service(stop_signal="SIGINT"), entry("exited", "Exited (130) 2 seconds ago")).status == "stopped"
    assert seen(service(stop_signal="INT"), entry("exited", "Exited (130) 2 seconds ago")).status == "stopped"
    assert seen(service(stop_signal="2"), entry("exited", "Exited (130) 2 seconds ago")).status == "stopped"
    assert seen(service(), entry("exited", "Exited (130) 2 seconds ago")).status == "failed"


def test_id_digest_and_instances_are_those_of_the_container():
    found = seen(service(), entry("running", "Up 5 seconds"))
    assert (found.id, found.digest, found.instances) == ("id", "d1", ("id",))


@pytest.mark.parametrize(
    ("state", "text", "age", "expected"),
    [
        ("running", "Up Less than a second", 0.4, NOW - 0.4),
        ("running", "Up 5 seconds", 5.3, NOW - 5.3),
        ("running", "Up About a minute", 100, NOW - 100),
        ("running", "Up 3 hours", 3 * 3600 + 900, NOW - 3 * 3600 - 900),
        ("running", "Up 4 days (healthy)", 4 * 86400 + 7200, NOW - 4 * 86400 - 7200),
        ("running", "Up 2 minutes", 86400, NOW - 120),
        ("running", "Up 5 seconds", 86400, NOW - 5),
        ("exited", "Exited (0) 2 minutes ago", 86400, NOW - 120),
        ("exited", "Exited (0) About an hour ago", 86400, NOW - 3600),
        ("exited", "Exited (0) 2 minutes ago", 60, NOW - 60),
        ("created", "Created", 60, NOW - 60),
        ("running", "", 60, NOW - 60),
    ],
)
def test_since_when_is_exact_where_the_creation_tells_and_else_as_the_engine_rounds_it(state, text, age, expected):
    assert seen(service(), entry(state, text, created=NOW - age)).since == pytest.approx(expected)


RENDERED = {"image": "web:1", "replicas": 3}
TEMPLATE = template_of(RENDERED)


def replica(number: int, state: str = "running", text: str = "Up 5 seconds", **labels: str) -> dict[str, Any]:
    return entry(state, text, replica=str(number), **{"template": TEMPLATE, **labels})


@pytest.mark.parametrize(
    ("entries", "status", "detail"),
    [
        ([replica(1), replica(2), replica(3)], "running", ""),
        ([replica(1), replica(2)], "stopped", "2 of 3 replicas are there"),
        ([replica(1), replica(2), replica(3, "exited", "Exited (3) 1 second ago")], "failed", "exited with code 3"),
        ([replica(1), replica(2), replica(3, "exited", "Exited (0) 1 second ago")], "stopped", ""),
        ([replica(1), replica(2), replica(3, "restarting", "Restarting (1) 1 second ago")], "starting", None),
        (
            [replica(1, "exited", "Exited (3) 1 second ago"), replica(2, "exited", "Exited (0) 1 second ago")],
            "failed",
            "exited with code 3",
        ),
    ],
)
def test_the_worst_replica_speaks_for_all(entries, status, detail):
    found = seen(service(replicas=3), *entries, rendered=RENDERED)
    assert found.status == status
    assert detail is None or found.detail == detail


def test_replicas_are_listed_in_order():
    found = seen(service(replicas=3), *[replica(n) for n in (10, 2, 1)], rendered=RENDERED)
    assert found.instances == ("id1", "id2", "id10")


WANTED = digest_of(RENDERED)


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ([replica(1, digest="made for 2"), replica(2, digest="made for 2"), replica(3)], WANTED),
        ([replica(1, digest="made for 2"), replica(2, digest="made for 2")], WANTED),
        ([replica(1), replica(2), replica(3), replica(4)], None),
        ([replica(1, template="old", digest="old"), replica(2), replica(3)], "old"),
        ([entry("running", "Up 5 seconds", template="old", digest="single")], None),
        ([replica(1), replica(2), replica(3, "removing", "Removal In Progress")], None),
    ],
)
def test_replicas_are_what_is_wanted_when_each_is_and_none_is_too_many(entries, expected):
    assert seen(service(replicas=3), *entries, rendered=RENDERED).digest == expected


def test_replicas_of_a_service_that_is_to_have_one_are_not_what_is_wanted():
    assert seen(service(), replica(1), replica(2)).digest is None


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (1, "exited with code 1"),
        (128, "exited with code 128"),
        (139, "was killed by SIGSEGV"),
        (255, "exited with code 255"),
        (160, "exited with code 160"),
        (None, "exited with code None"),
    ],
)
def test_an_exit_code_is_put_in_words(code, expected):
    assert ending(code) == expected
