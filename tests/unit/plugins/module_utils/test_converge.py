# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils import _events as events
from ansible_collections.provisioning.platform.plugins.module_utils._converge import Options, Outcome, converge
from ansible_collections.provisioning.platform.plugins.module_utils._drivers._base import Observation
from ansible_collections.provisioning.platform.plugins.module_utils._errors import CancelledRun, DriverError, Problem
from ansible_collections.provisioning.platform.plugins.module_utils._events import Emitter, Event
from ansible_collections.provisioning.platform.plugins.module_utils._model import ServiceDefinition
from ansible_collections.provisioning.platform.plugins.module_utils._plan import Goal, digest_of, plan
from ansible_collections.provisioning.platform.plugins.module_utils._secrets import Secret
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fixtures.definitions import service, services
from tests.fixtures.ports import free_port
from tests.unit.plugins.module_utils.memory_driver import MemoryDriver

HEALTHY = {"type": "command", "command": ["true"]}
ILL = {"type": "file", "path": "/nonexistent"}


class World:
    """Services in memory, and what converging does to them."""

    def __init__(self, folder: Path) -> None:
        self.driver = MemoryDriver(folder)
        self.events: list[Event] = []
        self.definitions: dict[str, ServiceDefinition] = {}

    def add(self, name: str, needs: Any = (), **settings: Any) -> World:
        """Define a service; its check passes unless told otherwise."""
        defaults = {"health": {"type": "file", "path": "/"}, "startup": {"timeout": 0.05}}
        self.definitions[name] = service(name, needs, **{**defaults, **settings})
        return self

    def run(self, *names: str, status: str = "running", **more: Any) -> World:
        """Have services run as they are wanted."""
        for name in names:
            digest = digest_of({"name": name})
            self.driver.running[name] = Observation(status, digest, "7", **{"since": time.time() - 1000, **more})
        return self

    def converge(self, goals: Mapping[str, Goal] | Goal = "started", **options: Any) -> dict[str, Outcome]:
        """Bring services, all by default, to their goals; every one has an outcome."""
        wanted = dict.fromkeys(self.definitions, goals) if isinstance(goals, str) else goals
        observed = self.driver.observe(list(self.definitions.values()))
        rendered = {name: {"name": name} for name in self.definitions}
        actions = plan(self.definitions, observed, rendered, goals=wanted)
        chosen = {name: action for name, action in actions.items() if name not in options.get("skip", {})}
        drivers = {"binary": self.driver}
        emit = Emitter(self.events.append)
        outcomes = converge(self.definitions, chosen, observed, drivers, emit, Options(**options))
        assert set(outcomes) == set(wanted)
        return outcomes

    def results(self, *args: Any, **kwargs: Any) -> dict[str, str]:
        return {name: outcome.result for name, outcome in self.converge(*args, **kwargs).items()}

    def kinds(self, name: str) -> list[str]:
        return [event.kind.removeprefix("service.") for event in self.events if event.service == name]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def _raise(error: Exception) -> Callable[[], None]:
    def fail() -> None:
        raise error

    return fail


def _failure(what: str = "it fails", remedy: str = "Mend it.") -> Callable[[], None]:
    return _raise(DriverError(Problem("a", what, remedy)))


# --- starting --------------------------------------------------------------------------------------------------------


def test_services_start_in_order_and_each_tells_its_story(world: World) -> None:
    world.add("a").add("b", ["a"]).add("c", {"b": "started"})
    outcomes = world.converge()
    assert world.driver.done == [("start", "a"), ("start", "b"), ("start", "c")]
    assert {(outcome.result, outcome.changed, outcome.reason) for outcome in outcomes.values()} == {
        ("healthy", True, "new")
    }
    assert all(world.kinds(name) == ["starting", "started", "healthy"] for name in "abc")
    told = [(event.kind, event.service) for event in world.events]
    assert told.index((events.SERVICE_HEALTHY, "a")) < told.index((events.SERVICE_STARTING, "b"))
    assert [event.sequence for event in world.events] == list(range(1, len(world.events) + 1))


def test_a_second_time_nothing_is_touched(world: World) -> None:
    world.add("a").add("b", ["a"])
    world.converge()
    world.driver.done.clear()
    world.events.clear()
    outcomes = world.converge()
    assert world.driver.done == []
    assert {(outcome.result, outcome.changed) for outcome in outcomes.values()} == {("unchanged", False)}
    assert world.kinds("b") == ["unchanged", "healthy"]


def test_what_nobody_waits_for_is_not_waited_for_if_so_wished(world: World) -> None:
    world.add("a").add("b", ["a"], health=ILL)
    assert world.results(wait=False) == {"a": "healthy", "b": "started"}
    assert world.results(wait=False) == {"a": "unchanged", "b": "unchanged"}


def test_a_running_service_that_others_wait_for_must_be_healthy(world: World) -> None:
    world.add("a", health=ILL | {"retries": 1}).add("b", ["a"]).run("a")
    outcomes = world.converge()
    assert (outcomes["a"].result, outcomes["a"].reason, outcomes["a"].changed) == (
        "failed",
        "/nonexistent does not exist",
        False,
    )
    assert outcomes["b"].result == "cancelled"
    assert world.driver.done == []


def test_what_is_not_healthy_in_time_fails_with_its_last_words_and_a_remedy(world: World) -> None:
    world.driver.context.secrets.write("a", {"password": Secret("t0ps3cret")})
    world.add("a", health=ILL).driver.lines["a"] = ["starting", "", "cannot bind with t0ps3cret"]
    outcome = world.converge()["a"]
    assert outcome.reason == (
        "not healthy within 0.05 s: /nonexistent does not exist; its last words: starting / cannot bind with ***"
    )
    assert outcome.remedy == "Look at the log of a, or raise its startup.timeout."
    (failed,) = [event for event in world.events if event.kind == events.SERVICE_FAILED]
    assert failed.data["error"] == outcome.reason
    assert failed.data["action"] == "create"
    assert outcome.changed


# --- failing ---------------------------------------------------------------------------------------------------------


def test_a_required_service_that_fails_keeps_all_that_has_not_begun_from_beginning(world: World) -> None:
    world.add("a").add("b", ["a"]).add("c", ["b"]).add("d", ["a"], required=False)
    world.driver.parallelism = 1
    world.driver.on_start["a"] = _failure()
    outcomes = world.converge()
    assert outcomes["a"] == Outcome("a", "failed", "it fails", "Mend it.", True, pytest.approx(0, abs=60_000))
    assert [outcomes[name].result for name in "bcd"] == ["cancelled"] * 3
    assert [outcomes[name].reason for name in "bcd"] == [
        "not begun: needs a, which failed",
        "not begun: another service failed",
        "not begun: needs a, which failed",
    ]
    assert not any(outcomes[name].changed for name in "bcd")
    told = [(event.kind, event.service) for event in world.events]
    assert told.index((events.SERVICE_FAILED, "a")) < told.index((events.SERVICE_SKIPPED, "b"))


def test_in_continue_mode_dependents_are_skipped_with_the_reason_and_the_rest_goes_on(world: World) -> None:
    world.add("a").add("b", ["a"]).add("c", ["b"]).add("free").add("after", ["free"])
    world.driver.on_start["a"] = _failure()
    outcomes = world.converge(fail_fast=False)
    assert {name: outcome.result for name, outcome in outcomes.items()} == {
        "a": "failed",
        "b": "skipped",
        "c": "skipped",
        "free": "healthy",
        "after": "healthy",
    }
    assert (outcomes["b"].reason, outcomes["b"].remedy) == ("needs a, which failed", "Mend it.")
    assert outcomes["c"].reason == "needs b, which was skipped"


def test_an_optional_service_that_fails_stops_nothing_but_what_needs_it(world: World) -> None:
    world.add("a", required=False).add("b", ["a"], required=False).add("c", {"wait": "healthy"}).add("wait")
    world.driver.on_start["a"] = _failure()
    assert world.results() == {"a": "failed", "b": "skipped", "c": "healthy", "wait": "healthy"}


def test_a_required_service_that_needs_a_failed_optional_one_trips_fail_fast(world: World) -> None:
    cancelled = threading.Event()
    world.add("a", required=False).add("b", ["a"]).add("slow").add("late", ["slow"])
    world.driver.on_start["a"] = _failure()
    world.driver.on_start["slow"] = lambda: cancelled.wait(60)
    outcomes = world.converge(cancelled=cancelled)
    assert outcomes["b"].reason == "needs a, which failed"
    assert (outcomes["b"].result, outcomes["late"].result) == ("skipped", "cancelled")


def test_what_may_not_be_started_is_skipped_with_its_dependents(world: World) -> None:
    world.add("a", required=False).add("b", ["a"], required=False).add("c")
    outcomes = world.converge(skip={"a": Problem("a", "no engine answers", "Start one.")})
    assert (outcomes["a"].result, outcomes["a"].reason, outcomes["a"].remedy) == (
        "skipped",
        "no engine answers",
        "Start one.",
    )
    assert (outcomes["b"].reason, outcomes["b"].remedy) == ("needs a, which was skipped", "Start one.")
    assert outcomes["c"].result == "healthy"
    assert world.driver.done == [("start", "c")]


def test_several_problems_are_told_together(world: World) -> None:
    problems = [Problem("a", "one", "First."), Problem("a", "two")]
    world.add("a").driver.on_start["a"] = _raise(DriverError(*problems))
    outcome = world.converge()["a"]
    assert (outcome.reason, outcome.remedy) == ("one; two", "First.")


def test_what_the_operating_system_refuses_is_told_in_words(world: World) -> None:
    world.add("a").driver.on_start["a"] = _raise(OSError(28, "No space left on device", "/x/y"))
    outcome = world.converge()["a"]
    assert outcome.reason == "/x/y: No space left on device"
    assert outcome.remedy.startswith("Free some space there")


def test_a_bug_of_a_driver_is_a_failed_outcome_that_says_so_and_where(world: World) -> None:
    world.add("a", required=False).add("b", ["a"], required=False).add("c")
    world.driver.on_start["a"] = lambda: {}["missing"]
    outcomes = world.converge()
    assert outcomes["a"].result == "failed"
    assert outcomes["a"].reason.startswith("internal error: KeyError: 'missing' (test_converge.py, line ")
    assert "report it" in outcomes["a"].remedy
    assert (outcomes["b"].result, outcomes["c"].result) == ("skipped", "healthy")


def test_where_what_services_share_cannot_be_made_each_of_them_fails(world: World) -> None:
    world.add("a", required=False).add("b", required=False).run("b")
    world.driver.on_prepare = _failure("the network cannot be made")
    outcomes = world.converge()
    assert outcomes["a"].reason == "the network cannot be made"
    assert outcomes["b"].result == "unchanged"


def test_a_state_that_cannot_be_written_is_a_failure(world: World) -> None:
    world.add("a")

    def write(*_: object) -> None:
        raise OSError(28, "No space left on device", "state")

    assert world.converge(on_started=write)["a"].reason == "state: No space left on device"


def _deaf(event: Event) -> None:
    raise OSError(28, "No space left on device", "audit.jsonl")


def test_events_that_cannot_be_written_down_leave_no_service_half_done_and_are_told_in_the_end(world: World) -> None:
    world.add("a").add("b", ["a"])
    observed = world.driver.observe(list(world.definitions.values()))
    rendered = {name: {"name": name} for name in world.definitions}
    goals: dict[str, Goal] = dict.fromkeys(world.definitions, "started")
    actions = plan(world.definitions, observed, rendered, goals=goals)
    with pytest.raises(OSError, match="audit"):
        converge(world.definitions, actions, observed, {"binary": world.driver}, Emitter(_deaf))
    assert set(world.driver.running) == {"a", "b"}
    world.driver.running.clear()
    world.driver.on_start["a"] = _failure()
    outcomes = converge(world.definitions, actions, observed, {"binary": world.driver}, Emitter(_deaf))
    assert {name: outcome.result for name, outcome in outcomes.items()} == {"a": "failed", "b": "cancelled"}


# --- cancelling ------------------------------------------------------------------------------------------------------


def test_a_run_that_is_cancelled_before_it_begins_touches_nothing(world: World) -> None:
    world.add("a").add("b", ["a"]).add("c").run("c")
    cancelled = threading.Event()
    cancelled.set()
    outcomes = world.converge({"a": "started", "b": "started", "c": "stopped"}, cancelled=cancelled)
    assert {outcome.result for outcome in outcomes.values()} == {"cancelled"}
    assert {outcome.reason for outcome in outcomes.values()} == {"not begun: the run was cancelled"}
    assert world.driver.done == []
    assert not any(outcome.changed for outcome in outcomes.values())


def test_a_run_that_is_cancelled_while_one_starts_ends_with_that_one(world: World) -> None:
    cancelled = threading.Event()
    world.add("a", health={"type": "tcp", "port": free_port()}, startup={"timeout": 60}).add("b", ["a"])
    world.driver.on_start["a"] = cancelled.set
    begin = time.monotonic()
    outcomes = world.converge(cancelled=cancelled)
    assert time.monotonic() - begin < 50
    assert (outcomes["a"].result, outcomes["a"].changed) == ("cancelled", True)
    assert outcomes["a"].reason == "started, but not waited for: the run was cancelled"
    assert outcomes["b"].reason == "not begun: the run was cancelled"


def test_what_was_taken_back_because_the_run_was_to_stop_is_cancelled_and_has_not_failed(world: World) -> None:
    cancelled = threading.Event()

    def interrupted() -> None:
        cancelled.set()
        raise CancelledRun(Problem("a", "helm was interrupted; nothing of the release is left"))

    world.add("a").add("b", ["a"])
    world.driver.on_start["a"] = interrupted
    outcomes = world.converge(cancelled=cancelled)
    assert (outcomes["a"].result, outcomes["a"].changed) == ("cancelled", True)
    assert outcomes["a"].reason == "helm was interrupted; nothing of the release is left: the run was cancelled"
    assert (outcomes["b"].result, outcomes["b"].changed) == ("cancelled", False)


def test_a_run_that_is_cancelled_while_it_waits_does_so_at_once(world: World) -> None:
    cancelled = threading.Event()
    ill = {"type": "tcp", "port": free_port(), "interval": 60}
    world.add("a", health=ill, startup={"timeout": 60}).add("b", health=ill, startup={"timeout": 60}).run("b")
    world.add("task", startup={"timeout": 60}).add("c", {"task": "completed"})
    threading.Timer(0.1, cancelled.set).start()
    begin = time.monotonic()
    outcomes = world.converge(cancelled=cancelled)
    assert time.monotonic() - begin < 50
    assert {outcome.result for outcome in outcomes.values()} == {"cancelled"}
    assert {name: outcome.changed for name, outcome in outcomes.items()} == {
        "a": True,
        "b": False,
        "task": True,
        "c": False,
    }


# --- leaving ---------------------------------------------------------------------------------------------------------


def _chain(world: World) -> World:
    return world.add("a").add("b", ["a"]).add("c", ["b"]).run("a", "b", "c")


def test_services_are_stopped_and_removed_backwards(world: World) -> None:
    _chain(world).driver.parallelism = 4
    assert world.results("stopped") == {"a": "stopped", "b": "stopped", "c": "stopped"}
    assert world.driver.done == [("stop", "c"), ("stop", "b"), ("stop", "a")]
    assert world.kinds("a") == ["stopping", "stopped"]
    world.driver.done.clear()
    _chain(world)
    assert world.results("absent") == {"a": "removed", "b": "removed", "c": "removed"}
    assert world.driver.done == [("remove", "c"), ("remove", "b"), ("remove", "a")]
    assert world.kinds("a")[-2:] == ["stopping", "removed"]
    assert world.results("absent") == {"a": "unchanged", "b": "unchanged", "c": "unchanged"}


def test_a_restart_stops_backwards_and_then_starts_forwards(world: World) -> None:
    outcomes = _chain(world).converge("restarted")
    assert world.driver.done == [
        ("stop", "c"), ("stop", "b"), ("stop", "a"), ("start", "a"), ("start", "b"), ("start", "c"),
    ]  # fmt: skip
    assert {(outcome.result, outcome.changed) for outcome in outcomes.values()} == {("healthy", True)}
    assert world.kinds("a") == ["stopping", "stopped", "starting", "started", "healthy"]


def test_order_is_kept_across_a_service_that_stays(world: World) -> None:
    _chain(world).driver.parallelism = 4
    world.driver.on_stop["c"] = lambda: time.sleep(0.05)
    world.converge({"a": "restarted", "b": "started", "c": "restarted"})
    assert world.driver.done == [("stop", "c"), ("stop", "a"), ("start", "a"), ("start", "c")]


def test_what_cannot_be_stopped_is_not_started_again_and_keeps_back_what_needs_it(world: World) -> None:
    _chain(world).driver.on_stop["b"] = _failure("survives being killed")
    outcomes = world.converge("restarted", fail_fast=False)
    assert (outcomes["b"].result, outcomes["b"].reason) == ("failed", "survives being killed")
    assert (outcomes["c"].result, outcomes["c"].reason) == ("skipped", "needs b, which failed")
    assert outcomes["a"].result == "healthy"
    assert [event.data["action"] for event in world.events if event.kind == events.SERVICE_FAILED] == ["restart"]
    assert world.kinds("b") == ["stopping", "failed"]


def test_with_fail_fast_a_stop_that_fails_leaves_what_it_needs_running(world: World) -> None:
    _chain(world).driver.on_stop["b"] = _failure()
    assert world.results("stopped") == {"c": "stopped", "b": "failed", "a": "cancelled"}
    assert "a" in world.driver.running


def test_callbacks_hear_of_what_was_started_and_what_is_gone(world: World) -> None:
    world.add("new").add("old").add("off").add("same").run("old", "off", "same")
    heard: list[tuple[str, str]] = []
    goals: dict[str, Goal] = {"new": "started", "old": "absent", "off": "stopped", "same": "started"}
    world.converge(
        goals,
        on_started=lambda action, seen: heard.append(("started", action.service)),
        on_gone=lambda action: heard.append((action.verb, action.service)),
    )
    assert sorted(heard) == [("remove", "old"), ("started", "new"), ("stop", "off")]


# --- tasks -----------------------------------------------------------------------------------------------------------


def _ends(world: World, name: str, status: str, **seen: Any) -> Callable[[], None]:
    def later() -> None:
        world.driver.running[name] = Observation(status, digest_of({"name": name}), **seen)

    return lambda: threading.Timer(0.02, later).start()


def test_a_task_is_waited_for_until_it_has_completed(world: World) -> None:
    world.add("task", startup={"timeout": 20}).add("a", {"task": "completed"})
    world.driver.on_start["task"] = _ends(world, "task", "stopped", exit_code=0)
    assert world.results() == {"task": "completed", "a": "healthy"}
    assert world.kinds("task") == ["starting", "started", "completed"]
    world.driver.done.clear()
    outcomes = world.converge()
    assert (outcomes["task"].result, outcomes["task"].changed) == ("completed", False)
    assert world.driver.done == []


def test_a_task_that_fails_does_so_with_its_exit_code(world: World) -> None:
    world.add("task", startup={"timeout": 20}).add("a", {"task": "completed"})
    world.driver.on_start["task"] = _ends(world, "task", "failed", exit_code=3, detail="pid 7 exited with code 3")
    world.driver.lines["task"] = ["no such table"]
    outcomes = world.converge(fail_fast=False)
    assert outcomes["task"].reason == "did not complete: pid 7 exited with code 3; its last words: no such table"
    assert outcomes["a"].reason == "needs task, which failed"


def test_a_task_that_takes_too_long_fails(world: World) -> None:
    world.add("task", startup={"timeout": 0.03}).add("a", {"task": "completed"})
    assert world.converge()["task"].reason == "did not complete within 0.03 s"


def test_a_task_is_one_also_where_who_needs_it_is_not_started(world: World) -> None:
    world.add("task", startup={"timeout": 20}).add("a", {"task": "completed"})
    world.driver.on_start["task"] = _ends(world, "task", "stopped", exit_code=0)
    assert world.results({"task": "started"}) == {"task": "completed"}
    world.driver.running.clear()
    assert world.results({"task": "started"}, wait=False) == {"task": "started"}


# --- everything ------------------------------------------------------------------------------------------------------

_FATES = st.sampled_from(["well", "fails", "ill", "bug", "runs", "skip"])


@settings(deadline=None, max_examples=40)
@given(st.data())
def test_every_service_has_an_outcome_and_one_story_whatever_happens(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    world = World(tmp_path_factory.getbasetemp())
    names = [f"s{number}" for number in range(data.draw(st.integers(1, 6)))]
    skip = {}
    for place, name in enumerate(names):
        needs = data.draw(st.lists(st.sampled_from(names[:place]), unique=True)) if place else []
        fate = data.draw(_FATES)
        health = {"type": "file", "path": "/nowhere" if fate == "ill" else "/"}
        world.add(name, needs, health=health, startup={"timeout": 0.005}, required=data.draw(st.booleans()))
        world.driver.on_start[name] = {"fails": _failure(), "bug": _raise(TypeError("bug"))}.get(fate, lambda: None)
        if fate == "runs":
            world.run(name)
        if fate == "skip":
            skip[name] = Problem(name, "cannot run here")
    goal: Goal = data.draw(st.sampled_from(["started", "restarted"]))
    outcomes = world.converge(goal, skip=skip, fail_fast=data.draw(st.booleans()))
    for name, outcome in outcomes.items():
        ends = [kind for kind in world.kinds(name) if kind in ("healthy", "failed", "skipped")]
        assert len(ends) == 1
        assert outcome.is_well == (ends == ["healthy"])
        needs = services(*world.definitions.values())[name].depends_on
        if outcome.is_well:
            assert all(outcomes[need].is_well for need in needs)
