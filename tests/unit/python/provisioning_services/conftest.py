# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils._build import build
from ansible_collections.provisioning.platform.plugins.module_utils._model import ServiceDefinition
from ansible_collections.provisioning.platform.plugins.module_utils._status import ServiceStatus
from provisioning_services.platform_view import PlatformView, platform_view

Seen = tuple[ServiceDefinition, ServiceStatus]


@pytest.fixture
def seen() -> Callable[..., Seen]:
    """Makes a service as the engine knows and sees it; it runs and is healthy unless told otherwise."""

    def make(
        name: str, needs: Mapping[str, str] | None = None, *, document: Mapping[str, Any] | None = None, **status: Any
    ) -> Seen:
        definition = build(
            ServiceDefinition,
            {
                "name": name,
                "deployment": {"mode": "binary"},
                "depends_on": {need: {"condition": condition} for need, condition in (needs or {}).items()},
                **(document or {}),
            },
        )
        found = {"mode": "binary", "status": "running", "health": "healthy", "address": "", **status}
        return definition, ServiceStatus(name=name, **found)

    return make


@pytest.fixture
def view_of() -> Callable[..., PlatformView]:
    """Makes the view of services as seen."""

    def make(*services: Seen, observed_at: float = 1_000_000.0) -> PlatformView:
        definitions = {definition.name: definition for definition, _ in services}
        return platform_view(definitions, [status for _, status in services], observed_at=observed_at, source="a test")

    return make
