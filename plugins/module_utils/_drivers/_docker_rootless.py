# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an engine that runs without root's rights cannot do."""

from __future__ import annotations

from pathlib import Path

from .. import _ports
from .._errors import Problem
from .._model import ServiceDefinition
from ._docker_engine import Engine

_FIRST_FREE = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start")
_USUAL_FIRST_FREE = 1024


def port_problems(engine: Engine, service: ServiceDefinition, *, first_free: int | None = None) -> list[Problem]:
    """Return the published ports that only root may take, where the engine runs without its rights.

    :param first_free: the first port that everybody may take; the kernel is asked when absent.
    """
    if not engine.is_local or engine.owner in (0, None):
        return []
    limit = _first_free() if first_free is None else first_free
    problems = []
    for port in _ports.needed(service):
        if port.number < limit:
            why = f"port {port} is for root alone, and {engine.name} runs here without root's rights"
            remedy = f"Publish one from {limit} on, or let everybody have it: "
            remedy += f"sysctl net.ipv4.ip_unprivileged_port_start={port.number}, as root."
            problems.append(Problem(service.name, why, remedy))
    return problems


def _first_free() -> int:
    try:
        return int(_FIRST_FREE.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return _USUAL_FIRST_FREE
