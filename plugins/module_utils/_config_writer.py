# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writing services' configuration files on their host: secrets filled in, owned by whom they run as."""

from __future__ import annotations

import contextlib
import functools
import os
import pwd
import re
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ._config_files import fill_serial
from ._model import ConfigFile, ServiceDefinition
from ._paths import WorkDir, make_directory, write_atomically
from ._secrets import PLACEHOLDER, SecretStore

_PASSAGE_MODE = 0o711  # another user may pass through to what is his, but not look round


@dataclass(frozen=True)
class Owner:
    """Whom a file is given to.

    :param on_host: reaches it by its path; a container has its folder mounted.
    """

    uid: int
    gid: int
    on_host: bool = False


@dataclass(frozen=True)
class FileChange:
    """A file that is to be written or removed.

    :param before: the text that is there, secrets as placeholders; nothing where there is no file.
    :param after: the text wanted, secrets as placeholders; nothing where the file is to go.
    :param content: the text to write.
    """

    path: Path
    before: str | None
    after: str | None
    content: str = ""
    mode: int = 0o600
    owner: Owner | None = None

    def diff(self) -> dict[str, str]:
        """Return the change as Ansible shows differences."""
        return {
            "before_header": str(self.path),
            "after_header": str(self.path),
            "before": self.before or "",
            "after": self.after or "",
        }


class ConfigWriter:
    """Compares the files wanted with those on the host.

    :param dry: only compare; then secrets that are still to be made may be missing.
    :param clock: unix time in seconds, for serials.
    """

    def __init__(self, layout: WorkDir, *, dry: bool = False, clock: Callable[[], float] = time.time) -> None:
        self._dry = dry
        self._layout = layout
        self._secrets = SecretStore(layout.secrets)
        self._clock = clock

    def changes(self, service: ServiceDefinition) -> Iterator[FileChange]:
        """Yield what must be written or removed for a service.

        :raises ConfigurationError: a secret does not exist.
        :raises OSError: a file cannot be read.
        """
        owner = owner_of(service)
        for file in service.config:
            change = self._compare(file, owner)
            if change is not None:
                yield change
        wanted = {Path(file.dest) for file in service.config}
        folder = self._layout.service_config(service.name)
        for path in sorted(folder.rglob("*")) if folder.is_dir() else []:
            if path.is_file() and path not in wanted:
                yield FileChange(path, self._hide(path.read_text(errors="replace"), ""), None)

    def apply(self, change: FileChange) -> None:
        """Write or remove a file.

        :raises OSError: it cannot be done.
        """
        if change.after is None:
            change.path.unlink(missing_ok=True)
            return
        make_directory(change.path.parent)
        write_atomically(change.path, change.content, mode=change.mode)
        if change.owner is not None:
            self._hand_over(change.path, change.owner)

    def _compare(self, file: ConfigFile, owner: Owner | None) -> FileChange | None:
        path = Path(file.dest)
        template = file.content or ""
        existing = path.read_text(encoding="utf-8", errors="surrogateescape") if path.exists() else None
        content = fill_serial(self._filled(template), existing, self._clock())
        mode = int(file.mode, 8)
        if existing == content and _permissions(path) == mode and (owner is None or _belongs_to(path, owner)):
            return None
        shown = self._hide(existing, template) if existing is not None else None
        return FileChange(path, shown, template, content, mode, owner)

    def _filled(self, template: str) -> str:
        if self._dry and 0 in self._secrets.versions(template).values():
            return template
        return str(self._secrets.fill(template))

    def _hide(self, text: str, template: str) -> str:
        """Return a text without the secrets that are in it: those there are, and those that there were before."""
        return _without_former(str(self._secrets.hide(text, [template, *self._placeholders])), template)

    @functools.cached_property
    def _placeholders(self) -> list[str]:
        return self._secrets.placeholders()

    def _hand_over(self, path: Path, owner: Owner) -> None:
        os.chown(path, owner.uid, owner.gid)
        folder = path.parent
        while self._layout.config in folder.parents:
            os.chown(folder, owner.uid, owner.gid)
            folder = folder.parent
        while owner.on_host and folder != self._layout.root.parent:
            folder.chmod(_PASSAGE_MODE)
            folder = folder.parent


def _without_former(text: str, template: str) -> str:
    """Return a text without the former values of secrets that have others now; they are known by their places alone.

    A line that differs from one of the template in nothing else becomes that one.
    """
    wanted, lines = template.split("\n"), text.split("\n")
    patterns = {line: _pattern(line) for line in wanted if PLACEHOLDER.search(line)}
    telling = [line for line in patterns if PLACEHOLDER.sub("", line).strip()]
    is_alike = len(wanted) == len(lines)
    for index, line in enumerate(lines):
        candidates = [wanted[index], *telling] if is_alike and wanted[index] in patterns else telling
        lines[index] = next((one for one in candidates if patterns[one].fullmatch(line)), line)
    return "\n".join(lines)


def _pattern(line: str) -> re.Pattern[str]:
    """A pattern for a line of a template with any value in the place of its secrets."""
    return re.compile(".+".join(re.escape(part) for part in PLACEHOLDER.sub("\0", line).split("\0")))


def remove_configuration(layout: WorkDir, names: Iterable[str]) -> None:
    """Remove the configuration of services that have been removed; it may hold secrets.

    :raises OSError: it cannot be removed.
    """
    for name in names:
        folder = layout.service_config(name)
        if folder.is_dir():
            shutil.rmtree(folder)


def owner_of(service: ServiceDefinition) -> Owner | None:
    """Return whom a service's files belong to: the user it runs as, where that is not us and we may give them away."""
    if os.geteuid() != 0:
        return None
    if service.mode == "docker" and service.deployment.docker is not None:
        return _numeric(service.deployment.docker.user)
    if service.mode == "binary" and service.deployment.binary is not None and service.deployment.binary.user:
        with contextlib.suppress(KeyError):
            account = pwd.getpwnam(service.deployment.binary.user)
            return Owner(account.pw_uid, account.pw_gid, on_host=True)
    return None


def _numeric(user: str | None) -> Owner | None:
    uid, _colon, gid = (user or "").partition(":")
    if not uid.isdigit():
        return None
    return Owner(int(uid), int(gid) if gid.isdigit() else int(uid))


def _permissions(path: Path) -> int:
    return path.stat().st_mode & 0o7777


def _belongs_to(path: Path, owner: Owner) -> bool:
    found = path.stat()
    return (found.st_uid, found.st_gid) == (owner.uid, owner.gid)
