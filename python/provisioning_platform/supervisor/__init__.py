# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``provisioning-supervisor``: the program of the collection, as a command of the package.

An installation does not use it: it puts a copy of the program into the work dir, which depends on nothing.
"""

from __future__ import annotations

from ansible_collections.provisioning.platform.plugins.plugin_utils.supervisor.program import main

__all__ = ["main"]
