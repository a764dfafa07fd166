"""The command that gives another one a Docker engine."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[3] / "tools/with_docker.py"


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(SCRIPT), *command], capture_output=True, text=True, check=False, timeout=240
    )


@pytest.mark.docker
def test_with_an_engine_that_answers_it_starts_none_and_returns_the_commands_exit_code() -> None:
    ended = run("sh", "-c", "docker version --format '{{.Server.Version}}'; exit 7")

    assert ended.returncode == 7
    assert "Starting" not in ended.stdout
    assert ended.stdout.strip()
