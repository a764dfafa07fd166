#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: health_check
short_description: Check the health of services, or wait for it
version_added: 1.0.0
description:
  - Checks services as their definitions say, all at the same time, and fails when one that is required is not healthy.
  - While it waits, progress is shown live.
options:
  names:
    description: Only these services. All when not given.
    type: list
    elements: str
  wait:
    description: Whether to give each service its startup time to become healthy.
    type: bool
    default: false
  verify:
    description: Whether to ask for the services' real work, as C(verify) of their definitions says.
    type: bool
    default: false
  failures:
    description:
      - What is known to have failed before, by service, each with C(reason) and C(remedy).
      - A required service among them fails the check, without being asked again.
    type: dict
    default: {}
  fail_fast:
    description: Wait for nothing more once a required service is known not to become healthy.
    type: bool
    default: true
extends_documentation_fragment:
  - provisioning.platform.platform
  - provisioning.platform.platform.events
attributes:
  check_mode:
    description: Nothing is ever changed.
    support: full
  diff_mode:
    description: Nothing is ever changed.
    support: none
"""

EXAMPLES = r"""
- name: Wait until everything is healthy
  provisioning.platform.health_check:
    wait: true

- name: Ask the registry for its real work
  provisioning.platform.health_check:
    names: [oci-registry]
    verify: true
"""

RETURN = r"""
services:
  description: For each service whether it is healthy, why, and how long the check took.
  returned: always
  type: dict
  sample:
    orchestrator: {healthy: true, reason: http://127.0.0.1:8080/health answered 200, duration_ms: 1.9}
provisioning_error:
  description: What went wrong, as data.
  returned: on failure
  type: dict
"""

from collections.abc import Collection
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.provisioning.platform.plugins.module_utils._errors import HealthError, Problem
from ansible_collections.provisioning.platform.plugins.module_utils._health import HealthResult
from ansible_collections.provisioning.platform.plugins.module_utils._manager import Manager
from ansible_collections.provisioning.platform.plugins.module_utils._module import (
    PLATFORM_ARGUMENTS,
    Module,
    failure,
)
from ansible_collections.provisioning.platform.plugins.module_utils._module_manager import (
    EVENT_ARGUMENTS,
    cancel_on_signals,
    manager_of,
    run_with_events,
)

ARGUMENTS: dict[str, Any] = {
    **PLATFORM_ARGUMENTS,
    **EVENT_ARGUMENTS,
    "names": {"type": "list", "elements": "str"},
    "wait": {"type": "bool", "default": False},
    "verify": {"type": "bool", "default": False},
    "failures": {"type": "dict", "default": {}},
    "fail_fast": {"type": "bool", "default": True},
}


def results_of(module: Module, manager: Manager, names: Collection[str] | None) -> dict[str, list[HealthResult]]:
    """Return the results of every service: one of its health, or those of its verification."""
    if module.params["verify"]:
        return manager.verify(names)
    if module.params["wait"]:
        found = manager.wait_healthy(names, fail_fast=module.params["fail_fast"], cancelled=cancel_on_signals())
    else:
        found = manager.check_health(names)
    return {name: [result] for name, result in found.items()}


def remedy_of(name: str, *, is_slow: bool = True) -> str:
    """Return what can be done about a service that is not well, perhaps because it is slow."""
    return f"Look at the log of {name}{', or raise its startup.timeout' if is_slow else ''}."


def work(module: Module) -> dict[str, Any]:
    """Check, and fail when a required service is not well."""
    manager = manager_of(module)
    results = results_of(module, manager, module.params["names"])
    optional = {name for name, service in manager.services().items() if not service.required}
    known = module.params["failures"].items()
    problems = [
        *(Problem(name, what["reason"], what.get("remedy") or remedy_of(name)) for name, what in known),
        *(
            Problem(name, result.reason, remedy_of(name, is_slow=module.params["wait"]))
            for name, found in results.items()
            for result in found
            if not result.healthy
        ),
    ]
    problems = [problem for problem in problems if problem.what not in optional]
    summary = {
        name: {
            "healthy": all(result.healthy for result in found),
            "reason": "; ".join(result.reason for result in found if not result.healthy)
            or "; ".join(result.reason for result in found),
            "duration_ms": round(sum(result.duration_ms for result in found), 1),
        }
        for name, found in results.items()
    }
    outcome: dict[str, Any] = {"changed": False, "services": summary}
    if problems:
        outcome |= {"failed": True, **failure(HealthError(*problems))}
    return outcome


def main() -> None:
    """Run the module."""
    run_with_events(AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True), work)


if __name__ == "__main__":
    main()
