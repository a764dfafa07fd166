# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Configuration files from templates, with plain jinja2, so that the CLI and Ansible give the same bytes.

A template sees ``service`` (also as ``self``), ``variables``, ``deployment``, ``services`` by name, ``secret``,
``work_dir`` and ``serial``. Secrets and the serial are placeholders, which the target fills.
"""

from __future__ import annotations

import functools
import json
import traceback
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import jinja2
from ansible_collections.provisioning.platform.plugins.module_utils._config_files import SERIAL
from ansible_collections.provisioning.platform.plugins.module_utils._errors import ConfigurationError, Problem
from ansible_collections.provisioning.platform.plugins.module_utils._model import HttpHealthCheck, ServiceDefinition
from ansible_collections.provisioning.platform.plugins.plugin_utils.addresses import Address, Reached, reached
from ansible_collections.provisioning.platform.plugins.plugin_utils.published import bracketed
from ansible_collections.provisioning.platform.plugins.plugin_utils.substitution import Undefined
from ansible_collections.provisioning.platform.plugins.plugin_utils.wording import suggest_or_list
from jinja2.ext import Extension
from jinja2.lexer import Token, TokenStream
from jinja2.sandbox import ImmutableSandboxedEnvironment

# What an expression in a template can raise; a template is data, so none of it may end in a traceback.
_FAULTS = (
    jinja2.TemplateError,
    ConfigurationError,
    ArithmeticError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
)


#: The addresses of a service's replicas, or why they are not reached.
Spread = list[Address] | Problem


class ServiceView:
    """Another service, as a template sees it.

    :param reach: gives the address of one of its ports, its main one where none is named.
    :param spread: gives the addresses of its replicas.
    """

    def __init__(
        self, service: ServiceDefinition, reach: Callable[[str | None], Reached], spread: Callable[[], Spread]
    ) -> None:
        self._reach = reach
        self._spread = spread
        self.name = service.name
        self.description = service.description
        self.mode = service.mode
        self.required = service.required
        self.scheme = service.scheme
        self.start_order = service.start_order
        self.depends_on = {name: need.condition for name, need in service.depends_on.items()}
        self.annotations = service.annotations
        self._service = service
        self.ports = _Ports(service.ports, reach)

    @property
    def reachable(self) -> bool:
        """Whether the service that the template belongs to can reach it."""
        return isinstance(self._reach(None), Address)

    @property
    def address(self) -> str:
        """Its URL for people to read: on its own host, or on the cluster it runs on."""
        address = self._reach(None) if self.mode == "kubernetes" else None
        return address.url if isinstance(address, Address) else self._service.url or ""

    def target(self, port: str | None = None) -> str:
        """Return host and port as ``host:port``, or nothing where the template's service does not reach it.

        :param port: name of one of its further ports; its main port by default.
        """
        address = self._reach(port)
        return f"{bracketed(address.host)}:{address.port}" if isinstance(address, Address) else ""

    @property
    def probe(self) -> str:
        """The URL of its http health check as the template's service reaches it, or nothing where there is none."""
        check = self._service.health
        if not isinstance(check, HttpHealthCheck):
            return ""
        url = urlsplit(check.url)
        named = {number: name for name, number in self._service.ports.items()}
        target = self.target(None if url.port == self._service.port else named.get(url.port or 0))
        return urlunsplit((url.scheme, target, url.path, url.query, "")) if target else ""

    @property
    def host(self) -> str:
        """Its host, for the service that the template belongs to."""
        return self._address().host

    @property
    def port(self) -> int:
        """Its main port."""
        return self._address().port

    @property
    def url(self) -> str:
        """Its URL."""
        return self._address().url

    @property
    def replicas(self) -> list[Address]:
        """The address of each of its replicas, of which there may be one, with ``host``, ``port`` and ``url``."""
        spread = self._spread()
        if isinstance(spread, Problem):
            raise ConfigurationError(spread)
        return spread

    def _address(self) -> Address:
        return reached(self._reach(None))


class _Ports:
    """The further ports of a service by name; one that cannot be reached is an error only where it is used."""

    def __init__(self, names: Collection[str], reach: Callable[[str | None], Reached]) -> None:
        self._names = names
        self._reach = reach

    def __getitem__(self, name: str) -> int:
        if name not in self._names:
            raise KeyError(name)
        return reached(self._reach(name)).port


class _Services(Mapping[str, ServiceView]):
    """The services of the installation; a name may be written with ``_`` for ``-``."""

    def __init__(
        self,
        services: Mapping[str, ServiceDefinition],
        reach: Callable[[str, str | None], Reached],
        spread: Callable[[str], Spread],
        undefined: Callable[[str], Any],
    ) -> None:
        self._services = services
        self._reach = reach
        self._spread = spread
        self._undefined = undefined

    def __getitem__(self, name: str) -> Any:
        for candidate in (name, str(name).replace("_", "-")):
            if candidate in self._services:
                return ServiceView(
                    self._services[candidate],
                    functools.partial(self._reach, candidate),
                    functools.partial(self._spread, candidate),
                )
        return self._undefined(
            f"there is no service {name} in this installation. {suggest_or_list(str(name), self._services)}"
        )

    def __contains__(self, name: object) -> bool:
        return name in self._services

    def __iter__(self) -> Iterator[str]:
        return iter(self._services)

    def __len__(self) -> int:
        return len(self._services)


class _Secrets:
    """Gives the placeholder of a secret for its name."""

    def __init__(self, placeholder: Callable[[list[str]], str], undefined: Callable[[str], Any]) -> None:
        self._placeholder = placeholder
        self._undefined = undefined

    def __getitem__(self, name: str) -> Any:
        try:
            return self._placeholder(str(name).split("."))
        except Undefined as error:
            return self._undefined(f"{error.why}. {error.remedy}")


class _SelfIsService(Extension):
    """Lets templates write ``self.port`` as definitions do; jinja2 has a ``self`` of its own, for blocks."""

    def filter_stream(self, stream: TokenStream) -> Iterator[Token]:
        """Rename the variable ``self``, and nothing that is called so after a dot."""
        previous = ""
        for token in stream:
            if token.type == "name" and token.value == "self" and previous != "dot":
                yield Token(token.lineno, token.type, "service")
            else:
                yield token
            previous = token.type


class TemplateEnvironment(ImmutableSandboxedEnvironment):
    """Finds, compiles and keeps the templates of a folder.

    :param templates: the folder.
    """

    def __init__(self, templates: Path) -> None:
        # What is rendered is configuration, never HTML, so nothing is escaped.
        super().__init__(
            loader=jinja2.FileSystemLoader(templates),
            undefined=jinja2.StrictUndefined,
            autoescape=False,
            keep_trailing_newline=True,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
            extensions=[_SelfIsService],
        )
        self.templates = templates
        self.filters["to_json"] = _to_json


class Renderer:
    """Renders the templates of one service.

    :param service: its definition, resolved.
    :param environment: of the folder of its templates, from :func:`template_environment`.
    :param document: what templates see as ``service``: the definition as JSON types, and its folders and address.
    :param deployment: what ``deployment.`` gives.
    :param services: all services that are installed.
    :param reach: gives the address of a service's port, its main one where none is named.
    :param spread: gives the addresses of a service's replicas.
    :param secret: gives the placeholder for a secret's name, or raises :class:`Undefined`.
    """

    def __init__(
        self,
        service: ServiceDefinition,
        *,
        environment: TemplateEnvironment,
        document: Mapping[str, Any],
        deployment: Mapping[str, Any],
        services: Mapping[str, ServiceDefinition],
        reach: Callable[[str, str | None], Reached],
        spread: Callable[[str], Spread],
        secret: Callable[[list[str]], str],
    ) -> None:
        self._name = service.name
        self._templates = environment.templates
        self._environment = environment
        self._context = {
            "service": document,
            "variables": service.variables,
            "deployment": dict(deployment),
            "services": _Services(services, reach, spread, self._undefined),
            "secret": _Secrets(secret, self._undefined),
            "work_dir": deployment["work_dir"],
            "serial": SERIAL,
        }

    def render(self, template: str) -> str:
        """Return the text of a template.

        :param template: its path in the templates folder.
        :raises ConfigurationError: there is none, or it cannot be rendered; the message has its line.
        """
        try:
            return self._environment.get_template(template).render(self._context)
        except jinja2.TemplateNotFound as error:
            missing = error.name or template
            why = f"there is no template {missing}"
            remedy = f"It is looked for in {self._templates}."
            raise ConfigurationError(Problem(f"{self._name}.config", why, remedy)) from None
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(Problem(str(self._templates / template), f"cannot be read: {error}")) from None
        except _FAULTS as error:
            where = _place(error, self._templates) or str(self._templates / template)
            raise ConfigurationError(Problem(where, _words(error))) from None

    def _undefined(self, hint: str) -> Any:
        return self._environment.undefined(hint=hint)


def _to_json(value: Any, indent: int | None = None) -> str:
    return json.dumps(value, indent=indent, ensure_ascii=False)


def _words(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "includes itself without end"
    if isinstance(error, jinja2.TemplateSyntaxError):
        return error.message or "is not a template"
    return str(error) or type(error).__name__


def _place(error: Exception, templates: Path) -> str:
    """The file and line, which jinja2 puts into the traceback as if templates were source files."""
    if isinstance(error, jinja2.TemplateSyntaxError):
        return f"{error.filename}:{error.lineno}" if error.filename else ""
    frames = traceback.extract_tb(error.__traceback__)
    places = [f"{frame.filename}:{frame.lineno}" for frame in frames if frame.filename.startswith(f"{templates}/")]
    return places[-1] if places else ""
