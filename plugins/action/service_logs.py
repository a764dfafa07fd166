# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible_collections.provisioning.platform.plugins.modules import service_logs
from ansible_collections.provisioning.platform.plugins.plugin_utils.engine_action import EngineAction


class ActionModule(EngineAction):
    """Has the work of the module ``service_logs`` done."""

    source = service_logs
