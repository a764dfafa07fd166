# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils._drivers._base import ABSENT, Observation
from ansible_collections.provisioning.platform.plugins.module_utils._model import Dependency
from ansible_collections.provisioning.platform.plugins.module_utils._plan import (
    Action,
    Goal,
    decide,
    diff_of,
    differences,
    digest_of,
    masked,
    plan,
)

from tests.fixtures.definitions import graph

WANTED = {"image": "x:2", "env": {"A": "1"}}
DIGEST = digest_of(WANTED)
RUNNING = Observation("running", DIGEST, "7")
STARTING = Observation("starting", DIGEST, "7")
CHANGED = Observation("running", "other", "7")
FAILED = Observation("failed", DIGEST, detail="killed by SIGKILL")
PARTLY = Observation("failed", DIGEST, "7", instances=("7",), detail="1 of 2 run")
STOPPED = Observation("stopped", DIGEST)
PAUSED = Observation("paused", DIGEST, "7", instances=("7",), detail="is paused")
ADRIFT = Observation("running", DIGEST, "7", detail="unhealthy", drift="is not connected to the network n")


@pytest.mark.parametrize(
    ("goal", "observation", "verb", "reason"),
    [
        ("started", ABSENT, "create", "new"),
        ("started", RUNNING, "none", "already running"),
        ("started", STARTING, "none", "already running"),
        ("started", STOPPED, "start", "not running"),
        ("started", FAILED, "start", "killed by SIGKILL"),
        ("started", PARTLY, "start", "1 of 2 run"),
        ("started", PAUSED, "start", "is paused"),
        ("started", ADRIFT, "start", "is not connected to the network n"),
        ("started", CHANGED, "recreate", "definition changed"),
        ("started", Observation("stopped", "other"), "recreate", "definition changed"),
        ("started", Observation("running", None), "recreate", "definition changed"),
        ("restarted", ABSENT, "create", "new"),
        ("restarted", RUNNING, "restart", "asked to restart"),
        ("restarted", STOPPED, "start", "not running"),
        ("restarted", FAILED, "start", "killed by SIGKILL"),
        ("restarted", PAUSED, "restart", "asked to restart"),
        ("restarted", ADRIFT, "restart", "asked to restart"),
        ("restarted", CHANGED, "recreate", "definition changed"),
        ("stopped", ABSENT, "none", "not running"),
        ("stopped", RUNNING, "stop", "asked to stop"),
        ("stopped", STARTING, "stop", "asked to stop"),
        ("stopped", CHANGED, "stop", "asked to stop"),
        ("stopped", STOPPED, "none", "not running"),
        ("stopped", FAILED, "none", "not running"),
        ("stopped", PAUSED, "stop", "asked to stop"),
        ("stopped", PARTLY, "stop", "asked to stop"),
        ("absent", ABSENT, "none", "not there"),
        ("absent", RUNNING, "remove", "no longer wanted"),
        ("absent", STOPPED, "remove", "no longer wanted"),
        ("absent", FAILED, "remove", "no longer wanted"),
    ],
)
def test_what_is_done_follows_from_the_goal_and_what_is_seen(
    goal: Goal, observation: Observation, verb: str, reason: str
) -> None:
    action = decide("a", goal, observation, WANTED)
    assert (action.verb, action.reason) == (verb, reason)
    assert action.is_change == (verb != "none")
    assert action.digest == (DIGEST if goal in ("started", "restarted") else "")


def test_why_something_goes_is_what_was_said_of_it() -> None:
    assert decide("a", "absent", RUNNING, WANTED, removal="uninstalled").reason == "uninstalled"
    assert decide("a", "absent", ABSENT, WANTED, removal="uninstalled").reason == "not there"


@pytest.mark.parametrize(
    ("goal", "observation", "verb"),
    [
        ("started", STOPPED, "none"),
        ("started", FAILED, "start"),
        ("started", ABSENT, "create"),
        ("started", RUNNING, "none"),
        ("started", Observation("stopped", "other"), "recreate"),
        ("restarted", STOPPED, "start"),
    ],
)
def test_a_task_that_has_completed_is_left_alone_until_it_changes_or_is_asked_for(
    goal: Goal, observation: Observation, verb: str
) -> None:
    assert decide("a", goal, observation, WANTED, is_task=True).verb == verb


def test_the_reason_names_the_settings_that_changed() -> None:
    before = {"image": "x:1", "env": {"A": "1", "B": "2"}}
    action = decide("a", "started", CHANGED, WANTED, before)
    assert action.reason == "changed: env.B, image"
    assert action.changes == ('env.B: "2" -> unset', 'image: "x:1" -> "x:2"')
    assert action.to_dict() == {
        "service": "a",
        "action": "recreate",
        "reason": "changed: env.B, image",
        "changes": ['env.B: "2" -> unset', 'image: "x:1" -> "x:2"'],
    }


def test_a_long_list_of_changes_is_cut_short_in_the_reason() -> None:
    before = {**WANTED, **{f"s{number}": number for number in range(8)}}
    action = decide("a", "started", CHANGED, WANTED, before)
    assert action.reason == "changed: s0, s1, s2, s3, s4 and 3 more"
    assert len(action.changes) == 8


def test_where_no_setting_differs_the_reason_still_says_that_something_does() -> None:
    assert decide("a", "started", CHANGED, WANTED, WANTED).reason == "definition changed"


def test_the_digest_does_not_depend_on_the_order_of_settings() -> None:
    assert digest_of({"a": 1, "b": [1, 2]}) == digest_of({"b": [1, 2], "a": 1})
    assert digest_of({"a": 1, "b": [1, 2]}) != digest_of({"a": 1, "b": [2, 1]})


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ({"port": 1}, {"port": 2}, ["port: 1 -> 2"]),
        ({"port": 1}, {}, ["port: 1 -> unset"]),
        ({}, {"user": "u"}, ['user: unset -> "u"']),
        ({"env": {"DB_PASSWORD": "old"}}, {"env": {"DB_PASSWORD": "new"}}, ["env.DB_PASSWORD: *** -> ***"]),
        ({"env": {"API_KEY": "old"}}, {"env": {}}, ["env.API_KEY: *** -> unset"]),
        ({}, {"env": {"TOKEN": "t0ps3cret", "A": "1"}}, ['env: unset -> {"TOKEN": "***", "A": "1"}']),
        (
            {"credentials": {"user": "u", "word": "old"}},
            {"credentials": {"user": "u", "word": "new"}},
            ["credentials.word: *** -> ***"],
        ),
        ({"env": ["A=1"]}, {"env": ["A=1", "PASSWORD=t0ps3cret"]}, ['env: ["A=1"] -> ["A=1", "PASSWORD=***"]']),
        (
            {"args": ["x"]},
            {"args": ["--token", "t0ps3cret", "--auth-token=t0ps3cret", "y"]},
            ['args: ["x"] -> ["--token", "***", "--auth-token=***", "y"]'],
        ),
        ({"url": "x"}, {"url": "postgres://me:t0ps3cret@db/x"}, ['url: "x" -> "postgres://me:***@db/x"']),
        ({"a": [{"secret": "t0ps3cret"}]}, {"a": []}, ['a: [{"secret": "***"}] -> []']),
        (
            {"secrets": {"gitea.password": 1}},
            {"secrets": {"gitea.password": 2}},
            ["secrets.gitea.password: version 1 -> version 2"],
        ),
        (
            {"secrets": {"gitea.password": "t0ps3cret"}},
            {"secrets": {"gitea.password": 2}},
            ["secrets.gitea.password: *** -> version 2"],
        ),
        ({"a": {"b": 1}}, {"a": 7}, ['a: {"b": 1} -> 7']),
        ({"a": 1}, {"a": 1}, []),
    ],
)
def test_differences_are_told_setting_by_setting_and_never_show_what_is_sensitive(
    before: dict[str, Any], after: dict[str, Any], told: list[str]
) -> None:
    assert list(differences(before, after)) == told
    assert "t0ps3cret" not in str(list(differences(before, after)))


def test_a_long_value_is_cut_short() -> None:
    (told,) = differences({"a": "x" * 200}, {"a": "y"})
    assert told.startswith('a: "xxx')
    assert "... ->" in told
    assert len(told) < 100


def test_what_is_not_sensitive_is_not_masked() -> None:
    value = {"image": "x", "args": ["--port", "80", "a=b"], "url": "http://h/p?q=1", "number": 7, "none": None}
    assert masked(value) == value


def test_a_diff_shows_a_text_before_and_after_of_what_changes_and_nothing_sensitive() -> None:
    rendered = {"a": {"env": {"TOKEN": "t0ps3cret"}, "port": 2, "secrets": {"a.x": 3}}, "b": {"port": 1}, "c": {}}
    before = {"a": {"env": {"TOKEN": "t0ps3cret"}, "port": 1}, "d": {"port": 1}}
    actions = [
        Action("a", "recreate", "changed: port"),
        Action("b", "create", "not there"),
        Action("c", "none", "already running"),
        Action("d", "remove", "no longer wanted"),
    ]
    shown = diff_of(actions, rendered, before)
    assert [part["before_header"] for part in shown] == [
        "a (recreate: changed: port)",
        "b (create: not there)",
        "d (remove: no longer wanted)",
    ]
    assert json.loads(shown[0]["after"]) == {"env": {"TOKEN": "***"}, "port": 2, "secrets": {"a.x": 3}}
    assert shown[1]["before"] == shown[2]["after"] == ""
    assert "t0ps3cret" not in str(shown)


def test_of_a_service_elsewhere_what_would_be_used_is_shown_though_nothing_is_done() -> None:
    action = Action("vault", "none", "not ours to start; changed: url", "x", ("url: a -> b",))
    (shown,) = diff_of([action], {"vault": {"url": "b"}}, {"vault": {"url": "a"}})
    assert (json.loads(shown["before"]), json.loads(shown["after"])) == ({"url": "a"}, {"url": "b"})
    assert diff_of([Action("vault", "none", "not ours to start", "x")], {}, {}) == []


def test_what_a_mode_can_tell_better_is_shown_in_place_of_the_document() -> None:
    action = Action("chart", "recreate", "changed: chart.values.replicas", "x")
    (shown,) = diff_of([action], {"chart": {}}, {"chart": {}}, previews={"chart": ("replicas: 1", "replicas: 2")})
    assert (shown["before"], shown["after"]) == ("replicas: 1", "replicas: 2")


# --- the whole plan --------------------------------------------------------------------------------------------------


def _verbs(
    needs: dict[str, Any], seen: dict[str, Observation], goals: dict[str, Goal], **changes: dict[str, Any]
) -> dict[str, str]:
    rendered = {name: changes.get(name, WANTED) for name in needs}
    return {name: action.verb for name, action in plan(graph(needs), seen, rendered, goals=goals).items()}


def test_only_services_that_exist_and_have_a_goal_are_planned_for() -> None:
    assert _verbs({"a": [], "b": []}, {}, {"a": "started", "nobody": "started"}) == {"a": "create"}


def test_a_task_is_known_by_who_waits_for_its_completion() -> None:
    needs: dict[str, Any] = {"task": [], "a": {"task": "completed"}}
    seen = {"task": STOPPED, "a": RUNNING}
    assert _verbs(needs, seen, {"task": "started", "a": "started"}) == {"task": "none", "a": "none"}
    assert _verbs({"task": [], "a": {"task": "healthy"}}, seen, {"task": "started"}) == {"task": "start"}


@pytest.mark.parametrize(
    ("seen", "verb", "reason"),
    [
        (RUNNING, "restart", "b is restarted"),
        (CHANGED, "restart", "b is restarted"),
        (FAILED, "restart", "b is restarted"),
        (ABSENT, "restart", "b is restarted"),
    ],
)
def test_a_restart_is_passed_on_along_the_graph_to_those_who_asked_for_it(
    seen: Observation, verb: str, reason: str
) -> None:
    found = graph({"a": [], "b": [], "c": [], "d": []})
    asked = Dependency(restart=True)
    for name, needs in {"b": {"a": asked}, "c": {"b": asked}, "d": {"c": Dependency()}}.items():
        object.__setattr__(found[name], "depends_on", needs)
    observed = {"a": seen, "b": RUNNING, "c": RUNNING, "d": RUNNING}
    rendered = dict.fromkeys(found, WANTED)
    goals: dict[str, Goal] = {"a": "restarted", "b": "started", "c": "started", "d": "started"}
    actions = plan(found, observed, rendered, goals=goals)
    assert (actions["c"].verb, actions["c"].reason) == (verb, reason)
    assert actions["b"].verb == "restart"
    assert actions["d"].verb == "none"


def test_who_is_not_up_or_to_be_stopped_is_not_restarted_with_what_he_needs() -> None:
    found = graph({"a": [], "b": [], "c": []})
    for name in ("b", "c"):
        object.__setattr__(found[name], "depends_on", {"a": Dependency(restart=True)})
    goals: dict[str, Goal] = {"a": "restarted", "b": "started", "c": "stopped"}
    seen = {"a": RUNNING, "b": FAILED, "c": RUNNING}
    actions = plan(found, seen, dict.fromkeys(found, WANTED), goals=goals)
    assert {name: action.verb for name, action in actions.items()} == {"a": "restart", "b": "start", "c": "stop"}
