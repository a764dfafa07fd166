# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a container can hear the signal that asks it to stop.

The first process of a pid namespace gets only those signals it has a handler for (pid_namespaces(7)). Waiting for one
that has none, as many small servers, to stop by itself is waiting for nothing: it would be killed at the end anyway.
"""

from __future__ import annotations

from pathlib import Path

from ._docker_engine import Engine
from ._docker_errors import EngineError, engine_errors
from ._docker_observe import signal_number

_PROC = Path("/proc")


def is_deaf(engine: Engine, service: str, container: str, name: str) -> bool:
    """Whether it is certain that the container's first process never gets the signal; false when in doubt.

    :param service: on whose behalf, for messages.
    :param name: of the signal, with or without SIG.
    :raises DriverError: the engine does not answer.
    """
    if not engine.is_local:
        return False
    try:
        with engine_errors(service):
            about = engine.api.inspect_container(container)
    except EngineError:
        return False
    pid = about["State"].get("Pid", 0)
    # The image may ask for another signal than the one that is usual.
    asked = about.get("Config", {}).get("StopSignal") or name
    return bool(pid) and first_process_is_deaf(pid, container, str(asked))


def first_process_is_deaf(pid: int, container: str, name: str, *, proc: Path = _PROC) -> bool:
    """Whether a process is the first of a container's pid namespace and has no handler for the signal.

    :param pid: of the process, as this machine counts.
    :param container: id of the container that the process must belong to.
    """
    try:
        if container not in (proc / str(pid) / "cgroup").read_text(encoding="utf-8"):
            return False
        lines = (proc / str(pid) / "status").read_text(encoding="utf-8").splitlines()
    except OSError:
        return False
    fields = dict(line.split(":", 1) for line in lines if ":" in line)
    numbers = fields.get("NSpid", "").split()
    if len(numbers) < 2 or numbers[-1] != "1":
        return False
    number = signal_number(name)
    if not number:
        return False
    return not int(fields.get("SigCgt", "0"), 16) >> (number - 1) & 1
