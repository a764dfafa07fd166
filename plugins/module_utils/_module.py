# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What all our Ansible modules have in common: their arguments, what they are given, how they fail.

It imports as little as can be: Ansible reads and packs all that a module imports, at every run.
"""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from ansible.module_utils.basic import AnsibleModule

from ._build import build
from ._errors import ConfigurationError, Problem, ProvisioningError, os_problem
from ._model import ServiceDefinition
from ._settings import Operation, Settings

PLATFORM_ARGUMENTS: dict[str, dict[str, Any]] = {
    "work_dir": {"type": "path", "default": "~/.provisioning"},
    "services": {"type": "json"},
    "project": {"type": "str", "default": "provisioning"},
    "engine": {"type": "str", "default": "docker", "choices": ["docker", "podman", "orbstack"]},
    "engine_url": {"type": "str"},
    "env_vars": {"type": "dict", "default": {}},
    "elsewhere": {"type": "dict", "default": {}},
    "rounds": {"type": "int", "default": 1},
    "operations": {"type": "dict", "default": {}},
    "provisioning_path": {"type": "str"},
    "installation_id": {"type": "str", "default": ""},
}


class Module(Protocol):
    """What a module's work needs of its module: of Ansible's, or of its stand-in on the controller.

    :param params: the arguments, checked and with their defaults.
    """

    params: dict[str, Any]
    check_mode: bool
    _diff: bool

    def warn(self, warning: str) -> None:
        """Tell something that keeps nothing from going on."""


def run_module(module: AnsibleModule, work: Callable[[Module], dict[str, Any]]) -> None:
    """Do a module's work and end it.

    :param work: returns what the module returns.
    """
    result = result_of(module, work)
    if result.get("failed"):
        module.fail_json(**result)
    module.exit_json(**result)


def result_of(module: Module, work: Callable[[Module], dict[str, Any]]) -> dict[str, Any]:
    """Return what a module returns; what goes wrong becomes its failure here and nowhere else."""
    try:
        return work(module)
    except ProvisioningError as error:
        return {"failed": True, **failure(error)}
    except OSError as error:
        problem = os_problem("work_dir", error)
        kind = "prerequisites" if problem.remedy else "failed"
        details = {"kind": kind, "problems": [vars(problem)]}
        return {"failed": True, "msg": str(problem), "provisioning_error": details}


def failure(error: ProvisioningError) -> dict[str, Any]:
    """Return what a module returns when it fails with an error of the engine."""
    problems = [vars(problem) for problem in error.problems]
    return {"msg": str(error), "provisioning_error": {"kind": error.kind, "problems": problems}}


def work_dir_of(module: Module) -> Path:
    """Return the work dir as an absolute path.

    :raises ConfigurationError: a variable in it has no value; what is installed would be looked for where it is not.
    """
    written = module.params["work_dir"]
    if "$" in written:
        remedy = "Set the environment variables in it, or write the whole path."
        raise ConfigurationError(Problem("work_dir", f"{written} cannot be the work dir", remedy))
    return Path(os.path.normpath(Path(written).absolute()))


@functools.lru_cache(maxsize=1)
def definitions(text: str | None) -> dict[str, ServiceDefinition]:
    """Return definitions by name.

    :param text: the option ``services``: a list of them as JSON. Ansible takes apart every dictionary that a task is
        given, at every task; a text it leaves alone.
    :raises ConfigurationError: it is no list, or one of them is not a definition.
    """
    try:
        documents = json.loads(text or "[]")
    except ValueError:
        documents = None
    if not isinstance(documents, list) or not all(isinstance(document, dict) for document in documents):
        raise ConfigurationError(Problem("services", "is no list of definitions", "Give a list, or its JSON text."))
    built = [build(ServiceDefinition, document, path=str(document.get("name", "services"))) for document in documents]
    return {service.name: service for service in built}


def settings_of(module: Module) -> Settings:
    """Return what holds for all services of the host."""
    return Settings(
        project=module.params["project"],
        engine=module.params["engine"],
        engine_url=module.params["engine_url"],
        env=module.params["env_vars"],
        elsewhere=module.params["elsewhere"],
        rounds=module.params["rounds"],
        operations={
            name: build(Operation, document, path=f"operations.{name}")
            for name, document in module.params["operations"].items()
        },
        provisioning_path=module.params["provisioning_path"],
    )
