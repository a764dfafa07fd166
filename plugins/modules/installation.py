#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: installation
short_description: Begin, record or remove an installation
version_added: 1.0.0
description:
  - Keeps the work dir of an installation, the list of what each run of it created,
    and the record of the last one that succeeded.
  - What a run that failed has created is taken away by P(provisioning.platform.cleanup#module).
options:
  state:
    description:
      - V(begun) makes the folders of the work dir.
      - V(completed) records the definitions as the current generation.
      - V(absent) removes every file of the installation but data, and the secrets that the data depends on.
        Services must have been removed before.
    type: str
    choices: [begun, completed, absent]
    required: true
  purge:
    description: Whether V(absent) removes data and secrets, too.
    type: bool
    default: false
extends_documentation_fragment:
  - provisioning.platform.platform
attributes:
  check_mode:
    description: Tells what would be done.
    support: full
  diff_mode:
    description: There is nothing to compare.
    support: none
"""

EXAMPLES = r"""
- name: Make the work dir
  provisioning.platform.installation:
    state: begun
    installation_id: solo-20260101-120000-1a2b
"""

RETURN = r"""
removed:
  description: Files and folders that were taken away.
  returned: when O(state) is V(absent)
  type: list
  elements: str
kept:
  description: What was left in the work dir.
  returned: when O(state) is V(absent)
  type: list
  elements: str
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.provisioning.platform.plugins.module_utils import _installation
from ansible_collections.provisioning.platform.plugins.module_utils._module import (
    PLATFORM_ARGUMENTS,
    Module,
    definitions,
    run_module,
    settings_of,
    work_dir_of,
)
from ansible_collections.provisioning.platform.plugins.module_utils._paths import WorkDir

ARGUMENTS: dict[str, Any] = {
    **PLATFORM_ARGUMENTS,
    "state": {"type": "str", "required": True, "choices": ["begun", "completed", "absent"]},
    "purge": {"type": "bool", "default": False},
}


def work(module: Module) -> dict[str, Any]:
    """Do what the state asks for."""
    layout = WorkDir(work_dir_of(module))
    installation = module.params["installation_id"]
    state = module.params["state"]
    if state == "begun":
        return {"changed": _installation.begin(layout, installation, dry=module.check_mode)}
    if state == "completed":
        services = list(definitions(module.params["services"]).values())
        settings = settings_of(module)
        changed = _installation.complete(layout, services, settings, installation, dry=module.check_mode)
        return {"changed": changed}
    removed = _installation.remove(layout, purge=module.params["purge"], dry=module.check_mode)
    return {"changed": bool(removed), "removed": removed, "kept": _installation.left(layout)}


def main() -> None:
    """Run the module."""
    run_module(AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True), work)


if __name__ == "__main__":
    main()
