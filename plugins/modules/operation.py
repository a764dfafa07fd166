#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: operation
short_description: Say whether an operation can go ahead, and start what it needs
version_added: 1.0.0
description:
  - Looks at the services that an operation of the configuration requires, and starts those that do not run, if the
    operation allows it.
  - It fails when one of them is missing or not healthy on this host. Services on other hosts are only named.
options:
  name:
    description: Name of the operation, such as V(server), V(workflow) or V(test).
    type: str
    required: true
  start:
    description: Whether to start what is missing.
    type: bool
    default: true
extends_documentation_fragment:
  - provisioning.platform.platform
  - provisioning.platform.platform.events
attributes:
  check_mode:
    description: Starts nothing.
    support: full
  diff_mode:
    description: Shows nothing.
    support: none
"""

EXAMPLES = r"""
- name: See to it that servers can be created
  provisioning.platform.operation:
    name: server

- name: Only look
  provisioning.platform.operation:
    name: workflow
    start: false
  register: found
"""

RETURN = r"""
operation:
  description: Name of the operation.
  returned: success
  type: str
can_go_ahead:
  description: Whether all that it needs is there.
  returned: success
  type: bool
needs:
  description: The services that it needs, each with its state and, where it is not as it should be, the remedy.
  returned: success
  type: list
  elements: dict
  sample:
    - {service: orchestrator, state: ready, reason: runs and is healthy, remedy: ''}
provisioning_error:
  description: What went wrong, as data.
  returned: on failure
  type: dict
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.provisioning.platform.plugins.module_utils._errors import (
    ConfigurationError,
    PrerequisiteError,
    Problem,
)
from ansible_collections.provisioning.platform.plugins.module_utils._module import (
    PLATFORM_ARGUMENTS,
    Module,
    failure,
    settings_of,
)
from ansible_collections.provisioning.platform.plugins.module_utils._module_manager import (
    EVENT_ARGUMENTS,
    manager_of,
    run_with_events,
)
from ansible_collections.provisioning.platform.plugins.module_utils._operations import check_operation

ARGUMENTS: dict[str, Any] = {
    **PLATFORM_ARGUMENTS,
    **EVENT_ARGUMENTS,
    "name": {"type": "str", "required": True},
    "start": {"type": "bool", "default": True},
}


def work(module: Module) -> dict[str, Any]:
    """Look, and start what is missing."""
    manager = manager_of(module)
    name = module.params["name"]
    operations = {**settings_of(module).operations, **manager.settings.operations}
    if name not in operations:
        raise ConfigurationError(
            Problem(name, "there is no such operation", f"Known operations: {', '.join(sorted(operations)) or 'none'}.")
        )
    start = module.params["start"] and not module.check_mode
    found = check_operation(manager, name, operations[name], start=start)
    changed = any(need.state == "started" for need in found.needs)
    result: dict[str, Any] = {"changed": changed, "work_dir": str(manager.work_dir.root), **found.to_dict()}
    missing = [need for need in found.needs if not need.is_met and need.state != "elsewhere"]
    if missing:
        problems = [Problem(need.service, need.reason, need.remedy) for need in missing]
        result |= {"failed": True, **failure(PrerequisiteError(*problems))}
    return result


def main() -> None:
    """Run the module."""
    run_with_events(AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True), work)


if __name__ == "__main__":
    main()
