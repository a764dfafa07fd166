# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``provisioning platform ...``: options and help; the work is done elsewhere."""

from __future__ import annotations

from .command import command, new_app
from .context import Request
from .options import Follow, Force, KeepGoing, Names, Since, Tail, WithDependents
from .wording import HEALTH_KEYS, LOG_KEYS, OUTCOME_KEYS, STATUS_KEYS

app = new_app()


@command(
    app,
    "start",
    "provisioning platform start",
    "provisioning platform start orchestrator control-center",
    short_help="Start services, with what they depend on.",
    keys=OUTCOME_KEYS,
    on_hosts="host_operating:start",
)
def start(request: Request, services: Names = None, *, keep_going: KeepGoing = False) -> int:
    """Start the services that do not run; all that start with the platform where none is named.

    What they depend on is started first, and each service at the instant what it needs is healthy. Before anything is
    touched it is checked that they can run: what is in the way is told with its remedy. It ends with 0 when all are
    healthy.
    """
    from .operating import start as work

    return work(request, services or [], keep_going=keep_going)


@command(
    app,
    "stop",
    "provisioning platform stop",
    "provisioning platform stop orchestrator --with-dependents",
    short_help="Stop services, unless others need them.",
    keys=OUTCOME_KEYS,
    on_hosts="host_operating:stop",
)
def stop(
    request: Request, services: Names = None, *, with_dependents: WithDependents = False, force: Force = False
) -> int:
    """Stop services; all where none is named.

    Each is stopped after those that depend on it. What others that run depend on is not stopped, and they are named.
    Data is kept.
    """
    from .operating import stop as work

    return work(request, services or [], with_dependents=with_dependents, force=force)


@command(
    app,
    "restart",
    "provisioning platform restart",
    "provisioning platform restart orchestrator",
    short_help="Restart services.",
    keys=OUTCOME_KEYS,
    on_hosts="host_operating:restart",
)
def restart(request: Request, services: Names = None, *, keep_going: KeepGoing = False) -> int:
    """Restart services; all that start with the platform where none is named.

    What they depend on is started where it does not run, and checked before anything is touched, as by start.
    """
    from .operating import restart as work

    return work(request, services or [], keep_going=keep_going)


@command(
    app,
    "status",
    "provisioning platform status",
    "provisioning platform status orchestrator --json",
    short_help="Show whether services run and are healthy.",
    keys=STATUS_KEYS,
    on_hosts="host_looking:status",
)
def status(request: Request, services: Names = None) -> int:
    """Show of each service what it is, whether it is healthy and where it answers.

    It tells also whether they are supervised. It ends with 0 when all run and are healthy, with 1 when one that is
    required, or that was named, does not, and with 4 when only others do not, or the supervisor has ended.
    """
    from .looking import status as work

    return work(request, services or [])


@command(
    app,
    "health",
    "provisioning platform health",
    "provisioning platform health orchestrator --json",
    short_help="Check the health of services now.",
    keys=HEALTH_KEYS,
    on_hosts="host_looking:health",
)
def health(request: Request, services: Names = None) -> int:
    """Check the health of services now, all at the same time, and show what each check said.

    It ends with 0 when all are healthy, with 1 when one that is required, or that was named, is not, and with 4 when
    only others are not.
    """
    from .looking import health as work

    return work(request, services or [])


@command(
    app,
    "logs",
    "provisioning platform logs --tail 20",
    "provisioning platform logs --follow --since 10m",
    short_help="Show what services have written.",
    keys=LOG_KEYS,
    on_hosts="host_logs:show_logs",
)
def logs(
    request: Request, services: Names = None, *, follow: Follow = False, since: Since = None, tail: Tail = None
) -> int:
    """Show what services have written; several are merged by time, and each line has the name of its service.

    The time is that of the engine, or of processes what stands at the beginning of the line; a line without one goes
    with the line before it.
    """
    from .reading_logs import show_logs

    return show_logs(request, services or [], follow=follow, since=since, tail=tail)
