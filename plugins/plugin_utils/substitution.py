# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Placeholders in texts: ``${TOKEN}``, ``${TOKEN:-default}``, ``${self.port}``; ``$${`` is a plain ``${``.

A text that is one placeholder and nothing else takes the value with its type; within a text the value is written out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.provisioning.platform.plugins.module_utils._errors import ConfigurationError, Problem
from ansible_collections.provisioning.platform.plugins.plugin_utils.wording import join, suggest_or_list

_TOKEN = re.compile(r"\$\$\{|\$\{([^{}]*)\}|\$\{")
_NAME = re.compile(r"([A-Za-z_][A-Za-z0-9_-]*(?:\.[A-Za-z0-9_-]+)*)(?::-(.*))?", re.DOTALL)
_ENVIRONMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# Names that refer to names that refer to names grow without measure long before they are an endless loop.
_MAX_LENGTH = 1_000_000
_MAX_LOOKUPS = 50_000


class Undefined(Exception):
    """A name that has no value; a default may stand in.

    :param why: what to say where there is no default, and :param remedy: what to do about it.
    """

    def __init__(self, why: str, remedy: str = "") -> None:
        self.why = why
        self.remedy = remedy
        super().__init__(why)


#: Looks up the value of a dotted name's rest, given where it is asked for.
Lookup = Callable[[list[str], str], Any]


class Substitution:
    """Replaces placeholders in JSON types, and collects all that is wrong.

    :param env: the environment, for names without a dot.
    :param scopes: by first word of a dotted name, what looks the rest up. A value found is substituted in turn; a scope
        in ``final`` gives values that are not.
    :param final: names of scopes whose values are used as they are.
    """

    def __init__(
        self, env: Mapping[str, str], scopes: Mapping[str, Lookup] | None = None, *, final: frozenset[str] = frozenset()
    ) -> None:
        self._env = env
        self._scopes = dict(scopes or {})
        self._final = final
        self._open: list[str] = []
        self._lookups = 0
        self.problems: list[Problem] = []
        self.used: set[str] = set()

    def apply(self, value: Any, path: str) -> Any:
        """Return JSON types with every placeholder replaced; what cannot be is left and a problem is kept.

        :param path: where the value stands, for messages.
        """
        if isinstance(value, str):
            return self._text(value, path) if "${" in value else value
        if isinstance(value, dict):
            return {key: self.apply(item, join(path, key)) for key, item in value.items()}
        if isinstance(value, list):
            return [self.apply(item, f"{path}[{index}]") for index, item in enumerate(value)]
        return value

    def _text(self, text: str, path: str) -> Any:
        whole = _TOKEN.fullmatch(text)
        if whole and whole[1] is not None:
            return self._placeholder(whole, path)
        parts: list[str] = []
        length = end = 0
        for match in _TOKEN.finditer(text):
            parts += [text[end : match.start()], self._written(match, path)]
            end = match.end()
            length += len(parts[-1]) + len(parts[-2])
            if length > _MAX_LENGTH:
                self.problems.append(Problem(path, "grows beyond a million characters"))
                return text
        return "".join(parts) + text[end:]

    def _written(self, match: re.Match[str], path: str) -> str:
        if match[0] == "$${":
            return "${"
        value = self._placeholder(match, path)
        if isinstance(value, str):
            return value
        return json.dumps(value) if isinstance(value, (bool, dict, list)) or value is None else str(value)

    def _placeholder(self, match: re.Match[str], path: str) -> Any:
        written = match[0]
        named = _NAME.fullmatch(match[1]) if match[1] is not None else None
        if named is None:
            remedy = "Write ${NAME} or ${NAME:-default}; a plain ${ is written $${."
            self.problems.append(Problem(path, f"{written} is not a placeholder", remedy))
            return written
        name, default = named[1], named[2]
        self.used.add(name)
        self._lookups += 1
        if self._lookups > _MAX_LOOKUPS:
            if self._lookups == _MAX_LOOKUPS + 1:
                self.problems.append(Problem(path, "there are more placeholders to replace than can be meant"))
            return written
        try:
            return self._value(name, path, has_default=default is not None)
        except Undefined as error:
            if default is not None:
                return default
            self.problems.append(Problem(f"{path}: ${{{name}}}", error.why, error.remedy))
        except ConfigurationError as error:
            self.problems.extend(Problem(f"{path}: ${{{name}}}", str(problem)) for problem in error.problems)
        return written

    def _value(self, name: str, path: str, *, has_default: bool) -> Any:
        scope, *rest = name.split(".")
        if not rest:
            return self._environment(name, has_default=has_default)
        lookup = self._scopes.get(scope)
        if lookup is None:
            known = [f"{known}." for known in self._scopes]
            remedy = (
                f"Here it can begin with {', '.join(known)}, or be an environment variable."
                if known
                else ("Here only environment variables stand, which have no dot.")
            )
            raise ConfigurationError(Problem(scope, "is not known here", remedy))
        value = lookup(rest, path)
        if scope in self._final:
            return value
        if name in self._open:
            loop = " -> ".join([*self._open[self._open.index(name) :], name])
            raise ConfigurationError(Problem(loop, "these refer to each other without end"))
        self._open.append(name)
        try:
            return self.apply(value, path)
        finally:
            self._open.pop()

    def _environment(self, name: str, *, has_default: bool) -> str:
        if not _ENVIRONMENT.fullmatch(name):
            raise ConfigurationError(Problem(name, "is not the name of an environment variable"))
        value = self._env.get(name)
        if value is None or (not value and has_default):
            raise Undefined(f"the environment variable {name} is not set", f"Set it, or write ${{{name}:-default}}.")
        return value


def member(document: Mapping[str, Any], names: list[str], what: str) -> Any:
    """Return what stands in nested mappings under a dotted name.

    :param what: what the mapping holds, for messages, e.g. ``a variable``.
    :raises Undefined: there is nothing.
    """
    value: Any = document
    for depth, name in enumerate(names):
        if not isinstance(value, Mapping) or name not in value:
            known = list(value) if isinstance(value, Mapping) else []
            raise Undefined(f"there is no {what} {'.'.join(names[: depth + 1])}", suggest_or_list(name, known))
        value = value[name]
    return value
