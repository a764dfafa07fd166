#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: cleanup
short_description: Take away what a failed installation created
version_added: 1.0.0
description:
  - Removes the services, files and folders that the run O(installation_id) created, and nothing else.
  - The journal, the log of the run and the audit log stay, to tell what happened.
extends_documentation_fragment:
  - provisioning.platform.platform
  - provisioning.platform.platform.events
attributes:
  check_mode:
    description: Tells what would be taken away.
    support: full
  diff_mode:
    description: There is nothing to compare.
    support: none
"""

EXAMPLES = r"""
- name: Take away what a failed run created
  provisioning.platform.cleanup:
    installation_id: solo-20260101-120000-1a2b
"""

RETURN = r"""
removed:
  description: Services, files and folders that were taken away.
  returned: always
  type: list
  elements: str
kept:
  description: What was left in the work dir.
  returned: always
  type: list
  elements: str
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.provisioning.platform.plugins.module_utils._cleanup import take_back
from ansible_collections.provisioning.platform.plugins.module_utils._installation import left
from ansible_collections.provisioning.platform.plugins.module_utils._module import (
    PLATFORM_ARGUMENTS,
    Module,
    work_dir_of,
)
from ansible_collections.provisioning.platform.plugins.module_utils._module_manager import (
    EVENT_ARGUMENTS,
    run_with_events,
    sinks_of,
)
from ansible_collections.provisioning.platform.plugins.module_utils._paths import WorkDir

ARGUMENTS: dict[str, Any] = {**PLATFORM_ARGUMENTS, **EVENT_ARGUMENTS}


def work(module: Module) -> dict[str, Any]:
    """Take back what the run created."""
    layout = WorkDir(work_dir_of(module))
    installation = module.params["installation_id"]
    removed = take_back(layout, installation, dry=module.check_mode, sinks=sinks_of(module))
    return {"changed": bool(removed), "removed": removed, "kept": left(layout)}


def main() -> None:
    """Run the module."""
    run_with_events(AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True), work)


if __name__ == "__main__":
    main()
