# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the supervisor counts and measures of a service."""

from __future__ import annotations

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils._drivers._base import Observation
from ansible_collections.provisioning.platform.plugins.module_utils._supervision import Restart
from ansible_collections.provisioning.platform.plugins.module_utils._watch import Phase, Rules, Sight, Watch
from ansible_collections.provisioning.platform.plugins.plugin_utils.supervisor.tally import Tally

UP = Sight("running", "1", healthy=True)


def note(tally: Tally, phase: Phase, at: float) -> None:
    watch = Watch(Rules(name="a"), 0.0)
    watch.phase = phase
    tally.note({"a": watch}, {"a": UP}, at)


def test_a_restart_takes_from_its_beginning_until_it_is_healthy() -> None:
    tally = Tally()
    note(tally, "healthy", 10.0)
    assert tally.copy()["a"].start_duration_s is None, "it ran before anybody looked"
    note(tally, "down", 20.0)
    tally.restarted(Restart("a", "died", again=False), "", began_at=21.0)
    note(tally, "starting", 21.5)
    note(tally, "healthy", 23.5)
    assert tally.copy()["a"].start_duration_s == 2.5
    assert tally.copy()["a"].restarts == {"died": 1}


def test_a_start_by_somebody_else_takes_from_when_it_runs() -> None:
    tally = Tally()
    note(tally, "idle", 90.0)
    tally.saw("a", Observation("running", since=98.0), None)
    note(tally, "starting", 100.0)
    note(tally, "healthy", 101.0)
    assert tally.copy()["a"].start_duration_s == 3.0


def test_what_ran_before_the_supervisor_did_was_not_just_started() -> None:
    tally = Tally()
    tally.saw("a", Observation("running", since=1.0), None)
    note(tally, "starting", 100.0)
    note(tally, "healthy", 101.0)
    assert tally.copy()["a"].start_duration_s is None


@pytest.mark.parametrize(
    ("again", "counts", "reason"), [(False, True, "died"), (True, True, "unhealthy"), (True, False, "dependency")]
)
def test_restarts_are_counted_by_reason_and_failures_are_none(again: bool, counts: bool, reason: str) -> None:
    tally = Tally()
    one = Restart("a", "so", again=again, counts=counts)
    tally.restarted(one, "", began_at=1.0)
    tally.restarted(one, "it was not started", began_at=2.0)
    tally.restarted(one, "", began_at=3.0)
    assert tally.copy()["a"].restarts == {reason: 2}
