# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ansible_collections.provisioning.platform.plugins.module_utils._errors import ConfigurationError, Problem
from ansible_collections.provisioning.platform.plugins.plugin_utils.compose_export import changes, export
from ansible_collections.provisioning.platform.plugins.plugin_utils.host_action import HostAction

ROLES = Path(__file__).resolve().parents[2] / "roles"


class ActionModule(HostAction):
    """Writes the platform that Ansible's variables describe as a Compose file, on the controller."""

    _requires_connection = False

    def work(self, task_vars: dict[str, Any]) -> dict[str, Any]:
        """Return what was written."""
        dest = self._task.args.get("dest")
        if not dest:
            raise ConfigurationError(Problem("dest", "is missing", "Name the Compose file to write."))
        loaded, variables = self.configuration(task_vars)
        file = Path(str(dest)).expanduser().absolute()
        found = export(
            loaded.config,
            file=file,
            home=str(Path.home()),
            roles_dir=ROLES,
            env=os.environ,
            variables=variables,
            health_image=self._task.args.get("health_image"),
        )
        diff = [
            {"before_header": path, "after_header": path, "before": before, "after": after}
            for path, before, after in changes(found, file, dry=self._task.check_mode)
        ]
        return {
            "changed": bool(diff),
            "dest": str(file),
            "services": list(found.services),
            "files": [entry["after_header"] for entry in diff],
            "diff": diff,
        }
