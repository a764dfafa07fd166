# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the webhook callback needs of an installation's variables, read before any step has looked at them.

Nothing is reported from here: what is wrong with the configuration is said by the first step, which reads all of it.
"""

from __future__ import annotations

import dataclasses
import functools
import re
import socket
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ansible_collections.provisioning.platform.plugins.module_utils._build import build
from ansible_collections.provisioning.platform.plugins.module_utils._errors import ConfigurationError
from ansible_collections.provisioning.platform.plugins.module_utils._events import Journal
from ansible_collections.provisioning.platform.plugins.module_utils._paths import WorkDir, make_directory
from ansible_collections.provisioning.platform.plugins.plugin_utils.checks import work_dir_problems
from ansible_collections.provisioning.platform.plugins.plugin_utils.config_model import (
    PROFILE_OF_MODE,
    DeploymentConfig,
    NotificationConfig,
)
from ansible_collections.provisioning.platform.plugins.plugin_utils.notify.identity import platform_name
from ansible_collections.provisioning.platform.plugins.plugin_utils.notify.target import WebhookTarget

DEFAULT_WORK_DIR = "~/.provisioning"
_UNSAFE_IN_NAMES = re.compile(r"[^A-Za-z0-9._-]+")
_LONGEST_NAME = 128
_OF_DEPLOYMENT = ("platform", "mode", "project", "domain")
# As the first step takes them.
_BOOLEANS = {
    **dict.fromkeys(("true", "yes", "on", "t", "y", "1"), True),
    **dict.fromkeys(("false", "no", "off", "f", "n", "0"), False),
}


class RunSettings:
    """The installation's variables, as far as the journal and the notifications need them.

    :param variables: all variables of a play, templates and placeholders not yet resolved.
    :param environ: the environment, for ``${NAME}``.
    :param template: resolves Jinja in a value, given the variables.
    """

    def __init__(
        self, variables: dict[str, Any], environ: Mapping[str, str], *, template: Callable[[Any, dict[str, Any]], Any]
    ) -> None:
        self._variables = variables
        self._environ = environ
        self._template = template

    def installation_id(self, given: str | None = None) -> str:
        """Return the id configured, fit to be the name of a folder; else the one given; else a new one.

        :param given: what the program that runs Ansible calls the installation.
        """
        name = _UNSAFE_IN_NAMES.sub("-", self._text("installation_id")).strip(".-")[:_LONGEST_NAME]
        return name or given or self._new_id()

    @property
    def platform(self) -> str:
        """Where services in containers run, as configured."""
        return self._deployment.get("platform") or "Docker"

    @property
    def mode(self) -> str:
        """The profile, as configured."""
        return self._deployment.get("mode") or "Solo"

    def journal(self, installation_id: str) -> Journal:
        """Return the journal, its folder made: in the work dir, or in the default one where that cannot be.

        The work dir is a path on the hosts of the platform; the controller may have no right to it.

        :raises OSError: neither can be.
        """
        configured = self._text("work_dir") or DEFAULT_WORK_DIR
        default = Path(DEFAULT_WORK_DIR).expanduser()
        work_dir = Path(configured).expanduser()
        # One that cannot be is an error, which the first step tells; it must not make folders wherever we are.
        for root in (default,) if any(work_dir_problems(configured)) else (work_dir, default):
            folder = WorkDir(root).installations / installation_id
            try:
                make_directory(folder)
            except OSError:
                if root == default:
                    raise
            else:
                return Journal(folder / "events.jsonl")
        raise AssertionError("unreachable")

    def target(self) -> WebhookTarget | None:
        """Return whom to notify; nobody when nobody is named, or not in the shape that the first step wants.

        :raises ConfigurationError: nothing can be sent there.
        """
        written = self._resolved("notifications")
        if not isinstance(written, dict):
            return None
        try:
            config = build(NotificationConfig, _typed(written))
        except ConfigurationError:
            return None
        return WebhookTarget.of(config, platform=self._platform_name())

    def _platform_name(self) -> str:
        hosts = self._variables.get("ansible_play_hosts_all")
        return platform_name(
            project=self._deployment.get("project") or DeploymentConfig.project,
            domain=self._deployment.get("domain") or DeploymentConfig.domain,
            work_dir=self._text("work_dir") or DEFAULT_WORK_DIR,
            controller=socket.gethostname(),
            hosts=[str(host) for host in hosts] if isinstance(hosts, (list, tuple)) else (),
        )

    def _new_id(self) -> str:
        from ansible_collections.provisioning.platform.plugins.plugin_utils.config import new_installation_id

        profiles = {mode.lower(): profile for mode, profile in PROFILE_OF_MODE.items()}
        return new_installation_id(profiles.get(self.mode.lower().replace("-", ""), "solo"), time.time())

    @functools.cached_property
    def _deployment(self) -> dict[str, str]:
        written = self._variables.get("deployment")
        if not isinstance(written, Mapping):
            return {}
        return {name: str(self._resolve(written.get(name), name) or "") for name in _OF_DEPLOYMENT}

    def _text(self, name: str) -> str:
        value = self._resolved(name)
        return value if isinstance(value, str) else ""

    def _resolved(self, name: str) -> Any:
        return self._resolve(self._variables.get(name), name)

    def _resolve(self, written: Any, name: str) -> Any:
        """Return a variable as JSON types, templates and placeholders resolved; nothing where that cannot be."""
        if written is None:
            return None
        # Imported here: most plays that Ansible runs are none of ours, and pay for nothing.
        from ansible_collections.provisioning.platform.plugins.plugin_utils.documents import plain
        from ansible_collections.provisioning.platform.plugins.plugin_utils.substitution import Substitution

        substitution = Substitution(self._environ)
        try:
            value = substitution.apply(plain(self._template(written, self._variables)), name)
        except ConfigurationError:
            return None
        return None if substitution.problems else value


def _typed(written: dict[str, Any]) -> dict[str, Any]:
    """Turn texts into the booleans and numbers they stand for; a placeholder within a text gives a text."""
    defaults = {spec.name: spec.default for spec in dataclasses.fields(NotificationConfig)}
    return {name: _as(defaults.get(name), value) for name, value in written.items() if value is not None}


def _as(default: Any, value: Any) -> Any:
    if isinstance(default, bool):
        return _BOOLEANS.get(str(value).strip().lower(), value)
    if isinstance(default, int) and isinstance(value, float) and value.is_integer():
        return int(value)
    if not isinstance(value, str):
        return value
    if isinstance(default, (int, float)):
        try:
            return type(default)(value)
        except ValueError:
            return value
    return value
