# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What pods write, and the output of commands run inside them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from .._errors import DriverError, Problem
from ._base import LogLine
from ._kubernetes_client import Api, connection_errors
from ._kubernetes_errors import ApiError, explain
from ._kubernetes_objects import key_of
from ._log_streams import Source, decoded, split_stamp, together

Pod = Mapping[str, Any]

_NOT_YET = 400
_LATE = 124
_NOT_BEGUN = 126
#: What the API tells of the end of a command comes here.
_STATUS_CHANNEL = 3


def read_logs(
    api: Api, pods: Iterable[Pod], service: str, *, follow: bool = False, tail: int | None = None
) -> Iterator[LogLine]:
    """Yield the output of all containers of pods, oldest first.

    :param follow: go on as more is written, until all have ended or the caller stops reading.
    :param tail: only this many lines from the end.
    :raises DriverError: the API does not answer, or refuses.
    """
    sources: list[Source] = [
        partial(_lines, api, pod, container, service, follow=follow, tail=tail, previous=previous)
        for pod in pods
        for container, previous in readable(pod)
    ]
    if sources:
        yield from together(sources, follow=follow, tail=tail)


def readable(pod: Pod) -> list[tuple[str, bool]]:
    """Return the containers of a pod that have written something, each with whether it was the run before this one."""
    status = pod.get("status") or {}
    found = []
    for state in status.get("initContainerStatuses") or []:
        if (state.get("state") or {}).get("terminated", {}).get("exitCode") != 0:  # one that went well is past
            found += _run_of(state)
    for state in status.get("containerStatuses") or []:
        found += _run_of(state)
    return found


def _run_of(state: Mapping[str, Any]) -> list[tuple[str, bool]]:
    is_waiting = "waiting" in (state.get("state") or {})
    if not is_waiting:
        return [(str(state["name"]), False)]
    return [(str(state["name"]), True)] if (state.get("lastState") or {}).get("terminated") else []


def _lines(
    api: Api, pod: Pod, container: str, service: str, *, follow: bool, tail: int | None, previous: bool
) -> Iterator[LogLine]:
    key = key_of(pod)
    query = {"container": container, "timestamps": "true"}
    if tail is not None:
        query["tailLines"] = str(tail)
    if previous:
        query["previous"] = "true"
    elif follow:
        query["follow"] = "true"
    path = api.kind("v1", "Pod", service=service).path(key.namespace, key.name) + "/log"
    # What is followed may be silent for as long as it likes.
    patience: dict[str, Any] = {"seconds": None} if follow else {}
    try:
        with api.open("GET", path, service=service, thing=f"log of pod {key.name}", query=query, **patience) as answer:
            for line in answer:
                written, text = split_stamp(line.rstrip(b"\n"))
                yield LogLine(service, decoded(text), time=written)
    except ApiError as error:
        if error.status != _NOT_YET and not error.is_missing:  # it has not begun, or has gone meanwhile
            raise


def execute(api: Api, pod: Pod, service: str, command: Sequence[str], timeout: float) -> tuple[int, str]:
    """Run a command in a pod's first container; return exit code and output, stdout and stderr as they came.

    :param timeout: seconds; a command that takes longer goes on in there, and counts as having ended with 124.
    :raises DriverError: it cannot be run there.
    """
    from kubernetes.client import ApiClient, ApiException, CoreV1Api
    from kubernetes.stream import stream

    key = key_of(pod)
    # A client of its own: for the time of the call, a method of it is exchanged.
    with connection_errors(service, api.host), ApiClient(api.official().configuration) as client:
        try:
            session = stream(
                CoreV1Api(client).connect_get_namespaced_pod_exec,
                key.name,
                key.namespace,
                command=list(command),
                container=pod["spec"]["containers"][0]["name"],
                stdout=True,
                stderr=True,
                stdin=False,
                tty=False,
                _preload_content=False,
                _request_timeout=timeout,
            )
        except ApiException as error:
            document = {"message": str(error.reason or error)}
            thing = f"{' '.join(command)} in pod {key.name}"
            raise DriverError(explain(service, _status(error), document, thing=thing, cluster=api.host)) from None
        try:
            session.run_forever(timeout=timeout)
            if session.is_open():
                return _LATE, f"did not end within {timeout:g} s"
            code, fault = _ending(session)  # first: reading all forgets the rest
            return code, session.read_all() + fault
        finally:
            session.close()


def _ending(session: Any) -> tuple[int, str]:
    """Return the exit code of a command and, where it could not even begin, what the API says of that."""
    try:
        status = json.loads(session.read_channel(_STATUS_CHANNEL) or "{}")
        causes = (status.get("details") or {}).get("causes") or []
        codes = [int(cause["message"]) for cause in causes if cause.get("reason") == "ExitCode"]
    except (KeyError, ValueError, TypeError, AttributeError):
        return _NOT_BEGUN, "its end is not known"
    if status.get("status") == "Success":
        return 0, ""
    return (codes[0], "") if codes else (_NOT_BEGUN, str(status.get("message") or "it could not be run"))


def _status(error: Any) -> int:
    """Return the status of a refused connection, which the client has in words only."""
    words = str(error.reason or "").split()
    numbers = [int(word) for word in words if word.isdigit() and len(word) == 3]
    return error.status or (numbers[0] if numbers else 0)


def no_pod(service: str) -> DriverError:
    """Return the error that nothing runs in which something could be done."""
    return DriverError(Problem(service, "has no pod that runs", f"Start {service}."))
