# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command ``provisioning-run``: its options and subcommands; what they do is in ``commands``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from . import __version__
from .exit_codes import MEANING, ExitCode

_HELP = "Install a platform of services unattended, as a configuration file says."
_EXAMPLES = (
    "provisioning-run sample --profile solo > solo.toml",
    "provisioning-run validate --config solo.toml",
    "provisioning-run plan --config solo.toml",
    "provisioning-run --config solo.toml",
    "provisioning-run --config solo.toml --json > events.jsonl",
)
_CODES = tuple(f"{code.value:>3}  {MEANING[code]}" for code in ExitCode)


def _block(title: str, lines: Sequence[str]) -> str:
    # The \b keeps click from wrapping what follows.
    return f"{title}\n\n\b\n" + "\n".join(f"  {line}" for line in lines)


_EPILOG = "\n\n".join(
    [_block("Examples, which work as they stand, one after the other:", _EXAMPLES), _block("Exit codes:", _CODES)]
)

app = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


class SampleFormat(StrEnum):
    """Formats of examples."""

    TOML = "toml"
    YAML = "yaml"


Config = Annotated[
    Path | None,
    typer.Option(
        "--config", "-c", metavar="FILE", help="Configuration; else PROVISIONING_CONFIG, ./provisioning.toml."
    ),
]
Inventory = Annotated[
    str | None,
    typer.Option("--inventory", "-i", metavar="INV", help="Inventory with a group platform; else this machine."),
]
Variables = Annotated[
    list[str] | None,
    typer.Option("--var", metavar="NAME=VALUE", help="Value for ${var.NAME} in the configuration; may be repeated."),
]
Check = Annotated[bool, typer.Option("--check", help="Touch nothing; show the plan, as the subcommand plan does.")]
AsJson = Annotated[bool, typer.Option("--json", help="Write nothing but JSON lines to stdout: events, or the plan.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Say only how it ended.")]


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"provisioning-run {__version__}")
        raise typer.Exit


Version = Annotated[
    bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and leave.")
]


@app.callback(invoke_without_command=True, help=_HELP, epilog=_EPILOG)
def run(
    context: typer.Context,
    config: Config = None,
    check: Check = False,
    as_json: AsJson = False,
    inventory: Inventory = None,
    variables: Variables = None,
    quiet: Quiet = False,
    version: Version = False,  # noqa: ARG001  it has done its work by then
) -> None:
    """Install, unless there is a subcommand; options given before one hold for it too."""
    from .commands import Options, install, plan

    options = Options(config, inventory, variables or [], as_json=as_json, quiet=quiet)
    context.obj = options
    if context.invoked_subcommand is None:
        if options == Options(variables=[]) and not check and not _has_configuration():
            typer.echo(context.get_help(), err=True)
            raise typer.Exit(ExitCode.CONFIGURATION)
        raise typer.Exit((plan if check else install)(options))


def _has_configuration() -> bool:
    """Whether a configuration is found though none was named."""
    from .discovery import find_configuration

    return find_configuration() is not None


@app.command(short_help="Check a configuration.")
def validate(context: typer.Context, config: Config = None, variables: Variables = None, quiet: Quiet = False) -> None:
    """Check a configuration and say what it stands for; nothing is touched."""
    from . import commands

    raise typer.Exit(commands.validate(context.obj.override(config=config, variables=variables, quiet=quiet)))


@app.command(short_help="Show what an installation would do.")
def plan(
    context: typer.Context,
    config: Config = None,
    as_json: AsJson = False,
    inventory: Inventory = None,
    variables: Variables = None,
    quiet: Quiet = False,
) -> None:
    """Show what an installation would do with each service, and why; nothing is touched."""
    from . import commands

    options = context.obj.override(config, inventory, variables, as_json=as_json, quiet=quiet)
    raise typer.Exit(commands.plan(options))


@app.command(short_help="Print an example configuration.")
def sample(
    profile: Annotated[str, typer.Option("--profile", "-p", help="Name of an example.")] = "solo",
    file_format: Annotated[SampleFormat, typer.Option("--format", "-f", help="Which of the two.")] = SampleFormat.TOML,
) -> None:
    """Print an example configuration, to begin with."""
    from . import commands

    raise typer.Exit(commands.sample(profile, file_format.value))


exports = typer.Typer(help="Write the platform in the form of another program.", no_args_is_help=True)
app.add_typer(exports, name="export", short_help="Write the platform as a Compose file.")


@exports.command(name="compose", short_help="As one Compose file.")
def export_compose(
    context: typer.Context,
    config: Config = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Where to; stdout, and the file alone, when absent."),
    ] = None,
    health_image: Annotated[
        str | None,
        typer.Option("--health-image", metavar="IMAGE", help="Image with a static /bin/busybox, for health checks."),
    ] = None,
    variables: Variables = None,
    quiet: Quiet = False,
) -> None:
    """Write the whole platform as one Compose file, with what its containers mount beside it."""
    from . import commands

    options = context.obj.override(config=config, variables=variables, quiet=quiet)
    raise typer.Exit(commands.export_compose(options, output, health_image))


def main() -> None:
    """Run the command and exit."""
    from .edge import guarded
    from .streams import open_standard_streams

    open_standard_streams()
    sys.exit(guarded(lambda: app(prog_name="provisioning-run")))
