# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import dataclasses
import os
from typing import Any

from ansible.module_utils.parsing.convert_bool import boolean
from ansible_collections.provisioning.platform.plugins.module_utils._model import ServiceRegistry
from ansible_collections.provisioning.platform.plugins.module_utils._module import definitions
from ansible_collections.provisioning.platform.plugins.module_utils._secrets import Secret
from ansible_collections.provisioning.platform.plugins.modules import secrets
from ansible_collections.provisioning.platform.plugins.plugin_utils.engine_action import EngineAction, arguments_of
from ansible_collections.provisioning.platform.plugins.plugin_utils.secret_values import missing


class ActionModule(EngineAction):
    """Asks the host which secrets it has, makes what is missing here, and sends only that."""

    source = secrets

    def work(self, task_vars: dict[str, Any]) -> dict[str, Any]:
        """Return which secrets there are and which were made; never a value."""
        # Values come over the connection, which shows all that comes with -vvv; the result is free of them.
        self._connection._play_context.no_log = True
        arguments = arguments_of(self._task.args)
        if arguments.get("names") or arguments.get("values"):
            return self.engine(arguments, task_vars)
        registry = ServiceRegistry(services=definitions(arguments.get("services")))
        if not any(service.secrets for service in registry.services.values()):
            return {"changed": False, "made": [], "versions": {}}
        there = self.engine({**arguments, "reveal": True}, task_vars)
        values = {
            service: {name: Secret(**secret) for name, secret in secrets.items()}
            for service, secrets in there.pop("values", {}).items()
        }
        if there.get("failed"):
            return there
        made = missing(registry, values, generate=boolean(arguments.get("generate", True)), env=os.environ)
        if not made:
            return there
        new = {
            service: {name: dataclasses.asdict(secret) for name, secret in secrets.items()}
            for service, secrets in made.items()
        }
        result = self.engine({**arguments, "values": new}, task_vars)
        result.pop("invocation", None)
        return result
