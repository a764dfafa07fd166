# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils._model import ServiceDefinition
from ansible_collections.provisioning.platform.plugins.plugin_utils.config_model import (
    DeploymentConfig,
    ServiceOverride,
    UnattendedInstallConfig,
)
from ansible_collections.provisioning.platform.plugins.plugin_utils.resolve import resolve

ROLES = Path(__file__).parents[3] / "roles"
WORK_DIR = "/var/lib/provisioning"


@pytest.fixture(scope="session")
def resolved() -> Callable[..., Mapping[str, ServiceDefinition]]:
    """Resolves a profile, solo by default; ``changes`` are by service, the rest is of the table ``deployment``."""

    def make(
        changes: Mapping[str, dict[str, Any]] | None = None,
        *,
        work_dir: Path | str = WORK_DIR,
        environment: Mapping[str, str] | None = None,
        **deployment: Any,
    ) -> Mapping[str, ServiceDefinition]:
        services = [ServiceOverride(name=name, settings=settings) for name, settings in (changes or {}).items()]
        config = UnattendedInstallConfig(
            work_dir=str(work_dir), deployment=DeploymentConfig(services=services, **deployment)
        )
        return resolve(config, home="/root", roles_dir=ROLES, env=environment or {}).registry.services

    return make


@pytest.fixture(scope="session")
def text_of() -> Callable[[ServiceDefinition, str], str]:
    """Gives the text of a service's configuration file by its name."""

    def find(service: ServiceDefinition, name: str) -> str:
        return next(file.content or "" for file in service.config if Path(file.dest).name == name)

    return find


@pytest.fixture(scope="session")
def cluster_services() -> Mapping[str, ServiceDefinition]:
    """All roles' services on the platform Kubernetes."""
    names = sorted(path.parents[1].name.replace("_", "-") for path in ROLES.glob("*/meta/service.yml"))
    # Some can only be processes; pods reach them where they listen.
    deployment = DeploymentConfig(platform="Kubernetes", domain="box.example", bind_address="0.0.0.0")
    config = UnattendedInstallConfig(work_dir=WORK_DIR, deployment=deployment)
    return resolve(config, home="/root", roles_dir=ROLES, env={}, only=names).registry.services
