# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Dataclasses from JSON types and back, with the standard library alone.

The controller has validated the data with pydantic before it gets here; what can still be wrong is data that came by
another way, so a wrong shape is a clear error and not a traceback.
"""

from __future__ import annotations

import dataclasses
import functools
import math
import types
from collections.abc import Callable
from typing import Any, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from ._errors import ConfigurationError, Problem

T = TypeVar("T")

#: Turns JSON types into a type, given where they stand.
Convert = Callable[[Any, str], Any]


def build(cls: type[T], data: Any, *, path: str = "") -> T:
    """Build a dataclass of ``_model`` from JSON types.

    :param cls: the class wanted.
    :param data: the document.
    :param path: where the document stands, for messages.
    :raises ConfigurationError: a key is unknown or missing, or a value has the wrong shape.
    """
    built: T = _converter(cast(Any, cls))(data, path)  # mypy holds that classes cannot be hashed
    return built


def to_dict(value: Any, *, sparse: bool = False) -> Any:
    """Return a dataclass as JSON types.

    :param sparse: leave out what is at its default.
    """
    if isinstance(value, (str, int, float, type(None))):
        return value
    if isinstance(value, dict):
        return {key: to_dict(item, sparse=sparse) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_dict(item, sparse=sparse) for item in value]
    specs = _specs(cast(Any, type(value)))
    if specs is None:
        return value
    found = [(name, getattr(value, name), default) for name, default in specs]
    return {name: to_dict(item, sparse=sparse) for name, item, default in found if not (sparse and item == default)}


@functools.cache
def _specs(cls: Any) -> tuple[tuple[str, Any], ...] | None:
    """Return the fields of a dataclass with their defaults; nothing for another class."""
    if not dataclasses.is_dataclass(cls):
        return None
    return tuple((spec.name, _default(spec)) for spec in dataclasses.fields(cls))


def _has_default(spec: dataclasses.Field[Any]) -> bool:
    return spec.default is not dataclasses.MISSING or spec.default_factory is not dataclasses.MISSING


def _default(spec: dataclasses.Field[Any]) -> Any:
    """Return a field's default; what equals nothing where it has none."""
    return spec.default_factory() if spec.default_factory is not dataclasses.MISSING else spec.default


@functools.cache
def _hints(cls: Any) -> dict[str, Any]:
    names = {spec.name for spec in dataclasses.fields(cls)}
    return {name: hint for name, hint in get_type_hints(cls).items() if name in names}


@functools.cache
def _converter(hint: Any) -> Convert:
    """Return what turns JSON types into a type. Types are looked at once, however many documents there are."""
    origin, members = get_origin(hint), get_args(hint)
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        return _to_class(hint)
    if origin in (Union, types.UnionType):
        return _to_union(members)
    if origin in (list, tuple):
        return _to_sequence(origin, _converter(members[0]))
    if origin is dict:
        return _to_mapping(_converter(members[1]))
    if origin is Literal:
        return _to_choice(members)
    return _to_plain(hint)


def _to_class(cls: Any) -> Convert:
    converters = {name: _converter(hint) for name, hint in _hints(cls).items()}
    needed = [spec.name for spec in dataclasses.fields(cls) if not _has_default(spec)]

    def convert(data: Any, path: str) -> Any:
        if not isinstance(data, dict):
            raise _wrong(path or cls.__name__, f"expected a mapping, got {_kind(data)}")
        for key in data:
            if key not in converters:
                known = f"Known: {', '.join(sorted(converters))}."
                raise _wrong(_join(path, key), f"is not a setting of {cls.__name__}", known)
        for name in needed:
            if name not in data:
                raise _wrong(_join(path, name), "is missing")
        return cls(**{key: converters[key](value, _join(path, key)) for key, value in data.items()})

    return convert


def _to_sequence(kind: Any, convert_item: Convert) -> Convert:
    def convert(value: Any, path: str) -> Any:
        if not isinstance(value, (list, tuple)):
            raise _wrong(path, f"expected a list, got {_kind(value)}")
        return kind(convert_item(item, f"{path}[{index}]") for index, item in enumerate(value))

    return convert


def _to_mapping(convert_item: Convert) -> Convert:
    def convert(value: Any, path: str) -> Any:
        if not isinstance(value, dict):
            raise _wrong(path, f"expected a mapping, got {_kind(value)}")
        for key in value:
            if not isinstance(key, str):
                raise _wrong(_join(path, key), f"the name must be str, not {_kind(key)}", "Put it in quotes.")
        return {key: convert_item(item, _join(path, key)) for key, item in value.items()}

    return convert


def _to_choice(choices: tuple[Any, ...]) -> Convert:
    def convert(value: Any, path: str) -> Any:
        if value not in choices:
            raise _wrong(path, f"{value!r} is not one of {', '.join(map(str, choices))}")
        return value

    return convert


def _to_plain(hint: Any) -> Convert:
    def convert(value: Any, path: str) -> Any:
        if not _fits(hint, value):
            raise _wrong(path, f"expected {hint.__name__}, got {_kind(value)}")
        return float(value) if hint is float else value

    return (lambda value, path: value) if hint is Any else convert


def _to_union(members: tuple[Any, ...]) -> Convert:
    present = tuple(member for member in members if member is not type(None))
    classes: list[Any] = [member for member in present if dataclasses.is_dataclass(member)]
    by_type = {kind: cls for cls in classes if len(classes) > 1 for kind in get_args(_hints(cls)["type"])}

    def convert(value: Any, path: str) -> Any:
        if value is None and type(None) in members:
            return None
        if len(present) == 1:
            return _converter(present[0])(value, path)
        if not classes:
            return _scalar(present, value, path)
        wanted = value.get("type") if isinstance(value, dict) else None
        if not isinstance(wanted, str) or wanted not in by_type:
            raise _wrong(_join(path, "type"), f"{wanted!r} is not one of {', '.join(by_type)}")
        return _converter(by_type[wanted])(value, path)

    return convert


def _scalar(members: tuple[Any, ...], value: Any, path: str) -> Any:
    # A value that has a member's own type stays as it is; only then may a whole number stand for a real one.
    if any(type(value) is member and _fits(member, value) for member in members):
        return value
    if float in members and _fits(float, value):
        return float(value)
    names = " or ".join(member.__name__ for member in members)
    raise _wrong(path, f"expected {names}, got {_kind(value)}")


def _fits(hint: Any, value: Any) -> bool:
    """Whether a value has a plain type: truth is no number, and a number is a finite one."""
    if hint is float:
        return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, hint)


def _kind(value: Any) -> str:
    return str(value) if isinstance(value, float) and not math.isfinite(value) else type(value).__name__


def _join(path: str, key: object) -> str:
    return f"{path}.{key}" if path else str(key)


def _wrong(path: str, why: str, remedy: str = "") -> ConfigurationError:
    return ConfigurationError(Problem(path, why, remedy))
