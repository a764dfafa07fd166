# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command ``provisioning``: what its groups hold, and where each command is; help needs no more than that."""

from __future__ import annotations

import gc
import sys
from typing import Annotated

import typer

from .. import __version__
from .lazy import PlainGroup, lazy_group, say
from .wording import CODES, FINDING, HELP, block

_COLLECT_AFTER = 100_000
_HELP = "Operate the platform that is installed on this host."
_EPILOG = "\n\n".join(
    [
        block(
            "Examples:",
            (
                "provisioning platform status",
                "provisioning services start gitea",
                "provisioning platform logs --follow --since 10m",
                "provisioning platform status --json",
            ),
        ),
        block("Exit codes:", CODES),
        FINDING,
    ]
)

#: Where the commands are: ``module:attribute`` is a typer app that has them.
PLATFORM = {
    "start": "platform_commands:app",
    "stop": "platform_commands:app",
    "restart": "platform_commands:app",
    "status": "platform_commands:app",
    "health": "platform_commands:app",
    "logs": "platform_commands:app",
    "update": "update_command:app",
}
SERVICES = {
    "list": "service_commands:app",
    "status": "service_commands:app",
    "start": "service_commands:app",
    "stop": "service_commands:app",
    "restart": "service_commands:app",
    "health": "service_commands:app",
    "logs": "service_commands:app",
    "check": "inspect_commands:app",
    "dependencies": "inspect_commands:app",
    "validate": "inspect_commands:app",
    "readiness": "inspect_commands:app",
    "monitor": "inspect_commands:app",
}

app = typer.Typer(cls=PlainGroup, rich_markup_mode=None, pretty_exceptions_enable=False, context_settings=HELP)
app.add_typer(
    typer.Typer(cls=lazy_group(PLATFORM), rich_markup_mode=None, no_args_is_help=True),
    name="platform",
    help="Operate the platform as a whole, or some of its services.",
    short_help="Start, stop, watch the platform.",
    epilog=block("Example:", ["provisioning platform status"]),
    context_settings=HELP,
)
app.add_typer(
    typer.Typer(cls=lazy_group(SERVICES), rich_markup_mode=None, no_args_is_help=True),
    name="services",
    help="Operate single services and look at what they need.",
    short_help="Start, stop, look at single services.",
    epilog=block("Example:", ["provisioning services list"]),
    context_settings=HELP,
)


def _version(context: typer.Context, wanted: bool) -> None:
    if wanted:
        say(context, f"provisioning {__version__}")


@app.callback(help=_HELP, epilog=_EPILOG, no_args_is_help=True)
def provisioning(
    context: typer.Context,
    config: Annotated[
        str | None, typer.Option("--config", "-c", metavar="FILE", help="Configuration of the installation meant.")
    ] = None,
    work_dir: Annotated[
        str | None, typer.Option("--work-dir", metavar="DIR", help="Its work dir, where there is no configuration.")
    ] = None,
    inventory: Annotated[
        str | None, typer.Option("--inventory", metavar="INV", help="Hosts of the platform elsewhere.")
    ] = None,
    version: Annotated[  # noqa: ARG001  it has done its work by then
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and leave.")
    ] = False,
) -> None:
    """Keep the options that were given before a command; they hold for it too."""
    context.obj = {"config": config, "work_dir": work_dir, "inventory": inventory}


def main() -> None:
    """Run the command and exit."""
    from ..edge import guarded
    from ..streams import open_standard_streams

    # Most commands are over before there is anything to collect: looking for it would take a tenth of their time.
    gc.set_threshold(_COLLECT_AFTER)
    open_standard_streams()
    sys.exit(guarded(lambda: app(prog_name="provisioning")))
