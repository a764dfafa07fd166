# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Taking away what we applied, and nothing else: by label, by field manager, by uid."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from .._errors import DriverError, Problem
from .._model import ServiceDefinition
from ._kubernetes_client import Api
from ._kubernetes_errors import CONFLICT, ApiError
from ._kubernetes_names import identity
from ._kubernetes_objects import KEPT, USUAL, Key, is_applied_by_us, key_of, labels_of, place
from ._kubernetes_observe import listed

_THREADS = 8
_FIRST_PAUSE = 0.05
_LONGEST_PAUSE = 1.0
#: How long the cluster itself may take beside the time that pods have to stop.
GRACE_SECONDS = 60.0
#: What a cluster puts into every namespace.
_GIVEN = (
    ("ConfigMap", "kube-root-ca.crt"),
    ("ConfigMap", "openshift-service-ca.crt"),
    ("ServiceAccount", "builder"),
    ("ServiceAccount", "default"),
    ("ServiceAccount", "deployer"),
)

Item = Mapping[str, Any]
Sleep = Callable[[float], None]


def patience_for(service: ServiceDefinition) -> float:
    """Return for how many seconds a service and what it has made may take to go."""
    return service.startup.stop_timeout + GRACE_SECONDS


def applied(
    api: Api,
    project: str,
    service: str | None,
    needed: Collection[tuple[str, str]],
    namespaces: Collection[str],
    *,
    also: Collection[tuple[str, str]] = (),
) -> list[dict[str, Any]]:
    """Return all that we applied for a service, or for the installation, and that may go with it.

    :param needed: kinds that there may be, beside the usual ones: of them none may be overlooked for want of a right.
    :param also: further kinds, which are overlooked where there is no right to see them.
    :raises DriverError: the API does not answer.
    """
    labels = identity(project, service)
    kinds = [kind for kind in sorted({*USUAL, *needed, *also}) if kind[1] not in KEPT]
    targets = [(kind, space) for kind in kinds for space in sorted(namespaces)]
    with ThreadPoolExecutor(_THREADS) as pool:
        asks = service or "kubernetes"
        lists = pool.map(lambda t: listed(api, t[0], t[1], labels, service=asks, needed=needed), targets)
        found = {key_of(item): item for items in lists for item in items if is_applied_by_us(item)}
    return list(found.values())


def prune(api: Api, items: Iterable[Item], wanted: Collection[Key], *, service: str) -> list[Item]:
    """Delete those of the objects that are not wanted any more and return them; they go while others go on.

    :raises DriverError: the API refuses.
    """
    unwanted = [item for item in items if key_of(item) not in wanted]
    for item in unwanted:
        delete(api, item, service=service)
    return unwanted


def delete(api: Api, item: Item, *, service: str) -> None:
    """Have an object deleted after what it has made; it is well if it has gone, or is another one by now.

    :raises DriverError: the API refuses.
    """
    body = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Foreground"}
    uid = item["metadata"].get("uid")
    if uid:
        body |= {"preconditions": {"uid": uid}}  # type: ignore[dict-item]
    try:
        api.request("DELETE", _path(api, item, service), service=service, thing=str(key_of(item)), body=body)
    except ApiError as error:
        if not error.is_missing and error.status != CONFLICT:
            raise


def remove(api: Api, items: Collection[Item], *, service: str, timeout: float, sleep: Sleep = time.sleep) -> None:
    """Delete objects and wait until they, and what they have made, are gone.

    :param timeout: seconds.
    :raises DriverError: the API refuses, or something is still there when the time is up.
    """
    for item in items:
        delete(api, item, service=service)
    left = list(items)

    def is_done() -> bool:
        left[:] = [item for item in left if is_there(api, item, service=service)]
        return not left

    if not wait(is_done, timeout, sleep=sleep):
        names = ", ".join(str(key_of(item)) for item in left)
        held = [name for item in left for name in (item["metadata"].get("finalizers") or [])]
        why = f"not gone within {timeout:g} s: {names}" + (f" (waits for {', '.join(held)})" if held else "")
        raise DriverError(Problem(service, why, "See what holds it with kubectl describe, then try again."))


def is_there(api: Api, item: Item, *, service: str) -> bool:
    """Whether this very object still exists.

    :raises DriverError: the API refuses.
    """
    try:
        now = api.request("GET", _path(api, item, service), service=service, thing=str(key_of(item)))
    except ApiError as error:
        if error.is_missing:
            return False
        raise
    return bool(now["metadata"].get("uid") == item["metadata"].get("uid"))


def wait(is_done: Callable[[], bool], timeout: float, *, sleep: Sleep = time.sleep) -> bool:
    """Ask until it is done, less and less often; return whether it was in time.

    :param timeout: seconds.
    """
    deadline, pause = time.monotonic() + timeout, _FIRST_PAUSE
    while not is_done():
        if time.monotonic() > deadline:
            return False
        sleep(pause)
        pause = min(pause * 1.5, _LONGEST_PAUSE)
    return True


def _path(api: Api, item: Item, service: str) -> str:
    return place(item, api.kind(item["apiVersion"], item["kind"], service=service))


def claims(api: Api, project: str, namespaces: Collection[str]) -> list[dict[str, Any]]:
    """Return an installation's volume claims.

    :raises DriverError: the API refuses.
    """
    kind = ("v1", "PersistentVolumeClaim")
    return [claim for space in namespaces for claim in listed(api, kind, space, identity(project), service=space)]


def purge(api: Api, project: str, namespaces: Collection[str], *, sleep: Sleep = time.sleep) -> list[str]:
    """Delete an installation's volume claims, and namespaces made for it that hold nothing else; return their names.

    :raises DriverError: the API refuses.
    """
    gone = []
    for namespace in namespaces:
        there = claims(api, project, [namespace])
        remove(api, there, service=namespace, timeout=GRACE_SECONDS, sleep=sleep)
        gone += [f"{namespace}/{key_of(claim).name}" for claim in there]
        gone += leave_namespace(api, project, namespace)
    return gone


def leave_namespace(api: Api, project: str, namespace: str) -> list[str]:
    """Delete a namespace that was made for an installation and holds nothing any more; return its name, if it was.

    :raises DriverError: the API refuses.
    """
    place_of = api.kind("v1", "Namespace", service=namespace).path(None, namespace)
    try:
        there = api.request("GET", place_of, service=namespace)
    except ApiError as error:
        if error.is_missing or error.is_forbidden:
            return []
        raise
    if identity(project).items() - labels_of(there).items() or not is_applied_by_us(there):
        return []
    if any(_is_in_use(api, kind, namespace) for kind in (*USUAL, ("v1", "Pod"), ("v1", "PersistentVolumeClaim"))):
        return []
    try:
        delete(api, {"apiVersion": "v1", "kind": "Namespace", **there}, service=namespace)
    except ApiError as error:
        if error.is_forbidden:
            return []
        raise
    return [namespace]


def _is_in_use(api: Api, kind: tuple[str, str], namespace: str) -> bool:
    try:
        found = listed(api, kind, namespace, {}, service=namespace, needed=[kind])
    except ApiError as error:
        if error.is_forbidden:  # who knows
            return True
        raise
    return any((kind[1], key_of(item).name) not in _GIVEN for item in found)
