# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is said of an update."""

from __future__ import annotations

import io

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils._update import Step, Updated
from provisioning_platform.cli.host_updating import step_of
from provisioning_platform.cli.output import Printer
from provisioning_platform.cli.updating import headline, left_out, result_lines, step_lines, verdict
from provisioning_platform.exit_codes import ExitCode

NEW = Step("web", True, "changed: image, env.A, args", ('image: "a:1" -> "a:2"', "env.A: 1 -> 2", "args: [] -> [1]"))


def plain() -> Printer:
    return Printer(stream=io.StringIO())


def test_a_plan_shows_what_differs() -> None:
    lines = step_lines(plain(), [Step("db", False, "nothing new"), NEW])
    assert lines[1].split() == ["db", "-", "nothing", "new"]
    assert lines[2].endswith('update  image: "a:1" -> "a:2"; env.A: 1 -> 2 and 1 more')
    assert lines[-1] == "1 service to update: web."
    assert step_lines(plain(), []) == ["Nothing is installed that the configuration has."]


def test_a_plan_survives_the_way_through_a_module() -> None:
    assert step_of(NEW.to_dict()) == NEW


@pytest.mark.parametrize(
    ("results", "code", "said"),
    [
        ([], ExitCode.OK, "Nothing was updated."),
        (["updated", "unchanged", "updated"], ExitCode.OK, "2 services updated."),
        (["left out"], ExitCode.OK, "Nothing was updated; s0 left out."),
        (
            ["updated", "restored", "not reached"],
            ExitCode.ROLLED_BACK,
            "1 service updated; s1 back on its former version; s2 not touched after that.",
        ),
        (["lost"], ExitCode.FAILED, "Nothing was updated; s0 neither on its new version nor on its former one."),
    ],
)
def test_the_exit_code_and_a_sentence_sum_up(results: list, code: ExitCode, said: str) -> None:
    found = [Updated(f"s{index}", result, "") for index, result in enumerate(results)]
    assert verdict(found) is code
    assert headline(found) == said
    assert not found or result_lines(plain(), found)[-1] == said


def test_what_went_back_is_told_with_the_error_and_not_with_the_change() -> None:
    restored = Updated("web", "restored", "changed", ('image: "a:1" -> "a:2"',), "exited with 1. Last: bad flag", "")
    lost = Updated("db", "lost", "changed", (), "exited with 1; going back failed, too: no such image", "")
    rows = result_lines(plain(), [restored, lost])
    assert rows[1].split(maxsplit=2)[2] == "exited with 1; the former version is back"
    assert rows[2].split(maxsplit=2)[2] == "exited with 1; going back failed, too"


def test_what_is_left_out_for_a_fault_is_a_failure() -> None:
    assert verdict([Updated("web", "left out", "", error="its state is damaged")]) is ExitCode.FAILED


def test_what_comes_and_goes_is_named() -> None:
    assert left_out({"not_installed": [], "no_longer_wanted": []}) == []
    assert left_out({"not_installed": ["a", "b"], "no_longer_wanted": ["c"]}) == [
        "Not installed, so not updated: a and b. provisioning-run installs them.",
        "No longer in the configuration, and left as it is: c.",
    ]
