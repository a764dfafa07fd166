# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An action plugin that has a module's work done, where and how that costs least, and shows its events as they happen.

On this machine, as ourselves and with our own Python, the work is done in Ansible's worker: packing a module, starting
a Python for it and reading its imports costs more than most of what the engine does.
"""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from ansible import constants
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.utils.display import Display
from ansible_collections.provisioning.platform.plugins.module_utils._errors import ConfigurationError, Problem
from ansible_collections.provisioning.platform.plugins.module_utils._events import Event, Sink
from ansible_collections.provisioning.platform.plugins.module_utils._module import definitions, result_of
from ansible_collections.provisioning.platform.plugins.plugin_utils.documents import plain
from ansible_collections.provisioning.platform.plugins.plugin_utils.host_action import HostAction
from ansible_collections.provisioning.platform.plugins.plugin_utils.live import Reader, followed

display = Display()


@dataclass
class StandIn:
    """A module without a process of its own; see ``_module.Module``.

    :param sinks: readers of its events.
    """

    params: dict[str, Any]
    check_mode: bool
    _diff: bool
    sinks: Sequence[Sink] = ()

    def warn(self, warning: str) -> None:
        """Show a warning."""
        display.warning(warning)


class EngineAction(HostAction):
    """Has the work of one of our modules done.

    :param source: the module: its ``ARGUMENTS`` and its ``work``.
    """

    source: ModuleType

    def work(self, task_vars: dict[str, Any]) -> dict[str, Any]:
        """Return what the module returns."""
        return self.engine(self._task.args, task_vars)

    def engine(self, given: Mapping[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        """Have the module's work done with these arguments and return its result.

        :raises ConfigurationError: the arguments are not what the module takes.
        """
        arguments = arguments_of(given)
        reader = self._reader(arguments, task_vars)
        if self._can_be_done_here(task_vars):
            return self._do_here(arguments, reader)
        if "events_path" not in self.source.ARGUMENTS or self._task.check_mode:
            return self._do_there(arguments, task_vars)
        if self._shares_files():
            with followed(reader, folder=constants.DEFAULT_LOCAL_TMP) as path:
                return self._do_there({**arguments, "events_path": path}, task_vars)
        result = self._do_there({**arguments, "return_events": True}, task_vars)
        reader.pass_on([Event.from_dict(event) for event in result.pop("events", [])])
        return result

    def _do_here(self, arguments: Mapping[str, Any], reader: Reader) -> dict[str, Any]:
        checked = ArgumentSpecValidator(self.source.ARGUMENTS).validate(arguments)
        if checked.error_messages:
            raise ConfigurationError(*(Problem(str(self._task.action), text) for text in checked.error_messages))
        stand_in = StandIn(
            params=checked.validated_parameters,
            check_mode=self._task.check_mode,
            _diff=self._task.diff,
            sinks=[lambda event: reader.pass_on([event])],
        )
        with _signals_as_before():
            return result_of(stand_in, self.source.work)

    def _do_there(self, arguments: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        name = self.source.__name__.rpartition(".")[2]
        result: dict[str, Any] = self._execute_module(
            f"provisioning.platform.{name}", module_args=arguments, task_vars=task_vars
        )
        return result

    def _can_be_done_here(self, task_vars: Mapping[str, Any]) -> bool:
        """Whether the host is this machine, and nothing is asked for that only a process of its own can give."""
        if self._connection.transport != "local" or self._connection.become is not None:
            return False
        if self._task.async_val or any(self._task.environment or ()):
            return False
        wanted = self._templar.template(task_vars.get("ansible_python_interpreter"))
        return wanted in (None, "auto", "auto_silent") or Path(str(wanted)).absolute() == Path(sys.executable)

    def _shares_files(self) -> bool:
        """Whether the module runs on this machine, as somebody who may write to a file of ours."""
        become = self._connection.become
        is_ours = become is None or become.get_option("become_user") == "root"
        return bool(self._connection.transport == "local" and is_ours)

    def _reader(self, arguments: Mapping[str, Any], variables: Mapping[str, Any]) -> Reader:
        host = variables.get("inventory_hostname", "")
        names = arguments.get("names")
        services = names if isinstance(names, list) and names else list(definitions(arguments.get("services")))
        # In a run of several hosts each tells of its own services, and all count.
        others = [other for hosts in arguments.get("elsewhere", {}).values() for other in hosts]
        return Reader(
            show=lambda line: display.display(f"  [{host}] {line}"),
            step=self._templar.template(variables.get("provisioning_step")),
            total_services=len(services) + len(others) or None,
            host=host if len(variables.get("ansible_play_hosts_all", ())) > 1 else None,
        )


def arguments_of(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return a task's arguments as JSON types, with ``services`` as the text that modules take.

    :raises ConfigurationError: something in them has no JSON type.
    """
    arguments: dict[str, Any] = plain(dict(given))
    if isinstance(arguments.get("services"), list):
        arguments["services"] = json.dumps(arguments["services"])
    return arguments


@contextmanager
def _signals_as_before() -> Iterator[None]:
    """Leave the worker's handling of signals as it was; a module's work may change it for itself."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
