# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``provisioning services`` ``check``, ``dependencies``, ``validate``, ``readiness``, ``monitor``: options and help."""

from __future__ import annotations

from typing import Annotated

import typer

from .command import command, new_app
from .context import Request
from .options import Names, Variables, complete_operations
from .wording import CHECK_KEYS, GRAPH_KEYS, MONITOR_KEYS, OPERATIONS_KEYS, READINESS_KEYS, VALIDATION_KEYS

app = new_app()


@command(
    app,
    "check",
    "provisioning services check server",
    "provisioning services check workflow --no-start --json",
    "provisioning services check workflow --run -- submit my-workflow",
    short_help="Say whether an operation can go ahead.",
    keys=f"{CHECK_KEYS};\n{OPERATIONS_KEYS}",
    on_hosts="host_inspecting:check",
)
def check(
    request: Request,
    operation: Annotated[
        str | None,
        typer.Argument(
            metavar="[OPERATION]",
            autocompletion=complete_operations,
            help="Name of an operation: server, workflow, test, or one of the configuration's.",
        ),
    ] = None,
    words: Annotated[
        list[str] | None, typer.Argument(metavar="[-- WORD...]", help="What the command is called with by --run.")
    ] = None,
    *,
    no_start: Annotated[bool, typer.Option("--no-start", help="Only look; start nothing.")] = False,
    run: Annotated[
        bool, typer.Option("--run", help="Then call the configuration's provisioning_path: OPERATION WORD...")
    ] = False,
) -> int:
    """Say which services an operation needs, and start those that do not run, if it may.

    It ends with 0 when the operation can go ahead, and with 3 when it cannot; with --run as the command that it calls
    does. Without OPERATION it lists the operations that there are; the configuration's operations: adds to them.
    """
    from .inspecting import check as work
    from .inspecting import list_operations, run_operation

    if run or words:
        return run_operation(request, operation, words or [], start=not no_start, run=run)
    return list_operations(request) if operation is None else work(request, operation, start=not no_start)


@command(
    app,
    "dependencies",
    "provisioning services dependencies",
    "provisioning services dependencies control-center",
    "provisioning services dependencies orchestrator --reverse",
    "provisioning services dependencies --format svg > services.svg",
    short_help="Draw what services depend on.",
    keys=GRAPH_KEYS,
    on_hosts="host_looking:dependencies",
)
def dependencies(
    request: Request,
    services: Names = None,
    *,
    drawing: Annotated[
        str | None, typer.Option("--format", "-f", metavar="FORMAT", help="tree, mermaid, dot or svg.  [tree]")
    ] = None,
    reverse: Annotated[bool, typer.Option("--reverse", "-r", help="What depends on them instead.")] = False,
) -> int:
    """Draw what services depend on, all or some: as a tree, for Mermaid or Graphviz, or as an SVG image.

    Arrows point to what is needed. A condition stands beside a dependency where it is another than healthy.
    """
    from .inspecting import dependencies as work

    return work(request, services or [], drawing=drawing, reverse=reverse)


@command(
    app,
    "validate",
    "provisioning services validate",
    "provisioning services validate --json",
    short_help="Check definitions and whether they can run here.",
    keys=VALIDATION_KEYS,
    on_hosts="host_inspecting:validate",
)
def validate(request: Request, services: Names = None, *, variables: Variables = None) -> int:
    """Check the configuration, if there is one, else what is installed; change nothing.

    Checked are settings, cycles, what each service's mode needs of this host, and conflicts: ports, processes, other
    services. What is wrong is told with its remedy. It ends with 2 when the configuration is wrong, with 3 when what is
    required cannot run here, and with 4 when only other services cannot.
    """
    from .validating import validate as work

    return work(request, services or [], variables or [])


@command(
    app,
    "readiness",
    "provisioning services readiness",
    "provisioning services readiness --output yaml",
    short_help="Say what keeps the platform from being ready.",
    keys=READINESS_KEYS,
    on_hosts="host_inspecting:readiness",
)
def readiness(request: Request) -> int:
    """Say whether all that is required runs and is healthy, and if not why, and what a start would stumble over.

    It ends with 0 when the platform is ready, with 1 when it is not, and with 4 when it is but the supervisor has
    ended.
    """
    from .validating import readiness as work

    return work(request)


@command(
    app,
    "monitor",
    "provisioning services monitor",
    "provisioning services monitor orchestrator --interval 30",
    "provisioning services monitor --json >> changes.jsonl",
    short_help="Watch services; change nothing.",
    keys=MONITOR_KEYS,
)
def monitor(
    request: Request,
    services: Names = None,
    *,
    interval: Annotated[
        str, typer.Option("--interval", "-i", metavar="SECONDS", help="Seconds between two looks.")
    ] = "5",
) -> int:
    """Watch services, all or some, until Ctrl-C: whether they run and are healthy.

    In a terminal they are shown in place, with the changes of late below; elsewhere each change is a line.
    """
    from .monitoring import monitor as work

    return work(request, services or [], interval=interval)
