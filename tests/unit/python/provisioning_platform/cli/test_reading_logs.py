# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Putting the output of several services together."""

from __future__ import annotations

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils._drivers._base import LogLine
from ansible_collections.provisioning.platform.plugins.module_utils._errors import ConfigurationError
from provisioning_platform.cli.context import Request
from provisioning_platform.cli.reading_logs import (
    dated,
    document_of,
    followed,
    merged,
    parse_tail,
    show_logs,
    since_then,
)

from tests.fixtures.recorded import record


def lines(service, *times):
    return [LogLine(service, f"{service}{number}", time=time) for number, time in enumerate(times)]


def texts(found):
    return [line.text for line in found]


def test_lines_of_several_services_come_by_time_and_those_without_one_stay_behind_the_one_before():
    a, b = dated(lines("a", 1.0, None, 4.0)), dated(lines("b", 2.0, 3.0))
    assert texts(merged([lambda: a, lambda: b])) == ["a0", "a1", "b0", "b1", "a2"]


def test_time_does_not_run_backwards_within_a_service():
    assert [line.time for line in dated(lines("a", 5.0, 3.0, None, 6.0))] == [5.0, 5.0, 5.0, 6.0]


def test_a_line_takes_its_time_from_its_text_where_the_mode_knows_none():
    (line,) = dated([LogLine("a", "2026-01-31T12:00:00Z up")])
    assert document_of(line)["time"] == "2026-01-31T12:00:00.000+00:00"


@pytest.mark.parametrize(
    ("times", "kept"),
    [
        ((1.0, 2.0, 3.0), ["a1", "a2"]),
        ((1.0, 1.5, None), []),
        ((None, 1.0, 3.0), ["a2"]),
        ((None, None, 3.0), ["a0", "a1", "a2"]),
        ((None, None, None), ["a0", "a1", "a2"]),
        ((), []),
    ],
)
def test_only_what_is_newer_is_left_and_all_where_no_line_has_a_time(times, kept):
    assert texts(since_then(dated(lines("a", *times)), 2.0)) == kept


@pytest.mark.parametrize(
    ("text", "follow", "is_since", "number"),
    [
        (None, False, False, None),
        (None, True, False, 10),
        (None, True, True, None),
        ("all", True, False, None),
        ("0", False, False, 0),
        ("25", True, True, 25),
    ],
)
def test_so_many_lines_are_wanted(text, follow, is_since, number):
    assert parse_tail(text, follow=follow, is_since=is_since) == number


@pytest.mark.parametrize("text", ["-1", "x", "1.5", "", "²"])
def test_what_is_no_number_of_lines_is_an_error(text):
    with pytest.raises(ConfigurationError, match="is no number of lines"):
        parse_tail(text, follow=False, is_since=False)


def test_what_is_followed_comes_by_time_at_first():
    a, b = dated(lines("a", 1.0, 4.0)), dated(lines("b", 2.0, 3.0))
    assert texts(followed([lambda: a, lambda: b], settle=60)) == ["a0", "b0", "b1", "a1"]


def test_what_runs_elsewhere_has_its_output_there(tmp_path, capsys):
    remote = {"mode": "remote", "remote": {"url": "https://vault.example.com"}}
    record(tmp_path, [{"name": "vault", "deployment": remote}])
    request = Request(work_dir=tmp_path)
    assert show_logs(request, [], follow=False, since=None, tail=None) == 0
    assert capsys.readouterr() == ("", "")
    for follow in (False, True):
        assert show_logs(request, ["vault"], follow=follow, since=None, tail=None) == 1
        assert capsys.readouterr().err.startswith("error: vault: runs elsewhere, so there is no log of it here.")
