#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: configuration
short_description: Write the configuration files of all services in one call
version_added: 1.0.0
description:
  - Writes the files that were rendered on the controller, fills in secrets on the host,
    and removes files of a service's configuration folder that are no longer wanted.
  - A C(${serial}) in a file becomes the time of writing, and rises only when something else in the file changes.
extends_documentation_fragment:
  - provisioning.platform.platform
attributes:
  check_mode:
    description: Tells which files would change.
    support: full
  diff_mode:
    description: Shows the change of each file, secrets as placeholders.
    support: full
"""

EXAMPLES = r"""
- name: Write everything
  provisioning.platform.configuration:
    services: "{{ platform.services }}"
"""

RETURN = r"""
files:
  description: The files that were written or removed.
  returned: always
  type: list
  elements: str
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.provisioning.platform.plugins.module_utils._config_writer import ConfigWriter
from ansible_collections.provisioning.platform.plugins.module_utils._ledger import Ledger
from ansible_collections.provisioning.platform.plugins.module_utils._module import (
    PLATFORM_ARGUMENTS,
    Module,
    definitions,
    run_module,
    work_dir_of,
)
from ansible_collections.provisioning.platform.plugins.module_utils._paths import WorkDir

ARGUMENTS: dict[str, Any] = dict(PLATFORM_ARGUMENTS)


def work(module: Module) -> dict[str, Any]:
    """Write the files that differ."""
    layout = WorkDir(work_dir_of(module))
    writer = ConfigWriter(layout, dry=module.check_mode)
    services = definitions(module.params["services"]).values()
    changes = [change for service in services for change in writer.changes(service)]
    if not module.check_mode:
        if module.params["installation_id"]:
            created = [change.path for change in changes if change.before is None]
            Ledger(layout, module.params["installation_id"]).add(paths=created)
        for change in changes:
            writer.apply(change)
    result: dict[str, Any] = {"changed": bool(changes), "files": [str(change.path) for change in changes]}
    if module._diff:
        result["diff"] = [change.diff() for change in changes]
    return result


def main() -> None:
    """Run the module."""
    run_module(AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True), work)


if __name__ == "__main__":
    main()
