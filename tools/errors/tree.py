# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads a file of the source: its functions, and which assignments a name may have its value from where it is used."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field

Function = ast.FunctionDef | ast.AsyncFunctionDef

_ENDS = (ast.Return, ast.Raise, ast.Continue, ast.Break)


@dataclass(frozen=True)
class Binding:
    """An assignment.

    :param statement: what assigns.
    :param names: the names that it sets; several when it unpacks.
    :param value: where they have their value from.
    :param is_member: whether the value is a table, of whose members one is meant.
    """

    statement: ast.AST
    names: tuple[str, ...]
    value: ast.expr
    is_member: bool = False


@dataclass
class Module:
    """A file of the source.

    :param path: from the root of the repository.
    """

    path: str
    tree: ast.Module
    parents: dict[ast.AST, ast.AST] = field(default_factory=dict)
    functions: dict[str, list[Function]] = field(default_factory=dict)
    calls: list[ast.Call] = field(default_factory=list)
    results: list[ast.Tuple] = field(default_factory=list)
    mentioned: set[str] = field(default_factory=set)
    aliases: dict[str, str] = field(default_factory=dict)
    _bindings: dict[ast.AST, list[Binding]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for node in ast.walk(self.tree):
            for child in ast.iter_child_nodes(node):
                self.parents[child] = node
            if isinstance(node, Function):
                self.functions.setdefault(node.name, []).append(node)
            elif isinstance(node, ast.Call):
                self.calls.append(node)
            elif (
                isinstance(node, (ast.Assign, ast.Return))
                and isinstance(node.value, ast.Tuple)
                and len(node.value.elts) == 2
            ):
                self.results.append(node.value)
            elif isinstance(node, (ast.Import, ast.ImportFrom)):
                self.mentioned |= {alias.asname or alias.name for alias in node.names}
                self.aliases |= {alias.asname: alias.name for alias in node.names if alias.asname}
            elif isinstance(node, ast.Attribute):
                self.mentioned.add(node.attr)

    def above(self, node: ast.AST) -> Iterator[ast.AST]:
        """Yield a node and what is around it, the innermost first."""
        yield node
        while node in self.parents:
            node = self.parents[node]
            yield node

    def functions_around(self, node: ast.AST) -> Iterator[Function]:
        """Yield the functions around a node, the innermost first."""
        return (one for one in self.above(node) if isinstance(one, Function))

    def block_of(self, node: ast.AST) -> tuple[ast.AST, str] | None:
        """Return which list of statements a node stands in: whose it is, and its name there."""
        for one in self.above(node):
            parent = self.parents.get(one)
            for name in ("body", "orelse", "finalbody", "handlers"):
                members = getattr(parent, name, None)
                if parent is not None and isinstance(members, list) and one in members:
                    return parent, name
        return None

    def bindings(self, function: ast.AST) -> list[Binding]:
        """Return the assignments in a function, in their order."""
        if function not in self._bindings:
            found = [one for node in ast.walk(function) for one in _bindings(node)]
            self._bindings[function] = sorted(found, key=lambda one: getattr(one.statement, "lineno", one.value.lineno))
        return self._bindings[function]

    def reaching(self, function: ast.AST, use: ast.AST, name: str) -> tuple[list[Binding], bool]:
        """Return the assignments that a name may have its value from, and whether it may have been set before them."""
        line = getattr(use, "lineno", 0)
        found: list[Binding] = []
        for binding in reversed(self.bindings(function)):
            where = getattr(binding.statement, "lineno", binding.value.lineno)
            if name not in binding.names or self._never_before(binding.statement, use):
                continue
            if isinstance(binding.statement, ast.comprehension):
                if any(one is self.parents[binding.statement] for one in self.above(use)):
                    return [binding], False
                continue
            if where > line or (not binding.is_member and binding.statement in self.above(use)):
                continue
            found.append(binding)
            if self._always_before(binding.statement, use):
                return found, False
        return found, True

    def _always_before(self, statement: ast.AST, use: ast.AST) -> bool:
        block = self.block_of(statement)
        return (
            block is not None
            and not isinstance(statement, ast.AugAssign)
            and any(self.block_of(one) == block for one in self.above(use))
        )

    def _never_before(self, statement: ast.AST, use: ast.AST) -> bool:
        """Tell whether who passes the statement does not come to the use: another branch, or one that ends first."""
        around = {id(one) for one in self.above(use)}
        blocks_of_use = {block for one in self.above(use) if (block := self.block_of(one)) is not None}
        for one in self.above(statement):
            block = self.block_of(one)
            if block is None or block in blocks_of_use:
                return False
            owner, name = block
            if id(owner) in around and isinstance(owner, ast.If):
                return True
            last = getattr(owner, name)[-1]
            if isinstance(last, _ENDS) and id(last) not in around:
                return True
        return False


def name_of(node: ast.AST | None) -> str:
    """Return the last name of what is named, called or asked of something."""
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


def keyword(call: ast.Call, name: str) -> ast.expr | None:
    """Return an argument that is given by its name."""
    return next((one.value for one in call.keywords if one.arg == name), None)


def parameters(function: Function) -> list[str]:
    """Return the names of what a function takes by its place."""
    names = [arg.arg for arg in function.args.args]
    return names[1:] if names and names[0] in ("self", "cls") else names


def arguments(call: ast.Call, function: Function) -> dict[str, ast.expr]:
    """Return what a call gives a function, by name, with what the function takes where nothing is given."""
    names, defaults = parameters(function), function.args.defaults
    taken = dict(zip(names[len(names) - len(defaults) :], defaults, strict=False)) if defaults else {}
    given = {name: value for name, value in zip(names, call.args, strict=False) if not isinstance(value, ast.Starred)}
    return taken | given | {one.arg: one.value for one in call.keywords if one.arg}


def returned(function: Function) -> Iterator[ast.expr]:
    """Yield what a function returns or yields."""
    for node in ast.walk(function):
        if isinstance(node, (ast.Return, ast.Yield)) and node.value is not None:
            yield node.value


def _bindings(node: ast.AST) -> Iterator[Binding]:
    if isinstance(node, ast.Assign):
        for target in node.targets:
            yield Binding(node, _targets(target), node.value)
    elif isinstance(node, (ast.AnnAssign, ast.AugAssign)) and node.value is not None:
        yield Binding(node, _targets(node.target), node.value)
    elif isinstance(node, ast.NamedExpr):
        yield Binding(node, (node.target.id,), node.value)
    elif isinstance(node, (ast.For, ast.comprehension)):
        yield Binding(node, _targets(node.target), node.iter, is_member=True)


def _targets(node: ast.expr) -> tuple[str, ...]:
    return tuple(name_of(one) for one in node.elts) if isinstance(node, ast.Tuple) else (name_of(node),)
