# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asking the API what would become of objects, before anything is touched."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from .._errors import Problem
from ._kubernetes_apply import Applier
from ._kubernetes_errors import INVALID, ApiError
from ._kubernetes_objects import WORKLOADS, Manifest, key_of

_THREADS = 8
_ONCE = ("Job", "Pod")


def preview(applier: Applier, wanted: Sequence[Manifest], *, project: str, replaces: bool) -> list[Problem]:
    """Return what the API would refuse, and what is there under our names and not ours.

    :param wanted: the objects as they would be applied.
    :param replaces: workloads are replaced, so that what cannot be changed in place is no problem.
    :raises DriverError: the API does not answer.
    """
    brought = {
        ((item.get("spec") or {}).get("names") or {}).get("kind")
        for item in wanted
        if item["kind"] == "CustomResourceDefinition"
    }
    made = {key_of(item).name for item in wanted if item["kind"] == "Namespace"}

    def one(item: Manifest) -> Problem | None:
        if item["kind"] in brought:
            return None
        foreigner = applier.foreigner(item, project)
        if foreigner is not None:
            return foreigner
        try:
            applier.apply(item, dry_run=True)
        except ApiError as error:
            is_new = item["kind"] in _ONCE or (replaces and item["kind"] in WORKLOADS)
            if (error.status == INVALID and is_new and "immutable" in error.problems[0].why) or _is_unknowable(
                error, key_of(item).namespace in made
            ):
                return None
            return error.problems[0]
        return None

    with ThreadPoolExecutor(_THREADS) as pool:
        found = list(pool.map(one, wanted))
    return list(dict.fromkeys(problem for problem in found if problem is not None))


def _is_unknowable(error: ApiError, makes_namespace: bool) -> bool:
    """Whether the API cannot say before it is done: without its namespace, or where an admission hook forbids it."""
    kind = (error.document.get("details") or {}).get("kind")
    return (error.is_missing and kind == "namespaces" and makes_namespace) or "dry run" in str(
        error.document.get("message")
    )
