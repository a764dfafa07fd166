# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine's errors: one small tree with one root.

Every message names the thing, what is wrong with it and the remedy. They are turned into ``fail_json`` or an exit
code once, in a module's or a command's ``main()``.
"""

from __future__ import annotations

import errno
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """Something that keeps a service or the platform from running.

    :param what: the thing concerned, e.g. ``gitea`` or ``deployment.services[2].port``.
    :param why: what is wrong with it, in words.
    :param remedy: what the reader can do about it; empty where nothing sensible can be said.
    """

    what: str
    why: str
    remedy: str = ""

    def __str__(self) -> str:
        text = f"{self.what}: {self.why}"
        if not text.endswith((".", "!", "?")):
            text += "."
        return f"{text} {self.remedy}" if self.remedy else text


class ProvisioningError(Exception):
    """Root of all errors the engine raises on purpose.

    :param problems: at least one :class:`Problem`; the message is their texts, one a line.
    """

    kind = "failed"

    def __init__(self, *problems: Problem) -> None:
        self.problems: tuple[Problem, ...] = problems
        super().__init__("\n".join(str(problem) for problem in problems))


class ConfigurationError(ProvisioningError):
    """The configuration or a definition is wrong; found before anything is touched."""

    kind = "configuration"


class PrerequisiteError(ProvisioningError):
    """The machine lacks what a service needs, or something is in its way."""

    kind = "prerequisites"


class BusyError(PrerequisiteError):
    """Another run holds the lock."""


class DriverError(ProvisioningError):
    """A process, an engine or an API did not do what it was asked."""


class HealthError(ProvisioningError):
    """A service did not become healthy in time."""


class CancelledRun(ProvisioningError):
    """The run was asked to stop."""

    kind = "cancelled"


def raise_if_any(problems: Sequence[Problem], error: type[ProvisioningError]) -> None:
    """Raise one error that holds all the problems, or return if there are none.

    :raises ProvisioningError: of the class given, when ``problems`` is not empty.
    """
    if problems:
        raise error(*problems)


def os_problem(what: str, error: OSError) -> Problem:
    """Say in words what the operating system refused."""
    where = f"{error.filename}: " if error.filename else ""
    remedy = _REMEDIES.get(error.errno or 0, "")
    return Problem(what, f"{where}{error.strerror or error}", remedy)


_REMEDIES = {
    errno.ENOSPC: "Free some space there, or set work_dir to a place that has more.",
    errno.EDQUOT: "Free some of your quota there, or set work_dir to another place.",
    errno.EACCES: "Give the user who installs the right to it, or run as another user.",
    errno.EPERM: "Give the user who installs the right to it, or run as another user.",
    errno.EROFS: "Set work_dir to a place that can be written.",
}
