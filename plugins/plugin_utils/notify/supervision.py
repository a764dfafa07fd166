# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a webhook receiver is told of the supervision of a platform: the same payloads as of an installation.

What goes wrong with a service is a ``failed``, that it is well again the ``completed`` that ends it, and all else is
``progress``; so the switches of the configuration hold for them, and alerts end by themselves.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from ansible_collections.provisioning.platform.plugins.module_utils import _events as kinds
from ansible_collections.provisioning.platform.plugins.module_utils._events import Event
from ansible_collections.provisioning.platform.plugins.plugin_utils.notify.formats.message import Message
from ansible_collections.provisioning.platform.plugins.plugin_utils.notify.payload import (
    SUPERVISION,
    NotificationPayload,
    PayloadEvent,
)
from ansible_collections.provisioning.platform.plugins.plugin_utils.notify.target import WebhookTarget

_TOLD_AS: dict[str, PayloadEvent] = {
    kinds.SERVICE_DOWN: "failed",
    kinds.SERVICE_UNHEALTHY: "failed",
    kinds.SERVICE_GIVEN_UP: "failed",
    kinds.SERVICE_RECOVERED: "completed",
    kinds.SERVICE_SETTLED: "completed",
    kinds.SERVICE_RESTARTED: "progress",
    kinds.SERVICE_HELD: "progress",
    kinds.SERVICE_FLAPPING: "progress",
}
_STEPS = 7


def payload_of(event: Event, *, installation_id: str, host: str) -> NotificationPayload | None:
    """Return what is told of an event of the supervisor; nothing where nobody is to be told.

    :param installation_id: of the installation that is supervised.
    :param host: name of the host.
    """
    told_as = _TOLD_AS.get(event.kind)
    if told_as is None or event.service is None or event.data.get("quiet"):
        return None
    status = event.kind.rpartition(".")[2]
    reason = str(event.data.get("reason", ""))
    metadata: dict[str, Any] = {"service": event.service, "status": status, "reason": reason, "host": host}
    return NotificationPayload(
        event=told_as,
        installation_id=installation_id,
        timestamp=int(event.time),
        current_step=SUPERVISION,
        progress=100,
        completed_steps=_STEPS,
        total_steps=_STEPS,
        error=f"{event.service} is {status.replace('_', ' ')}: {reason}" if told_as == "failed" else None,
        metadata=metadata,
    )


def message_of(target: WebhookTarget, payload: NotificationPayload) -> Message | None:
    """Return a payload in the receiver's format; alerts of different services are different ones."""
    subject = f"{target.platform} {payload.metadata['service']}"
    return dataclasses.replace(target, platform=subject).message(payload)
