# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Small pieces of text."""

from __future__ import annotations

import pytest
from provisioning_platform.text import count, duration, names, sentence, table


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0.0 s"),
        (0.44, "0.4 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (59.4, "59 s"),
        (59.6, "1 min 00 s"),
        (185, "3 min 05 s"),
        (3600, "1 h 00 min"),
    ],
)
def test_durations_are_said_as_people_do(seconds, text):
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("items", "text"), [([], ""), (["a"], "a"), (["a", "b"], "a and b"), (["a", "b", "c"], "a, b and c")]
)
def test_names_become_a_phrase(items, text):
    assert names(items) == text


def test_numbers_agree_with_their_noun():
    assert (count(1, "change"), count(2, "change")) == ("1 change", "2 changes")


@pytest.mark.parametrize(("text", "ended"), [("a", "a."), ("a.", "a."), (" b! ", "b!"), ("", "")])
def test_a_sentence_ends(text, ended):
    assert sentence(text) == ended


def test_the_last_column_is_wrapped_to_the_width():
    assert table(["A", "WHY"], [["x", "one two three four five"]], width=20) == [
        "A  WHY",
        "x  one two three",
        "   four five",
    ]


def test_where_the_last_column_has_no_room_it_goes_below():
    assert table(["A" * 20, "WHY"], [["x", "one two three four"], ["y", ""]], width=30) == [
        "A" * 20,
        "x",
        "    why: one two three four",
        "y",
    ]


def test_what_goes_below_is_named_and_shares_lines_as_far_as_that_fits():
    rows = [["x" * 20, "yes", "up", "see /a/path/that/is/long"], ["y", "", "", ""]]
    assert table(["NAME", "OK", "STATE", "WHY"], rows, width=27) == [
        f"{'NAME':<20}  OK",
        f"{'x' * 20}  yes",
        "    state: up",
        "    why: see",
        "      /a/path/that/is/long",
        f"{'y':<20}  -",
    ]
    assert table(["NAME", "A", "B"], [["x" * 30, "one", "two"]], width=30)[1:] == ["x" * 30, "    a: one  b: two"]


def test_no_word_of_the_last_column_is_broken():
    assert table(["A", "WHY"], [["x" * 10, "see /a/path/that/is/long"]], width=30)[1:] == [
        "x" * 10,
        "    why: see",
        "      /a/path/that/is/long",
    ]
