"""The command that makes several targets at a time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[3] / "tools/sections.py"
MAKE = """\
#!/bin/sh
# Called as make is: the last word is the target.
for target; do :; done
echo "$target says this"
. "$SCRIPTS/$target"
echo "$target says that" >&2
"""


class Targets:
    """Targets that are shell scripts, and the command that makes them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.make = folder / "make"
        self.make.write_text(MAKE)
        self.make.chmod(0o755)

    def start(self, *arguments: str, **scripts: str) -> subprocess.Popen[str]:
        for name, script in scripts.items():
            (self.folder / name).write_text(script)
        return subprocess.Popen(
            [sys.executable, str(SCRIPT), *arguments, "--", *scripts],
            env={**os.environ, "MAKE": str(self.make), "SCRIPTS": str(self.folder)},
            cwd=self.folder,
            stdout=subprocess.PIPE,
            text=True,
        )


@pytest.fixture
def targets(tmp_path: Path) -> Iterator[Targets]:
    return Targets(tmp_path)


def test_they_are_made_at_the_same_time_and_each_ones_output_is_shown_whole(targets: Targets) -> None:
    wait = "echo > $SCRIPTS/{}.there; until [ -e $SCRIPTS/{}.there ]; do sleep 0.01; done"
    process = targets.start("--jobs", "2", one=wait.format("one", "two"), two=wait.format("two", "one"))
    said, _ = process.communicate(timeout=120)
    assert process.returncode == 0
    for name in ("one", "two"):
        assert f"======== {name} ========\n{name} says this\n{name} says that\n-- {name} passed" in said
    assert "Failed" not in said


def test_one_that_fails_keeps_no_other_from_being_made_and_is_named_at_the_end(targets: Targets) -> None:
    process = targets.start("--jobs", "1", one="exit 3", two="true")
    said, _ = process.communicate(timeout=120)
    assert process.returncode == 1
    assert "two says that" in said
    assert said.splitlines()[-1].startswith("Failed: one. ")
    summary = said.partition("summary ========\n")[2].splitlines()
    assert [line.split()[:2] for line in summary[:2]] == [["one", "FAILED"], ["two", "passed"]]


def test_what_may_be_made_once_more_is_made_so_alone_and_the_summary_says_that_it_passed_then(targets: Targets) -> None:
    second = '[ "$AGAIN" ] || exit 1'
    options = ("--jobs", "3", "--once-more", "one", "two")
    process = targets.start(*options, one=second, two="exit 1", three=second, four="true")
    said, _ = process.communicate(timeout=120)
    assert process.returncode == 1
    summary = said.partition("summary ========\n")[2].splitlines()
    assert [line.rsplit(maxsplit=2)[0].split(maxsplit=1) for line in summary[:4]] == [
        ["one", "passed at the second try"],
        ["two", "FAILED"],
        ["three", "FAILED"],
        ["four", "passed"],
    ]
    assert summary[4].startswith("Failed: two three. ")
    begun = [line for line in said.splitlines() if line.endswith("begins again")]
    assert begun == ["-- one begins again", "-- two begins again"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_reaches_all_that_runs_and_what_was_said_is_shown(
    targets: Targets, number: signal.Signals
) -> None:
    script = "trap 'kill $!; echo cleaned up; exit 1' INT; sleep 300 & echo > $SCRIPTS/there; wait"
    process = targets.start("--jobs", "1", one=script, never="true")
    deadline = time.monotonic() + 120
    while not (targets.folder / "there").exists():
        assert time.monotonic() < deadline, "it does not begin"
        time.sleep(0.01)
    process.send_signal(number)
    said, _ = process.communicate(timeout=120)
    assert process.returncode == 128 + number
    assert "one says this\ncleaned up\n" in said
    assert "never" not in said
    assert "one          interrupted" in said
