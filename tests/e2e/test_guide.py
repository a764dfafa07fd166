# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every command of docs/service-management.md, in order, on the platform that the page installs: it does what it shows.

Only the ports are others, for the ones on the page may be taken. Which blocks are not run is in
tests/unit/docs/test_guide.py.
"""

from __future__ import annotations

import re
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fixtures.docs import ROOT, Command, blocks, commands, files
from tests.fixtures.installations import NO_ENGINE, Installation, free_ports

GUIDE = ROOT / "docs" / "service-management.md"
PORTS = {"orchestrator": 8080, "control-center": 8081, "mcp-server": 8084, "api-gateway": 8088}
_SECONDS = 240
#: What a command says of its progress, with the time.
_PROGRESS = re.compile(r"^\d\d:\d\d:\d\d .*\n", re.MULTILINE)


class Reader:
    """Somebody who types what the page says, in an empty folder and with a home of their own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ports = dict(zip(PORTS, free_ports(len(PORTS)), strict=True))
        home = folder / "home"
        document = {"deployment": {"project": "guide"}}
        self.installation = Installation(folder, document, {}, NO_ENGINE, home / ".provisioning")
        for name, text in files(GUIDE).items():
            (folder / name).write_text(self._of_its_own(text) if name == "provisioning.toml" else text)

    def _of_its_own(self, text: str) -> str:
        """Give a configuration a project and ports that no other test has."""
        ports = (f'\n[[deployment.services]]\nname = "{name}"\nport = {port}\n' for name, port in self.ports.items())
        return "".join(['[deployment]\nproject = "guide"\n\n', text, *ports])

    def types(self, command: Command) -> None:
        """Run a command; see that it ends as the page says, and prints what it shows."""
        process = subprocess.Popen(
            ["bash", "-c", self._with_ports(command.line)],
            cwd=self.folder,
            env=self.installation.environment(COLUMNS="120"),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        output = self._until_shown(process, command) if command.until_interrupted else _all(process)
        told = f"{command.where}: $ {command.line}\n{output}"
        # To be interrupted is the end of what goes on for ever, or an interruption.
        assert process.returncode in ((0, 130) if command.until_interrupted else (command.code,)), told
        assert command.until_interrupted or command.prints(self._as_shown(output)), told

    def _until_shown(self, process: subprocess.Popen[str], command: Command) -> str:
        """Interrupt a command when it has printed what is shown; return what it has printed."""
        killer = threading.Timer(_SECONDS, process.kill)
        killer.start()
        output = ""
        assert process.stdout is not None
        for line in process.stdout:
            output += line
            if re.match(command.pattern, _narrow(self._as_shown(output))):
                process.send_signal(signal.SIGINT)
                break
        output += process.stdout.read()
        process.wait(_SECONDS)
        killer.cancel()
        return output

    def _with_ports(self, text: str) -> str:
        for name, port in self.ports.items():
            text = re.sub(rf"\b{PORTS[name]}\b", str(port), text)
        return text

    def _as_shown(self, output: str) -> str:
        for name, port in self.ports.items():
            output = re.sub(rf"\b{port}\b", str(PORTS[name]), output)
        return _PROGRESS.sub("", output.replace(str(self.folder / "home"), "/home/me"))


def _all(process: subprocess.Popen[str]) -> str:
    try:
        return process.communicate(timeout=_SECONDS)[0]
    except subprocess.TimeoutExpired:
        process.kill()
        return process.communicate()[0] + f"\n(killed after {_SECONDS} s)"


def _narrow(text: str) -> str:
    return "".join(" ".join(line.split()) + "\n" for line in text.splitlines())


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    one = Reader(tmp_path_factory.mktemp("guide"))
    try:
        yield one
    finally:
        one.installation.clean()


@pytest.mark.timeout(900)
def test_every_command_does_what_the_page_shows(reader):
    for block in blocks(GUIDE):
        if block.language == "console" and not block.kind:
            for command in commands(block):
                reader.types(command)
    ran = reader.installation.playbook("uninstall", work_dir=str(reader.installation.work_dir), purge=True)
    assert ran.returncode == 0, ran.stdout
    assert reader.installation.leftovers() == []
