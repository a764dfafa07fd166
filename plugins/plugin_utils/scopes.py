# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a definition's placeholders refer to: itself, the installation, a user's variables, other services, secrets."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.provisioning.platform.plugins.module_utils._errors import ConfigurationError, Problem
from ansible_collections.provisioning.platform.plugins.module_utils._paths import WorkDir
from ansible_collections.provisioning.platform.plugins.plugin_utils.addresses import Address, Reached, reached
from ansible_collections.provisioning.platform.plugins.plugin_utils.config_model import UnattendedInstallConfig
from ansible_collections.provisioning.platform.plugins.plugin_utils.published import bracketed, loopback_name
from ansible_collections.provisioning.platform.plugins.plugin_utils.substitution import Lookup, Undefined, member
from ansible_collections.provisioning.platform.plugins.plugin_utils.wording import suggest_or_list

#: Scopes whose values are used as they are: they hold no placeholders, or ones that are meant for the target.
FINAL = frozenset({"deployment", "service", "secret", "replica"})

#: Gives the address of a service's port (its main one where none is named) for the one who asks from a path.
AddressBook = Callable[[str, str | None, str], Reached]

_SETTINGS = ("port", "ports", "scheme", "bind_address", "description")


@dataclass(frozen=True)
class Surroundings:
    """What all definitions of an installation share.

    :param config: the installation's configuration.
    :param work_dir: absolute, on the hosts of the services.
    :param documents: the definitions of all services that are installed, placeholders and all.
    """

    config: UnattendedInstallConfig
    work_dir: str
    documents: Mapping[str, Mapping[str, Any]]

    def deployment(self) -> dict[str, Any]:
        """Return what ``deployment.`` gives: the scalars of the configuration's table, and the work dir."""
        table = self.config.deployment
        return {
            "auto_generate_secrets": table.auto_generate_secrets,
            "bind_address": loopback_name(table.bind_address),
            "domain": table.domain,
            "engine": table.engine,
            "engine_url": table.engine_url,
            "installation_id": self.config.installation_id,
            "mode": table.mode,
            "platform": table.platform,
            "profile": table.profile,
            "project": table.project,
            "work_dir": self.work_dir,
        }

    def folders(self, name: str) -> dict[str, str]:
        """Return the folders of a service on its host."""
        layout = WorkDir(Path(self.work_dir))
        return {"data_dir": str(layout.service_data(name)), "config_dir": str(layout.service_config(name))}


def scopes_of(name: str, surroundings: Surroundings, addresses: AddressBook) -> dict[str, Lookup]:
    """Return the scopes of a service's definition."""
    return {**common_scopes(surroundings), **_own_scopes(name, surroundings, addresses)}


def common_scopes(surroundings: Surroundings) -> dict[str, Lookup]:
    """Return the scopes that depend on no service: ``deployment.`` and ``var.``."""
    deployment = surroundings.deployment()
    return {
        "deployment": lambda names, path: _present(member(deployment, names, "setting of deployment called")),
        "var": lambda names, path: member(surroundings.config.variables, names, "variable"),
    }


def secret_placeholder(names: list[str], own: str | None, surroundings: Surroundings) -> str:
    """Return the placeholder that the target fills, of one's own secret or another service's.

    :raises Undefined: no service that is installed declares the secret.
    """
    service, secret = (own, names[0]) if len(names) == 1 else (names[0], ".".join(names[1:]))
    if service is None:
        raise Undefined("does not say whose secret it is", f"Write ${{secret.SERVICE.{secret}}}.")
    if service not in surroundings.documents:
        raise Undefined(f"there is no service {service} here", suggest_or_list(service, surroundings.documents))
    declared = surroundings.documents[service].get("secrets")
    known = declared if isinstance(declared, Mapping) else {}
    if secret not in known:
        remedy = suggest_or_list(secret, known) or f"Declare it: secrets: {{{secret}: {{}}}}."
        raise Undefined(f"{service} declares no secret {secret}", remedy)
    return f"${{secret.{service}.{secret}}}"


def _own_scopes(name: str, surroundings: Surroundings, addresses: AddressBook) -> dict[str, Lookup]:
    document = surroundings.documents[name]
    variables = document.get("variables")
    known = dict(variables) if isinstance(variables, Mapping) else {}
    given = {**surroundings.folders(name), "name": name}
    settings = {"scheme": "http", **{key: document[key] for key in _SETTINGS if document.get(key) is not None}}
    if "bind_address" in settings:
        settings["bind_host"] = bracketed(str(settings["bind_address"]))

    def own(names: list[str], path: str) -> Any:
        first = names[0]
        if first in ("host", "url", "url_host"):
            return _part(reached(addresses(name, None, path)), first)
        if first not in {**given, **settings, **known}:
            choices = [*given, *settings, *known, "host", "url", "url_host"]
            raise Undefined(f"{name} has no setting or variable {first}", suggest_or_list(first, choices))
        return member({**known, **settings, **given}, names, f"setting or variable of {name} called")

    return {
        "self": own,
        "service": lambda names, path: _of_service(names, path, surroundings, addresses),
        "secret": lambda names, path: secret_placeholder(names, name, surroundings),
        "replica": lambda names, path: _replica_placeholder(name, document, names, path),
    }


def _replica_placeholder(name: str, document: Mapping[str, Any], names: list[str], path: str) -> str:
    """Return the placeholder that the driver fills for each replica of a process."""
    block = f"{name}.deployment.binary."
    if not path.startswith((f"{block}args[", f"{block}env.")):
        why = "only the arguments and the environment of a process know of replicas"
        raise ConfigurationError(Problem("replica", why, f"Write it in {block}args or {block}env."))
    if names == ["number"]:
        return "${replica.number}"
    has_port = document.get("port") is not None if names == ["port"] else False
    ports = document.get("ports")
    if len(names) == 2 and names[0] == "ports":
        has_port = isinstance(ports, Mapping) and names[1] in ports
    if not has_port:
        raise Undefined(f"{name} has no such port", "Ask for replica.number, .port or .ports.NAME.")
    return f"${{replica.{'.'.join(names)}}}"


def _of_service(names: list[str], path: str, surroundings: Surroundings, addresses: AddressBook) -> str | int:
    target, *rest = names
    if target not in surroundings.documents:
        remedy = suggest_or_list(target, surroundings.documents)
        raise Undefined(f"there is no service {target} in this installation", remedy)
    if rest in (["host"], ["port"], ["url"], ["url_host"]):
        return _part(reached(addresses(target, None, path)), rest[0])
    if len(rest) == 2 and rest[0] == "ports":
        return reached(addresses(target, rest[1], path)).port
    remedy = f"Ask for service.{target}.host, .port, .url or .ports.NAME."
    raise ConfigurationError(Problem(target, "does not say what of it is wanted", remedy))


def _part(address: Address, name: str) -> str | int:
    parts: dict[str, str | int] = {
        "host": address.host,
        "port": address.port,
        "url": address.url,
        "url_host": bracketed(address.host),
    }
    return parts[name]


def _present(value: Any) -> Any:
    if value is None:
        raise Undefined("has no value in this installation")
    return value
