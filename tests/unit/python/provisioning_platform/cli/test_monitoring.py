# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is told of services that are watched."""

from __future__ import annotations

import io

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils._errors import ConfigurationError
from ansible_collections.provisioning.platform.plugins.module_utils._status import ServiceStatus
from provisioning_platform.cli.monitoring import Change, Watch, screen_lines, seconds_of
from provisioning_platform.cli.output import Printer


def seen(name: str, status: str = "running", health: str = "healthy", *, id: str = "1", **more: str) -> ServiceStatus:  # noqa: A002
    return ServiceStatus(name, "binary", status, health, "", id=id, **more)  # type: ignore[arg-type]


def test_the_first_look_tells_of_all_and_later_ones_of_changes_alone() -> None:
    watch = Watch()
    first = watch.changes([seen("a"), seen("b")], 1.0)
    assert [(change.service, change.before) for change in first] == [("a", None), ("b", None)]
    assert watch.changes([seen("a"), seen("b")], 2.0) == []
    (change,) = watch.changes([seen("a", health="unhealthy", health_reason="no\n answer"), seen("b")], 3.0)
    assert change == Change(3.0, "a", "running", "unhealthy", "no answer", ("running", "healthy"))
    assert change.to_dict()["before"] == {"status": "running", "health": "healthy"}
    assert str(change).endswith("  a: running, unhealthy (was running, healthy): no answer")


def test_a_service_that_was_started_anew_between_two_looks_has_changed() -> None:
    watch = Watch()
    watch.changes([seen("a", id="1")], 1.0)
    (change,) = watch.changes([seen("a", id="2")], 2.0)
    assert (change.reason, change.before) == ("was started anew", ("running", "healthy"))


def test_what_a_status_says_already_is_not_said_again() -> None:
    (change,) = Watch().changes([seen("a", "stopped", "unknown", detail="was stopped")], 1.0)
    assert str(change).endswith("  a: stopped")


def test_what_is_not_well_stays_on_a_small_screen() -> None:
    services = [seen(f"s{number}") for number in range(20)]
    services[15] = seen("s15", "failed", "unknown", detail="killed by signal 9")
    printer = Printer(stream=io.StringIO())
    lines = screen_lines(printer, services, [], height=10, title="title")
    assert len(lines) <= 10
    assert any("killed by signal 9" in line for line in lines)
    assert lines[-1] == "and 14 more"
    change = Change(0.0, "s1", "running", "healthy", "", ("stopped", "unknown"))
    assert "(was stopped)" in screen_lines(printer, services[:3], [change], height=10, title="title")[-1]


@pytest.mark.parametrize("text", ["0", "-1", "x", "nan", "inf", "1e9", ""])
def test_an_interval_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"is no number of seconds from 0\.1 to 86400"):
        seconds_of(text)


def test_an_interval_may_be_a_part_of_a_second() -> None:
    assert seconds_of("0.5") == 0.5
