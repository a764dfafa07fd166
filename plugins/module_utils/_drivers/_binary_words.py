# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the mode ``binary`` says about a service: what keeps it from running, how it ended. Pure."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable, Iterator, Sequence

from .._build import build
from .._errors import DriverError, Problem
from .._model import BinaryDeployment, CommandHealthCheck, ServiceDefinition
from .._process import ProcessIdentity, started_at
from .._secrets import references
from .._state import PidRecord
from ._base import Observation


def argument_problems(service: ServiceDefinition, binary: BinaryDeployment) -> Iterator[Problem]:
    """Yield which secrets stand on a command line, where all users can read them, and what has no inside."""
    for owner, name in references([binary.command, binary.args]):
        why = f"its arguments hold the secret {owner}.{name}, which ps would show to every user"
        yield Problem(service.name, why, "Hand it over in deployment.binary.env or in a configuration file.")
    for check in (service.health, *service.verify):
        if isinstance(check, CommandHealthCheck):
            for owner, name in references(check.command):
                why = f"the command of a check holds the secret {owner}.{name}, which ps would show to every user"
                yield Problem(service.name, why, "Let the command read it from a configuration file.")
            if check.inside:
                why = "the command of a check is to be run inside it, and a process has no inside"
                yield Problem(service.name, why, "Set inside to false.")


def stand_in(name: str) -> ServiceDefinition:
    """Return a definition for processes of which only the name is known; it is enough to stop and remove them."""
    return build(ServiceDefinition, {"name": name, "deployment": {"mode": "binary", "binary": {"command": name}}})


def signal_problems(service: ServiceDefinition) -> list[Problem]:
    """Return the problem that there is no such stop signal, if it is so."""
    try:
        stop_signal(service)
    except DriverError as error:
        return list(error.problems)
    return []


def stop_signal(service: ServiceDefinition) -> signal.Signals:
    """Return the signal that asks a service to stop.

    :raises DriverError: there is no such signal.
    """
    name = service.startup.stop_signal.upper()
    try:
        return signal.Signals[name if name.startswith("SIG") else f"SIG{name}"]
    except KeyError:
        why = f"startup.stop_signal: there is no signal {service.startup.stop_signal}"
        raise DriverError(Problem(service.name, why, "Name one like SIGTERM or SIGINT.")) from None


def missing(service: ServiceDefinition, binary: BinaryDeployment) -> Problem:
    """Return the problem that the command of a service is not there."""
    return Problem(
        service.name,
        f"the command {binary.command} is not there or not executable",
        "Install it, or set deployment.binary.command to its path.",
    )


def summary(
    records: Sequence[PidRecord],
    living: Sequence[PidRecord],
    replicas: int,
    *,
    left: Callable[[], Sequence[ProcessIdentity]],
) -> Observation:
    """Return what a service is by its processes.

    :param records: of all of them, at least one.
    :param living: of those that run.
    :param replicas: how many are to run.
    :param left: finds what those that have ended have left behind.
    """
    digests = {record.digest for record in records}
    digest = digests.pop() if len(digests) == 1 else None
    pids = tuple(str(record.identity.pid) for record in living)
    if len(living) >= replicas:
        since = min(started_at(record.identity) for record in living)
        return Observation("running", digest, pids[0], since, instances=pids)
    if living:
        return Observation("failed", digest, pids[0], instances=pids, detail=f"{len(living)} of {replicas} run")
    worst = next((record for record in records if record.exit_code != 0), records[0])
    code = worst.exit_code
    if all(record.stopped for record in records):
        return Observation("stopped", digest, exit_code=code, detail="was stopped")
    behind = tuple(str(member.pid) for member in left())
    detail = ending(worst.identity.pid, code) + (f", and left {len(behind)} processes behind" if behind else "")
    return Observation("stopped" if code == 0 else "failed", digest, exit_code=code, detail=detail, instances=behind)


def early_end(seen: Observation) -> str:
    """Say that the process of a service has ended though it was to stay.

    :param seen: what it is now.
    """
    if seen.id is not None or seen.exit_code not in (0, None):
        return seen.detail
    if seen.exit_code is None:  # another than its parent asks
        return f"{seen.detail}, while it was expected to stay; if it goes into the background, run it in the foreground"
    return "its process ended with exit code 0 while it was expected to stay; run it in the foreground"


def ending(pid: int, code: int | None) -> str:
    """Say how a process ended.

    :param code: its exit code, negative for a signal; nothing when nobody knows.
    """
    if code is None:
        return f"pid {pid} is gone"
    if code < 0:
        with contextlib.suppress(ValueError):
            return f"pid {pid} was killed by {signal.Signals(-code).name}"
        return f"pid {pid} was killed by signal {-code}"
    return f"pid {pid} exited with code {code}"
