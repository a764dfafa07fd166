#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: update
short_description: Bring what is installed to new versions, one service at a time
version_added: 1.0.0
description:
  - Updates services one after the other, in the order of their dependencies. Each must be healthy and do its work
    before the next one's turn.
  - One that fails goes back to its former version, the rest is not touched, and the module fails.
  - Only what is installed already is updated. P(provisioning.platform.services#module) installs.
options:
  names:
    description: Only these services. All when empty.
    type: list
    elements: str
    default: []
extends_documentation_fragment:
  - provisioning.platform.platform
  - provisioning.platform.platform.events
attributes:
  check_mode:
    description: Returns what would be updated and touches nothing.
    support: full
  diff_mode:
    description: Shows nothing.
    support: none
"""

EXAMPLES = r"""
- name: Resolve what the configuration says now
  provisioning.platform.platform_config:
  register: platform

- name: Update what is installed
  provisioning.platform.update:
    services: "{{ platform.services }}"
    work_dir: "{{ platform.work_dir }}"
    operations: "{{ platform.operations }}"
"""

RETURN = r"""
updates:
  description:
    - What became of each service, in order, C(result) being V(updated), V(unchanged), V(left out), V(restored) (it
      failed and is back on its former version), V(lost) (that failed, too) or V(not reached).
    - In check mode the C(action) for each.
  returned: success
  type: list
  elements: dict
  sample:
    - service: gitea
      result: updated
      reason: 'changed: image'
      changes: ['image: "a:1" -> "a:2"']
not_installed:
  description: Services of the configuration that are not installed, so that they are not updated either.
  returned: success
  type: list
  elements: str
no_longer_wanted:
  description: Services that are installed and no longer in the configuration; they are left as they are.
  returned: success
  type: list
  elements: str
provisioning_error:
  description: What went wrong, as data.
  returned: on failure
  type: dict
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.provisioning.platform.plugins.module_utils._errors import Problem, ProvisioningError
from ansible_collections.provisioning.platform.plugins.module_utils._module import (
    PLATFORM_ARGUMENTS,
    Module,
    definitions,
    failure,
    settings_of,
    work_dir_of,
)
from ansible_collections.provisioning.platform.plugins.module_utils._module_manager import (
    EVENT_ARGUMENTS,
    cancel_on_signals,
    run_with_events,
    sinks_of,
)
from ansible_collections.provisioning.platform.plugins.module_utils._update import Update

ARGUMENTS: dict[str, Any] = {
    **PLATFORM_ARGUMENTS,
    **EVENT_ARGUMENTS,
    "names": {"type": "list", "elements": "str", "default": []},
}


def work(module: Module) -> dict[str, Any]:
    """Update, or in check mode only say what would be updated."""
    settings = settings_of(module)
    update = Update(
        work_dir_of(module),
        definitions(module.params["services"]),
        settings,
        names=[name for name in module.params["names"] if name not in settings.elsewhere],
        is_all=not module.params["names"],
        sinks=sinks_of(module),
        run=module.params["installation_id"],
    )
    about = {
        "work_dir": str(update.work_dir),
        "not_installed": update.not_installed,
        "no_longer_wanted": update.no_longer_wanted,
    }
    if module.check_mode:
        steps = update.plan()
        return {"changed": any(step.is_new for step in steps), **about, "updates": [step.to_dict() for step in steps]}
    update.cancelled = cancel_on_signals()
    results = update.carry_out()
    bad = [Problem(one.service, one.error, one.remedy) for one in results if one.error]
    result = {
        "changed": any(one.result in ("updated", "restored", "lost") for one in results),
        **about,
        "updates": [one.to_dict() for one in results],
    }
    return result | ({"failed": True, **failure(ProvisioningError(*bad))} if bad else {})


def main() -> None:
    """Run the module."""
    run_with_events(AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True), work)


if __name__ == "__main__":
    main()
