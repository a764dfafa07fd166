# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Groups of commands that are imported when one of them is asked for."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

from typer.core import TyperGroup
from typer.main import get_group


def lazy_group(homes: Mapping[str, str]) -> type[TyperGroup]:
    """Return a class of groups.

    :param homes: for each command, in the order of the help, the typer app that has it: ``module:attribute``, the
        module in this package.
    """

    class LazyGroup(TyperGroup):
        """Imports a command with all that stand in the same module."""

        def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002
            """Return the names."""
            return list(homes)

        def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002
            """Return a command, or nothing where there is none of that name."""
            if cmd_name in homes and cmd_name not in self.commands:
                module, _, attribute = homes[cmd_name].partition(":")
                found = get_group(getattr(importlib.import_module(f".{module}", __package__), attribute))
                self.commands[cmd_name] = found.commands[cmd_name]
            return self.commands.get(cmd_name)

        def resolve_command(self, ctx: Any, args: list[str]) -> Any:
            """Return the command that is called; one that is unknown is told with those that it may be."""
            if args and args[0] not in homes:
                for name in homes:
                    self.get_command(ctx, name)
            return super().resolve_command(ctx, args)

    return LazyGroup
