# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a command is asked, and the installation that it is about."""

from __future__ import annotations

import functools
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
        :raises PrerequisiteError: nothing is installed.
        :raises ConfigurationError: its records are damaged, it cannot be told which installation is meant, or a name is
            not that of a service here.
        """
        from ansible_collections.provisioning.platform.plugins.module_utils._manager import Manager

        found = self.found()
        manager = Manager.open(found.work_dir, sinks=sinks, run="provisioning", thorough=thorough)
        known = manager.services()
        if not known:
            why = f"holds no installation; it is {found.what}"
            remedy = "Install one: provisioning-run --config FILE. Or name the right one by --config or --work-dir."
            raise PrerequisiteError(Problem(str(found.work_dir), why, remedy))
        raise_if_any([_not_here(name, manager) for name in names if name not in known], ConfigurationError)
        return manager


def _not_here(name: str, manager: Manager) -> Problem:
    hosts = manager.settings.elsewhere.get(name)
    if hosts:
        return Problem(name, f"is on {', '.join(hosts)} and not on this host", "Name the inventory: --inventory.")
    from ansible_collections.provisioning.platform.plugins.module_utils._graph import unknown_service

    return unknown_service(name, manager.services())
