# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shapes: pydantic over the standard dataclasses that are the schema, its errors in our words, one for each fault.

pydantic is imported when it is first needed, so that this file loads where it is not installed.
"""

from __future__ import annotations

import dataclasses
import functools
import re
import types
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar, Union, get_args, get_origin, get_type_hints

from ansible_collections.provisioning.platform.plugins.module_utils._errors import ConfigurationError, Problem
from ansible_collections.provisioning.platform.plugins.module_utils._model import (
    AnyHealthCheck,
    AnyVerification,
    ServiceDefinition,
)
from ansible_collections.provisioning.platform.plugins.plugin_utils.wording import (
    join,
    kind_of,
    shown,
    suggest_or_list,
    suggestion,
)

if TYPE_CHECKING:
    from pydantic import TypeAdapter
    from pydantic_core import ErrorDetails

T = TypeVar("T")

#: Why a key that the schema does not have is a fault.
UNKNOWN_SETTING = "is not a known setting"

_WANTED = {
    "bool": "true or false",
    "dataclass": "a mapping",
    "dict": "a mapping",
    "float": "a number",
    "int": "a whole number",
    "list": "a list",
    "string": "a text",
}
_UNION_TAGS = {"str": "string", "int": "int", "float": "float", "bool": "bool"}


def check_shape(cls: type[T], data: Any, *, path: str = "") -> tuple[T | None, list[Problem]]:
    """Build a dataclass from JSON types, with pydantic's lenience towards texts that are numbers or booleans.

    :param path: where the data stands, for messages.
    :return: the object and no problems, or nothing and one problem for each fault.
    :raises ConfigurationError: pydantic is not installed.
    """
    adapter = type_adapter(cls)
    from pydantic import ValidationError

    try:
        built: T = adapter.validate_python(data)
    except ValidationError as error:
        # The input may hold secrets; our words show it only where it cannot be one.
        return None, _problems(error.errors(include_url=False), cls, data, path)
    faults = list(_booleans_as_numbers(built, data, path))
    return (None, faults) if faults else (built, [])


def check_definition(data: Any, *, path: str) -> tuple[ServiceDefinition | None, list[Problem]]:
    """Build a definition; of its checks only the class that ``type`` names is asked.

    :param data: the document, without sugar.
    :param path: the service's name.
    :return: as :func:`check_shape`.
    """
    if not isinstance(data, dict):
        return check_shape(ServiceDefinition, data, path=path)
    health, verify = data.get("health"), data.get("verify")
    apart = {"health", "verify"} if isinstance(verify, list) else {"health"}
    rest = {key: value for key, value in data.items() if key not in apart}
    definition, problems = check_shape(ServiceDefinition, rest, path=path)
    checks: dict[str, Any] = {}
    if health is not None:
        checks["health"], faults = _check_member(AnyHealthCheck, health, join(path, "health"))
        problems += faults
    if isinstance(verify, list):
        checks["verify"] = []
        for index, item in enumerate(verify):
            built, faults = _check_member(AnyVerification, item, f"{join(path, 'verify')}[{index}]")
            checks["verify"].append(built)
            problems += faults
    if definition is None or problems:
        return None, problems
    return dataclasses.replace(definition, **checks), []


def type_adapter(cls: type[T]) -> TypeAdapter[T]:
    """Return pydantic's adapter of a dataclass.

    :raises ConfigurationError: pydantic is not installed.
    """
    adapter: TypeAdapter[T] = _adapter(cls)  # type: ignore[arg-type]  # a class is hashable
    return adapter


@functools.cache
def _adapter(cls: Any) -> Any:
    try:
        from pydantic import TypeAdapter
    except ImportError as error:
        raise ConfigurationError(
            Problem("pydantic", f"cannot be imported on the controller ({error})", "pip install 'pydantic>=2.11'.")
        ) from None
    return TypeAdapter(cls)


def settings_of(cls: type) -> list[str]:
    """Return the names of a dataclass's fields, without those that are filled in."""
    return [spec.name for spec in dataclasses.fields(cls) if not spec.metadata.get("filled_in")]


@functools.cache
def _members(union: Any) -> dict[str, type]:
    """The classes of a union by their ``type``."""
    return {get_args(get_type_hints(cls)["type"])[0]: cls for cls in get_args(union)}


def _check_member(union: Any, data: Any, path: str) -> tuple[Any, list[Problem]]:
    members = _members(union)
    if not isinstance(data, dict):
        return None, [Problem(path, f"expected a mapping, got {shown(data, path)}")]
    wanted = data.get("type")
    if isinstance(wanted, str) and wanted in members:
        return check_shape(members[wanted], data, path=path)
    if wanted is None:
        return None, [Problem(join(path, "type"), "is missing", f"It is one of {', '.join(members)}.")]
    return None, [_not_one_of(wanted, members, join(path, "type"))]


def _not_one_of(value: Any, known: Iterable[str], path: str) -> Problem:
    words = list(known)
    remedy = suggestion(value, words) if isinstance(value, str) else ""
    return Problem(path, f"{shown(value, path)} is not one of {', '.join(words)}", remedy)


def _problems(errors: list[ErrorDetails], cls: type, data: Any, path: str) -> list[Problem]:
    problems: dict[str, Problem] = {}
    accepted: dict[str, list[str]] = {}
    for error in errors:
        location, tag = _without_union_tag(error["loc"], data)
        where = functools.reduce(join, location, path)
        if tag:
            accepted.setdefault(where, []).append(_WANTED[_UNION_TAGS[tag]])
            why = f"expected {_either(accepted[where])}, got {shown(error['input'], where)}"
            problems[where] = Problem(where, why)
        else:
            problems.setdefault(where, _in_our_words(error, cls, location, where))
    return list(problems.values())


def _without_union_tag(location: tuple[int | str, ...], data: Any) -> tuple[tuple[int | str, ...], str]:
    """Split off the member of a union of scalars, which pydantic adds to the location: it is no key of the data."""
    value: Any = data
    for key in location[:-1]:
        if isinstance(value, dict):
            value = value.get(key)
        elif isinstance(value, list) and isinstance(key, int):
            value = value[key]
    last = location[-1] if location else ""
    if last in _UNION_TAGS and not (isinstance(value, dict) and last in value):
        return location[:-1], str(last)
    return location, ""


def _either(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"


def _in_our_words(error: ErrorDetails, cls: type, location: tuple[int | str, ...], where: str) -> Problem:
    kind = error["type"]
    if kind == "missing":
        return Problem(where, "is missing")
    if kind == "unexpected_keyword_argument":
        owner = class_at(cls, location[:-1])
        return Problem(where, UNKNOWN_SETTING, suggest_or_list(str(location[-1]), settings_of(owner or cls)))
    if kind == "literal_error":
        return _not_one_of(error["input"], re.findall(r"'([^']*)'", error["ctx"]["expected"]), where)
    wanted = _WANTED.get(kind.split("_", 1)[0])
    if wanted is None:
        return Problem(where, error["msg"])
    got = error["input"]
    remedy = "Put it in quotes." if wanted == "a text" and isinstance(got, (int, float)) else ""
    if wanted == "a mapping" and isinstance(got, str) and got.lstrip().startswith("{"):
        remedy = "On Ansible's command line pass it as JSON: -e '{\"name\": {...}}'."
    return Problem(where, f"expected {wanted}, got {shown(got, where)}", remedy)


def class_at(cls: type, location: Iterable[int | str]) -> type | None:
    """Return the dataclass that the schema has at a place below a dataclass, if it has one there."""
    hint: Any = cls
    for key in location:
        hint = _dataclass_in(hint) or hint
        if dataclasses.is_dataclass(hint):
            hint = get_type_hints(hint).get(str(key))
        else:
            hint = (get_args(_without_none(hint)) or (None,))[-1]
    found: type | None = _dataclass_in(hint)
    return found


def _dataclass_in(hint: Any) -> Any:
    hint = _without_none(hint)
    return hint if dataclasses.is_dataclass(hint) else None


def _without_none(hint: Any) -> Any:
    if get_origin(hint) in (Union, types.UnionType):
        members = [member for member in get_args(hint) if member is not type(None)]
        return members[0] if len(members) == 1 else hint
    return hint


def _booleans_as_numbers(built: Any, data: Any, path: str) -> Iterable[Problem]:
    """Find what was true or false and became 1 or 0, which pydantic does and nobody means."""
    if dataclasses.is_dataclass(built) and isinstance(data, Mapping):
        pairs = [(key, getattr(built, key), item) for key, item in data.items()]
    elif isinstance(built, dict) and isinstance(data, Mapping):
        pairs = [(key, built[key], item) for key, item in data.items()]
    elif isinstance(built, list) and isinstance(data, list):
        pairs = [(index, *pair) for index, pair in enumerate(zip(built, data, strict=True))]
    else:
        if isinstance(data, bool) and not isinstance(built, bool):
            yield Problem(path, f"expected a number, got {kind_of(data)}")
        return
    for key, member, item in pairs:
        yield from _booleans_as_numbers(member, item, join(path, key))
