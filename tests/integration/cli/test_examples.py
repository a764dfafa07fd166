# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The examples in the help work as they stand, where services of these names are installed."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from provisioning_platform.cli.app import PLATFORM, SERVICES, app
from typer.main import get_command

from tests.fixtures.binary_host import sh
from tests.fixtures.definitions import services
from tests.fixtures.small_platform import Platform

#: Those that look at services, start and stop them; the others have tests of their own.
_HOMES = ("platform_commands:app", "service_commands:app")
_FOLLOWS = ("--follow", "-f")


def examples() -> Iterator[list[str]]:
    root = get_command(app)
    context = typer.Context(root)
    for group, homes in {"platform": PLATFORM, "services": SERVICES}.items():
        for name in [name for name, home in homes.items() if home in _HOMES]:
            command = root.get_command(context, group).get_command(context, name)  # type: ignore[attr-defined]
            for line in command.epilog.splitlines():
                if line.strip().startswith("provisioning ") and not any(word in line for word in _FOLLOWS):
                    yield shlex.split(line)[1:]


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Platform]:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("PROVISIONING_CONFIG", raising=False)
    monkeypatch.chdir(tmp_path)
    platform = Platform(tmp_path / ".provisioning")
    run = "echo up; exec sleep 1000"
    platform.definitions = services(
        sh("orchestrator", run), sh("control-center", run, needs=["orchestrator"]), sh("gitea", run)
    )
    platform.start()
    yield platform
    platform.close()


def test_every_example_works_when_pasted(installed: Platform) -> None:
    command = get_command(app)
    found = list(examples())
    assert len(found) > 20
    for words in found:
        code = command(words, prog_name="provisioning", standalone_mode=False)
        assert code == 0, words
        if "stop" in words:
            assert command(["platform", "start"], prog_name="provisioning", standalone_mode=False) == 0
