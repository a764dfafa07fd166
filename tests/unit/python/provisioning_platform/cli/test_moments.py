# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Points in time, as people give them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils._errors import ConfigurationError
from provisioning_platform.cli.moments import parse_since

pytestmark = pytest.mark.usefixtures("zone")
NOON = datetime(2026, 1, 31, 12, 0, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("90s", NOON - 90),
        ("10m", NOON - 600),
        ("1h30m", NOON - 5400),
        ("1.5h", NOON - 5400),
        ("2d", NOON - 172_800),
        ("1w", NOON - 604_800),
        (" 10m ", NOON - 600),
        ("2026-01-31T12:00:00Z", NOON),
        ("2026-01-31T13:00:00+01:00", NOON),
        ("2026-01-31T14:00", NOON),
        ("2026-01-31 14:00:00", NOON),
        ("2026-01-31", NOON - 14 * 3600),
    ],
)
def test_a_moment_is_so_long_ago_or_a_time(text, moment):
    assert parse_since(text, now=NOON) == moment


@pytest.mark.parametrize("text", ["", "10", "10 minutes", "m", "-5m", "yesterday", "2026-13-01", "12:00", "1h-"])
def test_what_is_no_moment_is_an_error_that_says_how_to_write_one(text):
    with pytest.raises(ConfigurationError, match=r"is no time\. Write how long ago"):
        parse_since(text, now=NOON)
