# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""TOML, YAML and JSON files, and Ansible's variables, as plain JSON types; what is wrong with them is one clear error.

YAML is taken as JSON's types in another dress: no tags, no dates, no base-60 numbers, no key twice.
"""

from __future__ import annotations

import datetime
import json
import math
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from ansible_collections.provisioning.platform.plugins.module_utils._errors import ConfigurationError, Problem
from ansible_collections.provisioning.platform.plugins.plugin_utils.wording import join

# The parser in C where PyYAML has it: definitions are read at every run, and it is ten times faster.
_LOADER: type[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_MAX_DEPTH = 60
_MAX_VALUES = 200_000
_YAML_TAG = "tag:yaml.org,2002:"
_TOML_POSITION = re.compile(r"\s*\(at line (\d+), column (\d+)\)$")


def read_document(path: Path) -> dict[str, Any]:
    """Read a TOML, YAML or JSON file whose top level is a mapping.

    :param path: its suffix says which it is: ``.toml``, ``.yml``, ``.yaml`` or ``.json``.
    :raises ConfigurationError: it cannot be read, or is not what its suffix says; the message has line and column.
    """
    text = read_text(path)
    if path.suffix == ".toml":
        document = _parse_toml(text, path)
    elif path.suffix == ".json":
        document = _parse_json(text, path)
    elif path.suffix in (".yml", ".yaml"):
        document = _parse_yaml(text, path)
    else:
        raise ConfigurationError(Problem(str(path), "is neither TOML, YAML nor JSON", "Name it .toml, .yml or .json."))
    if document is None:
        return {}
    if not isinstance(document, dict):
        why = "its top level is not a mapping"
        raise ConfigurationError(Problem(str(path), why, "Write settings as key and value."))
    return document


def yaml_documents(text: str, path: Path) -> list[Any]:
    """Return the documents of a YAML text, those left out that are empty.

    :param path: where the text comes from, for messages.
    :raises ConfigurationError: it is not YAML; the message has line and column.
    """
    return [document for document in _parse_yaml(text, path, several=True) if document is not None]


def plain(value: Any, path: str = "") -> Any:
    """Return a copy made of JSON types alone.

    :param path: where the value stands, for messages.
    :raises ConfigurationError: something in it has no JSON type, or it is nested too deeply or into itself.
    """
    return _Plain().copy(value, path, 0)


class _Plain:
    """Copies values, counting them: what refers to itself, or to one thing a million times, has an end."""

    def __init__(self) -> None:
        self._left = _MAX_VALUES

    def copy(self, value: Any, path: str, depth: int) -> Any:
        self._left -= 1
        if depth > _MAX_DEPTH or self._left < 0:
            raise ConfigurationError(Problem(_shortened(path), "is nested too deeply or has too many values"))
        if isinstance(value, Mapping):
            return {_key(key, path): self.copy(item, join(path, key), depth + 1) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.copy(item, f"{path}[{index}]", depth + 1) for index, item in enumerate(value)]
        return _scalar(value, path)


def _key(key: Any, path: str) -> str:
    if isinstance(key, str):
        return str(_scalar(key, path))
    raise ConfigurationError(Problem(join(path, str(key)), "a key must be a text", "Put it in quotes."))


def _scalar(value: Any, path: str) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        text = str.__str__(value)  # Ansible's texts carry their origin; only the text goes on.
        if "\0" in text or (not text.isascii() and _has_surrogates(text)):
            raise ConfigurationError(Problem(path, "holds a character that no file or argument can hold"))
        return text
    if isinstance(value, int):
        if abs(value) >= 2**63:
            raise ConfigurationError(Problem(path, "the number is too large"))
        return int(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ConfigurationError(Problem(path, "is not a finite number"))
        return float(value)
    if isinstance(value, (datetime.date, datetime.time)):
        return value.isoformat()
    raise ConfigurationError(Problem(path, f"a value of type {type(value).__name__} is not accepted"))


def _has_surrogates(text: str) -> bool:
    return any("\ud800" <= character <= "\udfff" for character in text)


def _shortened(path: str) -> str:
    return path if len(path) <= 80 else f"{path[:77]}..."


def read_text(path: Path) -> str:
    """Return the text of a file.

    :raises ConfigurationError: it cannot be read, or is not text.
    """
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigurationError(Problem(f"{path}", f"is not UTF-8 text (byte {error.start})")) from None
    except OSError as error:
        raise ConfigurationError(Problem(str(path), f"cannot be read: {error.strerror or error}")) from None
    except ValueError as error:  # a NUL in the path itself
        raise ConfigurationError(Problem(repr(str(path)), f"cannot be read: {error}")) from None


def _parse_toml(text: str, path: Path) -> Any:
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        message = str(error)
        position = _TOML_POSITION.search(message)
        where = f"{path}:{position[1]}:{position[2]}" if position else str(path)
        raise ConfigurationError(Problem(where, f"is not TOML: {_TOML_POSITION.sub('', message)}")) from None
    except ValueError as error:  # a date or a number that cannot be
        raise ConfigurationError(Problem(str(path), f"is not TOML: {error}")) from None
    except RecursionError:
        raise ConfigurationError(Problem(str(path), "is nested too deeply")) from None
    return _plain_of(document, path)


def _parse_json(text: str, path: Path) -> Any:
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        document = dict(pairs)
        if len(document) < len(pairs):
            twice = next(key for index, (key, _value) in enumerate(pairs) if key in dict(pairs[:index]))
            raise ValueError(f"the key {twice} stands in one object twice")
        return document

    try:
        document = json.loads(text, object_pairs_hook=once)
    except json.JSONDecodeError as error:
        where = f"{path}:{error.lineno}:{error.colno}"
        raise ConfigurationError(Problem(where, f"is not JSON: {error.msg}")) from None
    except RecursionError:
        raise ConfigurationError(Problem(str(path), "is nested too deeply")) from None
    except ValueError as error:  # a key twice, or a number that cannot be
        raise ConfigurationError(Problem(str(path), f"is not JSON: {error}")) from None
    return _plain_of(document, path)


def _plain_of(document: Any, path: Path) -> Any:
    try:
        return plain(document)
    except ConfigurationError as error:
        problems = (Problem(f"{path}: {problem.what}", problem.why, problem.remedy) for problem in error.problems)
        raise ConfigurationError(*problems) from None


def _parse_yaml(text: str, path: Path, *, several: bool = False) -> Any:
    try:
        _check_depth(text, path)
        loader = _LOADER(text)
        nodes = list(_nodes_of(loader)) if several else [loader.get_single_node()]
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        why = " ".join(part for part in (error.context, error.problem) if part)
        # PyYAML from 6.0.4 on has a limit of its own, which it may come to first.
        told = "is nested too deeply" if "nesting depth" in why else f"is not YAML: {why}"
        raise ConfigurationError(Problem(_at(path, mark), told)) from None
    except yaml.YAMLError as error:
        raise ConfigurationError(Problem(str(path), f"is not YAML: {' '.join(str(error).split())}")) from None
    except RecursionError:
        raise ConfigurationError(Problem(str(path), "is nested too deeply")) from None
    values = [None if node is None else _Nodes(loader, path).value(node, 0) for node in nodes]
    return values if several else values[0]


def _nodes_of(loader: Any) -> Iterator[yaml.Node]:
    while loader.check_node():
        yield loader.get_node()


def _check_depth(text: str, path: Path) -> None:
    """Refuse what is nested too deeply while it is still a flat stream: the parser in C dies of it otherwise."""
    depth = 0
    for event in yaml.parse(text, Loader=_LOADER):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _MAX_DEPTH:
            raise ConfigurationError(Problem(_at(path, event.start_mark), "is nested too deeply"))


class _Nodes:
    """Makes JSON types of YAML nodes, which know their line and column."""

    def __init__(self, loader: Any, path: Path) -> None:
        self._loader = loader
        self._path = path
        self._left = _MAX_VALUES

    def value(self, node: yaml.Node, depth: int) -> Any:
        self._left -= 1
        if depth > _MAX_DEPTH or self._left < 0:
            raise self._wrong(node, "is nested too deeply or has too many values")
        if isinstance(node, yaml.MappingNode) and node.tag == f"{_YAML_TAG}map":
            return self._mapping(node, depth)
        if isinstance(node, yaml.SequenceNode) and node.tag == f"{_YAML_TAG}seq":
            return [self.value(item, depth + 1) for item in node.value]
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node)
        raise self._wrong(node, f"the tag {node.tag.replace(_YAML_TAG, '!!')} is not accepted")

    def _mapping(self, node: yaml.MappingNode, depth: int) -> dict[str, Any]:
        seen: set[str] = set()
        for key_node, _item in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                raise self._wrong(key_node, "a key must be a text")
            if key_node.value in seen:
                raise self._wrong(key_node, f"the key {key_node.value} stands here twice")
            seen.add(key_node.value)
        document: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        for key_node, item in node.value:
            if key_node.tag == f"{_YAML_TAG}merge":
                merged = self._merged(item, depth)
                continue
            key = self.value(key_node, depth + 1)
            if not isinstance(key, str):
                raise self._wrong(key_node, f"the key {key_node.value} must be a text", "Put it in quotes.")
            document[key] = self.value(item, depth + 1)
        return {**merged, **document}

    def _merged(self, node: yaml.Node, depth: int) -> dict[str, Any]:
        """What ``<<`` brings in: a mapping or several, of which the earlier ones win."""
        value = self.value(node, depth + 1)
        sources = value if isinstance(value, list) else [value]
        if not all(isinstance(source, dict) for source in sources):
            raise self._wrong(node, "<< takes a mapping or a list of mappings")
        return {key: item for source in reversed(sources) for key, item in source.items()}

    def _scalar(self, node: yaml.ScalarNode) -> Any:
        kind = node.tag.removeprefix(_YAML_TAG)
        text = node.value
        if kind in ("str", "timestamp", "value") or (kind in ("int", "float") and ":" in text):
            return self._checked(node, text)
        try:
            if kind == "null":
                return None
            if kind == "bool":
                return self._loader.construct_yaml_bool(node)
            if kind == "int":
                return self._checked(node, self._loader.construct_yaml_int(node))
            if kind == "float":
                return self._checked(node, self._loader.construct_yaml_float(node))
        except (ValueError, LookupError):
            raise self._wrong(node, f"{text[:40]!r} is no {kind}") from None
        raise self._wrong(node, f"the tag {node.tag.replace(_YAML_TAG, '!!')} is not accepted")

    def _checked(self, node: yaml.Node, value: Any) -> Any:
        return _scalar(value, _at(self._path, node.start_mark))

    def _wrong(self, node: yaml.Node, why: str, remedy: str = "") -> ConfigurationError:
        return ConfigurationError(Problem(_at(self._path, node.start_mark), why, remedy))


def _at(path: Path, mark: Any) -> str:
    return f"{path}:{mark.line + 1}:{mark.column + 1}" if mark else str(path)
