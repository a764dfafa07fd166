# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An action plugin that runs its module and shows its events as they happen."""

from __future__ import annotations

from typing import Any, ClassVar

from ansible import constants
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.provisioning.platform.plugins.module_utils._events import Event
from ansible_collections.provisioning.platform.plugins.plugin_utils.live import Reader, followed

display = Display()


class LiveAction(ActionBase):  # type: ignore[misc]
    """Runs the module of its name on the host.

    Where the host is this machine, its events are followed live; from another host they come with the result.
    """

    module_name: ClassVar[str]
    _requires_connection = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Run the module; see ``ActionBase.run``."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        variables = task_vars or {}
        arguments = dict(self._task.args)
        reader = self._reader(arguments, variables)
        if self._task.check_mode:
            result.update(self._execute_module(self.module_name, module_args=arguments, task_vars=task_vars))
        elif self._is_here():
            with followed(reader, folder=constants.DEFAULT_LOCAL_TMP) as path:
                arguments["events_path"] = path
                result.update(self._execute_module(self.module_name, module_args=arguments, task_vars=task_vars))
        else:
            arguments["return_events"] = True
            result.update(self._execute_module(self.module_name, module_args=arguments, task_vars=task_vars))
            reader.pass_on([Event.from_dict(event) for event in result.pop("events", [])])
        return result

    def _reader(self, arguments: dict[str, Any], variables: dict[str, Any]) -> Reader:
        host = variables.get("inventory_hostname", "")
        services = arguments.get("names") or arguments.get("services")
        return Reader(
            show=lambda line: display.display(f"  [{host}] {line}"),
            step=self._templar.template(variables.get("provisioning_step")),
            total_services=len(services) if isinstance(services, list) else None,
        )

    def _is_here(self) -> bool:
        """Whether the module runs on this machine, as somebody who may write to a file of ours."""
        become = self._connection.become
        is_ours = become is None or become.get_option("become_user") == "root"
        return bool(self._connection.transport == "local" and is_ours)
