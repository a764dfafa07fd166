# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The complete example of docs/services.md, told through the receiver of docs/webhooks.md: both run as they stand.

Only the ports are others, for the ones on the pages may be taken.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fixtures.docs import ROOT, files
from tests.fixtures.installations import NO_ENGINE, Installation, changed, free_ports

TOKEN = "try-it-out"


@pytest.fixture(autouse=True)
def token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", TOKEN)


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    folder = tmp_path_factory.mktemp("docs")
    port, receiver = free_ports(2)
    shown = {**files(ROOT / "docs" / "services.md"), **files(ROOT / "docs" / "webhooks.md")}
    for name, text in shown.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.replace("8600", str(port)).replace("8700", str(receiver)))
    notifications = f'[notifications]\nwebhook_url = "http://127.0.0.1:{receiver}/"\n'
    headers = 'headers = { Authorization = "Bearer ${TOKEN}" }\n'
    with (folder / "platform.toml").open("a") as file:
        file.write(f"\n{notifications}{headers}")
    document = {"work_dir": "", "deployment": {"project": "greeting"}}
    registry = {"greeting": {"port": port}}
    one = Installation(folder, document, registry, NO_ENGINE, folder / "home" / ".greeting")
    try:
        yield one
    finally:
        one.clean()


@pytest.fixture(scope="module")
def received(example: Installation, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Runs the receiver, away from the installation; what it prints is in the file."""
    folder = tmp_path_factory.mktemp("receiver")
    (example.folder / "receiver.py").rename(folder / "receiver.py")
    output = folder / "received.txt"
    with output.open("w") as file:
        process = subprocess.Popen(
            [sys.executable, "-u", "receiver.py"], cwd=folder, env={**os.environ, "TOKEN": TOKEN}, stdout=file
        )
    try:
        yield output
    finally:
        process.terminate()
        process.wait(60)


def run(one: Installation, *arguments: str) -> subprocess.CompletedProcess[str]:
    return one.run(*arguments, config=one.folder / "platform.toml")


def page(one: Installation) -> str:
    with urllib.request.urlopen(one.url("greeting", "/"), timeout=60) as response:
        return str(response.read().decode())


def test_the_example_is_installed_and_works(example, received):
    ran = run(example)
    assert ran.returncode == 0, ran.stderr
    assert "3 of 3 services installed." in ran.stdout
    assert "<p>Hello, world!</p>" in page(example)
    lines = received.read_text().splitlines()
    assert re.fullmatch(r"  0 %  started +validate-prerequisites +", lines[0])
    assert re.fullmatch(r"100 %  completed +verify-deployment +", lines[-1])
    assert sum("step_completed" in line for line in lines) == 7


def test_a_change_recreates_the_page_and_restarts_its_visitor(example):
    before = example.pids()
    plan = run(example, "plan", "--var", "greeted=everybody")
    assert plan.returncode == 10
    assert re.search(r"^prepare +none +has completed$", plan.stdout, re.MULTILINE)
    assert re.search(r"^greeting +recreate +changed: config", plan.stdout, re.MULTILINE)
    assert re.search(r"^visitor +restart +greeting is recreated$", plan.stdout, re.MULTILINE)
    assert "2 changes: 1 to recreate, 1 to restart." in plan.stdout
    assert run(example, "--var", "greeted=everybody").returncode == 0
    assert "<p>Hello, everybody!</p>" in page(example)
    assert set(before.values()).isdisjoint(example.pids().values())


def test_it_is_taken_away_again(example):
    ran = example.playbook("uninstall", work_dir=str(example.work_dir), purge=True)
    assert ran.returncode == 0
    assert changed(ran) == 3
    assert example.leftovers() == []
    assert not example.work_dir.exists()
