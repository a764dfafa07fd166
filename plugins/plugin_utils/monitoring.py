# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The settings of metrics and logs: what is wrong with them, and how they reach the services."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath

from ansible_collections.provisioning.platform.plugins.module_utils._cgroups import memory_bytes
from ansible_collections.provisioning.platform.plugins.module_utils._errors import Problem
from ansible_collections.provisioning.platform.plugins.module_utils._log_settings import age_seconds
from ansible_collections.provisioning.platform.plugins.module_utils._model import ServiceDefinition, ServiceDeployment
from ansible_collections.provisioning.platform.plugins.module_utils._model_logs import LogSettings
from ansible_collections.provisioning.platform.plugins.module_utils._textfile import SUFFIX
from ansible_collections.provisioning.platform.plugins.plugin_utils.addresses import Address, Place, address_of
from ansible_collections.provisioning.platform.plugins.plugin_utils.checks import path_problems, port_problems
from ansible_collections.provisioning.platform.plugins.plugin_utils.config_model import DeploymentConfig, MetricsConfig
from ansible_collections.provisioning.platform.plugins.plugin_utils.placement import Placement
from ansible_collections.provisioning.platform.plugins.plugin_utils.published import (
    Listener,
    bracketed,
    is_address,
    listeners,
)

_METRICS = "deployment.metrics"
#: Modes of which something is left for a supervisor: pods are their cluster's, and what runs elsewhere is not ours.
_SUPERVISED = ("binary", "docker", "compose")
_LEAST_SIZE = 64 * 1024
_MOST_FILES = 1000


def metrics_problems(metrics: MetricsConfig | None) -> Iterator[Problem]:
    """Yield what is wrong with ``deployment.metrics``, beside the services."""
    if metrics is None:
        return
    if metrics.port is None and metrics.textfile is None:
        why = "says neither where to listen nor where to write"
        yield Problem(_METRICS, why, "Set port, e.g. 9464, or textfile, or leave it out.")
    if metrics.port is not None:
        yield from port_problems(f"{_METRICS}.port", metrics.port)
    if not is_address(metrics.bind_address):
        remedy = "E.g. 127.0.0.1, or 0.0.0.0 for all addresses."
        yield Problem(f"{_METRICS}.bind_address", f"{metrics.bind_address!r} is not an IP address", remedy)
    path = f"{_METRICS}.textfile"
    yield from path_problems(path, metrics.textfile)
    if metrics.textfile is not None and PurePosixPath(metrics.textfile).suffix != SUFFIX:
        remedy = f"E.g. /var/lib/prometheus/node-exporter/provisioning{SUFFIX}."
        yield Problem(path, f"{metrics.textfile!r} does not end with {SUFFIX}; node-exporter reads no others", remedy)


def metrics_clashes(metrics: MetricsConfig | None, services: Mapping[str, ServiceDefinition]) -> Iterator[Problem]:
    """Yield the services that listen where metrics are to be shown.

    :param services: those of one host.
    """
    if metrics is None or metrics.port is None:
        return
    ours = Listener(metrics.bind_address, metrics.port)
    for name, service in services.items():
        if any(listener.clashes_with(ours) for listener in listeners(service)):
            why = f"{name} and the supervisor's metrics both take port {ours.port} (tcp) on {ours.address}"
            yield Problem(f"{_METRICS}.port", why, f"Set it, or deployment.services[{name}].port, to another one.")


def supervisors(
    place: Place,
    asker: str,
    deployment: DeploymentConfig,
    services: Mapping[str, ServiceDefinition],
    placement: Placement,
) -> list[str] | None:
    """Return where supervisors show metrics, as ``host:port``, as far as they can be reached; nothing where none does.

    :param place: where the one who asks stands.
    :param services: all of the platform; a host that has none to be supervised has no supervisor.
    """
    metrics = deployment.metrics
    if metrics is None or metrics.port is None:
        return None
    as_service = ServiceDefinition(
        name="supervisor",
        port=metrics.port,
        bind_address=metrics.bind_address,
        deployment=ServiceDeployment(mode="binary"),
    )
    supervised = [name for name, service in services.items() if service.mode in _SUPERVISED]
    own = placement.viewpoint(asker)
    found = []
    for host in dict.fromkeys(host for name in supervised for host in placement.hosts.get(name, ())):
        elsewhere = None if host == own else placement.addresses.get(host, host)
        address = address_of(place, as_service, domain=deployment.domain, host=elsewhere)
        if isinstance(address, Address):
            found.append(f"{bracketed(address.host)}:{address.port}")
    return found


def log_problems(path: str, logs: LogSettings | None) -> Iterator[Problem]:
    """Yield what is wrong with the settings of logs.

    :param path: where they stand, for messages.
    """
    if logs is None:
        return
    if logs.max_size is not None:
        yield from _size_problems(f"{path}.max_size", logs.max_size)
    if logs.max_files is not None and not 1 <= logs.max_files <= _MOST_FILES:
        yield Problem(f"{path}.max_files", f"{logs.max_files} is not between 1 and {_MOST_FILES}")
    if logs.max_age is not None:
        try:
            age_seconds(logs.max_age)
        except ValueError:
            yield Problem(f"{path}.max_age", f"{str(logs.max_age)!r} is not an age", "E.g. 14d, 12h, or seconds.")


def with_log_settings(services: Mapping[str, ServiceDefinition], logs: LogSettings) -> dict[str, ServiceDefinition]:
    """Return definitions with the installation's settings of logs where they say nothing of their own.

    Only processes are given any: what engines and clusters keep is theirs to rotate.
    """
    if logs == LogSettings():
        return dict(services)
    return {
        name: dataclasses.replace(service, logs=(service.logs or LogSettings()).or_else(logs))
        if service.mode == "binary"
        else service
        for name, service in services.items()
    }


def _size_problems(path: str, size: int | str) -> Iterator[Problem]:
    try:
        found = memory_bytes(size)
    except ValueError:
        yield Problem(path, f"{str(size)!r} is not a size", "E.g. 10m, 1g, or bytes.")
        return
    if found < _LEAST_SIZE:
        yield Problem(path, f"{str(size)!r} is too small", "The least is 64k.")
