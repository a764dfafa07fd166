# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where definitions come from: the collection's roles, folders of the same shape, and files of many services."""

from __future__ import annotations

import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ansible_collections.provisioning.platform.plugins.module_utils._errors import (
    ConfigurationError,
    Problem,
    raise_if_any,
)
from ansible_collections.provisioning.platform.plugins.plugin_utils.definition_checks import SERVICE_NAME
from ansible_collections.provisioning.platform.plugins.plugin_utils.documents import read_document

_FILE_SUFFIXES = (".toml", ".yml", ".yaml", ".json")


@dataclass(frozen=True)
class Source:
    """A definition as it was written.

    :param document: its settings, sugar expanded, placeholders and all.
    :param origin: the file it stands in.
    :param templates: folder of its templates.
    :param built_in: whether it is one of the collection's own.
    """

    name: str
    document: dict[str, Any]
    origin: Path
    templates: Path
    built_in: bool = False


def load_registry(roles: Path, extra: Sequence[Path] = ()) -> dict[str, Source]:
    """Read all definitions; one that comes later replaces one of the same name that came earlier.

    :param roles: the collection's ``roles`` folder.
    :param extra: files, role-shaped folders, or folders of such folders.
    :raises ConfigurationError: one of them cannot be read; all that cannot are named.
    """
    problems: list[Problem] = []
    sources = {source.name: replace(source, built_in=True) for source in _folders(roles, problems)}
    for path in extra:
        for source in _place(path, problems):
            sources[source.name] = source
    raise_if_any(problems, ConfigurationError)
    return sources


def expand(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return a definition, or a part of one, without its sugar.

    ``depends_on`` may be a list of names or map names to conditions, and ``mode`` stands for ``deployment.mode``.
    What has neither shape is left for validation to complain about.
    """
    expanded = dict(document)
    needs = expanded.get("depends_on")
    if isinstance(needs, list) and all(isinstance(need, str) for need in needs):
        expanded["depends_on"] = {need: {} for need in needs}
    elif isinstance(needs, dict):
        expanded["depends_on"] = {
            name: {"condition": need} if isinstance(need, str) else need for name, need in needs.items()
        }
    if "mode" in expanded:
        mode = expanded.pop("mode")
        deployment = expanded.get("deployment", {})
        if isinstance(deployment, dict):
            expanded["deployment"] = {**deployment, "mode": mode}
    return expanded


def merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``base`` with ``over`` merged deeply over it.

    Mappings are merged, everything else is replaced, null takes a setting away. A mapping with another ``type`` is
    another thing, e.g. a tcp check in place of an http check, and replaces the whole.
    """
    merged = dict(base)
    for key, value in over.items():
        old = merged.get(key)
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, Mapping) and isinstance(old, Mapping) and not _other_type(old, value):
            merged[key] = merge(old, value)
        elif isinstance(value, Mapping):
            merged[key] = merge({}, value)
        else:
            merged[key] = value
    return merged


def override(document: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Return a definition with a part of one merged over it; a list of dependencies replaces all there were."""
    base = dict(document)
    if isinstance(over.get("depends_on"), list):
        base.pop("depends_on", None)
    return merge(base, expand(over))


def _other_type(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    return "type" in old and "type" in new and old["type"] != new["type"]


def _place(path: Path, problems: list[Problem]) -> list[Source]:
    kind = _kind(path)
    if kind not in (stat.S_IFREG, stat.S_IFDIR):
        why = "is neither a file nor a folder" if kind else "there is no such file or folder"
        problems.append(Problem(str(path), why, "Correct registry in the configuration."))
        return []
    if kind == stat.S_IFREG:
        return _services_of(path, problems)
    faults = len(problems)
    sources = _folders(path, problems)
    if not sources and len(problems) == faults:
        remedy = "A service is a folder with meta/service.yml in it."
        problems.append(Problem(str(path), "holds no definition of a service", remedy))
    return sources


def _kind(path: Path) -> int:
    """Return what is there, as ``stat`` has it; nothing where there is nothing that we can see."""
    try:
        return stat.S_IFMT(path.stat().st_mode)
    except OSError:
        return 0


def _services_of(path: Path, problems: list[Problem]) -> list[Source]:
    try:
        return _file(path, problems)
    except ConfigurationError as error:
        problems.extend(error.problems)
        return []


def _folders(path: Path, problems: list[Problem]) -> list[Source]:
    """Return the definition of a role-shaped folder, or those of the folders in it."""
    try:
        folders = [path] if _definition_in(path) else sorted(child for child in path.iterdir() if child.is_dir())
    except OSError as error:
        problems.append(Problem(str(path), f"cannot be read: {error.strerror or error}"))
        return []
    sources = []
    for folder in folders:
        file = _definition_in(folder)
        if file is None:
            continue
        try:
            name = folder.name.replace("_", "-")
            sources.append(_source(name, read_document(file), file, folder / "templates", str(file)))
        except ConfigurationError as error:
            problems.extend(error.problems)
    return sources


def _definition_in(folder: Path) -> Path | None:
    candidates = (folder / "meta" / f"service{suffix}" for suffix in _FILE_SUFFIXES)
    return next((candidate for candidate in candidates if candidate.is_file()), None)


def _file(path: Path, problems: list[Problem]) -> list[Source]:
    document = read_document(path)
    if not document:
        remedy = "Define one in it, or take it out of registry."
        raise ConfigurationError(Problem(str(path), "holds no definition of a service", remedy))
    services = document.get("services", document)
    if "services" in document and len(document) > 1:
        other = next(key for key in document if key != "services")
        remedy = "Move it below services, or remove it."
        raise ConfigurationError(Problem(f"{path}: {other}", "stands beside services", remedy))
    if isinstance(services, list):
        services = _by_name(services, path)
    if not isinstance(services, dict):
        raise ConfigurationError(Problem(f"{path}: services", "is not a mapping of names to definitions"))
    sources = []
    for name, definition in services.items():
        try:
            sources.append(_source(name, definition, path, path.parent / "templates", f"{path}: {name}"))
        except ConfigurationError as error:
            problems.extend(error.problems)
    return sources


def _by_name(services: list[Any], path: Path) -> dict[str, Any]:
    named: dict[str, Any] = {}
    for index, item in enumerate(services):
        name = item.get("name") if isinstance(item, dict) else None
        if not isinstance(name, str):
            raise ConfigurationError(Problem(f"{path}: services[{index}]", "has no name"))
        if name in named:
            raise ConfigurationError(Problem(f"{path}: services[{index}]", f"{name} is defined twice"))
        named[name] = item
    return named


def _source(name: str, definition: Any, origin: Path, templates: Path, where: str) -> Source:
    if not isinstance(definition, dict):
        raise ConfigurationError(Problem(where, "a definition is a mapping"))
    written = definition.get("name", name)
    if written != name:
        remedy = f"Leave name out, or make it {name}."
        raise ConfigurationError(Problem(where, f"is called {written!r} but stands under {name}", remedy))
    if not SERVICE_NAME.fullmatch(name):
        raise ConfigurationError(
            Problem(where, f"{name!r} is not a service's name", "Use a-z, 0-9 and -, at most 63 characters.")
        )
    return Source(name, expand({**definition, "name": name}), origin, templates)
