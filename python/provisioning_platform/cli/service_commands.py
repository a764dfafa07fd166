# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``provisioning services ...``: options and help; the work is done elsewhere."""

from __future__ import annotations

from .command import command, new_app
from .context import Request
from .options import Names

app = new_app()


@command(
    app,
    "status",
    "provisioning services status",
    "provisioning services status orchestrator --json",
    short_help="Show whether services run and are healthy.",
    keys="services: a list of name, mode, status, health, address, required, since, restarts, ...",
)
def status(request: Request, services: Names = None) -> int:
    """Show of each service what it is, whether it is healthy and where it answers.

    It ends with 0 when all run and are healthy, with 1 when one that is required, or that was named, does not, and with
    4 when only others do not.
    """
    from .looking import status as work

    return work(request, services or [])
