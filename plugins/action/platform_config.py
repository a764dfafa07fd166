# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ansible_collections.provisioning.platform.plugins.module_utils._errors import PrerequisiteError, Problem
from ansible_collections.provisioning.platform.plugins.plugin_utils.host_action import OVERRIDE, HostAction
from ansible_collections.provisioning.platform.plugins.plugin_utils.placement import Inventory
from ansible_collections.provisioning.platform.plugins.plugin_utils.resolve import Platform, resolve
from ansible_collections.provisioning.platform.plugins.plugin_utils.run_lock import claim

#: Where it stands in the inventory under which address other hosts reach a host; its name serves, too.
ADDRESS_VARIABLES = ("platform_address", "ansible_host")
ROLES = Path(__file__).resolve().parents[2] / "roles"


class ActionModule(HostAction):
    """Reads the configuration out of Ansible's variables and resolves the platform for one host."""

    def work(self, task_vars: dict[str, Any]) -> dict[str, Any]:
        """Return the platform as the other modules take it."""
        self._check_inventory(task_vars)
        self._warn_of_missing_settings(task_vars)
        inventory = self._inventory(task_vars)
        loaded, variables = self.configuration(task_vars, self._overrides(task_vars, inventory))
        platform = resolve(
            loaded.config,
            home=self.home(),
            roles_dir=ROLES,
            env=os.environ,
            only=self._task.args.get("only") or None,
            variables=variables,
            inventory=inventory,
            host=task_vars["inventory_hostname"],
        )
        for warning in (*loaded.warnings, *platform.warnings):
            self._display.warning(warning)
        if not self._task.check_mode:
            self._claim(platform)
        return {"changed": False, **result_of(platform)}

    def _overrides(self, task_vars: dict[str, Any], inventory: Inventory) -> dict[str, Any]:
        """Return the variables ``NAME_service``, each as the host has it that the service is on."""
        host = task_vars["inventory_hostname"]
        found = self.templated(task_vars, [name for name in task_vars if name.endswith(OVERRIDE)])
        for other in inventory.hosts if len(inventory.hosts) > 1 else ():
            variables = task_vars["hostvars"][other]
            for name in [name for name in variables if name.endswith(OVERRIDE)]:
                where, _problems = inventory.place(name.removesuffix(OVERRIDE), ())
                if host not in where and other == where[0]:
                    found[name] = self._templar.template(variables[name])
        return found

    def _inventory(self, task_vars: dict[str, Any]) -> Inventory:
        """Return the platform's hosts, whatever part of them this run is about."""
        groups = {name: tuple(hosts) for name, hosts in task_vars.get("groups", {}).items()}
        hosts = groups.get("platform") or (task_vars["inventory_hostname"],)
        return Inventory(hosts, groups, {host: self._address(host, task_vars) for host in hosts})

    def _address(self, host: str, task_vars: dict[str, Any]) -> str:
        variables = task_vars.get("hostvars", {}).get(host, {})
        named = next((variables[name] for name in ADDRESS_VARIABLES if variables.get(name)), host)
        return str(self._templar.template(named))

    def _check_inventory(self, task_vars: dict[str, Any]) -> None:
        groups = task_vars.get("groups", {})
        others = [host for host in groups.get("all", []) if host != "localhost"]
        if others and "platform" not in groups:
            raise PrerequisiteError(
                Problem(
                    "inventory",
                    "it has hosts, but no group named platform",
                    "Put the hosts to install on into the group platform.",
                )
            )

    def _warn_of_missing_settings(self, task_vars: dict[str, Any]) -> None:
        """Without ansible.cfg, e.g. in a checkout that all may write, nobody is told about the run."""
        is_told = "provisioning_operation" not in task_vars or os.environ.get("PROVISIONING_JOURNAL")
        if not is_told and not self._task.check_mode:
            self._display.warning(
                "The callback provisioning.platform.webhook is not enabled, so this run keeps no journal and sends no "
                "notifications. Use the ansible.cfg of the checkout (it is ignored where everybody may write), or set "
                "ANSIBLE_CALLBACKS_ENABLED=provisioning.platform.webhook."
            )

    def _claim(self, platform: Platform) -> None:
        path = self.claim_of(platform.config.work_dir)
        claim(path, pid=self.run_pid(), installation=platform.config.installation_id)


def result_of(platform: Platform) -> dict[str, Any]:
    """Return what later tasks need."""
    config = platform.config
    return {
        **platform.to_module_args(),
        "installation_id": config.installation_id,
        "fail_fast": config.fail_fast,
        "cleanup_on_failure": config.cleanup_on_failure,
        "auto_generate_secrets": config.deployment.auto_generate_secrets,
        "supervise": config.deployment.supervise,
        "metrics": asdict(config.deployment.metrics) if config.deployment.metrics else {},
        "awaited": list(platform.awaited),
        "secrets_elsewhere": platform.secrets_elsewhere,
    }
