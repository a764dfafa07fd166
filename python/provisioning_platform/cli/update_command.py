# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``provisioning platform update``: options and help."""

from __future__ import annotations

from typing import Annotated

import typer

from .command import command, new_app
from .context import Request
from .options import Names, Variables
from .wording import UPDATE_KEYS

app = new_app()


@command(
    app,
    "update",
    "provisioning-run sample --profile solo > provisioning.toml",
    "provisioning platform update --check",
    "provisioning platform update gitea",
    short_help="Bring services to new versions, one at a time.",
    keys=UPDATE_KEYS,
    on_hosts="host_updating:update",
)
def update(
    request: Request,
    services: Names = None,
    *,
    check: Annotated[bool, typer.Option("--check", help="Touch nothing; show what would be updated.")] = False,
    variables: Variables = None,
) -> int:
    """Bring what is installed to what the configuration says now: images, programs, settings.

    One service after the other is updated, in the order of their dependencies, and each must be healthy and do its work
    before the next one's turn. One that fails goes back to its former version, and the rest is not touched. With pull:
    always an image of the same name counts as new when its registry has another one.

    It ends with 0 when all are up to date, with 5 when one failed and is back on its former version, and with 1 when
    that failed, too; --check ends with 10 when there is something to update.
    """
    from .updating import update as work

    return work(request, services or [], variables or [], check=check)
