# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An engine on another machine, reached over ssh: its socket there becomes a socket here.

One ssh serves all connections, and ends with us whatever becomes of us, since the command that it runs there reads what
we never write.
"""

from __future__ import annotations

import os
import select
import shutil
import subprocess
import tempfile
import weakref
from pathlib import Path
from urllib.parse import urlsplit

from .._errors import DriverError, Problem

_CONNECT_SECONDS = 10
_READY = b"ready"
_SOCKETS = {"Podman": "/run/podman/podman.sock"}
_USUAL_SOCKET = "/var/run/docker.sock"


class Tunnel:
    """An ssh that forwards a socket for as long as this object lives.

    :param socket: the socket here.
    """

    def __init__(self, url: str, name: str) -> None:
        """Connect.

        :param url: ``ssh://[user@]host[:port][/path/of/the/socket]``.
        :param name: of the engine, for people.
        :raises DriverError: ssh is not installed, is refused, or may not forward.
        """
        self.url = url
        self._name = name
        self._folder = Path(tempfile.mkdtemp(prefix="provisioning-ssh-"))
        self.socket = self._folder / "engine.sock"
        self._said = self._folder / "said"
        try:
            self._process = self._start(command(url, name, self.socket))
        except BaseException:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise
        self._end = weakref.finalize(self, _end, self._process, self._folder, os.getpid())
        if not self._is_ready():
            words = self.words() or f"it said nothing for {2 * _CONNECT_SECONDS} s"
            self.close()
            raise DriverError(explain(url, name, words))

    def words(self) -> str:
        """Return the last line that ssh wrote about itself."""
        try:
            lines = self._said.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        except OSError:
            return ""
        return lines[-1].strip() if lines else ""

    def close(self) -> None:
        """Disconnect."""
        self._end()

    def _is_ready(self) -> bool:
        output = self._process.stdout
        if output is None or not select.select([output], [], [], 2 * _CONNECT_SECONDS)[0]:
            return False
        return output.readline().strip() == _READY

    def _start(self, arguments: list[str]) -> subprocess.Popen[bytes]:
        with self._said.open("wb") as said:
            try:
                return subprocess.Popen(
                    arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=said, start_new_session=True
                )
            except FileNotFoundError as error:
                why = f"{self.url} is reached with the command ssh, which is not installed"
                raise DriverError(Problem(self._name, why, "Install it (apt-get install openssh-client).")) from error


def command(url: str, name: str, local: Path) -> list[str]:
    """Return the ssh command that forwards an engine's socket.

    :param local: where the socket is to be here.
    :raises DriverError: the URL names no host.
    """
    try:
        parts = urlsplit(url)
        host, user, port = parts.hostname, parts.username, parts.port
    except ValueError:
        host = user = port = None
    if not host or host.startswith("-") or (user or "").startswith("-"):
        raise DriverError(Problem(name, f"{url} names no host", "Write ssh://user@host."))
    options = ["BatchMode=yes", f"ConnectTimeout={_CONNECT_SECONDS}", "ExitOnForwardFailure=yes", "ControlPath=none"]
    options += ["ServerAliveInterval=15"]
    return [
        "ssh",
        "-T",
        *(word for option in options for word in ("-o", option)),
        "-L",
        f"{local}:{_remote_socket(parts.path, name)}",
        *(["-p", str(port)] if port else []),
        *(["-l", user] if user else []),
        "--",
        host,
        f"echo {_READY.decode()}; exec cat >/dev/null",
    ]


def explain(url: str, name: str, words: str) -> Problem:
    """Return what ssh's words mean, with the remedy.

    :param words: the last line that it wrote.
    """
    host = urlsplit(url).hostname or url
    remedy = f"See whether `ssh {host}` works by hand, without a question."
    if "Permission denied" in words:
        remedy = f"Let {host} accept a key of the user who installs, without a password (ssh-copy-id {host})."
    elif "verification failed" in words.lower():
        remedy = f"Connect once by hand (ssh {host}), and compare and accept its key."
    return Problem(name, f"{url} cannot be reached: ssh says: {words}", remedy)


def explain_refusal(url: str, name: str, words: str) -> Problem | None:
    """Return what it means that ssh works and the socket there does not; nothing where ssh has not said so.

    A server says the same of a socket that is not there, that may not be used and that may not be forwarded.
    """
    if "open failed" not in words:
        return None
    parts = urlsplit(url)
    host, path = parts.hostname or url, _remote_socket(parts.path, name)
    why = f"{url} cannot be used: ssh works, and {path} on {host} cannot be connected to"
    remedy = (
        f"See on {host} that the engine runs, that this user may use its socket (the URL may end with another path), "
        "and that sshd_config does not forbid AllowStreamLocalForwarding."
    )
    return Problem(name, why, remedy)


def _remote_socket(path: str, name: str) -> str:
    return path if len(path) > 1 else _SOCKETS.get(name, _USUAL_SOCKET)


def _end(process: subprocess.Popen[bytes], folder: Path, owner: int) -> None:
    if os.getpid() != owner:  # a fork of ours ends earlier than we do
        return
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            stream.close()
    process.terminate()
    try:
        process.wait(_CONNECT_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    shutil.rmtree(folder, ignore_errors=True)
