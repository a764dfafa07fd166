# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a command is asked, and the installation that it is about."""

from __future__ import annotations

import contextlib
import functools
import os
import pwd
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ansible_collections.provisioning.platform.plugins.module_utils._errors import (
    ConfigurationError,
    PrerequisiteError,
    Problem,
    raise_if_any,
)
from ansible_collections.provisioning.platform.plugins.module_utils._paths import WorkDir

from ..discovery import Found, find_work_dir
from .output import Form, Printer

if TYPE_CHECKING:
    from ansible_collections.provisioning.platform.plugins.module_utils._events import Sink
    from ansible_collections.provisioning.platform.plugins.module_utils._manager import Manager


@dataclass(frozen=True)
class Request:
    """The options that all commands have."""

    form: Form = Form.TABLE
    config: Path | None = None
    work_dir: Path | None = None
    inventory: str | None = None

    @classmethod
    def of(
        cls,
        before: Mapping[str, Any],
        *,
        output: str | None,
        as_json: bool,
        config: str | None,
        work_dir: str | None,
        inventory: str | None = None,
    ) -> Request:
        """Return what is asked.

        :param before: the options that were given before the command.
        :raises ConfigurationError: one is not known, or two exclude each other.
        """
        if as_json and output not in (None, Form.JSON):
            raise ConfigurationError(Problem("--json", f"excludes --output {output}", "Leave one of the two out."))
        if output is not None and output not in tuple(Form):
            forms = ", ".join(Form)
            raise ConfigurationError(
                Problem(f"--output {output!r}", "is no form of output", f"Choose one of: {forms}.")
            )
        form = Form.JSON if as_json else Form(output or Form.TABLE)
        if config is None and work_dir is None:
            config, work_dir = before.get("config"), before.get("work_dir")
        hosts = inventory or before.get("inventory")
        return cls(form, Path(config) if config else None, Path(work_dir) if work_dir else None, hosts)

    def printer(self) -> Printer:
        """Return who writes the answer."""
        return self._printer

    @functools.cached_property
    def _printer(self) -> Printer:
        return Printer(self.form)

    def found(self) -> Found:
        """Return which installation is meant, whether or not there is one.

        :raises ConfigurationError: that cannot be told.
        """
        return find_work_dir(config=self.config, work_dir=self.work_dir)

    def manager(self, names: Collection[str] = (), *, sinks: Iterable[Sink] = (), thorough: bool = False) -> Manager:
        """Return the manager of what is installed.

        :param names: of services that it must have.
        :param sinks: readers of its events.
        :param thorough: ask engines, too, for what is there although its state was lost, e.g. to stop it.
        :raises PrerequisiteError: nothing is installed, or it is another user's.
        :raises ConfigurationError: its records are damaged, it cannot be told which installation is meant, or a name is
            not that of a service here.
        """
        from ansible_collections.provisioning.platform.plugins.module_utils._manager import Manager

        found = self.found()
        readers = list(sinks)
        if readers:  # who changes anything has some
            refuse_others(found.work_dir)
        try:
            manager = Manager.open(found.work_dir, sinks=readers, run="provisioning", thorough=thorough)
        except PermissionError as error:
            raise PrerequisiteError(not_ours(found.work_dir, error)) from error
        known = manager.services()
        if not known:
            why = f"holds no installation; it is {found.what}"
            remedy = "Install one: provisioning-run --config FILE. Or name the right one by --config or --work-dir."
            raise PrerequisiteError(Problem(str(found.work_dir), why, remedy))
        raise_if_any([_not_here(name, manager) for name in names if name not in known], ConfigurationError)
        return manager


def not_ours(work_dir: Path, error: PermissionError) -> Problem:
    """Say whose a work dir is that cannot be read."""
    owner = ""
    with contextlib.suppress(OSError):
        owner = name_of(work_dir.stat().st_uid)
    if not owner or owner == name_of(os.geteuid()):
        why = f"cannot be read: {error.filename}: {error.strerror}"
        return Problem(str(work_dir), why, "Name another one by --work-dir, or run as who may read it.")
    remedy = f"Run as {owner}: sudo -u {owner} ... Or name your own work dir by --work-dir."
    return Problem(str(work_dir), f"belongs to {owner}, and {name_of(os.geteuid())} may not read it", remedy)


def refuse_others(work_dir: Path) -> None:
    """Do nothing where what is installed is ours to change.

    What root starts and writes in another user's installation that user can neither stop nor read any more.

    :raises PrerequisiteError: it is another user's, and we are root.
    """
    if os.geteuid() != 0:
        return
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        owner = WorkDir(work_dir).state.stat().st_uid
        if owner != 0:
            name = name_of(owner)
            why = f"belongs to {name}, who could not operate it any more after root has"
            raise PrerequisiteError(Problem(str(work_dir), why, f"Run as {name}: sudo -u {name} ..."))


def name_of(user: int) -> str:
    """Return the name of a user; the number of one who has none."""
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return str(user)


def _not_here(name: str, manager: Manager) -> Problem:
    hosts = manager.settings.elsewhere.get(name)
    if hosts:
        return Problem(name, f"is on {', '.join(hosts)} and not on this host", "Name the inventory: --inventory.")
    from ansible_collections.provisioning.platform.plugins.module_utils._graph import unknown_service

    return unknown_service(name, manager.services())
