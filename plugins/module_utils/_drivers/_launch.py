# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a process is started with: its executable, its environment, its user and what that user must have."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import grp
import os
import pwd
import shutil
import signal
import stat
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from .. import _process
from .._errors import Problem
from .._logs import Rotation
from .._model import BinaryDeployment, Scalar, ServiceDefinition
from .._paths import WorkDir, make_directory
from .._state import PidRecord

# A service's environment is its own: what a pipeline or a shell happens to hold, its secrets and the marks by which
# Jenkins (JENKINS_NODE_COOKIE, BUILD_ID) and GitHub's runner (RUNNER_TRACKING_ID) kill at job end, stays outside.
_INHERITED = frozenset(
    {"LANG", "LANGUAGE", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR"}
    | {name for proxy in ("http_proxy", "https_proxy", "no_proxy") for name in (proxy, proxy.upper())}
)
_SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# Python itself ignores these, and has subprocess give them back to children.
_GIVEN_BACK = frozenset({signal.SIGPIPE.value, signal.SIGXFSZ.value})
# The C library keeps these for its threads and lets nobody set them. Whoever starts programs by posix_spawn, as make
# does, leaves them ignored; a program that needs them sets them itself.
_OF_THE_LIBRARY = frozenset(range(32, getattr(signal, "SIGRTMIN", 32)))
_PASSAGE_MODE = 0o711  # another user may pass through to what is his, but not look round


@dataclass(frozen=True)
class Account:
    """Whom a process runs as.

    :param groups: all his groups, the main one included.
    """

    name: str
    uid: int
    gid: int
    home: str
    groups: tuple[int, ...] = ()


@dataclass(frozen=True)
class Launch:
    """All that a process of a service is started with.

    :param user: whom it is to run as, if not as we do; so ``group``.
    :param env: its whole environment; it holds secrets.
    """

    service: str
    replica: int
    digest: str
    command: list[str]
    env: dict[str, str] = field(repr=False)
    working_dir: str
    log: Path
    rotation: Rotation
    account: Account
    user: str | None = None
    group: str | None = None
    umask: int = 0o022  # as init systems have it, whatever the shell's or the pipeline's is


def record_of(pid: int, digest: str, replica: int) -> PidRecord:
    """Return the record of a process that has just been started, and may have ended already."""
    identity = _process.identify(pid)
    if identity is None:  # as an unreaped child its number is still its own
        identity = _process.ProcessIdentity(pid, -1, _process.boot_id())
    return PidRecord(identity, pid, digest, replica)


def account_of(user: str | None, group: str | None = None) -> Account:
    """Return an account, by default our own.

    :param group: instead of the user's main one.
    :raises KeyError: there is no such user or group.
    """
    if user is None:
        ours = _own_account(os.getuid(), os.getgid())
        return dataclasses.replace(ours, gid=grp.getgrnam(group).gr_gid) if group else ours
    entry = pwd.getpwnam(user)
    gid = grp.getgrnam(group).gr_gid if group else entry.pw_gid
    return Account(user, entry.pw_uid, gid, entry.pw_dir, tuple(os.getgrouplist(user, gid)))


@functools.cache
def _own_account(uid: int, gid: int) -> Account:
    try:
        entry = pwd.getpwuid(uid)
    except KeyError:  # containers are run as users that no file knows
        return Account(str(uid), uid, gid, os.environ.get("HOME", "/"))
    return Account(entry.pw_name, uid, gid, entry.pw_dir)


def user_problems(service: ServiceDefinition, binary: BinaryDeployment, layout: WorkDir) -> list[Problem]:
    """Return why a service cannot run as the user and group its definition names."""
    problems = []
    if binary.group is not None and not _is_group(binary.group):
        problems.append(Problem(service.name, f"there is no group {binary.group}", "Create it or name another."))
    if binary.user is None:
        return problems
    try:
        account = account_of(binary.user)
    except KeyError:
        remedy = "Create it, or name another in binary.user."
        return [*problems, Problem(service.name, f"there is no user {binary.user}", remedy)]
    if os.geteuid() not in (0, account.uid):
        remedy = "Run as root, or drop binary.user."
        problems.append(Problem(service.name, f"only root may start it as {binary.user}", remedy))
    obstacle = _obstacle(account, layout.root)
    if obstacle is not None:
        remedy = "Set work_dir to a place that others may enter, e.g. below /var/lib, or drop binary.user."
        why = f"{binary.user} cannot reach {layout.root}, since {obstacle} is closed to others"
        problems.append(Problem(service.name, why, remedy))
    return problems


def hand_over(folder: Path, account: Account, layout: WorkDir) -> None:
    """Make a folder of the work dir, if need be, and give it to a user with all that is in it, and the way to it.

    :raises OSError: it cannot be done.
    """
    make_directory(folder)
    if os.geteuid() != 0 or account.uid == 0:
        return
    if folder.stat().st_uid != account.uid:
        for path in (folder, *folder.rglob("*")):
            os.chown(path, account.uid, account.gid, follow_symlinks=False)
    open_way(folder.parent, layout)


def open_way(folder: Path, layout: WorkDir) -> None:
    """Let other users pass through a folder of the work dir to what is theirs.

    :raises OSError: it cannot be done.
    """
    while folder == layout.root or layout.root in folder.parents:
        mode = stat.S_IMODE(folder.stat().st_mode)
        if mode & _PASSAGE_MODE != _PASSAGE_MODE:
            folder.chmod(mode | _PASSAGE_MODE)
        folder = folder.parent


def text_of(value: Scalar) -> str:
    """Return a setting as the text an environment holds; truth is written as in YAML."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def search_path(bin_folder: Path, outer: Mapping[str, str] | None = None) -> str:
    """Return where commands are looked for: our downloads, this interpreter's own scripts, then the system's path.

    :param outer: the environment we run in; only its PATH is used.
    """
    path = (os.environ if outer is None else outer).get("PATH") or _SYSTEM_PATH
    return os.pathsep.join([str(bin_folder), str(Path(sys.executable).parent), path])


def find_executable(command: str, path: str) -> str | None:
    """Return the absolute path of a command, or nothing where none is executable."""
    found = shutil.which(command, path=path)
    return str(Path(found).absolute()) if found else None


def inherited(outer: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return what a service gets of the environment we run in: language, time zone, certificates, proxies.

    :param outer: the environment we run in.
    """
    around = os.environ if outer is None else outer
    names = [name for name in around if name in _INHERITED or name.startswith("LC_")]
    return {name: around[name] for name in names}


def environment(
    settings: Mapping[str, Scalar], *, path: str, account: Account, base: Mapping[str, str]
) -> dict[str, str]:
    """Return the whole environment of a process.

    :param settings: what the definition and the installation set.
    :param path: its PATH, unless the settings have one.
    :param account: whom it runs as.
    :param base: what it gets of ours.
    """
    own = {"PATH": path, "HOME": account.home, "USER": account.name, "LOGNAME": account.name}
    return {**base, **own, **{name: text_of(value) for name, value in settings.items()}}


def owners(binary: BinaryDeployment) -> set[int]:
    """Return the user ids that a service's processes may have: its user's and our own."""
    with contextlib.suppress(KeyError):
        return {os.geteuid(), account_of(binary.user).uid}
    return {os.geteuid()}


def signal_reset() -> Callable[[], None] | None:
    """Return what gives a new process the signals it can expect, to be run in it; nothing where it has them anyway.

    Who is ignored or blocked in us, e.g. SIGHUP under ``nohup`` and SIGINT in a background job, would be so in it.
    """
    ignored, blocked = _process.unusual_signals()
    ignored -= _GIVEN_BACK | _OF_THE_LIBRARY
    if not ignored and not blocked:
        return None

    def reset() -> None:
        for number in ignored:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())

    return reset


def _is_group(group: str) -> bool:
    with contextlib.suppress(KeyError):
        grp.getgrnam(group)
        return True
    return False


def _obstacle(account: Account, root: Path) -> Path | None:
    """Return the first folder above the work dir that a user may not pass through."""
    for folder in reversed(root.parents):
        try:
            found = folder.stat()
        except FileNotFoundError:
            return None  # it will be made
        if found.st_uid == account.uid:
            may_pass = found.st_mode & stat.S_IXUSR
        elif found.st_gid in account.groups:
            may_pass = found.st_mode & stat.S_IXGRP
        else:
            may_pass = found.st_mode & stat.S_IXOTH
        if not may_pass and account.uid != 0:
            return folder
    return None
