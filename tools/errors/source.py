# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Finds every error message in the source: the texts of problems, and of exceptions that become the text of one.

Texts are followed through names, branches, tables and helper functions. What a message fills in becomes a name in
capitals: ``f"port {port} is taken"`` is ``port PORT is taken``.
"""

from __future__ import annotations

import ast
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tools.errors.tree import Binding, Function, Module, arguments, keyword, name_of, parameters, returned
from tools.errors.wording import filled, formatted, placeholder, says_something

ROOT = Path(__file__).parents[2]
FOLDERS = ("plugins", "python")

#: Exceptions, ours and the library's, whose text is shown to people, as the text of a problem or as it is.
TEXTS = {
    "ArgumentTypeError",
    "BadParameter",
    "ClickException",
    "ComposeFailed",
    "Undefined",
    "UsageError",
    "ValueError",
}
#: Methods of a text that leave its words as they are.
_KEEPS = ("format", "rstrip", "strip")
_MOST = 24
_DEPTH = 8

Place = tuple[Module, ast.expr]


@dataclass(frozen=True, order=True)
class Message:
    """A message as it stands in the source.

    :param path: file, from the root of the repository.
    :param what: the thing, where the source names it; else empty, for it is a service, a file or a setting.
    :param why: what is wrong.
    :param remedy: what is printed as the remedy; empty where nothing is.
    """

    path: str
    what: str
    why: str
    remedy: str

    @property
    def text(self) -> str:
        """What people see of it, without the remedy."""
        return f"{self.what}: {self.why}" if self.what else self.why


class Source:
    """All files, and what is said in them."""

    def __init__(self, root: Path = ROOT) -> None:
        paths = sorted(path for folder in FOLDERS for path in (root / folder).rglob("*.py"))
        self.modules = [
            Module(str(path.relative_to(root)), ast.parse(path.read_text(encoding="utf-8"))) for path in paths
        ]
        self._constants: dict[str, list[Place]] = {}
        self._calls: dict[str, list[tuple[Module, ast.Call]]] = {}
        self._functions: dict[str, list[tuple[Module, Function]]] = {}
        for module in self.modules:
            for name, functions in module.functions.items():
                self._functions.setdefault(name, []).extend((module, function) for function in functions)
            for node in module.tree.body:
                if isinstance(node, (ast.Assign, ast.AnnAssign)) and node.value is not None:
                    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                    for target in targets:
                        self._constants.setdefault(name_of(target), []).append((module, node.value))
            for call in module.calls:
                self._calls.setdefault(name_of(call.func), []).append((module, call))

    def messages(self) -> list[Message]:
        """Return every message, each once for a file."""
        return sorted({message for module in self.modules for message in self._of(module)})

    def unread(self) -> list[str]:
        """Return the places whose message neither can be read from the source nor is passed on from elsewhere."""
        return [
            f"{module.path}:{call.lineno}"
            for module in self.modules
            for call in module.calls
            if name_of(call.func) == "Problem" and not self._passes_on(module, call)
            if next(self._of_problem(module, call), None) is None
        ]

    def _of(self, module: Module) -> Iterator[Message]:
        for call in module.calls:
            if name_of(call.func) == "Problem":
                yield from self._of_problem(module, call)
            elif name_of(call.func) in TEXTS and isinstance(module.parents[call], ast.Raise):
                why, remedy = [*call.args, None, None][:2]
                yield from self._pairs(module, "", why, remedy if name_of(call.func) == "Undefined" else None)
            elif name_of(call.func) == "fail_json":
                yield from self._pairs(module, "", keyword(call, "msg"), None)
            elif isinstance(call.func, ast.Attribute) and ast.unparse(call.func) == "parser.error" and call.args:
                yield from self._pairs(module, "", call.args[0], None)
            elif name_of(call.func) == "HealthResult" and call.args and _is_false(call.args[0]):
                yield from self._pairs(module, "", [*call.args, None][1], None)
        for value in module.results:
            if _is_false(value.elts[0]):
                yield from self._pairs(module, "", value.elts[1], None)

    def _of_problem(self, module: Module, call: ast.Call) -> Iterator[Message]:
        what, why, remedy = [*call.args, None, None, None][:3]
        if isinstance(why, ast.Starred):
            for where, (first, *rest) in self._tuples(module, why.value, _DEPTH):
                yield from self._pairs(where, "", first, rest[0] if rest else None)
            return
        thing = what.value if isinstance(what, ast.Constant) and isinstance(what.value, str) else ""
        yield from self._pairs(module, thing, why or keyword(call, "why"), remedy or keyword(call, "remedy"))

    def _pairs(self, module: Module, what: str, why: ast.expr | None, remedy: ast.expr | None) -> Iterator[Message]:
        """Yield what a reason and its remedy say; those that are chosen together stay together."""
        if why is None:
            return
        for (place, one), (other_place, other) in self._together(module, why, remedy):
            texts = [text for text in self._texts(place, one, _DEPTH) if says_something(text)]
            printed = (
                [text for text in self._texts(other_place, other, _DEPTH) if says_something(text)] if other else []
            )
            for text in texts:
                yield Message(module.path, what, " ".join(text.split()), " Or: ".join(dict.fromkeys(printed)))

    def _passes_on(self, module: Module, call: ast.Call) -> bool:
        """Tell whether a problem says again what another one, an exception or a program has said."""
        if len(call.args) < 2:
            return True
        values = [value for _, value in self._values(module, call.args[1], _DEPTH)]
        return _says_again(call.args[1]) or (bool(values) and all(_says_again(value) for value in values))

    # --- what belongs together ---------------------------------------------------------------------------------------

    def _together(
        self, module: Module, why: ast.expr, remedy: ast.expr | None
    ) -> Iterator[tuple[Place, tuple[Module, ast.expr | None]]]:
        """Yield reasons with their remedies, as one call, one tuple or one branch gives them."""
        if isinstance(why, ast.IfExp) and isinstance(remedy, ast.IfExp) and ast.dump(why.test) == ast.dump(remedy.test):
            yield (module, why.body), (module, remedy.body)
            yield (module, why.orelse), (module, remedy.orelse)
            return
        first, function = _variable(why), next(module.functions_around(why), None)
        bindings, may_be_given = module.reaching(function, first, first.id) if first and function else ([], False)
        if first is not None and bindings:
            for binding in bindings:
                yield from self._chosen_with(module, binding, why, first, remedy)
        elif first is not None and function is not None and may_be_given and first.id in _all_parameters(function):
            for where, call in self._calls_of(module, function):
                given = arguments(call, function)
                if first.id in given:
                    yield (where, given[first.id]), self._given(module, where, given, function, remedy)
        else:
            yield (module, why), (module, remedy)

    def _chosen_with(
        self, module: Module, binding: Binding, why: ast.expr, first: ast.Name, remedy: ast.expr | None
    ) -> Iterator[tuple[Place, tuple[Module, ast.expr | None]]]:
        second = _variable(remedy)
        if len(binding.names) == 1:
            for chosen in self._beside(module, binding, remedy, second):
                yield (module, binding.value), (module, chosen)
        elif second is None or second.id not in binding.names:
            yield (module, why), (module, remedy)
        else:
            places = [binding.names.index(first.id), binding.names.index(second.id)]
            for where, members in self._tuples_of(module, binding):
                if len(members) == len(binding.names):
                    yield (where, members[places[0]]), (where, members[places[1]])

    def _given(
        self,
        module: Module,
        where: Module,
        given: dict[str, ast.expr],
        function: Function,
        remedy: ast.expr | None,
    ) -> tuple[Module, ast.expr | None]:
        variable = _variable(remedy)
        if variable is not None and variable.id in _all_parameters(function):
            return where, given.get(variable.id)
        return module, remedy

    def _beside(
        self, module: Module, binding: Binding, remedy: ast.expr | None, second: ast.Name | None
    ) -> list[ast.expr | None]:
        """Return the remedies that were chosen in the branch that chose the reason, if there any were."""
        function = next(module.functions_around(binding.value), None)
        if second is not None and function is not None:
            others, _ = module.reaching(function, second, second.id)
            block = module.block_of(binding.statement)
            same = [one.value for one in others if len(one.names) == 1 and module.block_of(one.statement) == block]
            if same:
                return list(same)
        return [remedy]

    def _tuples_of(self, module: Module, binding: Binding) -> Iterator[tuple[Module, list[ast.expr]]]:
        if binding.is_member:
            for where, member in self._members(module, binding.value, _DEPTH):
                yield from self._tuples(where, member, _DEPTH)
        else:
            yield from self._tuples(module, binding.value, _DEPTH)

    def _tuples(self, module: Module, node: ast.expr, depth: int) -> Iterator[tuple[Module, list[ast.expr]]]:
        """Yield the members of the tuples that a value may be, also of those that a helper makes of its arguments."""
        functions = self._called(module, node) if isinstance(node, ast.Call) else []
        if isinstance(node, ast.Call) and functions:
            for where, function in functions:
                given = arguments(node, function)
                for value in returned(function):
                    if isinstance(value, ast.Tuple):
                        yield where, [given.get(name_of(one), one) for one in value.elts]
                    elif depth:
                        yield from self._tuples(where, value, depth - 1)
            return
        for where, value in self._values(module, node, depth):
            if isinstance(value, ast.Tuple):
                yield where, list(value.elts)

    # --- texts -------------------------------------------------------------------------------------------------------

    def _texts(self, module: Module, node: ast.expr, depth: int) -> list[str]:
        """Return all that an expression may say; what it fills in is a name in capitals."""
        found: list[str] = []
        for where, value in self._values(module, node, depth):
            found += self._plain(where, value, depth)
        return list(dict.fromkeys(filled(text) for text in found))

    def _plain(self, module: Module, node: ast.expr, depth: int) -> list[str]:
        if isinstance(node, ast.Constant):
            return [node.value] if isinstance(node.value, str) else []
        if isinstance(node, ast.JoinedStr):
            parts = [
                [""] if _is_appended(part, before) else self._part(module, part, depth)
                for before, part in itertools.pairwise([None, *node.values])
                if part is not None
            ]
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            parts = [self._texts(module, side, depth - 1) or [placeholder(side)] for side in (node.left, node.right)]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _KEEPS:
            texts = self._texts(module, node.func.value, depth - 1)
            return [formatted(text) for text in texts] if node.func.attr == "format" else texts
        elif _is_list(node):
            return self._texts(module, node.args[0].elt, depth - 1)  # type: ignore[attr-defined]
        else:
            return []
        return ["".join(one) for one in itertools.islice(itertools.product(*parts), _MOST)]

    def _part(self, module: Module, part: ast.expr, depth: int) -> list[str]:
        if isinstance(part, ast.Constant):
            return [str(part.value)]
        assert isinstance(part, ast.FormattedValue)
        # What chooses between texts is part of the message; what comes from outside is filled in.
        chosen = self._chosen(module, part.value) if part.conversion == -1 else []
        if len(chosen) == 1 and isinstance(chosen[0], ast.IfExp) and _is_empty(chosen[0].orelse):
            return [""]
        texts = [text for one in chosen for text in self._texts(module, one, depth - 1)]
        return texts if 0 < len(texts) <= _MOST else [placeholder(part.value)]

    def _chosen(self, module: Module, node: ast.expr) -> list[ast.expr]:
        """Return the branches or the constants that a value comes from, if it does."""
        values = [node]
        function = next(module.functions_around(node), None)
        if isinstance(node, ast.Name) and function is not None:
            bindings = module.reaching(function, node, node.id)[0]
            values = [one.value for one in bindings if len(one.names) == 1 and not one.is_member]
            for binding in bindings:
                if binding.is_member and len(binding.names) > 1:
                    place = binding.names.index(node.id)
                    values += [
                        members[place] for _, members in self._tuples_of(module, binding) if place < len(members)
                    ]
            if not bindings and node.id not in _all_parameters(function):
                values = [value for _, value in self._constant(module, node.id)]
        is_said = all(isinstance(one, ast.IfExp) or _is_list(one) or _is_text(one) for one in values)
        return values if is_said else []

    # --- values ------------------------------------------------------------------------------------------------------

    def _values(self, module: Module, node: ast.expr, depth: int) -> Iterator[Place]:
        """Yield the expressions that a value may come from."""
        if depth == 0:
            return
        if isinstance(node, (ast.IfExp, ast.BoolOp)):
            for branch in node.values if isinstance(node, ast.BoolOp) else (node.body, node.orelse):
                yield from self._values(module, branch, depth)
        elif isinstance(node, ast.Name):
            yield from self._named(module, node, depth - 1)
        elif isinstance(node, ast.Subscript):
            yield from self._members(module, node.value, depth - 1)
        elif isinstance(node, ast.Call):
            yield from self._answers(module, node, depth - 1)
        else:
            yield module, node

    def _answers(self, module: Module, call: ast.Call, depth: int) -> Iterator[Place]:
        if isinstance(call.func, ast.Attribute) and call.func.attr in ("get", "pop"):
            yield from self._members(module, call.func.value, depth)
            for default in call.args[1:]:
                yield from self._values(module, default, depth)
            return
        functions = self._called(module, call)
        for where, function in functions:
            for value in returned(function):
                yield from self._values(where, value, depth)
        if not functions:
            yield module, call

    def _members(self, module: Module, node: ast.expr, depth: int) -> Iterator[Place]:
        if isinstance(node, ast.Call) and name_of(node.func) == "items" and isinstance(node.func, ast.Attribute):
            for where, table in self._values(module, node.func.value, depth):
                if isinstance(table, ast.Dict):
                    for key, value in zip(table.keys, table.values, strict=True):
                        yield where, ast.Tuple([key or value, value], ast.Load())
            return
        for where, table in self._values(module, node, depth):
            for member in table.values if isinstance(table, ast.Dict) else getattr(table, "elts", ()):
                yield where, member

    def _named(self, module: Module, node: ast.Name, depth: int) -> Iterator[Place]:
        for function in module.functions_around(node):
            bindings, may_be_given = module.reaching(function, node, node.id)
            if len(bindings) > 1 and isinstance(bindings[0].statement, ast.AugAssign):
                yield module, ast.BinOp(bindings[1].value, ast.Add(), bindings[0].value)
                return
            for binding in bindings:
                yield from self._bound(module, binding, node.id, depth)
            if may_be_given and node.id in _all_parameters(function):
                for where, call in self._calls_of(module, function):
                    given = arguments(call, function).get(node.id)
                    if given is not None:
                        yield from self._values(where, given, depth)
                return
            if bindings:
                return
        for where, value in self._constant(module, node.id):
            yield from self._values(where, value, depth)

    def _bound(self, module: Module, binding: Binding, name: str, depth: int) -> Iterator[Place]:
        if len(binding.names) == 1 and not binding.is_member:
            yield from self._values(module, binding.value, depth)
        elif len(binding.names) > 1 and depth > 0:
            for where, members in self._tuples_of(module, binding):
                if len(members) == len(binding.names):
                    yield from self._values(where, members[binding.names.index(name)], depth)

    def _constant(self, module: Module, name: str) -> list[Place]:
        known = self._constants.get(name, [])
        return [one for one in known if one[0] is module] or (known if name in module.mentioned else [])

    def _called(self, module: Module, call: ast.Call) -> list[tuple[Module, Function]]:
        """Return the functions of ours that a call may mean."""
        name = name_of(call.func)
        known = self._functions.get(module.aliases.get(name, name), [])
        own = [one for one in known if one[0] is module]
        is_ours = isinstance(call.func, ast.Name) or name.startswith("_")
        return own or (known if is_ours and name in module.mentioned else [])

    def _calls_of(self, module: Module, function: Function) -> Iterator[tuple[Module, ast.Call]]:
        """Yield the calls of a function, not those of another one that has the same name."""
        for where, call in self._calls.get(function.name, ()):
            if where is module or (function.name not in where.functions and function.name in where.mentioned):
                yield where, call


def _says_again(node: ast.expr) -> bool:
    if isinstance(node, ast.Call):
        return name_of(node.func) in ("join", "mask", "str", "strip")
    if isinstance(node, ast.JoinedStr):
        return not any(isinstance(part, ast.Constant) and says_something(str(part.value)) for part in node.values)
    return isinstance(node, (ast.Attribute, ast.Subscript)) or name_of(node) in ("error", "problem", "text", "warning")


def _all_parameters(function: Function) -> list[str]:
    return [*parameters(function), *(arg.arg for arg in function.args.kwonlyargs)]


def _variable(node: ast.expr | None) -> ast.Name | None:
    """Return the variable whose text is said, as it is or by way of ``format``."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "format":
        node = node.func.value
    return node if isinstance(node, ast.Name) else None


def _is_false(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is False


def _is_appended(part: ast.expr, before: ast.expr | None) -> bool:
    """Tell whether something is filled in right after a word: more that is only said at times."""
    if isinstance(before, ast.Constant):
        return isinstance(part, ast.FormattedValue) and str(before.value)[-1:].isalpha() and not _is_plain(part.value)
    return isinstance(before, ast.FormattedValue) and isinstance(part, ast.FormattedValue) and not _is_plain(part.value)


def _is_plain(node: ast.expr) -> bool:
    return isinstance(node, ast.Name)


def _is_empty(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value == ""


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _is_list(node: ast.expr) -> bool:
    """Tell whether something said of each is joined: ``", ".join(f"{one} is gone" for one in them)``."""
    return (
        isinstance(node, ast.Call)
        and name_of(node.func) == "join"
        and bool(node.args)
        and isinstance(node.args[0], ast.GeneratorExp)
        and isinstance(node.args[0].elt, ast.JoinedStr)
        and not _says_again(node.args[0].elt)
    )
