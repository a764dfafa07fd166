# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What container engines say when something goes wrong, turned into one error with the fault and the remedy."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from .._errors import DriverError, Problem

if TYPE_CHECKING:
    from requests.exceptions import HTTPError

NOT_FOUND = 404
CONFLICT = 409


class EngineError(DriverError):
    """An engine refused a request, or did not answer it.

    :param problem: the same for people.
    :param text: the engine's own words.
    :param status: HTTP status of the refusal; nothing where there was no answer.
    """

    def __init__(self, problem: Problem, text: str, status: int | None = None) -> None:
        super().__init__(problem)
        self.text = text
        self.status = status

    @property
    def is_missing_image(self) -> bool:
        """Whether the engine does not have the image."""
        return self.status == NOT_FOUND and "no such image" in self.text.lower()

    @property
    def is_name_conflict(self) -> bool:
        """Whether something of that name exists already; Podman says so with status 500."""
        return self.status == CONFLICT or _NAME_TAKEN.search(self.text) is not None

    @property
    def is_passing(self) -> bool:
        """Whether another container's interface went away while the engine was looking for addresses for a network."""
        return "no such network interface" in self.text

    @property
    def is_in_use(self) -> bool:
        """Whether the thing cannot be removed because a container uses it."""
        return _IN_USE.search(self.text) is not None


@contextmanager
def engine_errors(what: str) -> Iterator[None]:
    """Turn whatever the SDK and its transport raise into an :class:`EngineError`.

    :param what: the service or thing that the request is about.
    """
    try:
        yield
    except _refusals() as error:
        text = _words(error)
        status = error.response.status_code if error.response is not None else None
        raise EngineError(explain(what, text), text, status) from error
    except _silences() as error:
        why = f"the container engine did not answer: {error}"
        raise EngineError(Problem(what, why, "See whether it still runs, then try again."), str(error)) from error


# What an except clause names is worked out when something was raised: only then are the imports worth their time.


def _refusals() -> type[HTTPError]:
    import requests.exceptions

    return requests.exceptions.HTTPError


def _silences() -> tuple[type[Exception], ...]:
    import docker.errors
    import requests.exceptions
    import urllib3.exceptions

    return docker.errors.DockerException, requests.exceptions.RequestException, urllib3.exceptions.HTTPError


def _words(error: HTTPError) -> str:
    """Return the message of an engine's refusal, which the SDK has read already or not."""
    explanation = getattr(error, "explanation", None)
    if explanation is None and error.response is not None:
        try:
            explanation = error.response.json()["message"]
        except (ValueError, KeyError, TypeError):
            explanation = error.response.text
    return str(explanation or error)


def explain(what: str, text: str) -> Problem:
    """Return what an engine's error message means, with the remedy where one is known.

    :param what: name of the service, or the thing concerned.
    :param text: the engine's own words.
    """
    for pattern, why, remedy in _MEANINGS:
        match = pattern.search(text)
        if match:
            details = {"what": what, **{name: value or "" for name, value in match.groupdict().items()}}
            return Problem(what, why.format(**details), remedy.format(**details))
    return Problem(what, f"the container engine says: {text.strip()}")


def _meaning(pattern: str, why: str, remedy: str) -> tuple[re.Pattern[str], str, str]:
    return re.compile(pattern, re.IGNORECASE), why, remedy


_IN_USE = re.compile(r"active endpoints|is being used|in use|associated containers", re.IGNORECASE)
_NAME_TAKEN = re.compile(r"name \S+ is already in use|already exists|name is already in use", re.IGNORECASE)

# What Docker 20.10 to 28 and Podman 4 to 5 say. The first that matches counts.
_MEANINGS = (
    _meaning(
        r"(?:bind for |listen (?:tcp|udp)[46]? )(?P<address>\S+?):(?P<port>\d+)\S*.*"
        r"(?:port is already allocated|address already in use)",
        "port {port} of {address} is already taken",
        "Stop what uses it, or set deployment.services[{what}].port.",
    ),
    _meaning(
        r"port is already allocated|address already in use",
        "a port that it publishes is already taken",
        "Stop what uses it, or set deployment.services[{what}].port.",
    ),
    _meaning(
        r"no such image:? (?P<image>[^\s,]+?):?(?:\s|$)",
        "the image {image} is not on this machine",
        "Pull or build it first, or set docker.pull of {what} to missing.",
    ),
    _meaning(
        r"container name \"?/?(?P<name>[\w.-]+)\"? is already in use",
        "a container named {name} exists already and was not made for this installation",
        "Remove it, or set deployment.project to another name.",
    ),
    _meaning(
        r"bind source path does not exist: (?P<path>\S+)",
        "{path}, which is to be mounted, does not exist",
        "Create it, or correct docker.volumes of {what}.",
    ),
    _meaning(
        r"exec: \\?\"(?P<command>[^\"\\]+)\\?\".*(?:not found|no such file)",
        "the image has no command {command}",
        "Correct docker.command or docker.entrypoint of {what}.",
    ),
    _meaning(
        r"exec: \\?\"(?P<command>[^\"\\]+)\\?\".*(?:permission denied|operation not permitted)",
        "the command {command} may not be run",
        "Correct docker.command, docker.user or docker.cap_add of {what}.",
    ),
    _meaning(
        r"unable to find (?P<kind>user|group) (?P<name>\S+?):",
        "the image has no {kind} {name}",
        "Correct docker.user of {what}; a number always works.",
    ),
    _meaning(
        r"range of cpus is from \S+ to \S+, as there are only (?P<count>\d+)",
        "it asks for more cores than the {count} that there are",
        "Lower resources.cpu of {what}.",
    ),
    _meaning(
        r"minimum memory limit|unable to set memory limit",
        "its memory limit is too small to start anything",
        "Raise resources.memory of {what}.",
    ),
    _meaning(
        r"setting rlimits? ",
        "the container engine may not set its limit of open files here",
        "Remove resources.open_files of {what}, or allow the engine CAP_SYS_RESOURCE.",
    ),
    _meaning(
        r"(?:\"CAP_(?P<a>\w+)\".*unknown capability|unknown capability:? \"?(?:CAP_)?(?P<b>\w+))",
        "there is no capability {a}{b}",
        "Correct docker.cap_add or docker.cap_drop of {what}.",
    ),
    _meaning(
        r"non-overlapping IPv4 address pool|could not find free subnet",
        "the engine has no free address range for another network",
        "Remove networks that nothing uses (docker network prune), or widen default-address-pools.",
    ),
    _meaning(
        r"no space left on device",
        "there is no space left on the engine's disk",
        "Free some, e.g. with docker image prune.",
    ),
    _meaning(
        r"network (?:\"?(?P<name>[\w.-]+)\"? )?not found",
        "the network {name} is gone",
        "Run the installation again; it makes the network.",
    ),
    _meaning(
        r"permission denied|operation not permitted",
        "the container engine lacks a right that this needs",
        "See the engine's log; run the engine as root, or take the setting back that needs the right.",
    ),
)
