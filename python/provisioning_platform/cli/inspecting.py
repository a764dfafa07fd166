# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands that say what operations and services need: ``check`` and ``dependencies``."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from ansible_collections.provisioning.platform.plugins.module_utils import _graph
from ansible_collections.provisioning.platform.plugins.module_utils._errors import (
    ConfigurationError,
    PrerequisiteError,
    Problem,
)

from ..exit_codes import ExitCode
from ..text import sentence, wrapped
from .context import Request
from .output import Form, Printer
from .waiting import busy, leave_on_interrupt

if TYPE_CHECKING:
    from ansible_collections.provisioning.platform.plugins.module_utils._manager import Manager
    from ansible_collections.provisioning.platform.plugins.module_utils._model import ServiceDefinition
    from ansible_collections.provisioning.platform.plugins.module_utils._operations import OperationCheck
    from ansible_collections.provisioning.platform.plugins.module_utils._settings import Operation


_DRAWINGS = ("tree", "mermaid", "dot", "svg")


def check(request: Request, name: str, *, start: bool) -> int:
    """Say whether an operation can go ahead.

    :param start: whether what it needs may be started.
    """
    manager, found = _checked(request, name, start=start)
    _show(request, manager, found, started=start)
    return ExitCode.OK if found.can_go_ahead else ExitCode.PREREQUISITES


def run_operation(request: Request, name: str | None, words: Sequence[str], *, start: bool, run: bool) -> int:
    """Call the command that carries an operation out, in place of this program; say why when it cannot go ahead.

    :param words: what the command is called with, after the operation's name.
    :param start: whether what the operation needs may be started.
    :param run: whether it was asked for, and not only words given.
    :raises ConfigurationError: it is not said which operation, or which command carries it out.
    :raises PrerequisiteError: the command is not there.
    """
    if not run:
        raise ConfigurationError(Problem(words[0], "is more than the name of an operation", "Add --run to call it."))
    if name is None:
        raise ConfigurationError(
            Problem("--run", "needs the name of an operation", "Name one: server, workflow, test.")
        )
    path = _command_of(request.manager())
    manager, found = _checked(request, name, start=start)
    if found.can_go_ahead:
        _become([path, name, *words])
    _show(request, manager, found, started=start)
    return ExitCode.PREREQUISITES


def _become(command: list[str]) -> NoReturn:
    """Go on as another command, so that its signals, its input and its exit code are its own."""
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # Python ignores it, and what is ignored stays so
    try:
        os.execv(command[0], command)  # noqa: S606 - no shell is wanted
    except OSError as error:
        why = f"{command[0]} cannot be run: {error.strerror}"
        raise PrerequisiteError(Problem("provisioning_path", why, "Check the file and its interpreter.")) from error


def _command_of(manager: Manager) -> str:
    from ansible_collections.provisioning.platform.plugins.module_utils._preflight import executable, not_executable

    wanted = manager.settings.provisioning_path
    if wanted is None:
        remedy = "Set it in the configuration, to the command that carries operations out, and install."
        raise ConfigurationError(Problem("provisioning_path", "is not set", remedy))
    path = executable(wanted)
    if path is None:
        raise PrerequisiteError(not_executable(wanted))
    return path


def _checked(request: Request, name: str, *, start: bool) -> tuple[Manager, OperationCheck]:
    from ansible_collections.provisioning.platform.plugins.module_utils._operations import check_operation

    from .operating import Showing

    with Showing(request, "start") as showing:
        manager = request.manager(sinks=[showing.event])
        return manager, check_operation(manager, name, operation_of(manager, name), start=start)


def _show(request: Request, manager: Manager, found: OperationCheck, *, started: bool) -> None:
    printer = request.printer()
    printer.show(
        {"work_dir": str(manager.work_dir.root), **found.to_dict()},
        lambda: check_lines(printer, found, started=started),
    )


def check_lines(printer: Printer, found: OperationCheck, *, started: bool) -> list[str]:
    """Return the result of a check as lines.

    :param started: whether what it needs could be started, as far as who asked is concerned.
    """
    rows = [(need.service, need.state, need.reason) for need in found.needs]
    title = printer.paint(found.operation, "bold") + (f"  {found.description}" if found.description else "")
    lines = [title, *printer.table(("SERVICE", "STATE", "REASON"), rows), ""]
    if found.can_go_ahead:
        return [*lines, f"{found.operation} can go ahead."]
    lines.append(f"{found.operation} cannot go ahead.")
    for need in found.needs:
        if not need.is_met and need.remedy:
            lines += wrapped(f"{need.service}: {sentence(need.remedy)}", width=printer.width, indent="  ")
    if not found.may_start and any(need.state == "missing" for need in found.needs):
        lines.append(f"  Nothing may be started for it: operations.{found.operation}.may_start is false.")
    elif not started and any(need.state == "missing" for need in found.needs):
        lines.append("  Without --no-start it is tried to start what is missing.")
    return lines


def list_operations(request: Request) -> int:
    """List the operations that there are."""
    manager = request.manager()
    operations = operations_of(manager)
    document = {
        "work_dir": str(manager.work_dir.root),
        "operations": [{"name": name, **vars(operation)} for name, operation in operations.items()],
    }
    rows = [
        (name, ", ".join(one.requires), "yes" if one.may_start else "no", one.description)
        for name, one in operations.items()
    ]
    printer = request.printer()
    printer.show(document, lambda: printer.table(("OPERATION", "NEEDS", "MAY START", "DESCRIPTION"), rows))
    return ExitCode.OK


def operations_of(manager: Manager) -> Mapping[str, Operation]:
    """Return the operations of an installation; those of the collection where none were written down."""
    return manager.settings.operations or _built_in_operations()


def built_in() -> dict[str, Any]:
    """Return the operations of the collection as JSON types."""
    return {name: vars(operation) for name, operation in _built_in_operations().items()}


def _built_in_operations() -> Mapping[str, Operation]:
    """Return the operations of the collection."""
    from ansible_collections.provisioning.platform.plugins.plugin_utils.operations import built_in_operations

    from .. import collection

    return built_in_operations(collection.root() / "roles")


def operation_of(manager: Manager, name: str) -> Operation:
    """Return an operation.

    :raises ConfigurationError: there is none of that name.
    """
    operations = operations_of(manager)
    if name not in operations:
        remedy = f"Known operations: {', '.join(sorted(operations))}. Add others under operations: and install."
        raise ConfigurationError(Problem(name, "there is no such operation", remedy))
    return operations[name]


def dependencies(request: Request, names: Sequence[str], *, drawing: str | None, reverse: bool) -> int:
    """Draw what services depend on.

    :param drawing: ``tree``, ``mermaid``, ``dot`` or ``svg``; a tree by default.
    :param reverse: what depends on them instead.
    :raises ConfigurationError: there is no such drawing, or data was asked for, too.
    """
    refuse_drawing(request, drawing)
    manager = request.manager(names)
    with leave_on_interrupt(), busy("Reading the graph"):
        whole = manager.services()
        chosen = _graph.part(whole, names, reverse=reverse) if names else dict(whole)
    printer = request.printer()
    printer.show(
        {"work_dir": str(manager.work_dir.root), **graph_document(chosen)},
        lambda: drawn(chosen, names, drawing or "tree", reverse=reverse),
    )
    return ExitCode.OK


def refuse_drawing(request: Request, drawing: str | None) -> None:
    """Do nothing when something can be drawn so.

    :raises ConfigurationError: there is no such drawing, or data was asked for, too.
    """
    if drawing is not None and drawing not in _DRAWINGS:
        remedy = f"Choose one of: {', '.join(_DRAWINGS)}."
        raise ConfigurationError(Problem(f"--format {drawing!r}", "is no way to draw", remedy))
    if drawing is not None and request.form is not Form.TABLE:
        why = f"excludes --output {request.form.value}"
        raise ConfigurationError(Problem(f"--format {drawing}", why, "Leave one of the two out."))


def drawn(services: Mapping[str, ServiceDefinition], names: Sequence[str], drawing: str, *, reverse: bool) -> list[str]:
    """Return a drawing as lines.

    :param names: where the tree begins; everywhere that nothing depends on by default.
    :param reverse: the tree shows what depends on a service below it.
    """
    if drawing == "tree":
        above = _graph.turned_round(services) if reverse else services
        return _graph.dependency_tree(above, list(dict.fromkeys(names)) or None).splitlines()
    if drawing == "svg":
        from ansible_collections.provisioning.platform.plugins.module_utils._graph_svg import draw_svg

        return draw_svg(services).splitlines()
    draw = {"mermaid": _graph.draw_mermaid, "dot": _graph.draw_dot}[drawing]
    return draw(services).splitlines()


def graph_document(services: Mapping[str, ServiceDefinition]) -> dict[str, Any]:
    """Return a graph as JSON types."""
    needed_by = _graph.dependents_of(_graph.dependencies_of(services))
    order = _graph.startup_order(services)
    return {
        "order": order,
        "services": [
            {
                "name": name,
                "mode": services[name].mode,
                "depends_on": {need: how.condition for need, how in services[name].depends_on.items()},
                "needed_by": needed_by[name],
            }
            for name in order
        ],
    }
