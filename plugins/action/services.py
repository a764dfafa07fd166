# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

from ansible_collections.provisioning.platform.plugins.modules import services
from ansible_collections.provisioning.platform.plugins.plugin_utils.engine_action import EngineAction
from ansible_collections.provisioning.platform.plugins.plugin_utils.run_lock import refuse_if_claimed


class ActionModule(EngineAction):
    """Has the work of the module ``services`` done."""

    source = services

    def work(self, task_vars: dict[str, Any]) -> dict[str, Any]:
        """Return what the module returns; what is being installed is not removed meanwhile."""
        arguments = self._task.args
        if arguments.get("state") == "absent" and not arguments.get("names"):
            work_dir = arguments.get("work_dir") or services.ARGUMENTS["work_dir"]["default"]
            refuse_if_claimed(self.claim_of(str(work_dir)), pid=self.run_pid())
        return super().work(task_vars)
