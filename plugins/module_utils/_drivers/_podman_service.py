# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Podman's API, served by us where nobody else serves it: ``podman system service``, a process of ours.

Containers do not need it to run; whoever starts, stops or looks at them does. Who only looks gets one that ends with
the program; who starts something gets one that stays, under a record in the work dir, until nothing needs it.
"""

from __future__ import annotations

import atexit
import contextlib
import hashlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from pathlib import Path

from .. import _process
from .._errors import DriverError, Problem
from .._paths import FILE_MODE, WorkDir, make_directory
from .._state import PidRecord, PidStore
from . import _launch, _sessions

_RECORD = "podman"
_START_SECONDS = 30.0
_STOP_SECONDS = 10.0
_PAUSE_SECONDS = 0.02
#: What addresses of sockets have room for, of which one takes the end.
_LONGEST_SOCKET = 107
#: What Podman finds its user's settings by.
_SETTINGS = ("XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "DBUS_SESSION_BUS_ADDRESS", "TMPDIR")
#: After how long without a request one ends by itself whose program could not end it any more.
_IDLE_SECONDS = 300
_lock = threading.Lock()
_brief: list[Path] = []


def socket_of(layout: WorkDir) -> Path:
    """Return where the API of an installation is served: in its work dir, or where addresses are short enough."""
    path = _folder(layout) / "podman.sock"
    if len(os.fsencode(path)) < _LONGEST_SOCKET:
        return path
    digest = hashlib.sha256(os.fsencode(layout.root)).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"provisioning-{os.getuid()}-{digest}" / "podman.sock"


def is_installed() -> bool:
    """Whether there is a Podman whose API could be served."""
    return shutil.which("podman") is not None


def missing() -> Problem:
    """Return the problem that Podman is not installed."""
    why = "Podman's API is served by nobody here, and the command podman, which could, is not installed"
    remedy = "Install it (apt-get install podman, dnf install podman), or set deployment.engine_url."
    return Problem("Podman", why, remedy)


def serve_briefly() -> Path:
    """Serve the API until this program ends; return the socket.

    :raises DriverError: Podman does not serve it.
    """
    with _lock:
        if not _brief or not _answers(_brief[-1]):
            _brief.append(_serve_briefly())
        return _brief[-1]


def serve(layout: WorkDir) -> Path:
    """Serve the API for an installation until :func:`stop`; return the socket. What serves it already is left.

    :raises DriverError: Podman does not serve it.
    """
    path, folder = socket_of(layout), _folder(layout)
    with _lock:
        if _answers(path):
            return path
        make_directory(folder)
        _make_private(path.parent)
        path.unlink(missing_ok=True)
        child = _start(path, folder / "log")
        identity = _process.identify(child.pid)
        try:
            _await(child, path, folder / "log")
            if identity is not None:
                PidStore(folder).write(_RECORD, [PidRecord(identity, child.pid, "")])
        except BaseException:
            child.terminate()
            raise
    return path


def stop(layout: WorkDir) -> bool:
    """Serve the API for an installation no longer; return whether it was served by us.

    :raises DriverError: it does not end.
    """
    folder = _folder(layout)
    records = PidStore(folder).read(_RECORD)
    sessions = [_sessions.Session(record, folder / "log") for record in records]
    try:
        survivors = _sessions.stop(sessions, signal.SIGTERM, _STOP_SECONDS)
    except PermissionError as error:
        why = f"its service, pid {records[0].identity.pid}, belongs to another user"
        raise DriverError(Problem("Podman", why, "Run as that user or as root.")) from error
    if survivors:
        raise DriverError(Problem("Podman", f"its service, pid {survivors[0]}, survives being killed"))
    path = socket_of(layout)
    path.unlink(missing_ok=True)
    if path.parent != folder:
        with contextlib.suppress(OSError):
            path.parent.rmdir()
    shutil.rmtree(folder, ignore_errors=True)
    return bool(records)


def _serve_briefly() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="provisioning-podman-"))
    child = _start(folder / "podman.sock", folder / "log", idle=_IDLE_SECONDS)
    ours = os.getpid()

    def end() -> None:
        if os.getpid() != ours:  # a fork of us ends earlier than we do
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(_STOP_SECONDS)
        shutil.rmtree(folder, ignore_errors=True)

    atexit.register(end)
    try:
        _await(child, folder / "podman.sock", folder / "log")
    except DriverError:
        end()
        raise
    return folder / "podman.sock"


def _folder(layout: WorkDir) -> Path:
    return layout.pids.parent / "podman"


def _make_private(folder: Path) -> None:
    """Make the folder of a socket; where others may make folders, too, it must be ours.

    :raises DriverError: somebody else has made it.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = folder.lstat()
    if found.st_uid != os.getuid() or folder.is_symlink():
        raise DriverError(Problem("Podman", f"{folder}, where its socket is to be, is not ours", "Remove it."))


def _start(path: Path, log: Path, *, idle: int = 0) -> subprocess.Popen[bytes]:
    executable = shutil.which("podman")
    if executable is None:
        raise DriverError(missing())
    account = _launch.account_of(None)
    kept = [name for name in os.environ if name in _SETTINGS or name.startswith("CONTAINERS_")]
    env = {
        **_launch.inherited(),
        "PATH": os.environ.get("PATH", os.defpath),
        # A home of one's own, as tests and pipelines have it, is meant.
        "HOME": os.environ.get("HOME", account.home),
        "USER": account.name,
        "LOGNAME": account.name,
        # What names an engine to connect to would make a client of the server, and so is not among them.
        **{name: os.environ[name] for name in kept},
    }
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, FILE_MODE)
    try:
        return subprocess.Popen(
            [executable, "system", "service", "--time", str(idle), f"unix://{path}"],
            stdin=subprocess.DEVNULL,
            stdout=descriptor,
            stderr=descriptor,
            env=env,
            cwd="/",
            start_new_session=True,
        )
    except OSError as error:
        why = f"{executable} cannot be run: {error.strerror or error}"
        raise DriverError(Problem("Podman", why, "Check the file and its permissions.")) from error
    finally:
        os.close(descriptor)


def _await(child: subprocess.Popen[bytes], path: Path, log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while not _answers(path):
        if child.poll() is not None or time.monotonic() > deadline:
            lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
            said = f": {lines[-1][:300]}" if lines else ""
            why = f"podman system service does not serve its API{said}"
            raise DriverError(Problem("Podman", why, "See what `podman info` says."))
        time.sleep(_PAUSE_SECONDS)


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(_STOP_SECONDS)
        try:
            probe.connect(str(path))
        except OSError:
            return False
    return True
