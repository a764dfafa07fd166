# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names, labels and numbers as Kubernetes wants them. Pure."""

from __future__ import annotations

import math
import posixpath
import re
from typing import Any

from ._docker_render import LABEL_PROJECT, LABEL_SERVICE

MANAGER = "provisioning"
ANNOTATION_CHECKSUM = "io.provisioning/checksum"
LABEL_OF_PROJECT = LABEL_PROJECT.replace("io.provisioning.", "io.provisioning/")
LABEL_OF_SERVICE = LABEL_SERVICE.replace("io.provisioning.", "io.provisioning/")

#: Namespaces that are the cluster's own, not ours to make or to change.
FOREIGN_NAMESPACES = frozenset({"default", "kube-system", "kube-public", "kube-node-lease"})

_BINARY_UNITS = (("Gi", 1 << 30), ("Mi", 1 << 20), ("Ki", 1 << 10))


def identity(project: str, service: str | None = None) -> dict[str, str]:
    """Return the labels by which what belongs to a service, or to the installation, is found again.

    The same two select its pods, so they must never change.
    """
    labels = {LABEL_OF_PROJECT: project}
    return labels if service is None else {**labels, LABEL_OF_SERVICE: service}


def common_labels(project: str, service: str | None = None) -> dict[str, str]:
    """Return all labels of ours."""
    names = {} if service is None else {"app.kubernetes.io/name": service}
    general = {"app.kubernetes.io/part-of": project, "app.kubernetes.io/managed-by": MANAGER}
    return {**names, **general, **identity(project, service)}


def below(path: str, folder: str) -> str | None:
    """Return what of a path lies below a folder: nothing at all for the folder itself; None for what is elsewhere."""
    path = posixpath.normpath(path)
    if path == folder:
        return ""
    return path[len(folder) + 1 :] if path.startswith(f"{folder}/") else None


def object_name(text: str) -> str:
    """Return a text as part of an object's name."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "x"


def seconds(value: float) -> int:
    """Return whole seconds, at least one: probes know no others."""
    return max(1, math.ceil(value))


def cores(value: float) -> str:
    """Return an amount of CPU."""
    thousandths = max(1, round(value * 1000))
    return str(thousandths // 1000) if thousandths % 1000 == 0 else f"{thousandths}m"


def memory(value: int) -> str:
    """Return an amount of memory given in bytes."""
    for unit, size in _BINARY_UNITS:
        if value % size == 0:
            return f"{value // size}{unit}"
    return str(value)


def present(settings: dict[str, Any]) -> dict[str, Any]:
    """Return settings without what says nothing."""
    return {key: value for key, value in settings.items() if value not in (None, "", [], {})}
