# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is made of the status of services."""

from __future__ import annotations

import io

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils._status import ServiceStatus
from provisioning_platform.cli.looking import age, status_lines, verdict
from provisioning_platform.cli.output import Printer

from tests.fixtures.definitions import service, services

SERVICES = services(
    service("store"),
    service("setup", ["store"]),
    service("app", {"setup": "completed"}),
    service("extra", required=False),
    service("manual", auto_start=False),
)


def status(name, state="running", health="healthy", **more):
    required = SERVICES[name].required
    return ServiceStatus(
        name=name, mode="binary", status=state, health=health, address="", **{"required": required, **more}
    )


@pytest.mark.parametrize(
    ("found", "asked", "code"),
    [
        ([status("store"), status("app")], (), 0),
        ([status("store", health="unknown")], (), 0),
        ([status("store", health="unhealthy"), status("app")], (), 1),
        ([status("store", "stopped", "unknown")], (), 1),
        ([status("store", "paused", "unknown")], (), 1),
        ([status("store", "unknown", "unknown")], (), 1),
        ([status("store"), status("extra", "failed", "unknown")], (), 4),
        ([status("extra", "failed", "unknown")], ("extra",), 1),
        ([status("store"), status("manual", "absent", "unknown")], (), 0),
        ([status("manual", "absent", "unknown")], ("manual",), 1),
        ([status("setup", "stopped", "unknown")], (), 0),
        ([status("setup", "failed", "unknown")], (), 1),
        ([], (), 0),
    ],
)
def test_it_ends_with_0_only_if_what_was_asked_for_holds(found, asked, code):
    assert verdict(found, SERVICES, asked=asked) == code


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (119, "119s"), (120, "2m"), (7199, "119m"), (7200, "2h"), (172_799, "47h"), (172_800, "2d")],
)
def test_how_long_something_has_been_so_is_said_in_short(seconds, text):
    assert age(1000.0, 1000.0 + seconds) == text


def test_a_clock_that_was_set_back_and_a_time_not_known_are_no_trouble():
    assert age(1000.0, 900.0) == "0s"
    assert age(None, 900.0) == ""


def test_a_row_says_why_a_service_is_not_well():
    printer = Printer(stream=io.StringIO(), environ={})
    ill = status("app", health="unhealthy", health_reason="answered 500", since=10.0)
    gone = status("store", "failed", "unknown", detail="killed by signal 9", last_error="old")
    assert status_lines(printer, [ill, gone, status("extra", detail="all right")], now=20.0)[1:] == [
        "app      binary  running  unhealthy  10s    -        answered 500",
        "store    binary  failed   unknown    -      -        killed by signal 9",
        "extra    binary  running  healthy    -      -        -",
    ]
