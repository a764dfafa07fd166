# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands that cost what they use: modules are imported when called, and values are taken as they are written."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

from typer.core import TyperCommand, TyperGroup
from typer.main import get_group

_NARROW = 52
_NARROWEST = 30


class _AsWritten:
    """Takes a value as it stands on the line; what it means is said by whoever uses it."""

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:  # noqa: ARG002
        """Return the value."""
        return () if value is None and (param.multiple or param.nargs == -1) else value


def _no_type(*_arguments: Any, **_more: Any) -> str:
    """Return no type for help: that a name is a text goes without saying."""
    return ""


def _fit(ctx: Any) -> None:
    """Have help fit a narrow terminal, too: by itself it takes 50 columns at least, and is broken within words then."""
    import shutil

    columns = shutil.get_terminal_size().columns
    if columns <= _NARROW:
        ctx.terminal_width = max(_NARROWEST, columns - 1)


def _as_written(parameters: list[Any]) -> list[Any]:
    """Return parameters whose texts are not checked for being texts: typer imports pydantic for that, which takes long.

    All options here are texts and flags, so that nothing is lost where another typer checks them all the same.
    """
    for parameter in parameters:
        if hasattr(parameter, "_runtime_param"):
            parameter._runtime_param = _AsWritten()
        if parameter.param_type_name == "argument" and hasattr(parameter, "display_type_rich"):
            parameter.display_type_rich = _no_type
    return parameters


def say(ctx: Any, text: str) -> None:
    """Write a text and end the program; with 1 where it cannot be written and somebody wanted it."""
    import sys

    from ..streams import Output

    output = Output(sys.stdout)
    for line in text.splitlines():
        output.line(line)
    ctx.exit(int(output.is_broken))


def _help_option(option: Any) -> Any:
    """Return the option for help, which says what it has to say as everything else here is said."""
    if option is not None:
        option.callback = lambda ctx, _param, value: say(ctx, ctx.get_help()) if value else None
    return option


class PlainCommand(TyperCommand):
    """A command whose values are taken as they are written."""

    def get_params(self, ctx: Any) -> Any:
        """Return the parameters, the one for help among them."""
        return _as_written(super().get_params(ctx))

    def get_help_option(self, ctx: Any) -> Any:
        """Return the option for help."""
        return _help_option(super().get_help_option(ctx))

    def get_help(self, ctx: Any) -> str:
        """Return the help as it fits."""
        _fit(ctx)
        return str(super().get_help(ctx))


class PlainGroup(TyperGroup):
    """A group whose values are taken as they are written."""

    def get_params(self, ctx: Any) -> Any:
        """Return the parameters, the one for help among them."""
        return _as_written(super().get_params(ctx))

    def get_help_option(self, ctx: Any) -> Any:
        """Return the option for help."""
        return _help_option(super().get_help_option(ctx))

    def get_help(self, ctx: Any) -> str:
        """Return the help as it fits."""
        _fit(ctx)
        return str(super().get_help(ctx))


def lazy_group(homes: Mapping[str, str]) -> type[TyperGroup]:
    """Return a class of groups that import a command, with all that stand in the same module, when it is asked for.

    :param homes: for each command, in the order of the help, the typer app that has it: ``module:attribute``, the
        module in this package.
    """

    class LazyGroup(PlainGroup):
        """Imports its commands when they are asked for."""

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
