# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Payloads of every kind."""

from __future__ import annotations

from typing import Any

from ansible_collections.provisioning.platform.plugins.plugin_utils.notify.payload import (
    NotificationPayload,
    PayloadEvent,
)

PLATFORM = "provisioning@platform.example.com:/srv/platform"
PROBLEM = {"what": "gitea", "why": "port 3000 is taken by node", "remedy": "Stop it."}


def payload(event: PayloadEvent, error: str | None = None, /, **metadata: Any) -> NotificationPayload:
    return NotificationPayload(event, "solo-1", 1_700_000_000, "deploy-docker", 57, 4, 7, error, metadata)


#: Of each kind one as it is, and others as bad as can be.
PAYLOADS = [
    payload("started", platform="Docker", mode="Solo", controller="laptop"),
    payload("started"),
    payload("progress", step="deploy-docker", status="started"),
    payload("progress", service="gitea", status="healthy", reason="answered 200"),
    payload("progress", service="x" * 5000, status="failed", error="<&>" * 5000, remedy="<!channel>" * 500),
    payload("step_completed", step="deploy-docker", duration_ms=1234),
    payload("completed", degraded=False, services={}, changed=3, duration_ms=65432),
    payload(
        "completed", degraded=True, services={f"s{n}": {"status": "failed", "error": "&" * 4000} for n in range(99)}
    ),
    payload("failed", "gitea: port 3000 is taken by node. Stop it.", kind="prerequisites", problems=[PROBLEM]),
    payload("failed", "e" * 4000, kind="failed", problems=[]),
    payload("failed", "caf\udce9\n" * 2000, kind="odd", problems=[{"what": "<>" * 3000, "why": "", "remedy": ""}] * 99),
    payload("failed", "cancelled", kind="cancelled", left_running=["web", "gitea"]),
    payload("failed", ""),
]
