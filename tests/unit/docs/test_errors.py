# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page of error messages has every message of the source, each with what to do."""

from __future__ import annotations

import pytest

from tools.errors.__main__ import PAGE
from tools.errors.page import faults, load, write
from tools.errors.source import Message, Source


@pytest.fixture(scope="module")
def source() -> Source:
    return Source()


@pytest.fixture(scope="module")
def messages(source: Source) -> list[Message]:
    return source.messages()


def test_every_message_can_be_read_from_the_source(source: Source) -> None:
    assert source.unread() == [], "write these as texts, or as names that texts are assigned to in the same function"


def test_every_message_has_a_topic_and_something_to_do(messages: list[Message]) -> None:
    assert faults(messages, load()) == []


def test_the_page_has_every_message_as_it_is_now(messages: list[Message]) -> None:
    assert PAGE.read_text(encoding="utf-8") == write(messages, load()), "write it anew: python -m tools.errors"


def test_no_message_is_found_by_chance_alone(messages: list[Message]) -> None:
    texts = {message.text for message in messages}
    # From a name, a table, a branch, a helper, an exception, a result of a check, and a list.
    assert {
        "work_dir: EXISTING cannot be written",
        "port PORT of ADDRESS is already taken",
        "Docker Compose: is not installed: there is no docker-compose plugin",
        "is not a setting of NAME",
        "the environment variable NAME is not set",
        "TARGET refused the connection",
        "FIELD is set by OWNER",
    } <= texts
