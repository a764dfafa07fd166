# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A user's own manifests, read and rendered on the controller: the target sees objects, never YAML."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from ansible_collections.provisioning.platform.plugins.module_utils._errors import (
    ConfigurationError,
    Problem,
    raise_if_any,
)
from ansible_collections.provisioning.platform.plugins.module_utils._secrets import references
from ansible_collections.provisioning.platform.plugins.plugin_utils.documents import read_text, yaml_documents

_TEMPLATE = ".j2"
_SUFFIXES = (".yaml", ".yml", ".json")

#: Renders a template: given its folder and its name in there, returns the text.
Render = Callable[[Path, str], str]


def load_objects(entries: Sequence[str], *, base: Path, service: str, render: Render) -> list[dict[str, Any]]:
    """Return the objects of manifest files, in the order of their names.

    :param entries: files and folders; of a folder all manifests in it and below it.
    :param base: what relative paths are relative to.
    :param service: whose they are, for messages.
    :param render: for files whose name ends in ``.j2``.
    :raises ConfigurationError: a file or a document in it is wrong; all that are, with file and document.
    """
    problems: list[Problem] = []
    found: list[tuple[str, dict[str, Any]]] = []
    for entry in entries:
        try:
            for file in _files(base / Path(entry).expanduser(), service):
                found += _objects(file, render, problems)
        except ConfigurationError as error:
            problems += error.problems
    problems += _duplicates(found)
    raise_if_any(problems, ConfigurationError)
    return [document for _where, document in found]


def _files(path: Path, service: str) -> list[Path]:
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.is_file() and _is_manifest(file))
        if files:
            return files
        remedy = "Their names end in .yaml, .yml or .json, those of templates in .yaml.j2."
        raise ConfigurationError(Problem(f"{service}: {path}", "holds no manifest", remedy))
    if not path.is_file():
        remedy = f"Correct kubernetes.manifests of {service}."
        raise ConfigurationError(Problem(f"{service}: {path}", "there is no such file or folder", remedy))
    return [path]


def _is_manifest(file: Path) -> bool:
    return file.name.removesuffix(_TEMPLATE).endswith(_SUFFIXES)


def _objects(file: Path, render: Render, problems: list[Problem]) -> Iterator[tuple[str, dict[str, Any]]]:
    try:
        text = render(file.parent, file.name) if file.suffix == _TEMPLATE else read_text(file)
        documents = yaml_documents(text, file)
    except ConfigurationError as error:
        problems += error.problems
        return
    for number, document in enumerate(documents, start=1):
        where = f"{file}, document {number}"
        for item in _items(document):
            fault = _fault(item)
            if fault is None:
                yield where, item
            else:
                problems.append(Problem(where, *fault))


def _items(document: Any) -> list[Any]:
    """The objects of a document: of a list, those in it."""
    if isinstance(document, dict) and document.get("kind") == "List" and isinstance(document.get("items"), list):
        return list(document["items"])
    return [document]


def _fault(document: Any) -> tuple[str, str] | None:
    if not isinstance(document, dict):
        return "is not an object", "A manifest is a mapping with apiVersion, kind and metadata."
    metadata = document.get("metadata")
    for key, value in (("apiVersion", document.get("apiVersion")), ("kind", document.get("kind"))):
        if not isinstance(value, str) or not value:
            return f"has no {key}", "A manifest is a mapping with apiVersion, kind and metadata."
    if not isinstance(metadata, dict) or not isinstance(metadata.get("name"), str) or not metadata["name"]:
        return f"the {document['kind']} has no metadata.name", "Give it one: by its name it is found again."
    if document["kind"] != "Secret" and references(document):
        why = f"the {document['kind']} {metadata['name']} holds a secret, which all who may look at it would read"
        return why, "Put it into a Secret, and refer to that."
    return None


def _duplicates(found: Sequence[tuple[str, dict[str, Any]]]) -> Iterator[Problem]:
    seen: dict[tuple[Any, ...], str] = {}
    for where, document in found:
        metadata = document["metadata"]
        group = document["apiVersion"].rpartition("/")[0]
        key = (group, document["kind"], metadata.get("namespace"), metadata["name"])
        if key in seen:
            why = f"the {document['kind']} {metadata['name']} stands in {seen[key]} already"
            yield Problem(where, why, "Keep one of them.")
        seen.setdefault(key, where)
