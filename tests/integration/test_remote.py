# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Services that run elsewhere, in a platform: used, and never touched."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils._converge import Options
from ansible_collections.provisioning.platform.plugins.module_utils._errors import DriverError
from ansible_collections.provisioning.platform.plugins.module_utils._manager import Manager
from ansible_collections.provisioning.platform.plugins.module_utils._model import (
    ServiceDefinition,
    ServiceOperation,
)
from ansible_collections.provisioning.platform.plugins.module_utils._plan import diff_of
from ansible_collections.provisioning.platform.plugins.module_utils._secrets import Secret, SecretStore

from tests.fixtures.authority import Authority, serving
from tests.fixtures.definitions import remote, service
from tests.fixtures.machine import tree
from tests.fixtures.ports import free_port

TOKEN = "s3cr3t-t0ken"


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Any]:
    managers: list[Manager] = []

    def make(*definitions: ServiceDefinition) -> Manager:
        one = Manager(tmp_path / "work", {definition.name: definition for definition in definitions})
        managers.append(one)
        return one

    yield make
    for one in managers:
        one.converge(dict.fromkeys(one.services(), "absent"), Options(fail_fast=False))


def test_it_is_awaited_and_what_needs_it_starts_after_it(manager):
    port = free_port()
    one = manager(
        remote(f"http://127.0.0.1:{port}", startup={"timeout": 90}),
        service("app", ["vault"]),
        service("other", {"vault": "started"}),
    )
    plan = one.plan(one.goals_of(ServiceOperation(operation="start")))
    assert plan.actions["vault"].verb == "none"
    assert plan.actions["vault"].reason == "runs elsewhere and is not ours to start"
    with serving(port=port):
        _, outcomes = one.converge(one.goals_of(ServiceOperation(operation="start")))
        assert {name: outcome.result for name, outcome in outcomes.items()} == {
            "vault": "unchanged",
            "app": "healthy",
            "other": "healthy",
        }
        status = {found.name: (found.status, found.health) for found in one.status()}
        assert status["vault"] == ("running", "healthy")
    assert {found.name: found.status for found in one.status()}["vault"] == "unreachable"


def test_it_may_come_later_than_we_do(manager):
    port = free_port()
    one = manager(remote(f"http://127.0.0.1:{port}", startup={"timeout": 90}), service("app", ["vault"]))
    with contextlib.ExitStack() as stack:
        late = threading.Timer(0.5, lambda: stack.enter_context(serving(port=port)))
        late.start()
        _, outcomes = one.converge(one.goals_of(ServiceOperation(operation="start")))
        late.join()
    assert outcomes["app"].result == "healthy"


def test_one_that_never_answers_fails_with_the_reason_and_what_needs_it_is_skipped(manager, tmp_path):
    with serving(Authority(tmp_path / "authority").issue("server")) as elsewhere:
        one = manager(remote(elsewhere.url, startup={"timeout": 0.5}), service("app", ["vault"]))
        _, outcomes = one.converge(one.goals_of(ServiceOperation(operation="start")), Options(fail_fast=False))
    assert outcomes["vault"].result == "failed"
    assert f"the certificate of {elsewhere.url} is not trusted" in outcomes["vault"].reason
    assert outcomes["vault"].remedy == (f"See whether {elsewhere.url} answers from here, or raise its startup.timeout.")
    assert (outcomes["app"].result, outcomes["app"].reason) == ("skipped", "needs vault, which failed")


@pytest.mark.parametrize(
    ("operation", "reason"),
    [
        ("stop", "runs elsewhere and is not ours to stop"),
        ("restart", "runs elsewhere and is not ours to restart"),
        ("remove", "runs elsewhere and is not ours to remove; it is only forgotten"),
    ],
)
def test_it_is_not_ours_to_stop_to_restart_or_to_remove(manager, operation, reason):
    with serving() as elsewhere:
        one = manager(remote(elsewhere.url), service("app", ["vault"]))
        one.converge(one.goals_of(ServiceOperation(operation="start")))
        goals = one.goals_of(ServiceOperation(operation=operation, services=("vault",)))
        _, outcomes = one.converge(goals)
        assert (outcomes["vault"].result, outcomes["vault"].reason) == ("unchanged", reason)
        assert not outcomes["vault"].changed
        assert one.is_running("vault")
        assert one.is_running("app")
    known = (one.work_dir.state / "vault.json").exists()
    assert known is (operation != "remove")


def test_stopping_all_leaves_it_and_stops_the_rest(manager):
    with serving() as elsewhere:
        one = manager(remote(elsewhere.url), service("app", ["vault"]))
        one.converge(one.goals_of(ServiceOperation(operation="start")))
        _, outcomes = one.converge(one.goals_of(ServiceOperation(operation="stop")))
    assert {name: outcome.result for name, outcome in outcomes.items()} == {"vault": "unchanged", "app": "stopped"}


def test_another_url_is_told_and_remembered(manager):
    with serving() as first, serving() as second:
        manager(remote(first.url)).converge({"vault": "started"})
        one = manager(remote(second.url))
        assert one.plan({"vault": "started"}).actions["vault"].changes == (f'url: "{first.url}" -> "{second.url}"',)
        one.converge({"vault": "started"})
        assert one.plan({"vault": "started"}).actions["vault"].changes == ()
        assert Manager.open(one.work_dir.root).definition("vault").url == second.url


def test_a_process_that_moves_elsewhere_is_stopped_here(manager):
    with serving() as elsewhere:
        manager(service("vault")).converge({"vault": "started"})
        one = manager(remote(elsewhere.url))
        action = one.plan({"vault": "started"}).actions["vault"]
        assert (action.verb, action.reason) == ("create", "moves from binary to remote")
        one.converge({"vault": "started"})
        assert list(one.work_dir.pids.glob("*.json")) == []
        assert one.plan({"vault": "started"}).actions["vault"].verb == "none"
        back = manager(service("vault"))
        assert back.plan({"vault": "started"}).actions["vault"].reason == "moves from remote to binary"
        back.converge({"vault": "started"})
        assert back.is_running("vault")


def test_the_token_is_in_no_state_event_or_plan(manager, tmp_path):
    secrets = SecretStore(tmp_path / "work" / "secrets")
    secrets.write("vault", {"token": Secret(TOKEN)})
    told: list[Any] = []
    with serving() as elsewhere:
        elsewhere.token = TOKEN
        definition = remote(elsewhere.url, block={"token": "${secret.vault.token}"})
        one = Manager(tmp_path / "work", {"vault": definition}, sinks=[told.append])
        plan, outcomes = one.converge({"vault": "started"})
        assert outcomes["vault"].is_well
    kept = [path for path in (tmp_path / "work").rglob("*") if path.is_file() and TOKEN in path.read_text()]
    assert kept == [tmp_path / "work" / "secrets" / "vault.json"]
    assert TOKEN not in f"{told} {plan} {outcomes}"


def test_it_has_no_log_here_and_says_so(manager):
    with serving() as elsewhere:
        one = manager(remote(elsewhere.url))
        one.converge({"vault": "started"})
        with pytest.raises(DriverError, match="vault: runs elsewhere, so there is no log of it here"):
            list(one.logs("vault"))


def test_checking_touches_nothing_and_a_diff_tells_the_change(manager):
    with serving() as first, serving() as second:
        manager(remote(first.url)).converge({"vault": "started"})
        one = manager(remote(second.url))
        files = tree(one.work_dir.root)
        for goal in ("started", "restarted", "stopped", "absent"):
            plan = one.plan({"vault": goal})
            assert plan.actions["vault"].verb == "none"
            assert one.preflight().unavailable() == {}
        plan = one.plan({"vault": "started"})
        assert plan.actions["vault"].changes == (f'url: "{first.url}" -> "{second.url}"',)
        (shown,) = diff_of(plan.actions.values(), plan.rendered, plan.before)
        assert first.url in shown["before"]
        assert second.url in shown["after"]
        assert "not ours to start; changed: url" in shown["before_header"]
        assert tree(one.work_dir.root) == files
