#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: service_logs
short_description: Return what services have written
version_added: 1.0.0
description:
  - Returns the output of services of a host, as their engine or their log files have it.
options:
  names:
    description: Only these services. All when not given. Those on other hosts are passed over.
    type: list
    elements: str
  tail:
    description: Only so many lines of each service, from the end. All when not given.
    type: int
  since:
    description: Only lines that are not older, in seconds since 1970; lines whose time nobody knows are returned, too.
    type: float
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
- name: Keep what the orchestrator said last
  provisioning.platform.service_logs:
    names: [orchestrator]
    tail: 100
  register: logs
"""

RETURN = r"""
lines:
  description: The lines of each service, oldest first, one service after the other.
  returned: always
  type: list
  elements: dict
  sample:
    - {service: orchestrator, text: listening on 8080, stream: stdout, time: 1767225600.0}
problems:
  description: Why the output of some services cannot be read.
  returned: always
  type: list
  elements: dict
work_dir:
  description: The work dir, absolute.
  returned: always
  type: str
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.provisioning.platform.plugins.module_utils._errors import ProvisioningError
from ansible_collections.provisioning.platform.plugins.module_utils._graph import refuse_unknown
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
    "tail": {"type": "int"},
    "since": {"type": "float"},
}


def work(module: Module) -> dict[str, Any]:
    """Read the output of the services."""
    manager = manager_of(module)
    known = manager.services()
    names = [name for name in module.params["names"] or known if name not in manager.settings.elsewhere]
    refuse_unknown(names, known)
    since = module.params["since"]
    lines: list[dict[str, Any]] = []
    problems: list[dict[str, str]] = []
    for name in names:
        try:
            found = manager.logs(name, tail=module.params["tail"])
            lines += [vars(line) for line in found if since is None or line.time is None or line.time >= since]
        except ProvisioningError as error:
            problems += [vars(problem) for problem in error.problems]
    return {"changed": False, "lines": lines, "problems": problems, "work_dir": str(manager.work_dir.root)}


def main() -> None:
    """Run the module."""
    run_module(AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True), work)


if __name__ == "__main__":
    main()
