#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: service
short_description: Bring one service to the state wanted
version_added: 1.0.0
description:
  - Starts, stops, restarts or removes one service that is installed, or that O(definition) describes.
  - Starting brings up what it depends on first. Stopping is refused while something that runs depends on it.
  - For several services use P(provisioning.platform.services#module), which does all in one call.
options:
  name:
    description: Name of the service.
    type: str
    required: true
  state:
    description: What the service is to be, as in P(provisioning.platform.services#module).
    type: str
    choices: [started, stopped, restarted, absent]
    default: started
  definition:
    description:
      - Definition of the service, for one that is not installed yet or is to be changed. Its name may be left out.
    type: dict
  with_dependents:
    description: When stopping or removing, do the same to what depends on the service first.
    type: bool
    default: false
  force:
    description: Stop or remove the service even though others that run depend on it.
    type: bool
    default: false
  work_dir:
    description: Folder on the host that holds the installation.
    type: path
    default: ~/.provisioning
  installation_id:
    description: Id of the installation on whose behalf this is done; it is written to the audit log.
    type: str
    default: ''
attributes:
  check_mode:
    description: Returns the plan and touches nothing.
    support: full
  diff_mode:
    description: Shows which settings would change.
    support: full
requirements:
  - Linux with Python 3.11 or later on the host
author:
  - Provisioning Platform contributors (@provisioning)
"""

EXAMPLES = r"""
- name: Restart gitea
  provisioning.platform.service:
    name: gitea
    state: restarted

- name: Run a program of our own
  provisioning.platform.service:
    name: api
    definition:
      deployment:
        mode: binary
        binary: {command: /opt/api/bin/api}
      health: {type: tcp, port: 9000}
"""

RETURN = r"""
services:
  description: What became of the service and of what it depends on, by name.
  returned: when not in check mode
  type: dict
plan:
  description: What was to be done, and why.
  returned: always
  type: list
  elements: dict
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.provisioning.platform.plugins.module_utils._build import build
from ansible_collections.provisioning.platform.plugins.module_utils._config_writer import remove_configuration
from ansible_collections.provisioning.platform.plugins.module_utils._converge import Options
from ansible_collections.provisioning.platform.plugins.module_utils._manager import Manager
from ansible_collections.provisioning.platform.plugins.module_utils._model import ServiceDefinition, ServiceOperation
from ansible_collections.provisioning.platform.plugins.module_utils._module import (
    Module,
    run_module,
    work_dir_of,
)
from ansible_collections.provisioning.platform.plugins.module_utils._module_manager import (
    OPERATIONS,
    cancel_on_signals,
    outcome_result,
    plan_result,
)

ARGUMENTS: dict[str, Any] = {
    "name": {"type": "str", "required": True},
    "state": {"type": "str", "default": "started", "choices": list(OPERATIONS)},
    "definition": {"type": "dict"},
    "with_dependents": {"type": "bool", "default": False},
    "force": {"type": "bool", "default": False},
    "work_dir": {"type": "path", "default": "~/.provisioning"},
    "installation_id": {"type": "str", "default": ""},
}


def manager_of(module: Module) -> Manager:
    """Return the manager of what is installed and of the definition given."""
    installed = Manager.open(work_dir_of(module), run=module.params["installation_id"])
    given = module.params["definition"]
    if given is None:
        return installed
    name = module.params["name"]
    definition = build(ServiceDefinition, {**given, "name": name}, path=name)
    return Manager(
        work_dir_of(module),
        {**installed.services(), name: definition},
        installed.settings,
        run=module.params["installation_id"],
    )


def work(module: Module) -> dict[str, Any]:
    """Converge the one service, or in check mode only plan."""
    manager = manager_of(module)
    operation = ServiceOperation(
        operation=OPERATIONS[module.params["state"]],
        services=(module.params["name"],),
        with_dependents=module.params["with_dependents"],
        force=module.params["force"],
    )
    goals = manager.goals_of(operation)
    others = sorted({host for hosts in manager.settings.elsewhere.values() for host in hosts})
    if others and operation.operation in ("stop", "remove") and not operation.force:
        module.warn(f"{', '.join(others)}: nobody asked what runs there whether it needs what stops here.")
    if module.check_mode:
        return plan_result(module, manager, manager.plan(goals, removal="asked to remove"))
    plan, outcomes = manager.converge(goals, Options(cancelled=cancel_on_signals()), removal="asked to remove")
    gone = [name for name, outcome in outcomes.items() if outcome.result == "removed"]
    remove_configuration(manager.work_dir, gone)
    return outcome_result(module, plan, outcomes, needed={module.params["name"]})


def main() -> None:
    """Run the module."""
    run_module(AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True), work)


if __name__ == "__main__":
    main()
