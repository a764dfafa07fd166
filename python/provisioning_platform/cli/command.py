# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What commands have in common: the options of all, examples in their help, and an exit code as their result."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Concatenate, ParamSpec

import typer
from ansible_collections.provisioning.platform.plugins.module_utils._errors import (
    ConfigurationError,
    Problem,
    ProvisioningError,
)

from ..exit_codes import ExitCode
from .context import Request
from .lazy import PlainCommand
from .options import complete_form
from .output import Form
from .wording import HELP, block

P = ParamSpec("P")

Command = Callable[Concatenate[Request, P], int]

_COMMON: Mapping[str, tuple[Any, Any]] = {
    "output": (
        Annotated[
            str | None,
            typer.Option("--output", "-o", metavar="FORM", autocompletion=complete_form, help="table, json or yaml."),
        ],
        None,
    ),
    "as_json": (Annotated[bool, typer.Option("--json", help="The same as --output json.")], False),
    "config": (
        Annotated[
            str | None, typer.Option("--config", "-c", metavar="FILE", help="Configuration of the installation meant.")
        ],
        None,
    ),
    "work_dir": (
        Annotated[str | None, typer.Option("--work-dir", metavar="DIR", help="Its work dir, in place of that.")],
        None,
    ),
    "inventory": (
        Annotated[
            str | None,
            typer.Option("--inventory", metavar="INV", help="Hosts of the platform elsewhere, as Ansible has them."),
        ],
        None,
    ),
}


def new_app() -> typer.Typer:
    """Return an app for the commands of a module."""
    return typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False)


def command(
    app: typer.Typer, name: str, *examples: str, short_help: str, keys: str = "", on_hosts: str = ""
) -> Callable[[Command[P]], Command[P]]:
    """Register a function as a command, with the options that all have; it gets them as its :class:`Request`.

    :param app: where to.
    :param examples: commands that work when pasted where the profile solo is installed.
    :param keys: what the JSON document holds, in words.
    :param on_hosts: what does its work with ``--inventory``: ``module:function``, the module in this package, called as
        the command is. Without it there is no such option.
    """
    common = {option: kind for option, kind in _COMMON.items() if on_hosts or option != "inventory"}

    def register(function: Command[P]) -> Command[P]:
        def run(**given: Any) -> None:
            context = given.pop("context")
            request = Request.of(context.obj or {}, **{option: given.pop(option) for option in common})
            raise typer.Exit(_called(lambda: _work(request, name, function, on_hosts)(request, **given), request))

        own = list(inspect.signature(function, eval_str=True).parameters.values())[1:]
        shared = [
            inspect.Parameter(option, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=kind)
            for option, (kind, default) in common.items()
        ]
        first = inspect.Parameter("context", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context)
        parameters = [first, *(one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in own), *shared]
        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {one.name: one.annotation for one in parameters}
        run.__doc__ = function.__doc__
        parts = [block("Examples:" if len(examples) > 1 else "Example:", examples)]
        parts += [f"JSON and YAML hold {' '.join(keys.split())}."] if keys else []
        parts.append("Exit codes, and which installation is meant: provisioning --help.")
        app.command(
            name=name, short_help=short_help, epilog="\n\n".join(parts), context_settings=HELP, cls=PlainCommand
        )(run)
        return function

    return register


def _called(work: Callable[[], int], request: Request) -> int:
    """Return a command's exit code; an error is told to programs in the form they asked for, too."""
    try:
        code = work()
    except ProvisioningError as error:
        if request.form is not Form.TABLE:
            problems = [vars(problem) for problem in error.problems]
            request.printer().show({"error": {"kind": error.kind, "problems": problems}}, list)
        raise
    return code or (ExitCode.FAILED if request.printer().is_broken else ExitCode.OK)


def _work(request: Request, name: str, here: Callable[..., int], on_hosts: str) -> Callable[..., int]:
    """Return what does a command's work: here, or on the hosts of the inventory that was named.

    :raises ConfigurationError: hosts were named, and the command works on this one alone.
    """
    if request.inventory is None:
        return here
    if not on_hosts:
        remedy = "Run it on the host, or leave the option out."
        raise ConfigurationError(Problem("--inventory", f"is not for {name}, which works on this host alone", remedy))
    module, _, function = on_hosts.partition(":")
    work: Callable[..., int] = getattr(importlib.import_module(f".{module}", __package__), function)
    return work
