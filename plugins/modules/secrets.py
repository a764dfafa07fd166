#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: secrets
short_description: Make the secrets that services need, once
version_added: 1.0.0
description:
  - Looks at which secrets of the services exist on the host, makes what is missing on the controller
    and writes it to the host. A secret that exists is never changed, unless it comes from the environment of who
    installs and that has another value now.
  - On a platform of many hosts a secret is made on the first host of its service. Other hosts that use it get copies,
    which follow it.
  - They are kept in the folder C(secrets) of the work dir, one file a service, readable by their owner alone.
  - Definitions and configuration files refer to a secret as C(${secret.NAME}); the value is filled in on the host.
options:
  generate:
    description: Whether to make missing secrets. Otherwise a missing one is an error.
    type: bool
    default: true
  values:
    description:
      - Secrets to write, by service and name, each with C(value) and C(version). Those of services that are not among
        O(services) are copies, and replace what is there.
    type: dict
    default: {}
  reveal:
    description:
      - Whether to return the values of existing secrets. Use C(no_log) then.
    type: bool
    default: false
  names:
    description: Services whose secrets are looked at, in place of O(services); nothing is made then.
    type: list
    elements: str
    default: []
extends_documentation_fragment:
  - provisioning.platform.platform
attributes:
  check_mode:
    description: Tells which secrets would be made.
    support: full
  diff_mode:
    description: Secrets are not shown.
    support: none
"""

EXAMPLES = r"""
- name: Make the secrets of two services
  provisioning.platform.secrets:
    services: "{{ platform.services }}"
"""

RETURN = r"""
versions:
  description: The version of every secret on the host, by service and name.
  returned: always
  type: dict
  sample: {gitea: {admin_password: 1}}
values:
  description: The secrets with C(value) and C(version), by service and name.
  returned: with O(reveal) and O(names)
  type: dict
made:
  description: The secrets that were made, as C(service.name).
  returned: always
  type: list
  elements: str
"""

from collections.abc import Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.provisioning.platform.plugins.module_utils._errors import (
    PrerequisiteError,
    Problem,
    raise_if_any,
)
from ansible_collections.provisioning.platform.plugins.module_utils._ledger import Ledger
from ansible_collections.provisioning.platform.plugins.module_utils._module import (
    PLATFORM_ARGUMENTS,
    Module,
    definitions,
    run_module,
    work_dir_of,
)
from ansible_collections.provisioning.platform.plugins.module_utils._paths import WorkDir
from ansible_collections.provisioning.platform.plugins.module_utils._secrets import Secret, SecretStore

ARGUMENTS: dict[str, Any] = {
    **PLATFORM_ARGUMENTS,
    "generate": {"type": "bool", "default": True},
    "values": {"type": "dict", "default": {}, "no_log": True},
    "reveal": {"type": "bool", "default": False},
    "names": {"type": "list", "elements": "str", "default": []},
}


def refuse_empty_copies(module: Module) -> None:
    """Fail where secrets are made on a host that has none yet."""
    elsewhere = module.params["elsewhere"]
    problems = [
        Problem(
            name,
            f"has no secrets yet on {', '.join(elsewhere.get(name, ['its host']))}, where they are made",
            f"Install {name} first, in a run that includes its host.",
        )
        for name, given in module.params["values"].items()
        if not given
    ]
    raise_if_any(problems, PrerequisiteError)


def newer(secrets: Mapping[str, Secret], existing: Mapping[str, Secret]) -> dict[str, Secret]:
    """Return the secrets that are not there, or in an older version only."""
    return {
        name: secret
        for name, secret in secrets.items()
        if name not in existing or secret.version > existing[name].version
    }


def changed_copies(secrets: Mapping[str, Secret], existing: Mapping[str, Secret]) -> dict[str, Secret]:
    """Return the copies whose value is another one.

    A secret that was made anew on another host begins to count anew. What uses the copy learns of it by its version.
    """
    changed = {}
    for name, secret in secrets.items():
        before = existing.get(name)
        if before is None:
            changed[name] = secret
        elif before.value != secret.value:
            changed[name] = Secret(secret.value, max(secret.version, before.version + 1))
    return changed


def work(module: Module) -> dict[str, Any]:
    """Write what is given, then tell what there is."""
    layout = WorkDir(work_dir_of(module))
    store = SecretStore(layout.secrets)
    refuse_empty_copies(module)
    names = module.params["names"] or list(definitions(module.params["services"]))
    made = []
    for service, given in module.params["values"].items():
        existing = store.read(service)
        secrets = {name: Secret(item["value"], item["version"]) for name, item in given.items()}
        new = newer(secrets, existing) if service in names else changed_copies(secrets, existing)
        made += [f"{service}.{name}" for name in new]
        if new and not module.check_mode:
            path = layout.secrets / f"{service}.json"
            if module.params["installation_id"] and not path.exists():
                Ledger(layout, module.params["installation_id"]).add(paths=[path])
            store.write(service, {**existing, **new})
    result: dict[str, Any] = {
        "changed": bool(made),
        "made": made,
        "versions": {name: {key: item.version for key, item in store.read(name).items()} for name in names},
    }
    if module.params["reveal"]:
        result["values"] = {name: {key: vars(item) for key, item in store.read(name).items()} for name in names}
    return result


def main() -> None:
    """Run the module."""
    run_module(AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True), work)


if __name__ == "__main__":
    main()
