# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options and arguments that several commands have."""

from __future__ import annotations

from typing import Annotated, Any

import typer


def complete_services(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return the names of installed services that begin with what was typed; nothing where there are none."""
    from .completing import installed_services

    given = ctx.params.get("services") or ()
    known = installed_services(_options(ctx))
    return [name for name in known if name.startswith(incomplete) and name not in given]


def complete_operations(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return the names of operations that begin with what was typed; nothing where nothing is installed."""
    from .completing import known_operations

    return [name for name in known_operations(_options(ctx)) if name.startswith(incomplete)]


def complete_form(incomplete: str) -> list[str]:
    """Return the forms of output that begin with what was typed."""
    return [form for form in ("table", "json", "yaml") if form.startswith(incomplete)]


def _options(context: Any) -> dict[str, Any]:
    """Return the options that stand on the line, those before the command among them."""
    before = _options(context.parent) if context.parent is not None else {}
    return {**before, **{key: value for key, value in context.params.items() if value is not None}}


Names = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="SERVICE", autocompletion=complete_services, help="Names of services; all where none is given."
    ),
]

Services = Annotated[
    list[str], typer.Argument(metavar="SERVICE", autocompletion=complete_services, help="Names of services.")
]
Follow = Annotated[bool, typer.Option("--follow", "-f", help="Go on as more is written, until Ctrl-C.")]
Since = Annotated[
    str | None,
    typer.Option("--since", metavar="TIME", help="Only what is newer: 90s, 10m, 1h30m, 2d ago, or 2026-01-31T12:00."),
]
Tail = Annotated[
    str | None,
    typer.Option("--tail", "-n", metavar="N", help="Only the last N lines of each service, or all.  [all; with -f 10]"),
]
KeepGoing = Annotated[
    bool, typer.Option("--keep-going", "-k", help="Start what can be started, though something needed cannot.")
]
Force = Annotated[bool, typer.Option("--force", help="Stop it though others that run need it.")]
WithDependents = Annotated[bool, typer.Option("--with-dependents", help="Stop what needs it, too, and that first.")]
Variables = Annotated[
    list[str] | None,
    typer.Option("--var", metavar="NAME=VALUE", help="Value for ${var.NAME} in the configuration; may be repeated."),
]
