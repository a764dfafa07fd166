# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The platform as its services answer, for where nothing else can be asked: in a container, or in a pod.

The work dir is closed to everybody but its owner, it holds the secrets, and the engine's socket is worth root. So a
file that the installation writes says which services there are and where each is asked; what cannot be asked from
here is unknown, and says so.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.provisioning.platform.plugins.module_utils._build import build
from ansible_collections.provisioning.platform.plugins.module_utils._errors import (
    ConfigurationError,
    DriverError,
    Problem,
)
from ansible_collections.provisioning.platform.plugins.module_utils._health import HealthResult, check_health
from ansible_collections.provisioning.platform.plugins.module_utils._model import (
    Condition,
    Dependency,
    HttpHealthCheck,
    Mode,
    ServiceDefinition,
    ServiceDeployment,
    TcpHealthCheck,
)
from ansible_collections.provisioning.platform.plugins.module_utils._status import ServiceStatus

from .platform_view import PlatformView, platform_view

_PATIENCE = 3.0
_THREADS = 32


@dataclass(frozen=True, kw_only=True)
class Probed:
    """A service as the file names it.

    :param address: where people find it.
    :param probe: URL of its health check as seen from here; empty where it has none or cannot be reached.
    :param connect: ``host:port`` to connect to where there is no such URL.
    """

    name: str
    mode: Mode
    description: str = ""
    required: bool = True
    start_order: int = 100
    depends_on: dict[str, Condition]
    address: str = ""
    probe: str = ""
    connect: str = ""


class ProbeSource:
    """Asks the services that a file names for their health.

    :param path: the file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def fetch(self) -> PlatformView:
        """Ask all of them at the same time.

        :raises ConfigurationError: the file is not what it should be.
        :raises DriverError: it cannot be read.
        """
        services = read_services(self._path)
        with ThreadPoolExecutor(min(_THREADS, max(len(services), 1))) as pool:
            results = list(pool.map(_ask, services.values()))
        statuses = [_status(service, result) for service, result in zip(services.values(), results, strict=True)]
        definitions = {name: _definition(service) for name, service in services.items()}
        return platform_view(definitions, statuses, observed_at=time.time(), source="the services themselves")


def read_services(path: Path) -> dict[str, Probed]:
    """Return the services of a file by name.

    :raises ConfigurationError: it is not what it should be.
    :raises DriverError: it cannot be read.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        services = [build(Probed, service) for service in document["services"]]
    except OSError as error:
        raise DriverError(Problem(str(path), f"cannot be read: {error.strerror or error}")) from error
    except (ConfigurationError, ValueError, LookupError, TypeError) as error:
        remedy = "Install the platform again: it writes the file."
        raise ConfigurationError(Problem(str(path), f"does not name services: {error}", remedy)) from error
    return {service.name: service for service in services}


def _ask(service: Probed) -> HealthResult | None:
    """Ask a service; nothing where it cannot be asked."""
    if service.probe:
        return check_health(HttpHealthCheck(type="http", url=service.probe, timeout=_PATIENCE))
    host, colon, port = service.connect.rpartition(":")
    if not colon:
        return None
    return check_health(TcpHealthCheck(type="tcp", host=host.strip("[]"), port=int(port), timeout=_PATIENCE))


def _status(service: Probed, result: HealthResult | None) -> ServiceStatus:
    if result is None:
        status, health, detail = "unknown", "unknown", "it cannot be reached from here"
    elif result.healthy:
        status, health, detail = "running", "healthy", ""
    else:
        status, health, detail = "failed", "unhealthy", result.reason
    return ServiceStatus(
        name=service.name,
        mode=service.mode,
        status=status,
        health=health,
        address=service.address,
        detail=detail,
        required=service.required,
        description=service.description,
        health_reason=result.reason if result else "",
        health_duration_ms=result.duration_ms if result else None,
    )


def _definition(service: Probed) -> ServiceDefinition:
    """As much of the definition as the view is made of."""
    needs: Mapping[str, Condition] = service.depends_on
    return ServiceDefinition(
        name=service.name,
        deployment=ServiceDeployment(mode=service.mode),
        description=service.description,
        required=service.required,
        start_order=service.start_order,
        depends_on={name: Dependency(condition=condition) for name, condition in needs.items()},
    )
