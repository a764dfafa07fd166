#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: preflight
short_description: Find out what would keep services from running here
version_added: 1.0.0
description:
  - Looks for executables, container engines, free ports, disk space, memory, conflicts and dependencies,
    and touches nothing.
  - Fails when the platform, or a service that is required, cannot run.
    What keeps an optional service from running is returned, so that it can be skipped.
options:
  names:
    description: Only these services. All when not given.
    type: list
    elements: str
  fail_fast:
    description: Whether the problem of a required service fails the check. A problem of the host always does.
    type: bool
    default: true
extends_documentation_fragment:
  - provisioning.platform.platform
attributes:
  check_mode:
    description: Nothing is ever changed.
    support: full
  diff_mode:
    description: Nothing is ever changed.
    support: none
"""

EXAMPLES = r"""
- name: See what would be in the way
  provisioning.platform.preflight:
    fail_fast: false
  register: found
"""

RETURN = r"""
unavailable:
  description: The services that cannot run here, each with the reason and the remedy.
  returned: always
  type: dict
  sample:
    gitea: {what: gitea, why: no container engine answers, remedy: Start Docker.}
report:
  description: Everything that was found, under C(platform), C(services) and C(warnings).
  returned: always
  type: dict
required:
  description: Whether each service is required.
  returned: always
  type: dict
work_dir:
  description: The work dir, absolute.
  returned: always
  type: str
provisioning_error:
  description: What went wrong, as data.
  returned: on failure
  type: dict
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.provisioning.platform.plugins.module_utils._errors import PrerequisiteError
from ansible_collections.provisioning.platform.plugins.module_utils._module import (
    PLATFORM_ARGUMENTS,
    Module,
    failure,
    run_module,
)
from ansible_collections.provisioning.platform.plugins.module_utils._module_manager import (
    manager_of,
)

ARGUMENTS: dict[str, Any] = {
    **PLATFORM_ARGUMENTS,
    "names": {"type": "list", "elements": "str"},
    "fail_fast": {"type": "bool", "default": True},
}


def work(module: Module) -> dict[str, Any]:
    """Look, and fail when something required cannot run."""
    manager = manager_of(module)
    report = manager.preflight(module.params["names"], provisioning_path=manager.settings.provisioning_path)
    for warning in report.warnings:
        module.warn(str(warning))
    unavailable = {name: vars(problem) for name, problem in report.unavailable().items()}
    required = {name: service.required for name, service in manager.services().items()}
    result: dict[str, Any] = {
        "changed": False,
        "unavailable": unavailable,
        "report": report.to_dict(),
        "required": required,
        "work_dir": str(manager.work_dir.root),
    }
    blocking = report.blocking(manager.services()) if module.params["fail_fast"] else report.platform
    if blocking:
        result |= {"failed": True, **failure(PrerequisiteError(*blocking))}
    return result


def main() -> None:
    """Run the module."""
    run_module(AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True), work)


if __name__ == "__main__":
    main()
