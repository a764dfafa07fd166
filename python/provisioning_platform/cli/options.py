# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options and arguments that several commands have."""

from __future__ import annotations

from typing import Annotated, Any

import typer


def complete_services(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return the names of installed services that begin with what was typed; nothing where there are none."""
    from .completing import installed_services

    return [name for name in installed_services(_options(ctx)) if name.startswith(incomplete)]


def _options(context: typer.Context) -> dict[str, Any]:
    before = context.obj if isinstance(context.obj, dict) else {}
    given = {key: value for key, value in context.params.items() if value is not None}
    return {**before, **given}


Names = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[SERVICE]...", autocompletion=complete_services, help="Names of services; all where none is given."
    ),
]
