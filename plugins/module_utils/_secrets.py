# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets: kept on the host that uses them, referred to everywhere else by placeholder.

A placeholder ``${secret.SERVICE.NAME}`` stands for the value in definitions, rendered files, digests, events and
records. Only what is handed to a process or written under ``config/`` is filled in, here, on the host.
"""

from __future__ import annotations

import contextlib
import json
import re
import secrets as random
import string
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ._errors import ConfigurationError, Problem
from ._model import SecretSpec
from ._paths import write_atomically

PLACEHOLDER = re.compile(r"\$\{secret\.([a-z0-9][a-z0-9_-]*)\.([A-Za-z0-9_-]+)\}")
_ALPHABET = string.ascii_letters + string.digits
_SHORTEST_MASKED = 6


@dataclass(frozen=True)
class Secret:
    """A value and the number of times it has been set."""

    value: str
    version: int = 1


class SecretStore:
    """The secrets of a host: one JSON file a service, 0600 in a folder of 0700.

    :param folder: the folder, made when first written.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._cache: dict[str, dict[str, Secret]] = {}

    def read(self, service: str) -> dict[str, Secret]:
        """Return the secrets of a service by name; none when it has none.

        :raises ConfigurationError: its file cannot be read as what it should be.
        """
        if service not in self._cache:
            self._cache[service] = self._load(service)
        return self._cache[service]

    def write(self, service: str, values: Mapping[str, Secret]) -> None:
        """Replace the secrets of a service.

        :raises OSError: the file cannot be written.
        """
        document = {name: {"value": item.value, "version": item.version} for name, item in sorted(values.items())}
        write_atomically(self._path(service), json.dumps(document, indent=2) + "\n")
        self._cache[service] = dict(values)

    def remove(self, service: str) -> bool:
        """Remove the secrets of a service; return whether there were any."""
        self._cache.pop(service, None)
        try:
            self._path(service).unlink()
        except FileNotFoundError:
            return False
        return True

    def fill(self, value: Any) -> Any:
        """Return JSON types with every placeholder replaced by its secret.

        :raises ConfigurationError: a secret does not exist.
        """
        if isinstance(value, str):
            return PLACEHOLDER.sub(lambda match: self._lookup(match[1], match[2]).value, value)
        if isinstance(value, dict):
            return {key: self.fill(item) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.fill(item) for item in value]
        return value

    def masked(self, text: str) -> str:
        """Return a text, e.g. of a log, without the values of the secrets that were read so far."""
        values = {item.value for found in list(self._cache.values()) for item in found.values()}
        # A short one would take ordinary words along, and one that is part of another must not spoil it.
        for value in sorted(values, key=len, reverse=True):
            if len(value) >= _SHORTEST_MASKED:
                text = text.replace(value, "***")
        return text

    def hide(self, value: Any, holders: Any) -> Any:
        """Return JSON types with the placeholders of secrets in the place of their values.

        :param holders: JSON types that refer to the secrets meant.
        """
        values = {
            secret.value: f"${{secret.{service}.{name}}}"
            for service, name in references(holders)
            if (secret := self.read(service).get(name)) is not None and secret.value
        }
        return _replaced(value, values) if values else value

    def placeholders(self) -> list[str]:
        """Return the placeholder of every secret there is on the host; a file that is damaged is left out."""
        found = []
        for path in sorted(self._folder.glob("*.json")):
            with contextlib.suppress(ConfigurationError):
                found += [f"${{secret.{path.stem}.{name}}}" for name in self.read(path.stem)]
        return found

    def versions(self, value: Any) -> dict[str, int]:
        """Return the version of every secret that JSON types refer to, by ``service.name``; 0 where it is missing."""
        found: dict[str, int] = {}
        for service, name in references(value):
            secret = self.read(service).get(name)
            found[f"{service}.{name}"] = secret.version if secret else 0
        return found

    def _lookup(self, service: str, name: str) -> Secret:
        try:
            return self.read(service)[name]
        except KeyError:
            raise ConfigurationError(
                Problem(
                    f"${{secret.{service}.{name}}}",
                    "there is no such secret on this host",
                    "Run the installation again, or set deployment.auto_generate_secrets to true.",
                )
            ) from None

    def _path(self, service: str) -> Path:
        return self._folder / f"{service}.json"

    def _load(self, service: str) -> dict[str, Secret]:
        path = self._path(service)
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
            return {name: _secret(item["value"], item["version"]) for name, item in document.items()}
        except (FileNotFoundError, NotADirectoryError):
            return {}
        except (ValueError, KeyError, TypeError, AttributeError):
            remedy = "Restore it from a backup; a new secret may lock you out."
            raise ConfigurationError(Problem(str(path), "is not a file of secrets", remedy)) from None


def references(value: Any) -> list[tuple[str, str]]:
    """Return the ``(service, name)`` of every placeholder in JSON types, in order, each once."""
    found: dict[tuple[str, str], None] = {}
    for text in strings_in(value):
        for match in PLACEHOLDER.finditer(text):
            found[(match[1], match[2])] = None
    return list(found)


def generate(spec: SecretSpec) -> str:
    """Make a random secret as the specification says, from the operating system's source.

    :raises ConfigurationError: its length is none, or its format is derived from another secret and not made alone.
    """
    if spec.length < 1:
        raise ConfigurationError(Problem("secret", f"its length is {spec.length}", "Choose 1 or more; 32 is usual."))
    if spec.format == "password":
        return "".join(random.choice(_ALPHABET) for _place in range(spec.length))
    if spec.format == "hex":
        return random.token_hex(spec.length)
    if spec.format == "base64":
        return random.token_urlsafe(spec.length)
    raise ConfigurationError(Problem("secret", f"the format {spec.format} is derived, not generated"))


def _secret(value: Any, version: Any) -> Secret:
    if not isinstance(value, str) or not isinstance(version, int):
        raise TypeError
    return Secret(value, version)


def _replaced(value: Any, words: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        for word, other in words.items():
            value = value.replace(word, other)
        return value
    if isinstance(value, dict):
        return {key: _replaced(item, words) for key, item in value.items()}
    return [_replaced(item, words) for item in value] if isinstance(value, (list, tuple)) else value


def strings_in(value: Any) -> Iterable[str]:
    """Yield the texts in JSON types; keys are none of them."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from strings_in(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from strings_in(item)
