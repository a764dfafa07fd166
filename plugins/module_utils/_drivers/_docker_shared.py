# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the containers of an installation share: networks and named volumes."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from .. import _events
from .._errors import Problem
from .._model import ServiceDefinition
from ._base import Context
from ._docker_engine import PODMAN_HOST_GATEWAY, Engine
from ._docker_errors import NOT_FOUND, EngineError, engine_errors
from ._docker_observe import Instance, networks_of
from ._docker_render import HOST_GATEWAY, block, ownership, parse_volume, volume_name


def make_shared(engine: Engine, context: Context, services: Sequence[ServiceDefinition]) -> None:
    """Make the networks and named volumes of services, as far as they are missing.

    :raises DriverError: one cannot be made.
    """
    existing = _networks(engine)
    named = [name for service in services for name in user_networks(service, context, existing)]
    wanted = list(dict.fromkeys([context.network, *named]))
    if any(len(existing.get(name, ())) != 1 for name in wanted):
        with _alone(engine):
            existing = _networks(engine)
            for name in wanted:
                if name not in existing:
                    _make_network(engine, name, ownership(context))
            _remove_twins(engine, context, wanted)
    for name in _volume_names(services, context):
        with engine_errors(name):
            engine.api.create_volume(name, labels=ownership(context))
    if engine.is_podman:
        _warn_without_names(engine, context, services)


def user_networks(service: ServiceDefinition, context: Context, existing: Iterable[str]) -> list[str]:
    """Return the engine's names of the networks a service joins beside the platform's own.

    One that exists under that very name is somebody's to be joined; any other is ours and carries the project's name.
    """
    return [name if name in existing else f"{context.project}-{name}" for name in block(service).networks]


def join_networks(engine: Engine, context: Context, service: ServiceDefinition, container: str) -> None:
    """Connect a container that does not run yet to the networks beside the platform's own.

    :raises DriverError: it cannot be connected.
    """
    for name in user_networks(service, context, _networks(engine)):
        _connect(engine, service, container, name)


def rejoin_networks(engine: Engine, context: Context, service: ServiceDefinition, instance: Instance) -> None:
    """Connect a container to the networks that somebody took from it, or removed and made again.

    :raises DriverError: it cannot be connected.
    """
    if instance.networks is None:
        return
    existing = _networks(engine)
    for name in [context.network, *user_networks(service, context, existing)]:
        joined = instance.networks.get(name)
        ids = {network["Id"] for network in existing.get(name, ())}
        if joined and ids and joined not in {*ids, name}:  # to Podman the name is the id
            with engine_errors(service.name):
                engine.api.disconnect_container_from_network(instance.id, name, force=True)
            joined = None
        if joined is None:
            _connect(engine, service, instance.id, name)


def network_choices(context: Context, service: ServiceDefinition) -> list[tuple[str, ...]]:
    """Return the networks of a service's containers, each by the names that it may have on the engine."""
    return [(context.network,), *((name, f"{context.project}-{name}") for name in block(service).networks)]


def remove_networks(engine: Engine, context: Context, labels: Mapping[str, str] | None = None) -> list[str]:
    """Remove our networks that no container uses, running or not, and return their names.

    :param labels: only those that have these labels, too.
    :raises DriverError: one cannot be removed.
    """
    removed = []
    for network in _owned(engine.api.networks, context):
        if not (labels or {}).items() <= (network.get("Labels") or {}).items():
            continue
        with engine_errors(network["Name"]):
            users = _users(engine, network)
        if not users and _remove_network(engine, network):
            removed.append(network["Name"])
    return sorted(removed)


def remove_volumes(engine: Engine, context: Context) -> list[str]:
    """Remove our named volumes with what is in them, and return their names.

    :raises DriverError: one cannot be removed, e.g. because a container uses it.
    """
    removed = []
    for volume in _owned(lambda **options: engine.api.volumes(**options).get("Volumes") or [], context):
        with engine_errors(volume["Name"]):
            engine.api.remove_volume(volume["Name"])
        removed.append(volume["Name"])
    return sorted(removed)


def host_address(engine: Engine, context: Context) -> str | None:
    """Return what to give a container as the host's address; nothing where the engine names the host by itself.

    :raises DriverError: the network is not there.
    """
    if not engine.is_podman:
        return HOST_GATEWAY
    if engine.version >= PODMAN_HOST_GATEWAY:
        return None
    with engine_errors(context.network):
        network = engine.api.inspect_network(context.network)
    for subnet in (network.get("IPAM") or {}).get("Config") or []:
        if subnet.get("Gateway"):
            return str(subnet["Gateway"])
    return None


@contextmanager
def _alone(engine: Engine) -> Iterator[None]:
    """Keep other runs on this machine from making the same network: before version 25, Docker then makes it twice.

    The lock is on the folder of the engine's socket, so it leaves nothing behind.
    """
    if engine.folder is None or not os.access(engine.folder, os.R_OK):
        yield
        return
    descriptor = os.open(engine.folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _networks(engine: Engine) -> dict[str, list[dict[str, Any]]]:
    """Return the engine's networks by name, those of one name oldest first."""
    found: dict[str, list[dict[str, Any]]] = {}
    with engine_errors("network"):
        for network in sorted(engine.api.networks(), key=lambda network: (network.get("Created", ""), network["Id"])):
            found.setdefault(network["Name"], []).append(network)
    return found


def _remove_twins(engine: Engine, context: Context, names: Iterable[str]) -> None:
    """Leave one network of each name: Docker refuses to connect a container to a name that two have."""
    for several in _networks(engine).values():
        if several[0]["Name"] not in names or len(several) < 2:
            continue
        # The first that is in use stays, else the first of all.
        used = [network for network in several if not is_ours(network, context) or _users(engine, network)]
        kept = (used or several)[0]
        for network in several:
            if network is not kept and network not in used:
                _remove_network(engine, network)


def is_ours(thing: Mapping[str, Any], context: Context) -> bool:
    """Whether what an engine lists has the labels of the installation."""
    return ownership(context).items() <= (thing.get("Labels") or {}).items()


def _users(engine: Engine, network: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the containers of a network, also those that do not run; of two of one name, of this one alone."""
    name = network["Name"]
    with engine_errors(name):
        found: list[dict[str, Any]] = engine.api.containers(all=True, filters={"network": [name]})
    # One that has never run is on no network of a certain id yet; to Podman the name is the id.
    here = (network["Id"], name, "", None)
    return [entry for entry in found if (networks_of(entry) or {}).get(name) in here]


def _connect(engine: Engine, service: ServiceDefinition, container: str, network: str) -> None:
    with engine_errors(service.name):
        engine.api.connect_container_to_network(container, network, aliases=[service.name])


def _make_network(engine: Engine, name: str, labels: dict[str, str]) -> None:
    for is_last in (False, False, True):
        try:
            with engine_errors(name):
                engine.api.create_network(name, driver="bridge", check_duplicate=True, labels=labels)
        except EngineError as error:
            if error.is_passing and not is_last:
                continue
            if not error.is_name_conflict:  # else another run was faster, which is as well
                raise
        return


def _remove_network(engine: Engine, network: dict[str, Any]) -> bool:
    try:
        with engine_errors(network["Name"]):
            engine.api.remove_network(network["Id"])
    except EngineError as error:
        if error.status != NOT_FOUND and not error.is_in_use:
            raise
        return False
    return True


def _volume_names(services: Sequence[ServiceDefinition], context: Context) -> list[str]:
    mounts = [parse_volume(text, service.name) for service in services for text in block(service).volumes]
    return list(dict.fromkeys(volume_name(context.project, mount.source) for mount in mounts if not mount.is_bind))


def _owned(ask: Any, context: Context) -> list[dict[str, Any]]:
    labels = [f"{name}={value}" for name, value in ownership(context).items()]
    with engine_errors("the container engine"):
        found: list[dict[str, Any]] = ask(filters={"label": labels})
    return [thing for thing in found if is_ours(thing, context)]  # Podman 4 is content with one label of several


def _warn_without_names(engine: Engine, context: Context, services: Sequence[ServiceDefinition]) -> None:
    """Say when containers cannot find each other by name, which Podman's older kind of network may lack."""
    url = f"{engine.api.base_url}/v4.0.0/libpod/networks/{context.network}/json"
    with engine_errors(context.network):
        response = engine.api.get(url, timeout=engine.api.timeout)
        response.raise_for_status()
    if response.json().get("dns_enabled", True):
        return
    problem = Problem(
        context.network,
        "has no name resolution, so containers do not find each other by name",
        'Install aardvark-dns and set network_backend = "netavark" in containers.conf.',
    )
    for service in services:
        if service.depends_on:
            context.notify(_events.SERVICE_WARNING, service=service.name, reason=str(problem))
