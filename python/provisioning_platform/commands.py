# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the subcommands of ``provisioning-run`` do; each returns its exit code."""

from __future__ import annotations

import dataclasses
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ansible_collections.provisioning.platform.plugins.module_utils._errors import (
    ConfigurationError,
    Problem,
)

from . import summary
from .exit_codes import ExitCode
from .streams import complain
from .text import wrapped

if TYPE_CHECKING:
    from .configuration import Installation
    from .progress import Output
    from .unattended import RunResult


@dataclass(frozen=True)
class Options:
    """The options that runs have in common; ``variables`` as they were given, ``NAME=VALUE``."""

    config: Path | None = None
    inventory: str | None = None
    variables: Sequence[str] = ()
    as_json: bool = False
    quiet: bool = False

    def override(
        self,
        config: Path | None = None,
        inventory: str | None = None,
        variables: Sequence[str] | None = None,
        *,
        as_json: bool = False,
        quiet: bool = False,
    ) -> Options:
        """Return these options with those of a subcommand over them."""
        return Options(
            config or self.config,
            inventory or self.inventory,
            [*self.variables, *(variables or ())],
            as_json=as_json or self.as_json,
            quiet=quiet or self.quiet,
        )


def install(options: Options) -> ExitCode:
    """Install, showing how it goes and how it ended."""
    from .cancellation import Cancellation, on_signals
    from .progress import Output, choose
    from .unattended import run_installation

    output = Output(sys.stdout)
    installation = _load(options)
    _warn(installation)
    progress = choose(as_json=options.as_json, quiet=options.quiet, output=output)
    with on_signals(Cancellation()) as cancellation:
        try:
            result = run_installation(
                installation, cancellation=cancellation, on_event=progress.event, inventory=options.inventory
            )
        finally:
            progress.close()
    _tell(result, options, output)
    return result.exit_code


def plan(options: Options) -> ExitCode:
    """Show what an installation would do."""
    from .cancellation import Cancellation, on_signals
    from .plan_view import plan_headline, plan_json, plan_table
    from .progress import Output
    from .unattended import run_installation

    output = Output(sys.stdout)
    installation = _load(options)
    _warn(installation)
    with on_signals(Cancellation()) as cancellation:
        result = run_installation(installation, cancellation=cancellation, check=True, inventory=options.inventory)
    if result.exit_code not in (ExitCode.OK, ExitCode.DEGRADED):
        _tell_trouble(result, what="plan")
        return result.exit_code
    if options.as_json:
        lines = plan_json(result.plan)
    else:
        lines = [] if options.quiet else [*plan_table(result.plan, width=_width()), ""]
        lines = [*lines, plan_headline(result.plan)]
    for line in lines:
        output.line(line)
    return ExitCode.PLAN_HAS_CHANGES if any(one.is_change for one in result.plan) else ExitCode.OK


def validate(options: Options) -> ExitCode:
    """Check a configuration and say what was found in it."""
    from .configuration import description
    from .progress import Output

    installation = _load(dataclasses.replace(options, inventory=None))
    _warn(installation)
    if not options.quiet:
        output = Output(sys.stdout)
        for line in description(installation, width=_width()):
            output.line(line)
    return ExitCode.OK


def sample(profile: str, file_format: str) -> ExitCode:
    """Print an example."""
    from . import collection
    from .progress import Output
    from .samples import read_sample

    output = Output(sys.stdout)
    output.line(read_sample(collection.root() / "examples", profile, file_format).rstrip("\n"))
    return ExitCode.OK if output.is_open else ExitCode.FAILED


def export_compose(options: Options, file: Path | None, health_image: str | None) -> ExitCode:
    """Write the platform as a Compose file."""
    from .export import compose_export
    from .progress import Output

    installation = _load(options)
    _warn(installation)
    found, written = compose_export(installation, file, health_image=health_image)
    output = Output(sys.stdout)
    if file is None:
        output.line(found.text.rstrip("\n"))
        if any(service.config or service.secrets for service in found.services.values()):
            complain("note: configuration files and secrets are written with --output only.")
    elif not options.quiet:
        for path in written:
            output.line(f"wrote {path}")
        output.line(f"{len(found.services)} services; docker compose --file {file} up --detach --wait")
    return ExitCode.OK


def _load(options: Options) -> Installation:
    from .configuration import load_installation
    from .discovery import FILES, VARIABLE, find_configuration

    found = find_configuration(options.config)
    if found is None:
        why = f"is missing, {VARIABLE} is not set, and there is no ./{FILES[0]} (.yml, .yaml)"
        remedy = "Name a file; `provisioning-run sample > solo.toml` makes one."
        raise ConfigurationError(Problem("--config", why, remedy))
    path, by = found
    if options.config is None:
        complain(f"note: the configuration is that of {by}.")
    variables = pairs(options.variables)
    return load_installation(path, variables=variables, on_hosts=options.inventory is not None)


def pairs(given: Sequence[str]) -> dict[str, str]:
    """Return variables that were given as ``NAME=VALUE``.

    :raises ConfigurationError: one was not.
    """
    found = {}
    for one in given:
        name, equals, value = one.partition("=")
        if not equals or not name:
            why = "has no name before its =" if equals else "has no ="
            raise ConfigurationError(Problem(f"--var {one!r}", why, "Write --var NAME=VALUE."))
        found[name] = value
    return found


def _warn(installation: Installation) -> None:
    for warning in installation.warnings:
        complain(f"warning: {warning}")


def _tell(result: RunResult, options: Options, output: Output) -> None:
    if not options.as_json and not options.quiet:
        table = summary.service_table(result.view, width=_width())
        for line in [*table, ""] if table else []:
            output.line(line)
    if summary.is_complete(result.view) and result.exit_code in (ExitCode.OK, ExitCode.DEGRADED):
        if not options.as_json:
            output.line(summary.headline(result.view))
            for line in summary.remedies(result.view):
                for part in wrapped(line, width=_width(), indent="  "):
                    output.line(part)
    else:
        _tell_trouble(result)
    for warning in dict.fromkeys(result.view.warnings):
        complain(f"warning: {warning}")
    if result.delivery is not None and result.delivery.undelivered and result.journal is not None:
        outbox = result.journal.with_name("outbox.jsonl")
        complain(summary.undelivered(result.delivery.undelivered, result.delivery.last_error, outbox))
    if result.log is not None and not options.as_json:
        complain(f"log: {result.log}")


def _tell_trouble(result: RunResult, *, what: str = "") -> None:
    if result.exit_code in (ExitCode.CANCELLED, ExitCode.TERMINATED):
        lines = summary.cancelled(result.view, result.exit_code)
    else:
        lines = summary.failure(result.view, what=what)
    for line in lines:
        complain(line)


def _width() -> int | None:
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None
