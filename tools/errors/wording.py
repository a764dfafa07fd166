# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes what a message fills in as a name in capitals."""

from __future__ import annotations

import ast
import re

from tools.errors.tree import name_of


def placeholder(node: ast.AST) -> str:
    """Name what is filled in, in capitals."""
    return _NAMES.get(found := _innermost(node).strip("_").upper(), found) or "X"


# What says the same, so that messages which differ by nothing else are one.
_NAMES = {
    "DATA": "VALUE",
    "ERROR": "REASON",
    "FAULT": "REASON",
    "KIND_OF": "KIND",
    "SHOWN": "VALUE",
    "STRERROR": "REASON",
    "TOML_POSITION": "REASON",
    "WHY": "REASON",
}
_BUILT_IN = ("int", "join", "len", "list", "map", "next", "repr", "round", "set", "sorted", "str")


def _innermost(node: ast.AST) -> str:
    if isinstance(node, ast.Call):
        name = name_of(node.func)
        if name in _BUILT_IN and node.args:
            return _innermost(node.args[-1])
        return _innermost(node.func.value) if isinstance(node.func, ast.Attribute) else name
    if isinstance(node, (ast.GeneratorExp, ast.ListComp)):
        return _innermost(node.generators[0].iter)
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant) and isinstance(node.slice.value, str):
        return node.slice.value
    if isinstance(node, (ast.Subscript, ast.Starred)):
        return _innermost(node.value)
    if isinstance(node, ast.BinOp):
        return _innermost(node.left)
    if isinstance(node, ast.BoolOp):
        return _innermost(node.values[0])
    return _innermost(node.body) if isinstance(node, ast.IfExp) else name_of(node)


def filled(text: str) -> str:
    """Write what ``format`` fills in like the rest: ``{port}`` is ``PORT``."""
    return re.sub(r"(?<![${])\{([a-z_]+)\}(?!\})", lambda match: match[1].upper(), text)


def formatted(text: str) -> str:
    """Write a text as ``format`` does, with what it fills in as names."""
    return (
        re.sub(r"\{(\w*)\}", lambda match: match[1].upper() or "X", text.replace("{{", "\0"))
        .replace("\0", "{")
        .replace("}}", "}")
    )


def says_something(text: str) -> bool:
    """Tell whether there is more in a text than what it fills in."""
    return bool(re.search(r"[a-z]{2}", text))
