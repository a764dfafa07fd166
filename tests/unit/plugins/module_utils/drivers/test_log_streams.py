# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Times of lines, and several logs as one."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils._drivers._base import LogLine
from ansible_collections.provisioning.platform.plugins.module_utils._drivers._log_streams import (
    dated,
    stamp_of,
    together,
)

pytestmark = pytest.mark.usefixtures("zone")
NOON = datetime(2026, 1, 31, 12, 0, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("line", "moment"),
    [
        ("2026-01-31T12:00:00Z starting", NOON),
        ("2026-01-31T12:00:00.250Z starting", NOON + 0.25),
        ("2026-01-31T13:00:00.5+01:00 starting", NOON + 0.5),
        ("2026-01-31 14:00:00,125 INFO starting", NOON + 0.125),
        ("2026/01/31 14:00:00 [I] starting", NOON),
        ('time="2026-01-31T12:00:00Z" level=info', NOON),
        ('{"level":"info","ts":"2026-01-31T12:00:00Z"}', NOON),
        ("[2026-01-31 14:00:00 +0200] [7] [INFO] starting", NOON),
        ("starting", None),
        ("", None),
        ("2026-99-31T12:00:00Z", None),
        ("x" * 61 + "2026-01-31T12:00:00Z", None),
    ],
)
def test_a_line_has_the_time_that_it_begins_with(line, moment):
    assert stamp_of(line) == moment


def log(*texts: str):
    return lambda: dated(LogLine("a", text) for text in texts)


def test_replicas_that_write_the_time_are_merged_by_it_and_a_line_without_stays_behind_the_one_before() -> None:
    first = log("2026-01-31T12:00:01Z one", "  more of it", "2026-01-31T12:00:05Z three")
    second = log("2026-01-31T12:00:03Z two", "2026-01-31T12:00:07Z four")
    merged = [line.text.split()[-1] for line in together([first, second], follow=False, tail=None)]
    assert merged == ["one", "it", "two", "three", "four"]
    assert [line.text[-4:] for line in together([first, second], follow=False, tail=1)] == ["four"]
    assert {line.text for line in together([first, second], follow=True, tail=None)} >= {"  more of it"}
