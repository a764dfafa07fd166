# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Loading an installation: what its owner wrote, what it stands for, and what the playbooks are told of it."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.provisioning.platform.plugins.module_utils._build import to_dict
from ansible_collections.provisioning.platform.plugins.module_utils._model import ServiceRegistry
from ansible_collections.provisioning.platform.plugins.plugin_utils.config import (
    Loaded,
    from_mapping,
    load_file,
    unused_variables,
)
from ansible_collections.provisioning.platform.plugins.plugin_utils.config_model import UnattendedInstallConfig
from ansible_collections.provisioning.platform.plugins.plugin_utils.documents import read_document
from ansible_collections.provisioning.platform.plugins.plugin_utils.notify.identity import platform_name
from ansible_collections.provisioning.platform.plugins.plugin_utils.notify.target import WebhookTarget, redact
from ansible_collections.provisioning.platform.plugins.plugin_utils.registry import load_registry
from ansible_collections.provisioning.platform.plugins.plugin_utils.resolve import Platform, resolve
from ansible_collections.provisioning.platform.plugins.plugin_utils.settling import work_dir_of

from . import collection
from .text import count, wrapped


@dataclass(frozen=True)
class Installation:
    """An installation that has been found valid.

    :param document: the configuration as it was written: environment variables are not substituted in it, so that
        their values, often secrets, are not written anywhere.
    :param platform: what it stands for on this machine.
    :param target: whom to notify.
    """

    document: Mapping[str, Any]
    config: UnattendedInstallConfig
    platform: Platform
    target: WebhookTarget | None = None
    warnings: tuple[str, ...] = ()

    @property
    def installation_id(self) -> str:
        """Its name."""
        return self.config.installation_id

    @property
    def work_dir(self) -> Path:
        """The work dir as a path on this machine."""
        return Path(self.platform.work_dir)

    def playbook_variables(self) -> dict[str, Any]:
        """Return the configuration as extra vars for the playbooks, wherever they are run from."""
        # Playbooks know nothing of the folder that the configuration was in.
        paths = {"registry": list(self.config.registry)} if self.config.registry else {}
        return {**self.document, **paths, "installation_id": self.installation_id}


def load_installation(
    config: UnattendedInstallConfig | Mapping[str, Any] | Path | str,
    *,
    variables: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] = os.environ,
    on_hosts: bool = False,
) -> Installation:
    """Load and validate a whole installation; nothing is touched.

    :param config: a TOML or YAML file, its content, or a configuration already validated.
    :param variables: values for ``${var.NAME}``, over those of the configuration.
    :param environ: the environment, for ``${TOKEN}``.
    :param on_hosts: whether it is for the hosts of an inventory, whose variables say more of the services. What is to
        be on them is worked out, and found valid, in the first step of a run.
    :raises ConfigurationError: something is wrong; one problem for each fault that was found.
    """
    document, loaded = _load(config, variables or {}, environ)
    roles = collection.root() / "roles"
    home = str(Path.home())
    if on_hosts:
        platform = Platform(loaded.config, ServiceRegistry(services={}), {}, work_dir_of(loaded.config.work_dir, home))
    else:
        platform = resolve(loaded.config, home=home, roles_dir=roles, env=environ)
    return Installation(
        document=document,
        config=loaded.config,
        platform=platform,
        target=WebhookTarget.of(loaded.config.notifications, platform=_platform_name(loaded.config)),
        warnings=(*loaded.warnings, *platform.warnings, *_unused(variables or {}, document, loaded.config, roles)),
    )


def description(installation: Installation, *, width: int | None = None) -> list[str]:
    """Return in a few lines what a valid configuration stands for.

    :param width: columns of the terminal, if there is one.
    """
    deployment = installation.config.deployment
    services = installation.platform.registry.services
    required = sum(service.required for service in services.values())
    facts = [
        ("profile", f"{deployment.profile} on {deployment.platform}"),
        ("work dir", str(installation.work_dir)),
        ("services", f"{len(services)}, {required} of them required: {', '.join(services)}"),
        ("webhook", redact(installation.target.url) if installation.target else "none"),
    ]
    lines = ["OK"]
    for name, value in facts:
        lines += wrapped(f"{name + ':':<10}{value}", width=width, indent="  ")
    if installation.warnings:
        lines.append(f"  {count(len(installation.warnings), 'warning')}, see above")
    return lines


def _load(
    config: UnattendedInstallConfig | Mapping[str, Any] | Path | str,
    variables: Mapping[str, Any],
    environ: Mapping[str, str],
) -> tuple[dict[str, Any], Loaded]:
    if isinstance(config, (str, Path)):
        path = Path(config)
        document = read_document(path)
        overrides = _variables(document, variables)
        return {**document, **overrides}, load_file(path, env=environ, overrides=overrides)
    given = _document_of(config) if isinstance(config, UnattendedInstallConfig) else dict(config)
    document = {**given, **_variables(given, variables)}
    return document, Loaded(from_mapping(document, env=environ, base_dir=Path.cwd()))


def _platform_name(config: UnattendedInstallConfig) -> str:
    deployment = config.deployment
    return platform_name(
        project=deployment.project,
        domain=deployment.domain,
        work_dir=config.work_dir,
        controller=socket.gethostname(),
    )


def _unused(
    variables: Mapping[str, Any], document: Mapping[str, Any], config: UnattendedInstallConfig, roles: Path
) -> tuple[str, ...]:
    if not variables:
        return ()
    sources = load_registry(roles, [Path(path) for path in config.registry])
    return unused_variables(list(variables), [document, *(source.document for source in sources.values())])


def _variables(document: Mapping[str, Any], variables: Mapping[str, Any]) -> dict[str, Any]:
    before = document.get("variables") or {}
    if not variables or not isinstance(before, Mapping):
        return {}
    return {"variables": {**before, **variables}}


def _document_of(config: UnattendedInstallConfig) -> dict[str, Any]:
    """Return a configuration as its owner would have written it: a service's settings stand beside its name."""
    document: dict[str, Any] = to_dict(config, sparse=True)
    services = document.get("deployment", {}).get("services", [])
    if services:
        document["deployment"]["services"] = [{"name": one["name"], **one.get("settings", {})} for one in services]
    return document
