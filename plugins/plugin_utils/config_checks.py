# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a configuration of the right shape can still get wrong."""

from __future__ import annotations

import re
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ansible_collections.provisioning.platform.plugins.module_utils._errors import Problem
from ansible_collections.provisioning.platform.plugins.plugin_utils.checks import (
    header_problems,
    path_problems,
    work_dir_problems,
)
from ansible_collections.provisioning.platform.plugins.plugin_utils.config_model import (
    DeploymentConfig,
    NotificationConfig,
    UnattendedInstallConfig,
)
from ansible_collections.provisioning.platform.plugins.plugin_utils.definition_checks import SERVICE_NAME
from ansible_collections.provisioning.platform.plugins.plugin_utils.monitoring import log_problems, metrics_problems
from ansible_collections.provisioning.platform.plugins.plugin_utils.notify.target import address_problems
from ansible_collections.provisioning.platform.plugins.plugin_utils.published import is_address
from ansible_collections.provisioning.platform.plugins.plugin_utils.wording import SECRET_NAME, join, shown

_INSTALLATION_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
# Beside the installations' folders there are these files.
_RESERVED_IDS = ("current", "claim.json", "claim.lock")
_PROJECT = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
_DOMAIN = re.compile(r"(?=.{1,253}\Z)[A-Za-z0-9_]([A-Za-z0-9_-]{0,62})(\.[A-Za-z0-9_]([A-Za-z0-9_-]{0,62}))*\.?")
_ENGINE_URL = re.compile(r"(unix|npipe)://.+|(tcp|http|https|ssh)://[^/\s]+.*")
# Webhooks whose URL is all that it takes to post to them.
_SECRET_URL = re.compile(
    r"https://(hooks\.slack\.com|discord(app)?\.com/api/webhooks|[^/]*\.webhook\.office\.com)|//[^/@]*:[^/@]*@"
)


def config_problems(config: UnattendedInstallConfig) -> list[Problem]:
    """Return what is wrong with a configuration, beside its services, which ``resolve`` looks at."""
    problems = [*_deployment(config.deployment)]
    if not _INSTALLATION_ID.fullmatch(config.installation_id) or config.installation_id in _RESERVED_IDS:
        remedy = "Use letters, digits, '.', '_' and '-', at most 128: a folder is called so."
        why = f"{shown(config.installation_id, 'installation_id')} cannot be the name of an installation"
        problems.append(Problem("installation_id", why, remedy))
    problems += work_dir_problems(config.work_dir)
    if config.provisioning_path is not None and not config.provisioning_path.startswith("~/"):
        problems += path_problems("provisioning_path", config.provisioning_path, bare=True)
    if config.notifications is not None:
        problems += _notifications(config.notifications)
    return problems


def readable_secret_warning(file: Path, document: Mapping[str, Any]) -> str | None:
    """Return a warning when others than its owner can read a configuration file that holds a secret as it is.

    :param document: the file's content, before substitution.
    """
    try:
        mode = stat.S_IMODE(file.stat().st_mode)
    except OSError:
        return None
    found = next(_literal_secrets(document, ""), None)
    if not mode & 0o044 or found is None:
        return None
    return (
        f"{file}: {found} is a secret, and others can read the file (mode {mode:04o}). "
        f"Take it from the environment, ${{NAME}}, or chmod 600 {file}."
    )


def _literal_secrets(value: Any, path: str) -> Iterator[str]:
    """Yield the paths of texts that look like secrets and are not taken from elsewhere."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            where = join(path, key)
            is_text = isinstance(item, str) and item and "${" not in item and "{{" not in item
            if is_text and (SECRET_NAME.search(str(key)) or _SECRET_URL.search(item)):
                yield where
            yield from _literal_secrets(item, where)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _literal_secrets(item, f"{path}[{index}]")


def _deployment(deployment: DeploymentConfig) -> Iterator[Problem]:
    if not (_DOMAIN.fullmatch(deployment.domain) or is_address(deployment.domain)):
        yield Problem("deployment.domain", f"{deployment.domain!r} is neither a domain nor an address")
    if not is_address(deployment.bind_address):
        remedy = "E.g. 127.0.0.1, or 0.0.0.0 for all addresses."
        yield Problem("deployment.bind_address", f"{deployment.bind_address!r} is not an IP address", remedy)
    if not _PROJECT.fullmatch(deployment.project):
        remedy = "Use a-z, 0-9, - and _, at most 40 characters: containers are called so."
        yield Problem("deployment.project", f"{deployment.project!r} cannot be a project's name", remedy)
    if deployment.engine_url is not None and not _ENGINE_URL.fullmatch(deployment.engine_url):
        remedy = "E.g. unix:///run/podman/podman.sock."
        yield Problem("deployment.engine_url", f"{deployment.engine_url!r} is not an engine's address", remedy)
    kubeconfig = deployment.kubernetes.kubeconfig
    if kubeconfig is not None and not kubeconfig.startswith("~/"):
        yield from path_problems("deployment.kubernetes.kubeconfig", kubeconfig)
    yield from metrics_problems(deployment.metrics)
    yield from log_problems("deployment.logs", deployment.logs)
    for index, service in enumerate(deployment.services):
        if not SERVICE_NAME.fullmatch(service.name):
            yield Problem(f"deployment.services[{index}].name", f"{service.name!r} is not a service's name")


def _notifications(notifications: NotificationConfig) -> Iterator[Problem]:
    path = "notifications"
    if notifications.webhook_url is not None:
        yield from address_problems(notifications.webhook_url, notifications.format, notifications.routing_key)
    if not 0 <= notifications.retry_attempts <= 100:
        yield Problem(f"{path}.retry_attempts", f"{notifications.retry_attempts} is not between 0 and 100")
    if not 0 < notifications.timeout <= 600:
        yield Problem(f"{path}.timeout", f"{notifications.timeout:g} is not above 0 and at most 600 seconds")
    yield from header_problems(f"{path}.headers", notifications.headers)
