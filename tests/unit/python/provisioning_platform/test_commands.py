# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line: options, and errors turned into messages and exit codes."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils._errors import (
    BusyError,
    ConfigurationError,
    DriverError,
    Problem,
)
from provisioning_platform import __version__
from provisioning_platform.commands import Options
from provisioning_platform.edge import guarded

ROOT = Path(__file__).parents[4]
PATHS = os.pathsep.join([str(ROOT / "python"), str(ROOT / "playbooks/collections")])


def command(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "provisioning_platform", *arguments],
        env={**os.environ, "PYTHONPATH": PATHS, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def fail(error: BaseException) -> None:
    raise error


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (
            ConfigurationError(Problem("a", "is wrong", "Mend it."), Problem("b", "is wrong")),
            2,
            "error: a: is wrong. Mend it.\nerror: b: is wrong.\n",
        ),
        (BusyError(Problem("x", "another run is in progress")), 3, "error: x: another run is in progress.\n"),
        (DriverError(Problem("x", "is gone")), 1, "error: x: is gone.\n"),
        (KeyboardInterrupt(), 130, "Cancelled.\n"),
        (SystemExit(2), 2, ""),
        (SystemExit(None), 0, ""),
    ],
)
def test_an_error_becomes_a_message_and_an_exit_code(error, code, message, capsys):
    assert guarded(lambda: fail(error)) == code
    assert capsys.readouterr().err == message


def test_a_full_disk_is_a_prerequisite_not_met(capsys):
    assert guarded(lambda: fail(OSError(errno.ENOSPC, "No space left on device", "/w/x"))) == 3
    assert capsys.readouterr().err == (
        "error: this run: /w/x: No space left on device. "
        "Free some space there, or set work_dir to a place that has more.\n"
    )


def test_what_nobody_expected_is_one_line_with_the_path_of_a_log(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert guarded(lambda: fail(ValueError("odd\nthing"))) == 1
    message = capsys.readouterr().err
    (log,) = tmp_path.rglob("provisioning-run.log")
    assert message == f"error: unexpected: ValueError: odd thing. Details are in {log}; please report it.\n"
    assert "Traceback" in log.read_text(encoding="utf-8")
    assert log.stat().st_mode & 0o777 == 0o600


def test_options_before_a_subcommand_hold_for_it_too():
    given = Options(Path("a.toml"), "hosts", ["x=1"], quiet=True)
    assert given.override(None, None, ["y=2"], as_json=True) == Options(
        Path("a.toml"), "hosts", ["x=1", "y=2"], as_json=True, quiet=True
    )
    assert given.override(Path("b.toml")).config == Path("b.toml")


@pytest.mark.parametrize(
    ("arguments", "redirection", "code", "said"),
    [
        ("sample", ">/dev/full", 1, "warning: standard output: cannot be written: No space left on device."),
        ("sample", ">&-", 0, ""),
        ("sample", "<&- >&- 2>&-", 0, ""),
        ("validate --config examples/solo.toml", ">/dev/full", 0, "warning: standard output: cannot be written: No"),
        ("validate --config examples/solo.toml", ">&-", 0, ""),
        ("validate --config none.toml", ">/dev/full", 2, "error: none.toml: "),
        ("validate --config none.toml", "2>/dev/full", 2, ""),
        ("validate --config none.toml", "2>&-", 2, ""),
    ],
)
def test_output_that_cannot_be_written_breaks_nothing(arguments, redirection, code, said):
    ran = subprocess.run(
        ["/bin/sh", "-c", f'"$0" -m provisioning_platform {arguments} {redirection}', sys.executable],
        env={**os.environ, "PYTHONPATH": PATHS},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == code
    assert ran.stderr.startswith(said)
    assert len(ran.stderr.splitlines()) == (1 if said else 0)


def test_help_shows_examples_and_every_exit_code():
    shown = command("--help")
    assert shown.returncode == 0
    assert "provisioning-run sample --profile solo > solo.toml\n" in shown.stdout
    assert "    143  terminated" in shown.stdout
    assert command("-h").stdout == shown.stdout


def test_help_is_not_slowed_by_what_it_does_not_need():
    code = (
        "import sys, json, provisioning_platform.run_cli; "
        "print(json.dumps([m for m in ('ansible_runner', 'rich', 'pydantic', 'jinja2', 'yaml') if m in sys.modules]))"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": PATHS},
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(loaded.stdout) == []


def test_the_version_is_the_collections():
    assert command("--version").stdout == f"provisioning-run {__version__}\n"
    assert f"version: {__version__}\n" in (ROOT / "galaxy.yml").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["--json"],
            "error: --config: is missing, PROVISIONING_CONFIG is not set, and there is no ./provisioning.toml",
        ),
        (["install"], "No such command 'install'"),
        (["--conf", "x"], "No such option"),
        (["sample", "--profile", "giant"], "no example has this name"),
    ],
)
def test_wrong_arguments_exit_with_2(arguments, said):
    wrong = command(*arguments)
    assert wrong.returncode == 2
    assert said in wrong.stderr
    assert "Traceback" not in wrong.stderr
