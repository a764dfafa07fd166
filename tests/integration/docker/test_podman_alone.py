# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Podman where nobody serves its API, with root's rights and without: we serve it, as long as it is needed."""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
import urllib.request
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.ports import free_port

ROOT = Path(__file__).parents[3]
FIXTURES = ROOT / "tests" / "fixtures"
_TUN = Path("/dev/net/tun")


@dataclass
class Alone:
    """A user, and a folder of that user for the work dir."""

    user: pwd.struct_passwd
    folder: Path
    image: str
    port: int

    @property
    def work_dir(self) -> Path:
        return self.folder / "work"

    def run(self, action: str, *, port: int | None = None, **env: str) -> dict[str, Any]:
        """Do one step, in a program of its own."""
        command = [sys.executable, "-m", "tests.fixtures.podman_alone", action, str(self.work_dir)]
        command += [str(port or self.port), self.image]
        if self.user.pw_uid != os.getuid():
            command = [*self._as_user(), *command]
        ran = subprocess.run(
            command, cwd=ROOT, env=self.environment(**env), capture_output=True, text=True, timeout=300, check=False
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return dict(json.loads(ran.stdout.splitlines()[-1]))

    def _as_user(self) -> list[str]:
        return ["setpriv", f"--reuid={self.user.pw_uid}", f"--regid={self.user.pw_gid}", "--init-groups"]

    def environment(self, **more: str) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder / "home"),
            "PYTHONPATH": os.pathsep.join([str(ROOT / "playbooks" / "collections"), str(ROOT)]),
            "PYTHONDONTWRITEBYTECODE": "1",
            "XDG_RUNTIME_DIR": f"/run/user/{self.user.pw_uid}",
            "CONTAINERS_CONF": str(self.folder / "containers.conf"),
            "DPKG_ADMINDIR": str(self.folder),  # see engines.py
            **more,
        }

    def servers(self) -> list[int]:
        """Return the pids of the processes that serve Podman's API to this user for us."""
        found = []
        for path in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                words = (path / "cmdline").read_bytes().split(b"\0")
                home = f"HOME={self.folder}/home\0".encode() in (path / "environ").read_bytes() + b"\0"
                if home and words[1:3] == [b"system", b"service"]:
                    found.append(int(path.name))
        return found

    def podman(self, *words: str) -> None:
        command = ["podman", *words]
        if self.user.pw_uid != os.getuid():
            command = [*self._as_user(), *command]
        subprocess.run(command, env=self.environment(), cwd="/", capture_output=True, timeout=120, check=False)


@contextlib.contextmanager
def somebody() -> Iterator[pwd.struct_passwd]:
    """A user who is not root, with ids for containers, as logging in makes them."""
    name = f"prov-{uuid.uuid4().hex[:8]}"
    subprocess.run(["useradd", "--no-create-home", "--shell", "/bin/sh", name], check=True, capture_output=True)
    user = pwd.getpwnam(name)
    runtime = Path(f"/run/user/{user.pw_uid}")
    mode = _TUN.stat().st_mode
    try:
        runtime.mkdir(parents=True, mode=0o700, exist_ok=True)
        os.chown(runtime, user.pw_uid, user.pw_gid)
        _TUN.chmod(0o666)  # as it is on all machines but small VMs; the network of such containers needs it
        yield user
    finally:
        _TUN.chmod(mode)
        shutil.rmtree(runtime, ignore_errors=True)
        subprocess.run(["userdel", name], check=False, capture_output=True)


@pytest.fixture(params=["with-root", "without-root"])
def alone(request: pytest.FixtureRequest) -> Iterator[Alone]:
    if os.getuid() != 0:
        pytest.skip("only root can become another user")
    with contextlib.ExitStack() as stack:
        user = pwd.getpwuid(0) if request.param == "with-root" else stack.enter_context(somebody())
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="prov-", ignore_cleanup_errors=True)))
        (folder / "home").mkdir()
        shutil.copy(FIXTURES / "containers.conf", folder / "containers.conf")
        for path in (folder, *folder.rglob("*")):
            os.chown(path, user.pw_uid, user.pw_gid)
        one = Alone(user, folder, f"provisioning-test/alone-{uuid.uuid4().hex[:8]}:1", free_port())
        stack.callback(lambda: [os.kill(pid, 15) for pid in one.servers()])
        if request.param == "without-root":
            stack.callback(one.podman, "system", "reset", "--force")
        else:
            stack.callback(one.podman, "rmi", "--force", one.image)
        yield one


def answers(port: int) -> bool:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=30) as answer:
        return bool(answer.status == 200)


def test_its_api_is_served_from_the_first_start_until_nothing_needs_it(alone):
    assert alone.run("build") == {}
    # Who only looks leaves nothing behind: neither a process nor a folder.
    assert alone.run("plan") == {"verb": "create", "unavailable": []}
    assert alone.run("preflight") == {"problems": []}
    assert alone.servers() == []
    assert not alone.work_dir.exists()

    assert alone.run("start") == {"result": "healthy", "reason": "new"}
    assert answers(alone.port)
    (server,) = alone.servers()
    record = json.loads((alone.work_dir / "services" / "podman" / "podman.json").read_text())
    assert record[0]["pid"] == server
    assert os.stat(f"/proc/{server}").st_uid == alone.user.pw_uid
    assert alone.run("status") == {"status": "running", "health": "healthy"}
    assert alone.run("start") == {"result": "unchanged", "reason": "already running"}
    assert alone.servers() == [server]

    # As after a reboot, but for the container, which needs none of it to run.
    os.kill(server, 9)
    assert answers(alone.port)
    assert alone.run("status") == {"status": "running", "health": "healthy"}
    assert alone.servers() == []

    assert alone.run("remove") == {"result": "removed", "gone": [f"alone-{alone.port}-net"]}
    assert alone.servers() == []
    assert not (alone.work_dir / "services" / "podman").exists()


def test_without_roots_rights_low_ports_are_a_problem_beforehand(alone):
    alone.run("build")
    (said,) = alone.run("preflight", port=81)["problems"] or [""]
    if alone.user.pw_uid == 0:
        assert said == ""
    else:
        assert "port 81 is for root alone, and Podman runs here without root's rights." in said
        assert "sysctl net.ipv4.ip_unprivileged_port_start=81, as root." in said


def test_a_podman_that_is_not_there_or_does_not_work_is_said_to_be_so(alone, tmp_path):
    commands = alone.folder / "bin"
    commands.mkdir()
    (commands / "setpriv").symlink_to(shutil.which("setpriv"))
    (problem,) = alone.run("plan", PATH=str(commands))["unavailable"]
    assert "the command podman, which could, is not installed. Install it (apt-get install podman" in problem
    (commands / "podman").write_text("#!/bin/sh\necho 'no space for you' >&2\nexit 125\n")
    (commands / "podman").chmod(0o755)
    (problem,) = alone.run("plan", PATH=str(commands))["unavailable"]
    assert "podman system service does not serve its API: no space for you. See what `podman info` says." in problem
