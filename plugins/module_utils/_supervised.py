# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The supervisor of a host seen from outside: its settings and its program in the work dir, its start and its end.

The program is one archive that the host's own Python runs, so it depends on no checkout, no package and no controller.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from . import _logs, _process, _systemd
from ._build import build
from ._drivers import _launch, _sessions
from ._errors import ConfigurationError, DriverError, PrerequisiteError, Problem
from ._model import ServiceDefinition
from ._paths import FILE_MODE, WorkDir, make_directory, write_atomically
from ._plan import digest_of
from ._state import PidRecord, PidStore
from ._textfile import installation_file, remove_textfile

RECORD = "supervisor"
_START_SECONDS = 60.0
_STOP_SECONDS = 20.0
_PAUSE_SECONDS = 0.02
#: Modes of which something is left for us: pods are their cluster's, and what runs elsewhere is not ours.
_SUPERVISED_MODES = frozenset({"binary", "docker", "compose"})
#: What tells where engines and clusters are; another value means another engine. One by one, since others that begin so
#: are passwords.
_PLACES = frozenset(
    {
        "CONTAINERS_CONF",
        "CONTAINERS_REGISTRIES_CONF",
        "CONTAINERS_STORAGE_CONF",
        "CONTAINER_CONNECTION",
        "CONTAINER_HOST",
        "CONTAINER_SSHKEY",
        "DOCKER_API_VERSION",
        "DOCKER_BUILDKIT",
        "DOCKER_CERT_PATH",
        "DOCKER_CONFIG",
        "DOCKER_CONTEXT",
        "DOCKER_DEFAULT_PLATFORM",
        "DOCKER_HOST",
        "DOCKER_TLS",
        "DOCKER_TLS_VERIFY",
        "KUBECONFIG",
    }
)
#: What else the drivers' clients need of the environment.
_KEPT = ("XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "DBUS_SESSION_BUS_ADDRESS", "TMPDIR")


@dataclass(frozen=True)
class SupervisorSettings:
    """What the supervisor of a host is told; kept in the work dir, for its owner alone.

    :param code: digest of its program.
    :param python: the interpreter that runs it.
    :param webhook: whom to notify, as ``WebhookTarget.to_dict`` gives it; secrets included.
    :param metrics: ``deployment.metrics``, as JSON types.
    :param environment: what it is started with that tells where engines are.
    """

    code: str = ""
    python: str = ""
    webhook: dict[str, Any] | None = field(default=None, repr=False)
    metrics: dict[str, Any] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """Tells these settings from others."""
        return digest_of(asdict(self))


def folder_of(layout: WorkDir) -> Path:
    """Return the folder of all that the supervisor has."""
    return layout.root / "supervisor"


def program_of(layout: WorkDir, code: str) -> Path:
    """Return the path of a program: each has a name of its own, since one that runs reads from its file."""
    return folder_of(layout) / f"provisioning-supervisor-{code}.pyz"


def log_path(layout: WorkDir) -> Path:
    """Return where the supervisor writes what it does."""
    return folder_of(layout) / "log"


def settings_path(layout: WorkDir) -> Path:
    """Return where the settings are."""
    return folder_of(layout) / "settings.json"


def lock_path(layout: WorkDir) -> Path:
    """Return the lock that the one supervisor of a work dir holds."""
    return folder_of(layout) / "supervisor.lock"


def read_settings(layout: WorkDir) -> SupervisorSettings | None:
    """Return the settings of the supervisor that is installed, if one is.

    :raises ConfigurationError: they are damaged.
    """
    path = settings_path(layout)
    try:
        return build(SupervisorSettings, json.loads(path.read_text(encoding="utf-8")))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (ValueError, ConfigurationError) as error:
        raise ConfigurationError(Problem(str(path), f"is damaged: {error}", "Run the installation again.")) from error


def settings_for(*, code: str, webhook: dict[str, Any] | None, metrics: dict[str, Any]) -> SupervisorSettings:
    """Return the settings of a supervisor that is to run as we do."""
    environment = {name: value for name, value in os.environ.items() if name in _PLACES}
    return SupervisorSettings(code, sys.executable, webhook, metrics, environment)


def has_work(services: Mapping[str, ServiceDefinition]) -> bool:
    """Whether there is anything on a host that a supervisor could restart."""
    return any(service.mode in _SUPERVISED_MODES for service in services.values())


def running(layout: WorkDir) -> PidRecord | None:
    """Return the record of the supervisor that runs, if one does; its digest is that of its settings."""
    records = PidStore(folder_of(layout)).read(RECORD)
    return records[0] if records and _process.is_alive(records[0].identity) else None


def supervision(layout: WorkDir) -> dict[str, Any]:
    """Return whether what is installed is supervised, as JSON types.

    :return: ``wanted`` by the installation, ``running``, the ``pid`` then and ``since`` when (unix time in seconds);
        ``problem`` and ``remedy`` where it is wanted and does not run.
    """
    record = running(layout)
    found: dict[str, Any] = {"wanted": False, "running": record is not None, "pid": None, "since": None}
    if record is not None:
        found |= {"pid": record.identity.pid, "since": _process.started_at(record.identity)}
    why, remedy = "does not run: what ends is not restarted", "Start it: provisioning platform start."
    try:
        settings = read_settings(layout)
        found["wanted"] = settings is not None
        if settings is not None and not program_of(layout, settings.code).exists():
            remedy = "Its program is gone. Install again."
    except ConfigurationError as error:
        found["wanted"] = True
        why, remedy = f"does not run: {error.problems[0].what} {error.problems[0].why}", error.problems[0].remedy
    is_missing = found["wanted"] and not found["running"]
    return {**found, "problem": why if is_missing else "", "remedy": remedy if is_missing else ""}


def write_record(layout: WorkDir, settings: SupervisorSettings) -> None:
    """Write down that this process is the supervisor.

    :raises OSError: it cannot be written.
    """
    identity = _process.identify(os.getpid())
    if identity is not None:
        PidStore(folder_of(layout)).write(RECORD, [PidRecord(identity, os.getpgid(0), settings.digest)])


def is_as_wanted(layout: WorkDir, settings: SupervisorSettings) -> bool:
    """Whether the supervisor runs, and with these settings."""
    record = running(layout)
    return record is not None and record.digest == settings.digest and program_of(layout, settings.code).exists()


def install(layout: WorkDir, settings: SupervisorSettings, program: bytes) -> None:
    """Put the supervisor in the work dir and start it, in place of one that runs.

    :param program: the archive.
    :raises DriverError: the one that runs does not end, or the new one does not start.
    :raises OSError: it cannot be written.
    """
    stop(layout)
    make_directory(folder_of(layout))
    target = program_of(layout, settings.code)
    write_atomically(target, program)
    for old in folder_of(layout).glob("provisioning-supervisor-*.pyz"):
        if old != target:
            old.unlink(missing_ok=True)
    write_atomically(settings_path(layout), json.dumps(asdict(settings)))
    start(layout, settings)


def start(layout: WorkDir, settings: SupervisorSettings) -> PidRecord:
    """Start the supervisor that is installed: as a unit where systemd runs the machine, else as a process of ours.

    :raises DriverError: it does not start.
    """
    command = [settings.python, str(program_of(layout, settings.code)), "--work-dir", str(layout.root)]
    env = _environment(settings)
    is_root = os.geteuid() == 0
    log = log_path(layout)
    child = None
    if _systemd.is_here() and _systemd.can_be_asked(is_root=is_root):
        path = _systemd.unit_path(layout, is_root=is_root, home=_systemd.home_of_ours())
        _systemd.install(path, _systemd.render(layout, command, env, is_root=is_root), is_root=is_root)
    else:
        child = _spawn(command, env, log)
    return _await(layout, settings, child, log)


def stop(layout: WorkDir) -> bool:
    """End the supervisor; return whether one ran.

    :raises DriverError: it does not end.
    """
    is_root = os.geteuid() == 0
    if _systemd.is_here():
        unit = _systemd.unit_path(layout, is_root=is_root, home=_systemd.home_of_ours())
        _systemd.uninstall(unit, is_root=is_root)
    record = running(layout)
    if record is None:
        return False
    session = _sessions.Session(record, log_path(layout))
    try:
        survivors = _sessions.stop([session], signal.SIGTERM, _STOP_SECONDS)
    except PermissionError as error:
        why = f"its process, pid {record.identity.pid}, belongs to another user"
        raise DriverError(Problem("supervisor", why, "Run as that user or as root.")) from error
    if survivors:
        raise DriverError(Problem("supervisor", f"pid {survivors[0]} survives being killed", "See what it waits for."))
    return True


def forget(layout: WorkDir) -> None:
    """Take away the settings and the program, so that nothing starts the supervisor again; its journal stays.

    The files for node-exporter go, too: they lie outside the work dir, and nobody keeps them up any more.

    :raises OSError: they cannot be removed.
    """
    with contextlib.suppress(ConfigurationError):  # damaged settings are taken away like others
        settings = read_settings(layout)
        if settings is not None:
            _remove_textfiles(settings)
    for path in (settings_path(layout), *folder_of(layout).glob("provisioning-supervisor-*.pyz")):
        path.unlink(missing_ok=True)


def _remove_textfiles(settings: SupervisorSettings) -> None:
    textfile = settings.metrics.get("textfile")
    if textfile:
        for path in (Path(textfile), installation_file(Path(textfile))):
            with contextlib.suppress(PrerequisiteError):  # then it is somebody else's folder by now
                remove_textfile(path)


def resume(layout: WorkDir) -> bool:
    """Start the supervisor that is installed and does not run, e.g. after a restart of the machine.

    :return: whether it was started.
    :raises ConfigurationError: its settings are damaged.
    :raises DriverError: it does not start.
    """
    settings = read_settings(layout)
    if settings is None or running(layout) is not None or not program_of(layout, settings.code).exists():
        return False
    start(layout, settings)
    return True


def _environment(settings: SupervisorSettings) -> dict[str, str]:
    account = _launch.account_of(None)
    kept = {name: value for name, value in os.environ.items() if name in _KEPT}
    base = {**_launch.inherited(), **kept, **settings.environment}
    env = _launch.environment({}, path=os.environ.get("PATH", os.defpath), account=account, base=base)
    return {**env, "HOME": os.environ.get("HOME", account.home)}


def _spawn(command: list[str], env: Mapping[str, str], log: Path) -> subprocess.Popen[bytes]:
    _logs.rotate(log)
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, FILE_MODE)
    try:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=descriptor,
            stderr=descriptor,
            cwd="/",
            env=env,
            umask=0o077,
            start_new_session=True,
            preexec_fn=_launch.signal_reset(),  # noqa: PLW1509 - it calls the kernel and takes no lock
        )
    except OSError as error:
        why = f"{command[0]} cannot be run: {error.strerror or error}"
        raise DriverError(Problem("supervisor", why, "Run the installation again.")) from error
    finally:
        os.close(descriptor)


def _await(
    layout: WorkDir, settings: SupervisorSettings, child: subprocess.Popen[bytes] | None, log: Path
) -> PidRecord:
    deadline = time.monotonic() + _START_SECONDS
    while True:
        record = running(layout)
        if record is not None and record.digest == settings.digest:
            return record
        if (child is not None and child.poll() is not None) or time.monotonic() > deadline:
            lines = list(_logs.tail_lines(log, 1)) if log.exists() else []
            said = f": {lines[-1][:300]}" if lines else ""
            raise DriverError(Problem("supervisor", f"does not start{said}", f"See {log}, or `systemctl status`."))
        time.sleep(_PAUSE_SECONDS)
