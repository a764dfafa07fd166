# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What all our Ansible modules have in common: their arguments, what they are given, how they fail.

It imports as little as can be: Ansible reads and packs all that a module imports, at every run.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ._build import build
from ._errors import ProvisioningError, os_problem
from ._model import ServiceDefinition
from ._settings import Settings

PLATFORM_ARGUMENTS: dict[str, dict[str, Any]] = {
    "work_dir": {"type": "path", "default": "~/.provisioning"},
    "services": {"type": "list", "elements": "dict"},
    "project": {"type": "str", "default": "provisioning"},
    "engine": {"type": "str", "default": "docker", "choices": ["docker", "podman", "orbstack"]},
    "engine_url": {"type": "str"},
    "env_vars": {"type": "dict", "default": {}},
    "installation_id": {"type": "str", "default": ""},
}


def run_module(module: AnsibleModule, work: Callable[[AnsibleModule], dict[str, Any]]) -> None:
    """Do a module's work and end it: what goes wrong becomes ``fail_json`` here and nowhere else.

    :param work: returns what the module returns.
    """
    try:
        result = work(module)
    except ProvisioningError as error:
        module.fail_json(**failure(error))
    except OSError as error:
        problem = os_problem("work_dir", error)
        kind = "prerequisites" if problem.remedy else "failed"
        module.fail_json(msg=str(problem), provisioning_error={"kind": kind, "problems": [vars(problem)]})
    else:
        if result.get("failed"):
            module.fail_json(**result)
        module.exit_json(**result)


def failure(error: ProvisioningError) -> dict[str, Any]:
    """Return what a module returns when it fails with an error of the engine."""
    problems = [vars(problem) for problem in error.problems]
    return {"msg": str(error), "provisioning_error": {"kind": error.kind, "problems": problems}}


def work_dir_of(module: AnsibleModule) -> Path:
    """Return the work dir as an absolute path."""
    return Path(module.params["work_dir"]).absolute()


def definitions(documents: list[dict[str, Any]]) -> dict[str, ServiceDefinition]:
    """Build definitions by name.

    :raises ConfigurationError: one of them is not a definition.
    """
    built = [build(ServiceDefinition, document, path=str(document.get("name", "services"))) for document in documents]
    return {service.name: service for service in built}


def settings_of(module: AnsibleModule) -> Settings:
    """Return what holds for all services of the host."""
    return Settings(
        project=module.params["project"],
        engine=module.params["engine"],
        engine_url=module.params["engine_url"],
        env=module.params["env_vars"],
    )
