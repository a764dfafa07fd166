# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a Kubernetes API says when something goes wrong, turned into one error with the fault and the remedy. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from .._errors import DriverError, Problem

UNAUTHORIZED = 401
FORBIDDEN = 403
NOT_FOUND = 404
CONFLICT = 409
INVALID = 422

_FORBIDDEN = re.compile(
    r'User "(?P<user>[^"]*)" cannot (?P<verb>\S+) resource "(?P<resource>[^"]+)" in API group "(?P<group>[^"]*)"'
    r'(?: in the namespace "(?P<namespace>[^"]+)")?'
)
_OWNER = re.compile(r'conflict with "(?P<owner>[^"]+)"')
_UNKNOWN_FIELD = re.compile(
    r'(?P<field>\.[^\s:]+): field not declared in schema|unknown field \\?"(?P<name>[^"\\]+)\\?"', re.IGNORECASE
)
_WRONG_TYPE = re.compile(
    r"(?P<field>\.[^\s:]+): (?P<fault>expected [^\n]+)"
    r"|cannot unmarshal (?P<found>\S+) into Go struct field (?P<name>\S+)"
)
_IMMUTABLE = re.compile(r"immutable|updates to .* are forbidden|may not change", re.IGNORECASE)
_LONGEST_FAULT = 120
_TYPED_PATCH = "failed to create typed patch object"
_RIGHTS = "docs/kubernetes.md has a role with all that is needed"


class ApiError(DriverError):
    """A Kubernetes API refused a request.

    :param problem: the same for people.
    :param status: HTTP status of the refusal.
    :param document: the API's own answer (a ``Status``).
    """

    def __init__(self, problem: Problem, status: int, document: Mapping[str, Any]) -> None:
        super().__init__(problem)
        self.status = status
        self.document = document

    @property
    def is_missing(self) -> bool:
        """Whether what was asked for is not there."""
        return self.status == NOT_FOUND

    @property
    def is_forbidden(self) -> bool:
        """Whether the account lacks a right."""
        return self.status == FORBIDDEN

    @property
    def owners(self) -> list[tuple[str, str]]:
        """The fields that somebody else has set, each with who it is; for a conflict of server-side apply."""
        return list(conflicts(self.document))

    @property
    def is_transient(self) -> bool:
        """Whether the same request may well succeed in a moment."""
        if self.status == CONFLICT:  # of two writers, not of two owners
            said = str(self.document.get("message")).lower()
            return self.document.get("reason") == "Conflict" and not self.owners and "precondition" not in said
        if _TYPED_PATCH in str(self.document.get("message")):  # older versions blame themselves
            return False
        return self.status in (429, 500, 502, 503, 504)


def status_of(body: bytes, code: int, reason: str | None) -> dict[str, Any]:
    """Return the ``Status`` in an answer; one made up where something before the API answered, e.g. a proxy."""
    try:
        document = json.loads(body)
    except ValueError:
        document = None
    if isinstance(document, dict) and document.get("kind") == "Status":
        return document
    text = body.decode(errors="replace").strip()[:200]
    return {"message": text or f"{code} {reason or ''}".strip(), "code": code}


def conflicts(document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the field and the owner of each conflict in an answer to a server-side apply."""
    for cause in causes(document):
        if cause.get("reason") == "FieldManagerConflict":
            match = _OWNER.search(str(cause.get("message")))
            yield str(cause.get("field", "")).lstrip("."), match["owner"] if match else "another manager"


def causes(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the causes of a refusal, each with ``field`` and ``message``."""
    found = (document.get("details") or {}).get("causes") or []
    return [cause for cause in found if isinstance(cause, dict)]


def explain(service: str, code: int, document: Mapping[str, Any], *, thing: str = "", cluster: str = "") -> Problem:
    """Return what an API's refusal means, with the remedy.

    :param service: the service, or what else the request was about.
    :param code: HTTP status.
    :param thing: the object that it was about, e.g. ``Deployment gitea``.
    :param cluster: address of the API, for people.
    """
    text = str(document.get("message") or "").strip()
    if code == UNAUTHORIZED:
        remedy = "Log in again, or choose other credentials with deployment.kubernetes.kubeconfig and context."
        return Problem(service, f"the cluster {cluster} does not accept the credentials", remedy)
    if code == FORBIDDEN:
        return _forbidden(service, text, thing)
    if code == CONFLICT and (owned := list(conflicts(document))):
        return _conflict(service, owned, thing)
    if code == NOT_FOUND and (document.get("details") or {}).get("kind") == "namespaces":
        return Problem(service, text, "Run the installation again; it makes the namespace.")
    if code in (400, INVALID) or _TYPED_PATCH in text:
        return _invalid(service, text, causes(document), thing)
    where = f"{thing}: " if thing else ""
    return Problem(service, f"{where}the Kubernetes API says: {text or code}")


def _forbidden(service: str, text: str, thing: str) -> Problem:
    match = _FORBIDDEN.search(text)
    if match is not None:
        group = f".{match['group']}" if match["group"] else ""
        where = f" in the namespace {match['namespace']}" if match["namespace"] else " in the whole cluster"
        why = f"{match['user']} may not {match['verb']} {match['resource']}{group}{where}"
        return Problem(service, why, f"Grant it that right; {_RIGHTS}.")
    if "violates PodSecurity" in text:
        remedy = "Correct what it names, or label the namespace with a level that allows it."
    elif "exceeded quota" in text:
        remedy = "Raise the quota of the namespace, or lower resources."
    elif "being terminated" in text:
        remedy = "Wait until the namespace is gone, then try again."
    else:
        remedy = f"Grant the account the right to it; {_RIGHTS}."
    return Problem(service, f"{thing}: {text}" if thing and thing.rsplit(maxsplit=1)[-1] not in text else text, remedy)


def _conflict(service: str, owned: list[tuple[str, str]], thing: str) -> Problem:
    fields = "; ".join(f"{field} is set by {owner}" for field, owner in owned)
    why = f"{thing}: {fields}" if thing else fields
    remedy = "Leave those fields out of the definition, or take them over with kubernetes.force_conflicts."
    return Problem(service, why, remedy)


def _fault(cause: Mapping[str, Any]) -> str:
    """Return what is wrong with a field; a value that fills the screen is left out."""
    text = str(cause.get("message", ""))
    return text.rpartition(": ")[2] if len(text) > _LONGEST_FAULT and text.startswith("Invalid value: {") else text


def _invalid(service: str, text: str, found: list[dict[str, Any]], thing: str) -> Problem:
    what = thing or "a manifest"
    named = [f"{cause['field']}: {_fault(cause)}" for cause in found if cause.get("field")]
    if named:
        faults = "; ".join(dict.fromkeys(named))
        if _IMMUTABLE.search(faults):
            remedy = f"Set kubernetes.update of {service} to recreate, or remove {service} first."
            return Problem(service, f"{what} cannot be changed in place: {faults}", remedy)
        return Problem(service, f"{what} is invalid: {faults}", f"Correct it in the definition of {service}.")
    unknown = list(dict.fromkeys((m["field"] or m["name"]).lstrip(".") for m in _UNKNOWN_FIELD.finditer(text)))
    if unknown:
        known = "has no field" if len(unknown) == 1 else "has no fields"
        return Problem(service, f"{what} {known} {', '.join(unknown)}", f"Correct it in the definition of {service}.")
    wrong = _WRONG_TYPE.search(text)
    if wrong is not None:
        fault = f"{(wrong['field'] or wrong['name']).lstrip('.')}: {wrong['fault'] or wrong['found']}"
        return Problem(service, f"{what} is invalid: {fault}", f"Correct it in the definition of {service}.")
    return Problem(service, f"{what} is refused: {text}", f"Correct it in the definition of {service}.")
