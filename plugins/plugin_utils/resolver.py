# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The work behind ``resolve``: definitions from placeholders, first without addresses, then with them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ansible_collections.provisioning.platform.plugins.module_utils._build import to_dict
from ansible_collections.provisioning.platform.plugins.module_utils._errors import ConfigurationError, Problem
from ansible_collections.provisioning.platform.plugins.module_utils._model import (
    CommandHealthCheck,
    ConfigFile,
    Scalar,
    ServiceDefinition,
)
from ansible_collections.provisioning.platform.plugins.plugin_utils.addresses import (
    Address,
    Place,
    Reached,
    address_of,
    place_of,
    replica_addresses,
)
from ansible_collections.provisioning.platform.plugins.plugin_utils.checks import environment_problems
from ansible_collections.provisioning.platform.plugins.plugin_utils.cluster import (
    generation_problems,
    with_common_settings,
    with_objects,
)
from ansible_collections.provisioning.platform.plugins.plugin_utils.config_model import UnattendedInstallConfig
from ansible_collections.provisioning.platform.plugins.plugin_utils.definition_checks import definition_problems
from ansible_collections.provisioning.platform.plugins.plugin_utils.elsewhere import for_host
from ansible_collections.provisioning.platform.plugins.plugin_utils.manifests import Render
from ansible_collections.provisioning.platform.plugins.plugin_utils.monitoring import supervisors
from ansible_collections.provisioning.platform.plugins.plugin_utils.placement import Inventory, Placement
from ansible_collections.provisioning.platform.plugins.plugin_utils.platform_checks import platform_problems
from ansible_collections.provisioning.platform.plugins.plugin_utils.published import bracketed
from ansible_collections.provisioning.platform.plugins.plugin_utils.render import Renderer, TemplateEnvironment
from ansible_collections.provisioning.platform.plugins.plugin_utils.scopes import (
    FINAL,
    AddressBook,
    Surroundings,
    common_scopes,
    scopes_of,
    secret_placeholder,
)
from ansible_collections.provisioning.platform.plugins.plugin_utils.selection import Selected
from ansible_collections.provisioning.platform.plugins.plugin_utils.settling import (
    absolute,
    arguments_as_texts,
    expand_home,
    settle,
)
from ansible_collections.provisioning.platform.plugins.plugin_utils.substitution import Substitution
from ansible_collections.provisioning.platform.plugins.plugin_utils.validation import check_definition

# Stands for every address while definitions are first looked at: addresses come from definitions.
_STAND_IN = Address("127.0.0.1", 1, "http://127.0.0.1:1")


_ADDRESS_KEYS = {
    "docker": ("ports",),
    "kubernetes": ("namespace", "expose", "node_address"),
    "remote": ("url",),
}


class Resolver:
    """Holds what the definitions of one installation share, and collects problems."""

    def __init__(
        self,
        config: UnattendedInstallConfig,
        selected: Mapping[str, Selected],
        *,
        known: Iterable[str],
        home: str,
        work_dir: str,
        env: Mapping[str, str],
        inventory: Inventory,
        host: str,
    ) -> None:
        self._config = config
        self._selected = selected
        self._known = list(known)
        self._home = home
        self._env = env
        self._inventory = inventory
        self._placement = Placement(host, {}, inventory.addresses)
        documents = {name: item.document for name, item in selected.items()}
        self._surroundings = Surroundings(config, work_dir, documents)
        self._environments: dict[Path, TemplateEnvironment] = {}
        self._problems: list[Problem] = []

    @property
    def problems(self) -> list[Problem]:
        """What is wrong, each fault once, in the order it was found."""
        return list(dict.fromkeys(self._problems))

    def definitions(self) -> dict[str, ServiceDefinition]:
        """Return the definitions of what is installed; those with problems are missing."""
        drafts: dict[str, ServiceDefinition | None] = {}
        asking: list[str] = []
        for name in self._selected:
            drafts[name], asks = self._draft(name)
            if asks:
                asking.append(name)
        for name in [name for name, draft in drafts.items() if draft is not None and not draft.enabled]:
            del drafts[name]
        self._place(draft for draft in drafts.values() if draft is not None)
        services = dict(drafts)
        for name in asking:
            draft = drafts.get(name)
            if draft is not None:
                services[name] = self._definition(name, self._substitution(name, self._address_book(draft, drafts)))
        complete = {name: service for name, service in services.items() if service is not None}
        for service in complete.values():
            self._problems += definition_problems(service)
        if len(complete) == len(services):
            platform = self._config.deployment.platform
            here = [name for name in complete if self._placement.is_here(name)]
            self._problems += platform_problems(complete, known=self._known, platform=platform, here=here)
        return complete

    @property
    def placement(self) -> Placement:
        """Where the services are, once :meth:`definitions` has found out."""
        return self._placement

    def for_host(self, services: Mapping[str, ServiceDefinition]) -> dict[str, ServiceDefinition]:
        """Return the services of our host, as its engine takes them."""
        here, problems = for_host(
            services,
            self._placement,
            lambda asker, target: self._address_book(asker, services)(target, None, f"{asker.name}.depends_on"),
        )
        self._problems += problems
        return here

    def environment(self) -> dict[str, Scalar]:
        """Return the environment variables of every service."""
        secret = {"secret": lambda names, path: secret_placeholder(names, None, self._surroundings)}
        substitution = Substitution(self._env, {**common_scopes(self._surroundings), **secret}, final=FINAL)
        variables: dict[str, Any] = substitution.apply(self._config.env_vars, "env_vars")
        self._problems += substitution.problems
        self._problems += environment_problems("env_vars", dict(variables))
        for name, value in variables.items():
            if not isinstance(value, (str, int, float)):
                self._problems.append(Problem(f"env_vars.{name}", "expected a text, a number, true or false"))
        return variables

    def rendered(self, service: ServiceDefinition, services: Mapping[str, ServiceDefinition]) -> ServiceDefinition:
        """Return a definition with the text of its configuration files in place of their templates."""
        templates = self._selected[service.name].source.templates
        render = self._renderer(service, services)
        files: list[ConfigFile] = []
        for file in service.config:
            if file.template is not None:
                try:
                    text = render(templates, file.template)
                except ConfigurationError as error:
                    self._problems += error.problems
                    continue
                file = dataclasses.replace(file, template=None, content=text)  # noqa: PLW2901
            files.append(file)
        service = dataclasses.replace(service, config=files)
        try:
            service = with_objects(service, base=templates.parent, render=render)
        except ConfigurationError as error:
            self._problems += error.problems
            return service
        chose = not self._selected[service.name].mode_chosen and self._config.deployment.platform == "Kubernetes"
        work_dir = self._surroundings.work_dir
        self._problems += generation_problems(service, work_dir=work_dir, platform_chose=chose)
        return service

    def _renderer(self, service: ServiceDefinition, services: Mapping[str, ServiceDefinition]) -> Render:
        """Return what renders a service's templates; it is made when there is one."""
        book = self._address_book(service, services)

        def render(folder: Path, template: str) -> str:
            renderer = Renderer(
                service,
                environment=self._environment(folder),
                document=self._seen_by_templates(service, book),
                deployment={**self._surroundings.deployment(), "supervisors": self._supervisors(service, services)},
                services=services,
                reach=lambda name, port: book(name, port, f"{service.name}.config"),
                spread=lambda name: replica_addresses(
                    _place(service, name, f"{service.name}.config"),
                    services[name],
                    project=self._config.deployment.project,
                    domain=self._config.deployment.domain,
                ),
                secret=lambda names: secret_placeholder(names, service.name, self._surroundings),
            )
            return renderer.render(template)

        return render

    def _supervisors(self, asker: ServiceDefinition, services: Mapping[str, ServiceDefinition]) -> list[str] | None:
        deployment = self._config.deployment
        return supervisors(place_of(asker), asker.name, deployment, services, self._placement)

    def _place(self, drafts: Iterable[ServiceDefinition]) -> None:
        hosts = {}
        for draft in drafts:
            hosts[draft.name], problems = self._inventory.place(draft.name, draft.hosts)
            self._problems += problems
        self._placement = dataclasses.replace(self._placement, hosts=hosts)

    def _draft(self, name: str) -> tuple[ServiceDefinition | None, bool]:
        """Return a definition with a stand-in for every address, and whether it asks for any."""
        substitution = self._substitution(name, _stand_in)
        definition = self._definition(name, substitution)
        if not _asks_for_addresses(substitution):
            return definition, False
        own = self._substitution(name, _stand_in)
        own.apply(_address_settings(self._selected[name].document), name)
        if _asks_for_addresses(own):
            why = "its own address cannot depend on that of a service"
            self._problems.append(Problem(name, why, "Write its port, bind_address and ports without ${service...}."))
            return None, True
        return definition, True

    def _substitution(self, name: str, book: AddressBook) -> Substitution:
        return Substitution(self._env, scopes_of(name, self._surroundings, book), final=FINAL)

    def _definition(self, name: str, substitution: Substitution) -> ServiceDefinition | None:
        selected = self._selected[name]
        document = arguments_as_texts(expand_home(substitution.apply(selected.document, name), self._home))
        definition, faults = check_definition(document, path=name)
        # A placeholder that was left where a number should be is one fault, not two.
        left = {problem.what.partition(": ${")[0] for problem in substitution.problems}
        self._problems += substitution.problems
        self._problems += [fault for fault in faults if fault.what not in left]
        if definition is None or substitution.problems:
            return None
        definition, faults = settle(
            definition,
            platform=self._config.deployment.platform,
            mode_chosen=selected.mode_chosen,
            config_dir=self._surroundings.folders(name)["config_dir"],
        )
        self._problems += faults
        cluster = self._config.deployment.kubernetes
        cluster = dataclasses.replace(cluster, kubeconfig=absolute(cluster.kubeconfig, self._home))
        deployment = self._config.deployment
        return with_common_settings(definition, cluster, domain=deployment.domain, platform=deployment.platform)

    def _address_book(self, asker: ServiceDefinition, services: Mapping[str, ServiceDefinition | None]) -> AddressBook:
        def look_up(target: str, port: str | None, path: str) -> Reached:
            if target not in services:
                return Problem(target, "is not installed here", "Enable it in deployment.services, or do without it.")
            service = services[target]
            if service is None:  # Its own problems are told already.
                return _STAND_IN
            place = _place(asker, target, path)
            own = self._placement.viewpoint(asker.name)
            other = self._placement.used_by(own, target)
            host = None if other == own else self._placement.addresses.get(other, other)
            return address_of(place, service, domain=self._config.deployment.domain, port=port, host=host)

        return look_up

    def _environment(self, templates: Path) -> TemplateEnvironment:
        if templates not in self._environments:
            self._environments[templates] = TemplateEnvironment(templates)
        return self._environments[templates]

    def _seen_by_templates(self, service: ServiceDefinition, book: AddressBook) -> dict[str, Any]:
        own = book(service.name, None, service.name)
        address = {"host": own.host, "url": own.url} if isinstance(own, Address) else {}
        bound = {"bind_host": bracketed(service.bind_address)}
        return {**to_dict(service), **bound, **self._surroundings.folders(service.name), **address}


def _stand_in(target: str, port: str | None, path: str) -> Reached:  # noqa: ARG001
    return _STAND_IN


def _asks_for_addresses(substitution: Substitution) -> bool:
    return any(name in ("self.host", "self.url") or name.startswith("service.") for name in substitution.used)


def _address_settings(document: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a definition that others' addresses of it come from."""
    settings = {key: document[key] for key in ("port", "ports", "scheme", "bind_address") if key in document}
    deployment = document.get("deployment")
    blocks = dict(deployment) if isinstance(deployment, Mapping) else {}
    for block, keys in _ADDRESS_KEYS.items():
        if isinstance(blocks.get(block), Mapping):
            settings[block] = {key: blocks[block].get(key) for key in keys}
    return {**settings, "mode": blocks.get("mode")}


def _place(asker: ServiceDefinition, target: str, path: str) -> Place:
    """Where someone stands who asks from a setting: a container's checks are made from the host it runs on."""
    place = place_of(asker)
    if place != "container":
        return place
    is_health = path.startswith(f"{asker.name}.health.")
    inside = is_health and isinstance(asker.health, CommandHealthCheck) and asker.health.inside
    is_check = is_health or path.startswith(f"{asker.name}.verify[")
    return "host" if target == asker.name or (is_check and not inside) else place
