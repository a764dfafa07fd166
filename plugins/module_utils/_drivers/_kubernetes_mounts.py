# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a pod mounts: configuration, data and memory, from the mounts that a definition states for a container. Pure.

A folder of configuration becomes one projected volume, whose files come from the ConfigMap and the Secret together;
a single file is mounted by its subPath. Data and named volumes become claims.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .._cgroups import memory_bytes
from .._errors import Problem
from .._model import ConfigFile, ServiceDefinition
from .._paths import WorkDir
from .._secrets import references
from ._docker_render import Volume
from ._kubernetes_names import below, memory, object_name, present
from ._kubernetes_workload import Workload, block

_NOT_IN_A_KEY = re.compile(r"[^-._a-zA-Z0-9]")
_SIZE_OPTION = re.compile(r"(?:^|,)size=([^,]+)")
_EXECUTABLE = 0o111
#: The API takes no ConfigMap or Secret beyond this many bytes.
LARGEST_BYTES = 1 << 20


@dataclass(frozen=True)
class Entry:
    """A configuration file as an entry of the ConfigMap or, where it holds a secret, of the Secret.

    :param path: below the service's configuration folder.
    """

    key: str
    path: str
    content: str
    secret: bool
    executable: bool


@dataclass
class Mounts:
    """Volumes of a pod, where its container mounts them, and the claims they need.

    :param claims: names of claims, each with the name of its volume.
    """

    volumes: list[dict[str, Any]] = field(default_factory=list)
    mounts: list[dict[str, Any]] = field(default_factory=list)
    claims: dict[str, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


def config_name(service: str) -> str:
    """Return the name of the ConfigMap and the Secret that hold a service's configuration files."""
    return f"{service}-config"


def entries_of(service: ServiceDefinition, work_dir: WorkDir) -> list[Entry]:
    """Return a service's configuration files, each with a key of its own."""
    folder = str(work_dir.service_config(service.name))
    taken: set[str] = set()
    entries = []
    for file in service.config:
        path = below(file.dest, folder) or file.dest.rpartition("/")[2]
        key = _NOT_IN_A_KEY.sub("_", path)
        while key in taken:
            key += "_"
        taken.add(key)
        content = file.content or ""
        entries.append(Entry(key, path, content, bool(references(content)), _is_executable(file)))
    return entries


def mounts_of(service: ServiceDefinition, workload: Workload, work_dir: WorkDir) -> Mounts:
    """Return what a service's pods mount; what has no place on a cluster is in its problems."""
    found = Mounts()
    entries = entries_of(service, work_dir)
    for volume in workload.volumes:
        _add(found, volume, service, workload, entries, work_dir)
    for text in workload.tmpfs:
        path, _colon, options = text.partition(":")
        size = _SIZE_OPTION.search(options)
        limit = _size_limit(service.name, size[1], found) if size else None
        _add_empty(found, path, present({"medium": "Memory", "sizeLimit": limit}))
    if block(service).read_only and not any(mount["mountPath"] == "/tmp" for mount in found.mounts):  # noqa: S108
        _add_empty(found, "/tmp", {})  # noqa: S108
    twice = [mount["mountPath"] for mount in found.mounts]
    for path in sorted({path for path in twice if twice.count(path) > 1}):
        found.problems.append(Problem(service.name, f"mounts {path} twice", "Keep one of its volumes and tmpfs there."))
    return found


def claim_spec(service: ServiceDefinition) -> dict[str, Any]:
    """Return the specification of a claim for a service's data."""
    storage = block(service).storage
    spec = {
        "accessModes": [storage.access_mode],
        "resources": {"requests": {"storage": storage.size}},
        "storageClassName": storage.storage_class,
    }
    return present(spec)


def _add(
    found: Mounts,
    volume: Volume,
    service: ServiceDefinition,
    workload: Workload,
    entries: list[Entry],
    work_dir: WorkDir,
) -> None:
    read_only = "ro" in volume.options
    if not volume.is_bind:
        _add_claim(found, _volume_name(volume.source), volume.target, "", service, workload, read_only)
        return
    inside = below(volume.source, str(work_dir.service_config(service.name)))
    if inside is not None:
        _add_config(found, inside, volume.target, service, workload, entries)
        return
    inside = below(volume.source, str(work_dir.service_data(service.name)))
    if inside is not None:
        _add_claim(found, "data", volume.target, inside, service, workload, read_only)
        return
    found.problems.append(
        Problem(
            service.name,
            f"mounts {volume.source}, a path of one machine, which pods on another do not have",
            f"In kubernetes.volumes of {service.name} name a volume instead, mount its own configuration or data, "
            "or give it manifests of its own.",
        )
    )


def _volume_name(source: str) -> str:
    """A named volume's name in the pod, where some names are those of our own volumes."""
    name = object_name(source)
    return f"volume-{name}" if name == "data" or name.startswith(("config", "scratch-", "volume-")) else name


def _add_claim(
    found: Mounts,
    name: str,
    target: str,
    inside: str,
    service: ServiceDefinition,
    workload: Workload,
    read_only: bool,
) -> None:
    claim = name if workload.kind == "StatefulSet" else f"{service.name}-{name}"
    if claim not in found.claims:
        found.claims[claim] = name
        # A StatefulSet makes its own claims, one for each pod, and mounts them by their names.
        if workload.kind != "StatefulSet":
            found.volumes.append({"name": name, "persistentVolumeClaim": {"claimName": claim}})
    mount = {"name": name, "mountPath": target, "subPath": inside, "readOnly": read_only or None}
    found.mounts.append(present(mount))


def _add_config(
    found: Mounts, inside: str, target: str, service: ServiceDefinition, workload: Workload, entries: list[Entry]
) -> None:
    if any(entry.path == inside for entry in entries):
        if all(volume["name"] != "config-files" for volume in found.volumes):
            found.volumes.append(_projected("config-files", {e.path: e for e in entries}, service, workload))
        found.mounts.append({"name": "config-files", "mountPath": target, "subPath": inside, "readOnly": True})
        return
    files = {(below(f"/{entry.path}", f"/{inside}".rstrip("/")) or ""): entry for entry in entries}
    files.pop("", None)
    if not files:
        _add_empty(found, target, {})
        return
    name = object_name(f"config-{inside}") if inside else "config"
    if all(volume["name"] != name for volume in found.volumes):
        found.volumes.append(_projected(name, files, service, workload))
    found.mounts.append({"name": name, "mountPath": target, "readOnly": True})


def _projected(name: str, files: Mapping[str, Entry], service: ServiceDefinition, workload: Workload) -> dict[str, Any]:
    sources = []
    for kind, secret in (("configMap", False), ("secret", True)):
        items = [
            {"key": entry.key, "path": path, "mode": _mode(entry, workload)}
            for path, entry in files.items()
            if entry.secret is secret
        ]
        if items:
            sources.append({kind: {"name": config_name(service.name), "items": items}})
    return {"name": name, "projected": {"sources": sources}}


def _mode(entry: Entry, workload: Workload) -> int:
    """Permissions of a mounted file, which belongs to root and the pod's group, where that is known."""
    read = 0o440 if entry.secret and workload.user is not None else 0o444
    return read | (_EXECUTABLE & (read >> 2)) if entry.executable else read


def _add_empty(found: Mounts, path: str, settings: dict[str, Any]) -> None:
    name = f"scratch-{object_name(path)}"[:63].rstrip("-")
    found.volumes.append({"name": name, "emptyDir": settings})
    found.mounts.append({"name": name, "mountPath": path})


def _size_limit(service: str, text: str, found: Mounts) -> str | None:
    try:
        return memory(memory_bytes(text))
    except ValueError as error:
        found.problems.append(Problem(service, str(error), f"Correct the size in tmpfs of {service}."))
        return None


def _is_executable(file: ConfigFile) -> bool:
    return bool(int(file.mode, 8) & _EXECUTABLE)
