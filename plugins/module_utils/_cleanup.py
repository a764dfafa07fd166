# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Taking back what an installation that failed has created."""

from __future__ import annotations

from collections.abc import Iterable

from ._converge import Options
from ._events import Sink
from ._ledger import Ledger
from ._manager import Manager
from ._paths import WorkDir


def take_back(layout: WorkDir, installation: str, *, dry: bool = False, sinks: Iterable[Sink] = ()) -> list[str]:
    """Take away the services, files and folders that a failed run created; return what that was.

    The journal, the run's log and the audit log stay, to tell what happened.

    :param dry: only tell.
    :param sinks: readers of the events.

    :raises ProvisioningError: a service cannot be removed.
    """
    ledger = Ledger(layout, installation)
    created = ledger.read()
    manager = Manager.open(layout.root, sinks=sinks, run=installation)
    there = [name for name in created.services if name in manager.services()]
    if dry:
        return [*there, *created.paths]
    manager.converge(dict.fromkeys(there, "absent"), Options(fail_fast=False), removal="cleaned up after the failure")
    manager.clean()
    removed = ledger.remove_paths(keep=[layout.installations / installation, layout.audit])
    return [*there, *removed]
