# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils._model import RestartLimits
from ansible_collections.provisioning.platform.plugins.module_utils._watch import (
    ENGINE_SECONDS,
    Decision,
    Rules,
    Sight,
    Watch,
)
from hypothesis import given
from hypothesis import strategies as some

LIMITS = RestartLimits(burst=3, interval=100, delay=1, max_delay=8, stable=30)
DEAD = Sight("failed", "", 137, "killed by signal 9")


def well(life: str = "1") -> Sight:
    return Sight("running", life, healthy=True, reason="answered 200")


def ill(life: str = "1") -> Sight:
    return Sight("running", life, healthy=False, reason="refused the connection")


class Story:
    """A watch, and what came of all that it was shown."""

    def __init__(self, **rules: Any) -> None:
        self.now = 1000.0
        self.watch = Watch(Rules(name="api", **{"limits": LIMITS, "retries": 2, "interval": 10.0, **rules}), self.now)
        self.kinds: list[str] = []
        self.loud: list[str] = []
        self.restarts: list[float] = []
        self.lives = 1

    def see(self, sight: Sight, **more: Any) -> Decision:
        decision = self.watch.look(self.now, sight, **more)
        self.kinds += [news.kind.removeprefix("service.") for news in decision.news]
        self.loud += [news.kind.removeprefix("service.") for news in decision.news if not news.is_quiet]
        return decision

    def live(self, seconds: float, world: Callable[[], Sight], **more: Any) -> None:
        """Go on for a while as a supervisor does: look when it is due, restart when that is decided."""
        end = self.now + seconds
        while max(self.watch.due, self.now) < end:
            self.now = max(self.watch.due, self.now)
            if self.see(world(), **more).restart is not None:
                self.restarts.append(self.now)
                self.lives += 1
                self.watch.restarted(self.now)
        self.now = end


def test_what_is_healthy_from_the_first_look_is_no_news() -> None:
    story = Story()
    story.live(100, well)
    assert (story.watch.phase, story.kinds, story.restarts) == ("healthy", [], [])


def test_a_process_that_died_is_restarted_after_the_first_delay_and_its_recovery_is_told() -> None:
    story = Story()
    story.see(well())
    begin = story.now = 1003.0
    story.watch.hurry(begin)
    story.live(20, lambda: DEAD if story.lives == 1 else well("2"))
    assert story.restarts == [begin + 1]
    assert story.kinds == ["down", "recovered"]
    assert story.watch.phase == "healthy"


@pytest.mark.parametrize(("failures", "phase"), [(1, "healthy"), (2, "unhealthy")])
def test_health_changes_only_after_as_many_failures_as_the_threshold_says(failures: int, phase: str) -> None:
    story = Story()
    story.see(well())
    for _ in range(failures):
        story.now += 10
        story.see(ill())
    assert story.watch.phase == phase


def test_a_service_is_healthy_again_only_after_as_many_successes_as_the_threshold_says() -> None:
    story = Story(success_threshold=2, policy="no")
    for sight in (well(), well(), ill(), ill()):
        story.see(sight)
    assert story.watch.phase == "unhealthy"
    story.see(well())
    assert story.watch.phase == "unhealthy"
    story.see(well())
    assert (story.watch.phase, story.kinds) == ("healthy", ["unhealthy", "recovered"])


def test_failures_in_the_time_of_the_start_do_not_count() -> None:
    story = Story(grace=60.0)
    story.live(55, ill)
    assert (story.watch.phase, story.kinds) == ("starting", [])
    story.live(30, ill)
    assert story.kinds == ["unhealthy"]


def test_what_stays_unhealthy_is_restarted_although_it_runs() -> None:
    story = Story()
    story.see(well())
    story.now += 10
    story.see(ill())
    story.now += 10
    assert story.see(ill()).restart is None  # the first delay
    story.now += 1
    decision = story.see(ill())
    assert (decision.restart, decision.again) == ("refused the connection", True)


def test_delays_double_up_to_the_longest_and_the_budget_ends_it() -> None:
    story = Story(limits=RestartLimits(burst=6, interval=1000, delay=1, max_delay=8))
    story.live(900, lambda: DEAD)
    pauses = [round(later - earlier, 2) for earlier, later in zip(story.restarts, story.restarts[1:], strict=False)]
    assert len(story.restarts) == 6
    assert all(pause >= least for pause, least in zip(pauses, (2, 4, 8, 8, 8), strict=True))
    assert max(pauses) < 10
    assert story.watch.phase == "failed"
    assert story.kinds.count("given_up") == 1


def test_what_was_given_up_begins_anew_when_somebody_has_started_it() -> None:
    story = Story()
    story.live(300, lambda: DEAD)
    assert story.watch.phase == "failed"
    story.see(well("by hand"))
    assert (story.watch.phase, story.kinds[-1]) == ("healthy", "recovered")
    story.live(60, lambda: DEAD if len(story.restarts) < 4 else well("4"))
    assert len(story.restarts) == 4


def test_the_budget_is_whole_again_after_a_stable_time() -> None:
    story = Story()
    for _ in range(5):  # each well apart, more than the budget in all
        lives = story.lives
        story.live(20, lambda: DEAD if story.lives == lives else well(str(story.lives)))  # noqa: B023
        story.live(200, lambda: well(str(story.lives)))
    assert len(story.restarts) == 5
    assert "given_up" not in story.kinds


def test_a_persons_stop_is_respected_and_forgets_the_trouble_before() -> None:
    story = Story()
    story.see(well())
    story.see(DEAD)
    story.live(300, lambda: DEAD, wanted=False)
    assert (story.restarts, story.watch.phase) == ([], "idle")
    assert story.kinds == ["down", "settled"]


def test_what_somebody_froze_is_left_so() -> None:
    story = Story()
    story.see(well())
    story.live(300, lambda: Sight("paused", "1", healthy=False))
    assert (story.restarts, story.kinds) == ([], [])


@pytest.mark.parametrize(
    ("policy", "sight", "restarts"),
    [
        ("no", DEAD, 0),
        ("on-failure", DEAD, 3),
        ("on-failure", Sight("stopped", exit_code=0), 0),
        ("always", Sight("stopped", exit_code=0), 3),
        ("unless-stopped", Sight("stopped", exit_code=0), 3),
        ("unless-stopped", Sight("absent"), 3),
    ],
)
def test_the_policy_says_what_is_restarted(policy: str, sight: Sight, restarts: int) -> None:
    story = Story(policy=policy)
    story.see(well())
    story.live(99, lambda: sight)
    assert len(story.restarts) == restarts


def test_nothing_is_restarted_while_what_it_needs_is_not_there() -> None:
    story = Story()
    story.see(well())
    story.live(300, lambda: DEAD, missing=["db is down"])
    assert story.restarts == []
    assert story.kinds == ["down", "held"]
    story.live(20, lambda: DEAD if story.lives == 1 else well("2"))
    assert len(story.restarts) == 1


def test_a_container_that_ended_is_left_to_its_engine_for_the_time_of_its_restart_policy() -> None:
    story = Story(owner="engine", policy="on-failure")
    story.see(well())
    begin = story.now
    story.live(ENGINE_SECONDS - 5, lambda: DEAD)
    assert story.restarts == []
    story.live(30, lambda: DEAD)
    assert story.restarts
    assert story.restarts[0] >= begin + ENGINE_SECONDS


def test_a_container_that_its_engine_restarts_is_no_business_of_ours() -> None:
    story = Story(owner="engine")
    story.see(well())
    story.live(30, lambda: Sight("starting", "1", healthy=False, detail="restarting after it exited with code 1"))
    story.live(30, well)
    assert (story.restarts, story.watch.phase) == ([], "healthy")


@pytest.mark.parametrize(
    ("sight", "restarts"),
    [
        (Sight("stopped", "1", 143, "was stopped"), 0),
        (Sight("stopped", "1", 0), 0),
        (Sight("stopped", "1", 127), 1),  # the engine could not start it
        (Sight("stopped", "1", None, "created, but never started"), 1),
        (Sight("stopped", "1", 143, is_old=True), 1),  # the machine was restarted, and the engine did nothing
        (Sight("absent"), 1),
    ],
)
def test_what_was_stopped_with_the_engines_own_command_stays_so(sight: Sight, restarts: int) -> None:
    story = Story(owner="engine")
    story.see(well())
    story.live(ENGINE_SECONDS + 20, lambda: sight if not story.restarts else well("2"))
    assert len(story.restarts) == restarts


def test_a_container_that_runs_and_stays_unhealthy_is_restarted_at_once() -> None:
    story = Story(owner="engine")
    story.see(well())
    story.live(25, ill)
    assert len(story.restarts) == 1


@pytest.mark.parametrize("sight", [DEAD, ill(), Sight("unreachable", healthy=False)])
def test_what_others_own_is_only_watched(sight: Sight) -> None:
    story = Story(owner="nobody")
    story.see(well())
    story.live(100, lambda: sight)
    assert story.restarts == []
    assert story.kinds in (["down"], ["unhealthy"])


def test_nothing_is_known_and_nothing_done_while_the_engine_does_not_answer() -> None:
    story = Story(owner="engine")
    story.see(well())
    story.live(300, lambda: Sight("unreachable"))
    assert (story.watch.phase, story.kinds, story.restarts) == ("healthy", [], [])


def test_what_has_no_check_is_healthy_once_it_has_run_for_a_moment() -> None:
    story = Story(settle=2.0)
    story.see(well())
    assert story.watch.phase == "starting"
    story.live(9, well)
    assert story.watch.phase == "healthy"


def test_flapping_is_told_once_damps_restarts_and_ends_with_rest() -> None:
    story = Story(limits=RestartLimits(burst=50, interval=600, delay=1, max_delay=120, stable=1))
    for _ in range(8):
        lives = story.lives
        story.live(125, lambda: DEAD if story.lives == lives else well(str(story.lives)))  # noqa: B023
    assert story.kinds.count("flapping") == 1
    told = len(story.loud)
    assert len(story.kinds) > told
    pauses = [later - earlier for earlier, later in zip(story.restarts, story.restarts[1:], strict=False)]
    assert pauses[-1] >= 120
    story.live(1500, lambda: well(str(story.lives)))
    assert (story.kinds[-1], story.watch.is_flapping) == ("settled", False)


def test_a_pid_that_somebody_else_has_now_is_another_life() -> None:
    story = Story()
    story.see(well("812 since 5"))
    story.see(ill("812 since 9"))  # what was healthy before was another process
    story.live(30, lambda: ill("812 since 9"))
    assert story.watch.phase == "starting"


SIGHTS = [well("1"), well("2"), ill("1"), ill("2"), DEAD, Sight("absent"), Sight("stopped", exit_code=0)]


@given(
    steps=some.lists(some.tuples(some.sampled_from(SIGHTS), some.booleans(), some.floats(0.1, 40)), max_size=80),
    owner=some.sampled_from(["supervisor", "engine", "nobody"]),
)
def test_whatever_happens_the_budget_and_a_persons_stop_hold(
    steps: list[tuple[Sight, bool, float]], owner: str
) -> None:
    story = Story(owner=owner)
    recent: list[float] = []
    for sight, wanted, seconds in steps:
        story.now += seconds
        decision = story.see(sight, wanted=wanted)
        if story.watch.phase in ("idle", "healthy", "failed"):
            recent.clear()  # at rest, well or given up: the budget may begin anew
        if decision.restart is not None:
            assert wanted
            assert owner != "nobody"
            assert len([at for at in recent if story.now - at < LIMITS.interval]) < LIMITS.burst
            recent.append(story.now)
            story.watch.restarted(story.now)
        assert story.watch.due > story.now


KEPT = Sight("failed", "", -9, "killed; systemd starts it again", kept_by="systemd")


def kept(restarts: int) -> Sight:
    return Sight("running", str(restarts), healthy=True, kept_by="systemd", restarts=restarts)


def test_what_systemd_starts_again_is_told_and_no_business_of_ours() -> None:
    story = Story()
    story.see(kept(0))
    story.live(20, lambda: KEPT)
    story.live(100, lambda: kept(1))
    assert (story.restarts, story.watch.phase) == ([], "healthy")
    assert story.kinds == ["down", "restarted", "recovered"]


def test_what_systemd_had_started_again_before_the_first_look_is_no_news() -> None:
    story = Story()
    story.live(100, lambda: kept(3))
    assert story.kinds == []


def test_what_systemd_has_given_up_is_given_up_unless_it_failed_for_want_of_something() -> None:
    given_up = dataclasses.replace(KEPT, is_given_up=True)
    story = Story()
    story.see(kept(0))
    story.live(300, lambda: given_up)
    assert (story.restarts, story.kinds) == ([], ["down", "given_up"])
    story = Story()
    story.see(kept(0))
    story.live(300, lambda: given_up, missing=["db is down"])
    assert (story.restarts, story.kinds) == ([], ["down", "held"])
    story.live(60, lambda: kept(0) if story.restarts else given_up)
    assert len(story.restarts) == 1


def test_what_was_stopped_with_systemctl_stays_so() -> None:
    story = Story()
    story.see(kept(0))
    story.live(300, lambda: Sight("stopped", "", None, "was stopped by systemctl", kept_by="systemd"))
    assert (story.restarts, story.watch.phase) == ([], "idle")


def test_what_systemd_runs_and_stays_unhealthy_is_restarted() -> None:
    story = Story()
    story.see(kept(0))
    story.live(60, lambda: ill("0") if not story.restarts else kept(0))
    assert len(story.restarts) == 1
