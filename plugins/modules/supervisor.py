#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: supervisor
short_description: Start or stop the supervisor of a host
version_added: 1.0.0
description:
  - The supervisor watches the services of a host and restarts what has died or stays unhealthy.
  - It is one file in the work dir, run by the Python that runs this module, as a systemd unit where systemd runs the
    machine and as a process of its own elsewhere. The controller sends it when the host has none or another one.
  - One that runs with the same program and the same settings is left alone.
  - One that cannot be started is a warning; what is installed runs all the same.
  - Where there is nothing to restart, because all services run on a cluster or elsewhere, none is started.
options:
  state:
    description:
      - V(started) sees to it that it runs as described by the other options, or that none runs if O(enabled) is false.
      - V(resumed) starts one that was installed and does not run, e.g. after a restart of the machine.
      - V(stopped) ends it and takes it away; its journal stays.
    type: str
    choices: [started, resumed, stopped]
    default: started
  enabled:
    description: Whether the services of the host are to be supervised.
    type: bool
    default: true
  webhook:
    description:
      - Whom to notify, as JSON text. Filled in by the action plugin from the setting C(notifications).
      - The host keeps it in the work dir, in a file that only its owner can read.
    type: str
  metrics:
    description: What to publish and where. Filled in from the setting C(deployment.metrics).
    type: dict
    default: {}
  code:
    description: Digest of the program. Filled in by the action plugin.
    type: str
    default: ''
  program:
    description: The program, as Base64. Filled in by the action plugin when the host asks for it.
    type: str
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
- name: Supervise what is installed
  provisioning.platform.supervisor:

- name: Supervise nothing for a while
  provisioning.platform.supervisor:
    state: stopped
"""

RETURN = r"""
pid:
  description: The supervisor's process; nothing where none runs.
  returned: success
  type: int
wants_program:
  description: Whether the host needs the program before anything can be done.
  returned: when it does
  type: bool
"""

import base64
import json
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.provisioning.platform.plugins.module_utils import _supervised
from ansible_collections.provisioning.platform.plugins.module_utils._errors import ProvisioningError
from ansible_collections.provisioning.platform.plugins.module_utils._module import (
    PLATFORM_ARGUMENTS,
    Module,
    definitions,
    run_module,
    work_dir_of,
)
from ansible_collections.provisioning.platform.plugins.module_utils._paths import WorkDir

ARGUMENTS: dict[str, Any] = {
    **PLATFORM_ARGUMENTS,
    "state": {"type": "str", "default": "started", "choices": ["started", "resumed", "stopped"]},
    "enabled": {"type": "bool", "default": True},
    "webhook": {"type": "str", "no_log": True},
    "metrics": {"type": "dict", "default": {}},
    "code": {"type": "str", "default": ""},
    "program": {"type": "str", "no_log": False},
}


def work(module: Module) -> dict[str, Any]:
    """Do what the state asks for."""
    layout = WorkDir(work_dir_of(module))
    state = module.params["state"]
    if state == "resumed":
        changed = _can_be_resumed(layout) if module.check_mode else _supervised.resume(layout)
    elif state == "stopped" or not _is_wanted(module):
        changed = _stop(layout, dry=module.check_mode)
    else:
        result = _start(layout, module)
        if result is None:
            return {"changed": False, "wants_program": True}
        changed = result
    record = _supervised.running(layout)
    return {"changed": changed, "pid": record and record.identity.pid}


def _is_wanted(module: Module) -> bool:
    return bool(module.params["enabled"]) and _supervised.has_work(definitions(module.params["services"]))


def _can_be_resumed(layout: WorkDir) -> bool:
    return _supervised.read_settings(layout) is not None and _supervised.running(layout) is None


def _stop(layout: WorkDir, *, dry: bool) -> bool:
    runs = _supervised.running(layout) is not None
    if not dry and _supervised.folder_of(layout).is_dir():
        runs = _supervised.stop(layout) or runs
        _supervised.forget(layout)
    return runs


def _start(layout: WorkDir, module: Module) -> bool | None:
    """Return whether anything was to be done; nothing where the program is needed for it."""
    given = module.params
    webhook = json.loads(given["webhook"]) if given["webhook"] else None
    settings = _supervised.settings_for(code=given["code"], webhook=webhook, metrics=given["metrics"])
    if _supervised.is_as_wanted(layout, settings):
        return False
    if module.check_mode:
        return True
    if given["program"] is None:
        return None
    try:
        _supervised.install(layout, settings, base64.b64decode(given["program"]))
    except (ProvisioningError, OSError) as error:
        # What is installed runs, and is worth more than who watches it.
        module.warn(f"What is installed is not supervised: {error}")
        return False
    return True


def main() -> None:
    """Run the module."""
    run_module(AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True), work)


if __name__ == "__main__":
    main()
