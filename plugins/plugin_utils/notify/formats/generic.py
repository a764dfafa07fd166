# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The format of our own, with all that is known: for pipelines and programs."""

from __future__ import annotations

from dataclasses import asdict

from ansible_collections.provisioning.platform.plugins.plugin_utils.notify.formats.message import Message
from ansible_collections.provisioning.platform.plugins.plugin_utils.notify.payload import NotificationPayload


def generic(payload: NotificationPayload, platform: str) -> Message:  # noqa: ARG001
    """Return the payload as it is."""
    return Message(asdict(payload))
