# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Changing objects: server-side apply under our field manager, and the few patches beside it.

What is changed for a while only (a stop, a restart) is changed under names of their own, so that the next apply finds
no conflict but with ourselves, and takes it back.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from .._config_files import SERIAL, fill_serial
from .._errors import DriverError, Problem
from ._kubernetes_client import FIELD_MANAGER, Api
from ._kubernetes_errors import ApiError
from ._kubernetes_manifests import with_secrets
from ._kubernetes_names import LABEL_OF_PROJECT, LABEL_OF_SERVICE
from ._kubernetes_objects import (
    REPLICAS,
    RESTARTED,
    STOPPED,
    Manifest,
    annotations_of,
    key_of,
    labels_of,
    place,
)
from ._kubernetes_rollout import is_held

_APPLY = "application/apply-patch+yaml"
_MERGE = "application/merge-patch+json"
_SCALER = f"{FIELD_MANAGER}-scale"
_RESTARTER = f"{FIELD_MANAGER}-restart"
_SCALED = ("Deployment", "StatefulSet", "ReplicaSet")
_SUSPENDED = ("Job", "CronJob")
_ROLLED = ("Deployment", "StatefulSet", "DaemonSet")

Item = Mapping[str, Any]


class Applier:
    """Applies the objects of one service.

    :param service: name of the service, for errors.
    :param fill: puts secrets in place of their placeholders.
    :param force: take over fields that others have set.
    :param clock: unix time in seconds.
    """

    def __init__(
        self,
        api: Api,
        service: str,
        *,
        fill: Callable[[Any], Any],
        force: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._api = api
        self._service = service
        self._fill = fill
        self._force = force
        self._clock = clock

    def apply(self, item: Manifest, *, dry_run: bool = False) -> dict[str, Any]:
        """Make an object what it is to be and return it; fields that others have set are respected.

        :param dry_run: only ask the API what would become of it.
        :raises ConfigurationError: a secret does not exist.
        :raises DriverError: the API refuses, or fields are set by somebody else.
        """
        if item["kind"] == "Namespace":
            return self._namespace(item, dry_run=dry_run)
        item = self._with_serials(item)
        try:
            return self._send(item, force=self._force, dry_run=dry_run)
        except ApiError as error:
            if not error.owners or any(not owner.startswith(FIELD_MANAGER) for _field, owner in error.owners):
                raise
            return self._send(item, force=True, dry_run=dry_run)

    def read(self, item: Item) -> dict[str, Any] | None:
        """Return an object as it is; None where there is none.

        :raises DriverError: the API refuses.
        """
        try:
            return self._api.request("GET", self._path(item), service=self._service, thing=str(key_of(item)))
        except ApiError as error:
            if error.is_missing:
                return None
            raise

    def foreigner(self, item: Item, project: str) -> Problem | None:
        """Return the problem that there is an object of this name that we did not make, if it is so.

        :raises DriverError: the API refuses.
        """
        there = self.read(item) if item["kind"] != "Namespace" else None
        if there is None:
            return None
        labels = labels_of(there)
        if (labels.get(LABEL_OF_PROJECT), labels.get(LABEL_OF_SERVICE)) == (project, self._service):
            return None
        key = key_of(item)
        owner = labels.get(LABEL_OF_PROJECT) or labels.get("app.kubernetes.io/managed-by")
        whose = f" (of {owner})" if owner else ""
        why = f"{key} exists already{f' in the namespace {key.namespace}' if key.namespace else ''}{whose}"
        remedy = f"Remove it, or choose another namespace: kubernetes.namespace of {self._service}."
        return Problem(self._service, f"{why} and was not made for it", remedy)

    def stop(self, item: Item) -> None:
        """Have an object run nothing, and remember what it was.

        :raises DriverError: the API refuses.
        """
        if item["kind"] in _SCALED:
            replicas = (item.get("spec") or {}).get("replicas", 1)
            note = {} if replicas == 0 else {"metadata": {"annotations": {REPLICAS: str(replicas)}}}
            self._patch(item, {**note, "spec": {"replicas": 0}}, _SCALER)
        elif item["kind"] in _SUSPENDED:
            self._patch(item, {"spec": {"suspend": True}}, _SCALER)
        elif item["kind"] == "DaemonSet":
            nowhere = {"spec": {"template": {"spec": {"nodeSelector": {STOPPED: "true"}}}}}
            self._patch(item, nowhere, _SCALER)

    def resume(self, item: Item, wanted: Item) -> None:
        """Take back what :meth:`stop` did, as far as applying what is wanted has not.

        :param item: as it was before that.
        :raises DriverError: the API refuses.
        """
        before = annotations_of(item).get(REPLICAS)
        if item["kind"] in _SCALED and before is not None:
            patch: dict[str, Any] = {"metadata": {"annotations": {REPLICAS: None}}}
            if "replicas" not in (wanted.get("spec") or {}) and before.isdigit():
                patch["spec"] = {"replicas": int(before)}
            self._patch(item, patch, _SCALER)
        elif item["kind"] in _SUSPENDED and (item.get("spec") or {}).get("suspend"):
            if "suspend" not in (wanted.get("spec") or {}):
                self._patch(item, {"spec": {"suspend": False}}, _SCALER)
        elif item["kind"] == "DaemonSet" and is_held(item):
            anywhere = {"spec": {"template": {"spec": {"nodeSelector": {STOPPED: None}}}}}
            self._patch(item, anywhere, _SCALER)

    def restart(self, item: Item) -> bool:
        """Replace the pods of an object one after the other; return whether it is of a kind that can do that.

        :raises DriverError: the API refuses.
        """
        if item["kind"] not in _ROLLED:
            return False
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        self._patch(item, {"spec": {"template": {"metadata": {"annotations": {RESTARTED: now}}}}}, _RESTARTER)
        return True

    def _with_serials(self, item: Manifest) -> Manifest:
        """Return a ConfigMap with serials in place: those it has where nothing else changes, else rising ones."""
        texts = item.get("data") or {}
        if item["kind"] != "ConfigMap" or not any(SERIAL in text for text in texts.values()):
            return item
        there = (self.read(item) or {}).get("data") or {}
        filled = {name: fill_serial(text, there.get(name), self._clock()) for name, text in texts.items()}
        return {**item, "data": filled}

    def _namespace(self, item: Manifest, *, dry_run: bool) -> dict[str, Any]:
        """Make a namespace where it is missing; one that somebody else has made is left as it is."""
        try:
            there = self.read(item)
        except ApiError as error:
            if not error.is_forbidden:
                raise
            return item  # whoever may not even see it may not make it either: it will turn out whether it is there
        if there is not None and labels_of(there).get(LABEL_OF_PROJECT) != labels_of(item).get(LABEL_OF_PROJECT):
            return there
        try:
            return self._send(item, force=False, dry_run=dry_run)
        except ApiError as error:
            if there is not None and (error.is_forbidden or error.owners):
                return there
            raise

    def _send(self, item: Manifest, *, force: bool, dry_run: bool) -> dict[str, Any]:
        query = {"fieldManager": FIELD_MANAGER, "force": str(force).lower(), "fieldValidation": "Strict"}
        if dry_run:
            query["dryRun"] = "All"
        return self._api.request(
            "PATCH",
            self._path(item),
            service=self._service,
            thing=str(key_of(item)),
            query=query,
            body=with_secrets(item, self._fill),
            content_type=_APPLY,
        )

    def _patch(self, item: Item, patch: dict[str, Any], manager: str) -> None:
        try:
            self._api.request(
                "PATCH",
                self._path(item),
                service=self._service,
                thing=str(key_of(item)),
                query={"fieldManager": manager},
                body=patch,
                content_type=_MERGE,
            )
        except ApiError as error:
            if error.is_missing:  # it has gone meanwhile
                return
            raise

    def _path(self, item: Item) -> str:
        kind = self._api.kind(item["apiVersion"], item["kind"], service=self._service)
        if kind.namespaced and not key_of(item).namespace:
            raise DriverError(Problem(self._service, f"{key_of(item)} has no namespace", "Give its manifest one."))
        return place(item, kind)
