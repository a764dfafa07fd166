# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What our action plugins have in common: how they fail, and what they take from a task's variables."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible.plugins.action import ActionBase
from ansible_collections.provisioning.platform.plugins.module_utils._errors import ProvisioningError, os_problem
from ansible_collections.provisioning.platform.plugins.module_utils._paths import WorkDir
from ansible_collections.provisioning.platform.plugins.plugin_utils.config import Loaded, from_variables
from ansible_collections.provisioning.platform.plugins.plugin_utils.config_model import TOP_LEVEL_KEYS

# Ansible loads its plugins before it makes workers, so this is the process that lives as long as the run.
_LOADED_BY = os.getpid()

#: How the variables end that change one service: ``gitea_service``.
OVERRIDE = "_service"


class HostAction(ActionBase):  # type: ignore[misc]
    """An action whose work is done by :meth:`work`; errors of the engine become its failure."""

    _requires_connection = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Do the work; see ``ActionBase.run``."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        try:
            result.update(self.work(task_vars or {}))
        except ProvisioningError as error:
            problems = [vars(problem) for problem in error.problems]
            result.update(failed=True, msg=str(error), provisioning_error={"kind": error.kind, "problems": problems})
        except OSError as error:
            problem = os_problem(error.filename or "controller", error)
            failure = {"kind": "prerequisites", "problems": [vars(problem)]}
            result.update(failed=True, msg=str(problem), provisioning_error=failure)
        return result

    def work(self, task_vars: dict[str, Any]) -> dict[str, Any]:
        """Return the action's result.

        :raises ProvisioningError: it cannot be done.
        """
        raise NotImplementedError

    def templated(self, variables: Mapping[str, Any], names: list[str]) -> dict[str, Any]:
        """Return the values of some variables, with their templates filled in."""
        return {name: self._templar.template(variables[name]) for name in names if name in variables}

    def configuration(
        self, task_vars: Mapping[str, Any], overrides: Mapping[str, Any] | None = None
    ) -> tuple[Loaded, dict[str, Any]]:
        """Return the configuration that Ansible's variables hold, and those of them that matter for it.

        :param overrides: the variables ``NAME_service``, where they are not as this host has them.
        :raises ConfigurationError: something in it is wrong.
        """
        own = [name for name in task_vars if name.endswith(OVERRIDE)]
        variables = {
            **{name: None for name in task_vars if not name.endswith(OVERRIDE)},
            **self.templated(task_vars, list(TOP_LEVEL_KEYS)),
            **(self.templated(task_vars, own) if overrides is None else overrides),
        }
        folder = Path(task_vars.get("provisioning_config_dir") or Path.cwd())
        return from_variables(variables, env=os.environ, base_dir=folder), variables

    def run_pid(self) -> int:
        """Return the process that lives as long as the run of Ansible."""
        # Where the plugin was loaded by the worker itself after all, its parent is that process.
        return os.getppid() if os.getpid() == _LOADED_BY else _LOADED_BY

    def claim_of(self, work_dir: str) -> Path:
        """Return the file by which a run on this machine claims the installation in a work dir."""
        return WorkDir(Path(work_dir).expanduser().absolute()).installations / "claim.json"

    def home(self) -> str:
        """Return the home directory on the host."""
        if self._connection.transport == "local":
            return str(Path.home())
        return str(self._remote_expand_user("~"))
