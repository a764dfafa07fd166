# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the guide to service management shows is run by a test, but for what a test cannot have."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.fixtures.docs import ROOT, Block, Command, blocks, commands

GUIDE = ROOT / "docs" / "service-management.md"
#: Blocks of commands that no test runs, by what they need; no other may be marked, and no more of them.
NOT_RUN = {"on-a-cluster": 1, "on-several-hosts": 1, "with-containers": 1, "with-systemd": 1, "with-the-package": 1}


def test_only_blocks_that_no_test_can_run_are_left_out() -> None:
    marked = Counter(block.kind for block in blocks(GUIDE) if block.language == "console" and block.kind)
    assert all(count <= NOT_RUN.get(kind, 0) for kind, count in marked.items()), marked


def test_commands_stand_in_blocks_that_are_run() -> None:
    assert {block.language for block in blocks(GUIDE)} <= {"console", "json", "text", "toml", "yaml"}
    run = [command for block in blocks(GUIDE) if block.language == "console" for command in commands(block)]
    assert len(run) >= 40


BLOCK = """\
$ provisioning services stop a   # ends with 3
error: a: is needed by b.
$ provisioning platform status
SERVICE  SINCE
a        …
…
2 of 2 services well.
$ provisioning services monitor  # until Ctrl-C
"""


def parsed() -> list[Command]:
    return list(commands(Block("page:1", "console", "", BLOCK)))


def test_a_command_stands_with_its_ending_and_with_what_it_prints() -> None:
    assert [(one.line, one.code, one.until_interrupted) for one in parsed()] == [
        ("provisioning services stop a", 3, False),
        ("provisioning platform status", 0, False),
        ("provisioning services monitor", 0, True),
    ]
    assert [len(one.shown) for one in parsed()] == [1, 4, 0]


@pytest.mark.parametrize(
    ("output", "is_as_shown"),
    [
        ("SERVICE    SINCE\na    3s\nb  4s\nc  5s\n\n2 of 2 services well.\n", True),
        ("SERVICE    SINCE\na    3s\n2 of 2 services well.\n", True),
        ("SERVICE    SINCE\nb    3s\n2 of 2 services well.\n", False),
        ("SERVICE    SINCE\na    3s\n", False),
        ("Look:\nSERVICE    SINCE\na    3s\n2 of 2 services well.\n", False),
    ],
)
def test_dots_stand_for_anything_and_all_else_for_itself(output: str, is_as_shown: bool) -> None:
    assert parsed()[1].prints(output) is is_as_shown
