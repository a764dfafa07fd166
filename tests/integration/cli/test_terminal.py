# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the command shows on a terminal and down a pipe, and what it reads of services' output."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import pytest

from tests.fixtures.binary_host import sh
from tests.fixtures.command import PROGRAM, Command, OnTerminal
from tests.fixtures.small_platform import Platform

_MOVES = re.compile(r"\x1b\[[0-9;?]*[A-Za-ln-z]")  # all but colours
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


@pytest.fixture
def writers(platform: Platform) -> Platform:
    """Services that have written lines with and without a time."""
    old = "2001-01-01T00:00:0{}Z {}"
    platform.definitions = {}
    platform.start(
        a=sh("a", f"echo '{old.format(1, 'first')}'; echo more; echo '{old.format(4, 'last')}'; exec sleep 1000"),
        b=sh("b", f"echo '{old.format(2, 'second')}'; date -u +%Y-%m-%dT%H:%M:%SZ; exec sleep 1000"),
    )
    return platform


def test_output_of_several_services_is_one_by_time_with_names(writers: Platform, provisioning: Command) -> None:
    found = provisioning("platform", "logs")
    assert found.code == 0
    assert found.out.splitlines()[:4] == [
        "a | 2001-01-01T00:00:01Z first",
        "a | more",
        "b | 2001-01-01T00:00:02Z second",
        "a | 2001-01-01T00:00:04Z last",
    ]
    assert provisioning("services", "logs", "a", "--tail", "1").out == "2001-01-01T00:00:04Z last\n"
    newer = provisioning("platform", "logs", "--since", "2001-01-01T00:00:03Z", "--json")
    lines = [json.loads(line) for line in newer.out.splitlines()]
    assert [line["service"] for line in lines] == ["a", "b"]
    assert datetime.fromisoformat(lines[1]["time"]).year > 2001
    assert (lines[0]["text"], lines[0]["stream"]) == ("2001-01-01T00:00:04Z last", "stdout")
    wrong = provisioning("platform", "logs", "--since", "yesterday")
    assert (wrong.code, wrong.out) == (2, "")
    assert wrong.err.startswith("error: --since 'yesterday': is no time. Write how long ago")


def test_output_is_followed_until_ctrl_c(writers: Platform, provisioning: Command) -> None:
    following = OnTerminal(provisioning, "platform", "logs", "-f")
    text = following.until(lambda text: "last" in text)
    assert "\x1b[36ma | \x1b[0m2001-01-01T00:00:01Z first" in text
    with (writers.folder / "services/logs/b.log").open("a") as stream:
        stream.write("just now\n")
    following.until(lambda text: "just now" in text)
    following.process.send_signal(signal.SIGINT)
    assert following.end() == 130
    assert "Traceback" not in following.text


def test_a_terminal_gets_colour_and_lines_that_fit(platform: Platform, provisioning: Command) -> None:
    platform.start()
    wide = OnTerminal(provisioning, "platform", "status", columns=100)
    assert wide.end() == 0
    assert "\x1b[32mrunning\x1b[0m" in wide.text
    narrow = OnTerminal(provisioning, "platform", "status", columns=40, NO_COLOR="1")
    assert narrow.end() == 0
    assert "\x1b" not in narrow.text
    assert max(map(len, narrow.text.splitlines())) <= 40
    assert f"    address: http://127.0.0.1:{platform.ports['a']}" in narrow.text.splitlines()
    piped = provisioning("platform", "status")
    assert (piped.code, piped.err, "\x1b" in piped.out) == (0, "", False)


def test_progress_is_shown_in_place_on_a_terminal_and_as_lines_elsewhere(
    platform: Platform, provisioning: Command
) -> None:
    platform.start()
    stopping = OnTerminal(provisioning, "platform", "stop", columns=80)
    assert stopping.end() == 0
    assert "\x1b[?25l" in stopping.text  # the cursor is hidden meanwhile
    assert stopping.text.rindex("\x1b[?25h") > stopping.text.rindex("\x1b[?25l")
    shown = _COLOUR.sub("", _MOVES.sub("", stopping.text))
    assert shown.rstrip().endswith("3 services stopped.")
    started = provisioning("platform", "start")
    assert re.search(r"^\d\d:\d\d:\d\d  a +starting  \(was stopped\)$", started.err, re.MULTILINE)
    assert "\x1b" not in started.err + started.out
    assert provisioning("platform", "start", "--json").err == ""


def test_a_reader_who_has_had_enough_is_no_error_and_a_full_disk_is(platform: Platform, provisioning: Command) -> None:
    platform.start("a")
    line = shlex.join(provisioning.line("services", "status", "a"))
    shell = f"{line} | head -n 1; echo ${{PIPESTATUS[0]}}; {line} > /dev/full; echo $?"
    found = subprocess.run(["bash", "-c", shell], env=provisioning.environ, capture_output=True, text=True, check=False)
    assert found.stdout.splitlines() == ["a", "0", "1"]
    assert found.stderr == (
        "warning: standard output: cannot be written: No space left on device. The rest of it is left out.\n"
    )


@pytest.mark.parametrize(
    ("arguments", "redirection", "code", "said"),
    [
        ("--help", ">/dev/full", 1, "warning: standard output: cannot be written: No space left on device."),
        ("--version", ">/dev/full", 1, "warning: standard output: cannot be written: No space left on device."),
        ("platform stop --help", ">/dev/full", 1, "warning: standard output: cannot be written: No space"),
        ("--help", "| true; exit ${PIPESTATUS[0]}", 0, ""),
        ("services monitor", ">/dev/full", 1, "warning: standard output: cannot be written: No space"),
        ("services monitor", ">&-", 1, "error: standard output: is closed, so nobody would see anything."),
    ],
)
def test_what_nobody_can_read_ends(
    platform: Platform, provisioning: Command, arguments: str, redirection: str, code: int, said: str
) -> None:
    platform.start("a")
    line = shlex.join(provisioning.line(*arguments.split()))
    shell = ["bash", "-c", f"{line} {redirection}"]
    ran = subprocess.run(shell, env=provisioning.environ, capture_output=True, text=True, check=False, timeout=300)
    assert (ran.returncode, ran.stderr[: len(said)]) == (code, said)


def test_bash_completes_commands_options_and_names_of_services(
    platform: Platform, provisioning: Command, tmp_path: Path
) -> None:
    platform.start("a")
    platform.manager().remember("abc")
    program = tmp_path / "bin" / "provisioning"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {shlex.join(PROGRAM)} "$@"\n')
    program.chmod(0o755)
    script = """
        eval "$(_PROVISIONING_COMPLETE=source_bash provisioning)"
        complete -p provisioning | grep -q _provisioning_completion || echo not set up
        try() {
            COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
            _provisioning_completion provisioning
            echo "${COMPREPLY[*]}"
        }
        try provisioning ''
        try provisioning platform st
        try provisioning services start --work-dir "$WORK" b ''
        try provisioning --work-dir "$WORK" platform logs --fol
        try provisioning --work-dir /nowhere services start ''
    """
    environ = {**provisioning.environ, "PATH": f"{program.parent}:{os.environ['PATH']}", "WORK": str(platform.folder)}
    found = subprocess.run(["bash", "-c", script], env=environ, capture_output=True, text=True, check=False)
    assert found.stderr == ""
    groups, commands, names, option, nothing = found.stdout.splitlines()
    assert {"platform", "services"} <= set(groups.split())
    assert {"start", "stop", "status"} <= set(commands.split())
    assert names.split() == ["a", "c"]
    assert (option, nothing) == ("--follow", "")


def test_the_configuration_of_the_folder_says_which_installation(
    platform: Platform, provisioning: Command, tmp_path: Path
) -> None:
    platform.start("a")
    (tmp_path / "provisioning.yml").write_text(f"work_dir: {platform.folder}\n")
    found = subprocess.run(
        [sys.executable, "-m", "provisioning_platform.cli", "services", "status", "a", "--json"],
        cwd=tmp_path,
        env=provisioning.environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert json.loads(found.stdout)["work_dir"] == str(platform.folder)
    assert found.returncode == 0
