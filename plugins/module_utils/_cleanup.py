# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Taking back what an installation that failed has created."""

from __future__ import annotations

from collections.abc import Iterable

from ._converge import Options
from ._errors import DriverError, Problem, raise_if_any
from ._events import Sink
from ._ledger import Ledger
from ._manager import Manager
from ._paths import WorkDir
from ._plan import Goal


def take_back(layout: WorkDir, installation: str, *, dry: bool = False, sinks: Iterable[Sink] = ()) -> list[str]:
    """Take away the services, files and folders that a failed run created; return what that was.

    Data that the mode keeps outside the work dir stays, as it may be older than the run, and is told.

    The journal, the run's log and the audit log stay, to tell what happened.

    :param dry: only tell.
    :param sinks: readers of the events.
    :raises ProvisioningError: a service cannot be removed; its files stay.
    """
    ledger = Ledger(layout, installation)
    created = ledger.read()
    manager = Manager.open(layout.root, sinks=sinks, run=installation)
    there = [name for name in created.services if name in manager.services()]
    if dry:
        return [*there, *created.paths]
    goals: dict[str, Goal] = dict.fromkeys(there, "absent")
    _plan, outcomes = manager.converge(goals, Options(fail_fast=False), removal="cleaned up after the failure")
    # By the files, what could not be removed is found again.
    left = [outcome for outcome in outcomes.values() if not outcome.is_well]
    raise_if_any(
        [Problem(one.service, f"could not be cleaned up: {one.reason}", one.remedy) for one in left], DriverError
    )
    manager.clean()
    manager.tell_kept(there)
    removed = ledger.remove_paths(keep=[layout.installations / installation, layout.audit])
    return [*there, *removed]
