# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Blue and green: a second Deployment beside the one that serves, and the Service that chooses between them. Pure."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ._kubernetes_objects import LABEL_COLOUR, Manifest, key_of, pod_templates

BLUE, GREEN = "blue", "green"


def colour_of(items: Iterable[Mapping[str, Any]]) -> str | None:
    """Return the colour that the Services of a service choose; None where they do not choose."""
    for item in items:
        if item["kind"] == "Service":
            colour: str | None = ((item.get("spec") or {}).get("selector") or {}).get(LABEL_COLOUR)
            if colour:
                return colour
    return None


def other(colour: str | None) -> str:
    """Return the colour that an update uses while this one serves."""
    return GREEN if colour == BLUE else BLUE


def can_be_coloured(manifests: Iterable[Mapping[str, Any]]) -> bool:
    """Whether there is one Deployment, and a Service that chooses its pods."""
    wanted = list(manifests)
    found = [item for item in wanted if item["kind"] == "Deployment"]
    return len(found) == 1 and any(_chooses(item, found[0]) for item in wanted)


def coloured(manifests: Sequence[Manifest], colour: str | None) -> list[Manifest]:
    """Return manifests whose Deployment is of a colour, which its Services and autoscalers then mean.

    :param colour: leaves all as it is when None.
    """
    if colour is None or not can_be_coloured(manifests):
        return list(manifests)
    deployment = next(item for item in manifests if item["kind"] == "Deployment")
    plain = key_of(deployment).name
    return [_coloured(copy.deepcopy(item), deployment, plain, colour) for item in manifests]


def _coloured(item: Manifest, deployment: Manifest, plain: str, colour: str) -> Manifest:
    name = f"{plain}-{colour}"
    if item["kind"] == "Deployment":
        mark = {LABEL_COLOUR: colour}
        item["metadata"]["name"] = name
        item["metadata"]["labels"] = {**(item["metadata"].get("labels") or {}), **mark}
        selector = item["spec"].setdefault("selector", {})
        selector["matchLabels"] = {**(selector.get("matchLabels") or {}), **mark}
        for template in pod_templates(item):
            inside = template.setdefault("metadata", {})
            inside["labels"] = {**(inside.get("labels") or {}), **mark}
    elif _chooses(item, deployment):
        item["spec"]["selector"][LABEL_COLOUR] = colour
    elif item["kind"] == "HorizontalPodAutoscaler":
        target = (item.get("spec") or {}).get("scaleTargetRef") or {}
        if target.get("kind") == "Deployment" and target.get("name") == plain:
            target["name"] = name
    return item


def _chooses(item: Mapping[str, Any], deployment: Mapping[str, Any]) -> bool:
    if item["kind"] != "Service":
        return False
    selector = (item.get("spec") or {}).get("selector") or {}
    labels = [((template.get("metadata") or {}).get("labels") or {}) for template in pod_templates(deployment)]
    return bool(selector) and any(selector.items() <= own.items() for own in labels)
