# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a configuration and a registry to the platform that is wanted: nothing in it is left to be decided.

All that is wrong is found here, before anything is touched, and told at once.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansible_collections.provisioning.platform.plugins.module_utils._build import to_dict
from ansible_collections.provisioning.platform.plugins.module_utils._errors import ConfigurationError, raise_if_any
from ansible_collections.provisioning.platform.plugins.module_utils._graph import startup_order
from ansible_collections.provisioning.platform.plugins.module_utils._model import (
    Scalar,
    ServiceDefinition,
    ServiceRegistry,
)
from ansible_collections.provisioning.platform.plugins.module_utils._secrets import references
from ansible_collections.provisioning.platform.plugins.module_utils._settings import Operation
from ansible_collections.provisioning.platform.plugins.plugin_utils.cluster import cluster_warnings
from ansible_collections.provisioning.platform.plugins.plugin_utils.config_model import UnattendedInstallConfig
from ansible_collections.provisioning.platform.plugins.plugin_utils.elsewhere import secrets_elsewhere
from ansible_collections.provisioning.platform.plugins.plugin_utils.monitoring import (
    metrics_clashes,
    with_log_settings,
)
from ansible_collections.provisioning.platform.plugins.plugin_utils.operations import (
    built_in_operations,
    operation_problems,
)
from ansible_collections.provisioning.platform.plugins.plugin_utils.placement import Inventory
from ansible_collections.provisioning.platform.plugins.plugin_utils.registry import load_registry
from ansible_collections.provisioning.platform.plugins.plugin_utils.resolver import Resolver
from ansible_collections.provisioning.platform.plugins.plugin_utils.selection import select
from ansible_collections.provisioning.platform.plugins.plugin_utils.settling import work_dir_of


@dataclass(frozen=True)
class Platform:
    """What is wanted, fully resolved.

    :param registry: the services of the host, in the order they can start in; their configuration files are rendered,
        and secrets are placeholders in them.
    :param env_vars: environment variables of every service, resolved.
    :param work_dir: absolute, on the hosts of the services.
    :param elsewhere: hosts of the services that are not on this one, by service.
    :param rounds: in how many rounds the hosts of the platform start their services.
    :param awaited: services that others on other hosts need to be healthy.
    :param secrets_elsewhere: whose secrets are used here and made on another host: that host, by service.
    :param operations: what is done with the platform, by name: the built-in ones, and the owner's over them.
    :param warnings: what the owner should know and does not have to change.
    """

    config: UnattendedInstallConfig
    registry: ServiceRegistry
    env_vars: dict[str, Scalar]
    work_dir: str
    elsewhere: dict[str, list[str]] = field(default_factory=dict)
    rounds: int = 1
    awaited: tuple[str, ...] = ()
    secrets_elsewhere: dict[str, str] = field(default_factory=dict)
    operations: dict[str, Operation] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    def to_module_args(self) -> dict[str, Any]:
        """Return what the engine's modules take, as JSON types; services as their text (``_module.definitions``)."""
        deployment = self.config.deployment
        return {
            "services": json.dumps([to_dict(service, sparse=True) for service in self.registry.services.values()]),
            "project": deployment.project,
            "engine": deployment.engine,
            "engine_url": deployment.engine_url,
            "env_vars": dict(self.env_vars),
            "work_dir": self.work_dir,
            "elsewhere": self.elsewhere,
            "rounds": self.rounds,
            "operations": to_dict(self.operations, sparse=True),
            "provisioning_path": self.config.provisioning_path,
        }


def resolve(
    config: UnattendedInstallConfig,
    *,
    home: str,
    roles_dir: Path,
    env: Mapping[str, str],
    work_dir: str | None = None,
    only: Sequence[str] | None = None,
    variables: Mapping[str, Any] | None = None,
    inventory: Inventory | None = None,
    host: str = "localhost",
) -> Platform:
    """Resolve an installation for one of its hosts.

    :param home: home directory on the hosts of the services, for paths that begin with ``~/``.
    :param roles_dir: the collection's ``roles`` folder.
    :param env: the controller's environment, for ``${TOKEN}``.
    :param work_dir: in place of the configuration's.
    :param only: names of services; these and what they depend on, in place of the profile's.
    :param variables: Ansible's variables, for ``NAME_service``.
    :param inventory: the platform's hosts; ``host`` alone by default.
    :param host: the one whose services are wanted.
    :raises ConfigurationError: something is wrong; every fault that was found is in it.
    """
    sources = load_registry(roles_dir, [Path(path) for path in config.registry])
    selection = select(config, sources, variables=variables, only=only)
    folder = work_dir_of(work_dir or config.work_dir, home)
    resolver = Resolver(
        config,
        selection.services,
        known=sources,
        home=home,
        work_dir=folder,
        env=env,
        inventory=inventory or Inventory((host,), is_known=False),
        host=host,
    )
    services = resolver.definitions()
    env_vars = resolver.environment()
    operations = operation_problems(
        config.operations, known=sources, installed=selection.services if only is None else sources
    )
    raise_if_any([*selection.problems, *resolver.problems, *operations], ConfigurationError)
    placement = resolver.placement
    here = resolver.for_host({name: services[name] for name in startup_order(services)})
    rendered = {name: resolver.rendered(service, services) for name, service in here.items()}
    clashes = metrics_clashes(config.deployment.metrics, rendered)
    raise_if_any([*resolver.problems, *clashes], ConfigurationError)
    rendered = with_log_settings(rendered, config.deployment.logs)
    on_cluster = cluster_warnings(rendered, config.deployment.platform)
    elsewhere = {name: list(hosts) for name, hosts in placement.hosts.items() if not placement.is_here(name)}
    documents = [env_vars, *(to_dict(service, sparse=True) for service in rendered.values())] if elsewhere else []
    return Platform(
        config,
        ServiceRegistry(services=rendered),
        env_vars,
        folder,
        elsewhere=elsewhere,
        rounds=1 + max(placement.rounds(services).values(), default=0),
        awaited=tuple(sorted(placement.awaited(services))),
        secrets_elsewhere=secrets_elsewhere(documents, placement),
        operations={**built_in_operations(roles_dir), **config.operations},
        warnings=(*selection.warnings, *_readable_secrets(rendered), *on_cluster),
    )


def _readable_secrets(services: Mapping[str, ServiceDefinition]) -> list[str]:
    """Warn of configuration files that hold a secret and that others than their owner may read."""
    return [
        f"{name}: {file.dest} holds a secret and has the mode {file.mode}, which lets others read it. 0600 does not."
        for name, service in services.items()
        for file in service.config
        if int(file.mode, 8) & 0o044 and references(file.content)
    ]
