# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible_collections.provisioning.platform.plugins.plugin_utils.live_action import LiveAction


class ActionModule(LiveAction):
    """Shows live what the module ``cleanup`` does."""

    module_name = "provisioning.platform.cleanup"
