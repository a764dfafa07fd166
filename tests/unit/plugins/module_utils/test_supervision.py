# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils._model import ServiceDefinition
from ansible_collections.provisioning.platform.plugins.module_utils._supervision import Restart, Supervision, rules_of
from ansible_collections.provisioning.platform.plugins.module_utils._watch import Rules, Sight

from tests.fixtures.definitions import service

DEAD = Sight("failed", "", 1, "exited with code 1")
CHECK = {"type": "tcp", "port": 5432, "interval": 4, "retries": 5, "success_threshold": 2, "start_period": 90}


def well(life: str = "1") -> Sight:
    return Sight("running", life, healthy=True)


def chain(**more: Any) -> Supervision:
    return Supervision([Rules(name="db"), Rules(name="api", needs=("db",), **more)], now=0.0)


def test_rules_come_from_definitions_in_startup_order_and_tasks_have_none() -> None:
    services: dict[str, ServiceDefinition] = {
        "api": service("api", depends_on={"db": {"restart": True}, "migrate": {"condition": "completed"}}),
        "db": service("db", health=CHECK, startup={"timeout": 30, "restart": "always", "limits": {"burst": 9}}),
        "migrate": service("migrate"),
    }
    db, api = rules_of(services)
    assert (db.name, db.owner, db.policy, db.interval, db.retries) == ("db", "supervisor", "always", 4, 5)
    assert (db.grace, db.success_threshold, db.limits.burst, db.settle) == (90, 2, 9, 0)
    assert (api.needs, api.follows) == (("db", "migrate"), ("db",))
    assert api.settle > 0


def test_what_a_dead_service_needs_comes_first_and_then_it_itself() -> None:
    all_of_it = chain()
    all_of_it.look(0, {"db": well(), "api": well()})
    _news, restarts = all_of_it.look(10, {"db": DEAD, "api": DEAD})
    assert restarts == []
    assert all_of_it.missing("api") == ["db is down"]
    _news, restarts = all_of_it.look(11, {"db": DEAD, "api": DEAD})
    assert restarts == [Restart("db", "exited with code 1", again=False)]
    all_of_it.watches["db"].restarted(11)
    assert all_of_it.missing("api") == ["db is starting"]
    news, _restarts = all_of_it.look(12, {"db": well("2")})
    assert [one.kind for one in news] == ["service.recovered"]
    assert all_of_it.due(12) == ["api"]
    _news, restarts = all_of_it.look(12, {"api": DEAD})
    assert [one.service for one in restarts] == ["api"]


@pytest.mark.parametrize("follows", [("db",), ()])
def test_what_follows_a_service_is_restarted_once_that_has_recovered(follows: tuple[str, ...]) -> None:
    all_of_it = chain(follows=follows)
    all_of_it.look(0, {"db": well(), "api": well()})
    all_of_it.look(10, {"db": DEAD})
    all_of_it.watches["db"].restarted(11)
    _news, restarts = all_of_it.look(12, {"db": well("2")})
    expected = [Restart("api", "db was restarted", again=True, counts=False)] if follows else []
    assert restarts == expected
    _news, restarts = all_of_it.look(20, {"db": well("2"), "api": well("2")})
    assert restarts == []


def test_what_was_restarted_together_with_what_it_follows_is_left_alone() -> None:
    all_of_it = chain(follows=("db",))
    all_of_it.look(0, {"db": well(), "api": well()})
    _news, restarts = all_of_it.look(10, {"api": well("2"), "db": well("2")})
    _news, later = all_of_it.look(20, {"api": well("2"), "db": well("2")})
    assert (restarts, later) == ([], [])


def test_what_follows_and_was_stopped_by_a_person_stays_stopped() -> None:
    all_of_it = chain(follows=("db",))
    all_of_it.look(0, {"db": well(), "api": Sight("stopped")}, stopped=["api"])
    _news, restarts = all_of_it.look(10, {"db": well("2")})
    assert restarts == []


def test_what_depends_on_what_a_person_stopped_is_not_restarted_in_vain() -> None:
    all_of_it = chain()
    all_of_it.look(0, {"db": Sight("stopped"), "api": well()}, stopped=["db"])
    for now in (10, 20, 30):
        _news, restarts = all_of_it.look(now, {"api": DEAD})
        assert restarts == []


def test_services_that_stay_keep_what_is_known_of_them_when_the_installation_changes() -> None:
    all_of_it = chain()
    all_of_it.look(0, {"db": well(), "api": well()})
    all_of_it.follow([Rules(name="db", interval=3.0), Rules(name="new")], 5.0)
    assert all_of_it.watches["db"].phase == "healthy"
    assert all_of_it.due(5.0) == ["new"]
    assert all_of_it.next_due() == 5.0
    assert all_of_it.due(8.0) == ["db", "new"]


def test_nothing_is_due_where_nothing_is_supervised() -> None:
    assert Supervision(now=0.0).next_due() is None
