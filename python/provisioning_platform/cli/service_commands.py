# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``provisioning services ...``: options and help; the work is done elsewhere."""

from __future__ import annotations

from typing import Annotated

import typer

from . import platform_commands
from .command import command, new_app
from .context import Request
from .options import Follow, Force, KeepGoing, Names, Services, Since, Tail, WithDependents
from .wording import HEALTH_KEYS, LIST_KEYS, LOG_KEYS, OUTCOME_KEYS, STATUS_KEYS

app = new_app()


@command(
    app,
    "list",
    "provisioning services list",
    "provisioning services list --running --json",
    short_help="List the services that there are.",
    keys=LIST_KEYS,
    on_hosts="host_looking:list_services",
)
def list_all(
    request: Request, *, running: Annotated[bool, typer.Option("--running", help="Only those that run.")] = False
) -> int:
    """List the services with their modes, whether they run, and what they need.

    They stand in the order in which they are started.
    """
    from .looking import list_services

    return list_services(request, running=running)


@command(
    app,
    "start",
    "provisioning services start gitea",
    "provisioning services start orchestrator control-center",
    short_help="Start services, with what they depend on.",
    keys=OUTCOME_KEYS,
    on_hosts="host_operating:start",
)
def start(request: Request, services: Services, *, keep_going: KeepGoing = False) -> int:
    """Start services that do not run.

    What they depend on is started first, and each service at the instant what it needs is healthy. Before anything is
    touched it is checked that they can run: what is in the way is told with its remedy. It ends with 0 when all are
    healthy.
    """
    from .operating import start as work

    return work(request, services, keep_going=keep_going)


@command(
    app,
    "stop",
    "provisioning services stop gitea",
    "provisioning services stop orchestrator --with-dependents",
    short_help="Stop services, unless others need them.",
    keys=OUTCOME_KEYS,
    on_hosts="host_operating:stop",
)
def stop(request: Request, services: Services, *, with_dependents: WithDependents = False, force: Force = False) -> int:
    """Stop services.

    Each is stopped after those that depend on it. What others that run depend on is not stopped, and they are named.
    Data is kept.
    """
    from .operating import stop as work

    return work(request, services, with_dependents=with_dependents, force=force)


@command(
    app,
    "restart",
    "provisioning services restart gitea",
    "provisioning services restart orchestrator",
    short_help="Restart services.",
    keys=OUTCOME_KEYS,
    on_hosts="host_operating:restart",
)
def restart(request: Request, services: Services, *, keep_going: KeepGoing = False) -> int:
    """Restart services.

    What they depend on is started where it does not run, and checked before anything is touched, as by start.
    """
    from .operating import restart as work

    return work(request, services, keep_going=keep_going)


@command(
    app,
    "status",
    "provisioning services status gitea",
    "provisioning services status orchestrator --output yaml",
    short_help="Show all that is known of services.",
    keys=STATUS_KEYS,
    on_hosts="host_looking:details",
)
def status(request: Request, services: Names = None) -> int:
    """Show all that is known of services: since when, why, restarts, the last error.

    It ends with 0 when all run and are healthy, with 1 when one that is required, or that was named, does not, and with
    4 when only others do not.
    """
    from .looking import details

    return details(request, services or [])


command(
    app,
    "health",
    "provisioning services health",
    "provisioning services health orchestrator --json",
    short_help="Check the health of services now.",
    keys=HEALTH_KEYS,
    on_hosts="host_looking:health",
)(platform_commands.health)  # the same, under the name that people look for here


@command(
    app,
    "logs",
    "provisioning services logs gitea --tail 20",
    "provisioning services logs orchestrator control-center --since 10m",
    short_help="Show what services have written.",
    keys=LOG_KEYS,
    on_hosts="host_logs:show_logs",
)
def logs(
    request: Request, services: Services, *, follow: Follow = False, since: Since = None, tail: Tail = None
) -> int:
    """Show what services have written; several are merged by time, and each line has the name of its service.

    The time is that of the engine, or of processes what stands at the beginning of the line; a line without one goes
    with the line before it.
    """
    from .reading_logs import show_logs

    return show_logs(request, services, follow=follow, since=since, tail=tail)
