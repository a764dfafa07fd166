# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether what is installed is supervised: as lines, and what follows from it."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.provisioning.platform.plugins.module_utils._errors import Problem

from ..exit_codes import ExitCode
from .moments import age
from .output import Printer

#: Whether each host is supervised, as the engine tells it, with the name of the host; none on this one.
Supervisions = Sequence[tuple[str, Mapping[str, Any]]]


def supervision_lines(printer: Printer, found: Supervisions) -> list[str]:
    """Return who watches what is installed; nothing where nobody is to."""
    lines = []
    for host, one in found:
        if one["running"]:
            lines.append(f"Supervised{_on(host)} for {age(one['since'], time.time())} (pid {one['pid']}).")
        elif one["problem"]:
            lines += printer.problem("warning", "unsure", problem_of(host, one))
    return lines


def problem_of(host: str, one: Mapping[str, Any]) -> Problem:
    """Return what is wrong with the supervision of a host."""
    return Problem(f"supervisor{_on(host)}", one["problem"], one["remedy"])


def with_supervision(code: ExitCode, found: Supervisions) -> ExitCode:
    """Return an exit code that tells also that nobody supervises what should be."""
    return ExitCode.DEGRADED if code is ExitCode.OK and any(one["problem"] for _host, one in found) else code


def _on(host: str) -> str:
    return f" on {host}" if host else ""
