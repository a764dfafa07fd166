# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Services that move to another namespace or cluster: what they leave behind is taken away, or named."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils._drivers._base import ABSENT
from ansible_collections.provisioning.platform.plugins.module_utils._events import Event

from tests.fixtures.kubernetes.clusters import Bench, kubeconfig
from tests.fixtures.kubernetes.server import Running
from tests.integration.kubernetes.test_manager import converge, manager


@pytest.fixture(scope="module")
def second() -> Iterator[Running]:
    """Another cluster."""
    with Running() as running:
        yield running


@pytest.fixture
def elsewhere(second: Running, tmp_path: Path) -> str:
    """Credentials for the other cluster."""
    (tmp_path / "elsewhere").mkdir()
    return str(kubeconfig(second.url, tmp_path / "elsewhere"))


def warnings(events: list[Event]) -> list[str]:
    return [event.data["reason"] for event in events if event.kind == "service.warning"]


def deployments(running: Running, namespace: str) -> list[str]:
    return [place[3] for place in running.api.store if place[1] == "deployments" and place[2] == namespace]


def has_namespace(bench: Bench) -> bool:
    """Whether the bench's namespace is there, and not about to go."""
    there = bench.read("Namespace", bench.namespace)
    return there is not None and not there["metadata"].get("deletionTimestamp")


def test_a_namespace_that_the_last_service_has_left_goes(bench: Bench) -> None:
    services = [bench.service("web"), bench.service("api")]
    converge(bench, *services)
    other = f"{bench.namespace}-two"
    plan, _ = converge(bench, bench.service("web", namespace=other), services[1])
    assert plan.actions["web"].reason == f"moves from the namespace {bench.namespace} to {other}"
    assert bench.observe(services[0]) == ABSENT
    assert has_namespace(bench)
    moved = [bench.service("web", namespace=other), bench.service("api", namespace=other)]
    assert converge(bench, *moved)[1] == {"web": "unchanged", "api": "healthy"}
    assert not has_namespace(bench)
    converge(bench, *moved, goal="absent")
    bench.api.request("DELETE", f"/api/v1/namespaces/{other}", service="test")


def test_a_namespace_that_somebody_else_made_stays(bench: Bench) -> None:
    bench.make_namespace()
    converge(bench, bench.service("web"))
    moved = bench.service("web", namespace=f"{bench.namespace}-two")
    converge(bench, moved)
    assert has_namespace(bench)
    converge(bench, moved, goal="absent")
    bench.api.request("DELETE", f"/api/v1/namespaces/{bench.namespace}-two", service="test")


def test_what_is_on_the_cluster_that_is_left_is_removed(
    bench: Bench, running: Running | None, second: Running, elsewhere: str
) -> None:
    web = bench.service("web")
    converge(bench, web)
    moved = bench.service("web", kubeconfig=elsewhere)
    engine = manager(bench, moved)
    plan, outcomes = engine.converge({"web": "started"})
    assert plan.actions["web"].reason == f"moves from the cluster {bench.api.host} to {second.url}"
    assert outcomes["web"].is_well
    assert bench.observe(web) == ABSENT
    assert not has_namespace(bench)
    assert deployments(second, bench.namespace) == ["web"]
    assert converge(bench, moved)[1] == {"web": "unchanged"}
    converge(bench, moved, goal="absent")


def test_the_same_cluster_under_another_address_is_no_move(
    bench: Bench, running: Running | None, tmp_path: Path
) -> None:
    if running is None:
        pytest.skip("the addresses of a real cluster are not known")
    converge(bench, bench.service("web"))
    before = bench.deployment()
    (tmp_path / "other").mkdir()
    other = kubeconfig(running.url.replace("127.0.0.1", "localhost"), tmp_path / "other")
    events: list[Event] = []
    same = bench.service("web", kubeconfig=str(other))
    assert converge(bench, same, events=events)[1] == {"web": "unchanged"}
    assert bench.deployment()["metadata"]["uid"] == before["metadata"]["uid"]
    assert warnings(events) == []
    converge(bench, same, goal="absent")


def test_what_is_on_a_cluster_that_is_out_of_reach_is_named(
    bench: Bench, second: Running, elsewhere: str, tmp_path: Path
) -> None:
    converge(bench, bench.service("web", kubeconfig=elsewhere))
    shutil.move(elsewhere, f"{elsewhere}.bak")
    events: list[Event] = []
    assert converge(bench, bench.service("web"), events=events)[1] == {"web": "healthy"}
    (told,) = warnings(events)
    assert f"what it has in the namespace {bench.namespace} is left there: it is on the cluster {second.url}" in told
    assert f"the kubeconfig {elsewhere} cannot be read" in told
    assert f"io.provisioning/project={bench.project},io.provisioning/service=web" in told
    events.clear()
    assert converge(bench, bench.service("web"), events=events)[1] == {"web": "unchanged"}
    assert warnings(events) == []
    converge(bench, bench.service("web"), goal="absent")


def test_credentials_that_lead_to_another_cluster_are_noticed(
    bench: Bench, second: Running, elsewhere: str, tmp_path: Path
) -> None:
    mine = str(tmp_path / "mine")
    shutil.copy(elsewhere, mine)
    web = bench.service("web", kubeconfig=mine)
    converge(bench, web)
    if bench.kubeconfig is None:
        pytest.skip("the credentials are not ours to copy")
    shutil.copy(bench.kubeconfig, mine)
    events: list[Event] = []
    plan, outcomes = converge(bench, web, events=events)
    assert plan.actions["web"].reason == f"moves from the cluster {second.url} to {bench.api.host}"
    assert outcomes == {"web": "healthy"}
    assert (
        f"it is on the cluster {second.url}, and the kubeconfig {mine} leads to {bench.api.host}" in warnings(events)[0]
    )
    converge(bench, web, goal="absent")
