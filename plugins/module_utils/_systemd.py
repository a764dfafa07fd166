# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""systemd as we need it: orders, names and words of units; and the unit by which it runs the supervisor."""

from __future__ import annotations

import hashlib
import os
import pwd
import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from ._errors import DriverError, Problem
from ._paths import WorkDir, write_atomically

_BOOTED = Path("/run/systemd/system")
_SYSTEM_UNITS = Path("/etc/systemd/system")
_LINGERING = Path("/var/lib/systemd/linger")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_READABLE = 0o644
_SECONDS = 90.0
_STOP_SECONDS = 30


def is_here(booted: Path = _BOOTED) -> bool:
    """Whether systemd runs this machine, as ``sd_booted(3)`` finds out."""
    return booted.is_dir()


def work_dir_digest(layout: WorkDir) -> str:
    """Return what tells the units of a work dir from those of others: a machine may have several."""
    return hashlib.sha256(os.fsencode(layout.root)).hexdigest()[:8]


def unit_name(layout: WorkDir) -> str:
    """Return the name of the supervisor's unit, of which a work dir has one."""
    return f"provisioning-supervisor-{work_dir_digest(layout)}.service"


def unit_folder(*, is_root: bool, home: Path) -> Path:
    """Return where units are written: among the system's for root, else among the user's own."""
    return _SYSTEM_UNITS if is_root else home / ".config" / "systemd" / "user"


def unit_path(layout: WorkDir, *, is_root: bool, home: Path) -> Path:
    """Return where the supervisor's unit is written."""
    return unit_folder(is_root=is_root, home=home) / unit_name(layout)


def render(layout: WorkDir, command: Sequence[str], env: Mapping[str, str], *, is_root: bool) -> str:
    """Return the unit's text.

    Only the supervisor itself is ended with the unit (``KillMode=process``): the services that it has started are in
    its control group, and go on. A budget of systemd's own keeps it from being restarted for ever.

    :param command: absolute path of the interpreter and its arguments.
    """
    variables = [f"Environment={quoted(f'{name}={value}')}" for name, value in sorted(env.items())]
    lines = [
        "[Unit]",
        f"Description=Supervisor of the platform in {escaped(str(layout.root))}",
        "Documentation=man:systemd.service(5)",
        *(["After=network-online.target docker.service podman.service", "Wants=network-online.target"] * is_root),
        "StartLimitIntervalSec=300",
        "StartLimitBurst=10",
        "",
        "[Service]",
        "Type=exec",
        f"ExecStart={' '.join(quoted(word, of_command=True) for word in command)}",
        *variables,
        "UMask=0077",
        "KillMode=process",
        f"TimeoutStopSec={_STOP_SECONDS}",
        "Restart=on-failure",
        "RestartSec=5",
        "# 3: another one supervises this work dir already",
        "RestartPreventExitStatus=3",
        "",
        "[Install]",
        f"WantedBy={'multi-user.target' if is_root else 'default.target'}",
    ]
    return "\n".join(lines) + "\n"


def install(path: Path, text: str, *, is_root: bool) -> None:
    """Write the unit, and have systemd start it now and with the machine.

    :raises DriverError: systemd refuses.
    :raises OSError: the unit cannot be written.
    """
    write_atomically(path, text, mode=_READABLE)
    systemctl(["daemon-reload"], is_root=is_root)
    systemctl(["enable", path.name], is_root=is_root)
    systemctl(["restart", path.name], is_root=is_root)


def uninstall(path: Path, *, is_root: bool) -> None:
    """Have systemd end what the unit runs, and forget the unit; nothing happens where there is none.

    :raises DriverError: systemd refuses.
    :raises OSError: the unit cannot be removed.
    """
    if not path.exists():
        return
    systemctl(["disable", "--now", path.name], is_root=is_root)
    path.unlink(missing_ok=True)
    systemctl(["daemon-reload"], is_root=is_root)


def can_be_asked(*, is_root: bool) -> bool:
    """Whether systemd takes orders from us: a user without a session has none of his own."""
    return version(is_root=is_root) is not None


def version(*, is_root: bool) -> int | None:
    """Return systemd's version, or nothing where it takes no orders from us."""
    try:
        told = systemctl(["show", "--property=Version"], is_root=is_root)
    except DriverError:
        return None
    found = re.match(r"Version=\D*(\d+)", told)
    return int(found[1]) if found else None


def stays_up(*, is_root: bool, folder: Path = _LINGERING) -> bool:
    """Whether what systemd runs for us goes on without a session: a user must have asked for that.

    :param folder: where systemd notes who has.
    """
    return is_root or (folder / _name_of_ours()).exists()


def systemctl(arguments: Sequence[str], *, is_root: bool, timeout: float | None = _SECONDS) -> str:
    """Give systemd an order; return what it says.

    :param timeout: seconds; for ever when nothing.
    :raises DriverError: it refuses, or is not there.
    """
    command = ["systemctl", *([] if is_root else ["--user"]), "--no-ask-password", *arguments]
    env = {**os.environ, "LC_ALL": "C", "SYSTEMD_COLORS": "0"}
    if not is_root:
        env.setdefault("XDG_RUNTIME_DIR", f"/run/user/{os.getuid()}")
    try:
        done = subprocess.run(
            command, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise DriverError(Problem("systemd", f"{' '.join(command)}: {error}", "See `systemctl status`.")) from error
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise DriverError(Problem("systemd", f"{' '.join(command)}: {lines[-1]}", "See `systemctl status`."))
    return done.stdout


def home_of_ours() -> Path:
    """Return our home directory, as systemd takes it: from the user database."""
    try:
        return Path(pwd.getpwuid(os.getuid()).pw_dir)
    except KeyError:
        return Path.home()


def quoted(text: str, *, of_command: bool = False) -> str:
    """Return a word as systemd.syntax(7) has it; in commands ``$`` stands for a variable, too."""
    word = text.replace("\\", "\\\\").replace('"', '\\"')
    word = _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", word)
    return f'"{escaped(word.replace("$", "$$") if of_command else word)}"'


def escaped(text: str) -> str:
    """Return a text in which nothing stands for something else: ``%`` begins what systemd fills in."""
    return text.replace("%", "%%")


def _name_of_ours() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())
