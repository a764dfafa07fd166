#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: service_info
short_description: Tell what services are and whether they are healthy
version_added: 1.0.0
description:
  - Returns the status of the services of a host, asked from the kernel and the engine, in startup order.
options:
  names:
    description: Only these services. All when not given.
    type: list
    elements: str
  health:
    description: Whether to check the health of those that run.
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
- name: Look at everything that is installed
  provisioning.platform.service_info:
  register: platform

- name: Tell what is not well
  ansible.builtin.debug:
    msg: "{{ platform.services | rejectattr('health', 'equalto', 'healthy') | map(attribute='name') }}"
"""

RETURN = r"""
services:
  description: The services in startup order.
  returned: always
  type: list
  elements: dict
  sample:
    - name: orchestrator
      mode: binary
      status: running
      health: healthy
      address: http://127.0.0.1:8080
      id: '4711'
      required: true
supervisor:
  description: Process of the supervisor of the host; nothing where none runs.
  returned: always
  type: int
supervision:
  description:
    - Whether what is installed is supervised.
    - V(wanted) by the installation, V(running), its V(pid) and V(since) when; V(problem) and V(remedy) where it is
      wanted and does not run.
  returned: always
  type: dict
  sample: {wanted: true, running: true, pid: 4711, since: 1767225600.0, problem: '', remedy: ''}
graph:
  description: What each service depends on, drawn as text.
  returned: always
  type: str
definitions:
  description: Of each definition what tells how services belong together, without what they are made from.
  returned: always
  type: list
  elements: dict
  sample:
    - name: orchestrator
      deployment: {mode: binary}
      port: 8080
work_dir:
  description: The work dir, absolute.
  returned: always
  type: str
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.provisioning.platform.plugins.module_utils import _supervised
from ansible_collections.provisioning.platform.plugins.module_utils._build import to_dict
from ansible_collections.provisioning.platform.plugins.module_utils._graph import draw_text
from ansible_collections.provisioning.platform.plugins.module_utils._model import ServiceDefinition
from ansible_collections.provisioning.platform.plugins.module_utils._module import (
    PLATFORM_ARGUMENTS,
    Module,
    run_module,
)
from ansible_collections.provisioning.platform.plugins.module_utils._module_manager import (
    manager_of,
)

ARGUMENTS: dict[str, Any] = {
    **PLATFORM_ARGUMENTS,
    "names": {"type": "list", "elements": "str"},
    "health": {"type": "bool", "default": True},
}


#: What of a definition tells how it belongs together with others.
OUTLINE = (
    "name", "description", "port", "enabled", "required", "auto_start", "start_order", "depends_on",
)  # fmt: skip


def outline(service: ServiceDefinition) -> dict[str, Any]:
    """Return what of a definition tells how it belongs together with others: nothing of it is a secret."""
    document = {name: to_dict(getattr(service, name)) for name in OUTLINE}
    for need in service.elsewhere:
        document["depends_on"].setdefault(need, {})
    return {**document, "deployment": {"mode": service.mode}}


def work(module: Module) -> dict[str, Any]:
    """Ask for the status."""
    manager = manager_of(module)
    supervision = _supervised.supervision(manager.work_dir)
    statuses = manager.status(module.params["names"], health=module.params["health"])
    return {
        "changed": False,
        "services": [status.to_dict() for status in statuses],
        "supervisor": supervision["pid"],
        "supervision": supervision,
        "graph": draw_text(manager.services()),
        "definitions": [outline(service) for service in manager.services().values()],
        "work_dir": str(manager.work_dir.root),
    }


def main() -> None:
    """Run the module."""
    run_module(AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True), work)


if __name__ == "__main__":
    main()
