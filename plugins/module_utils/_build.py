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
from typing import Any, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from ._errors import ConfigurationError, Problem

T = TypeVar("T")


def build(cls: type[T], data: Any, *, path: str = "") -> T:
    """Build a dataclass of ``_model`` from JSON types.

    :param cls: the class wanted.
    :param data: the document.
    :param path: where the document stands, for messages.
    :raises ConfigurationError: a key is unknown or missing, or a value has the wrong shape.
    """
    if not isinstance(data, dict):
        raise _wrong(path or cls.__name__, f"expected a mapping, got {_kind(data)}")
    hints = _hints(cast(Any, cls))  # mypy holds that classes cannot be hashed
    for key in data:
        if key not in hints:
            raise _wrong(_join(path, key), f"is not a setting of {cls.__name__}", f"Known: {', '.join(sorted(hints))}.")
    for spec in dataclasses.fields(cls):  # type: ignore[arg-type]
        if spec.name not in data and not _has_default(spec):
            raise _wrong(_join(path, spec.name), "is missing")
    return cls(**{key: _convert(hints[key], value, _join(path, key)) for key, value in data.items()})


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


def _convert(hint: Any, value: Any, path: str) -> Any:
    origin = get_origin(hint)
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        return build(hint, value, path=path)
    if origin in (Union, types.UnionType):
        return _convert_union(get_args(hint), value, path)
    if origin in (list, tuple):
        if not isinstance(value, (list, tuple)):
            raise _wrong(path, f"expected a list, got {_kind(value)}")
        return origin(_convert(get_args(hint)[0], item, f"{path}[{index}]") for index, item in enumerate(value))
    if origin is dict:
        return _convert_mapping(get_args(hint)[1], value, path)
    if origin is Literal:
        if value not in get_args(hint):
            raise _wrong(path, f"{value!r} is not one of {', '.join(map(str, get_args(hint)))}")
        return value
    if hint is Any:
        return value
    if not _fits(hint, value):
        raise _wrong(path, f"expected {hint.__name__}, got {_kind(value)}")
    return float(value) if hint is float else value


def _convert_mapping(hint: Any, value: Any, path: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _wrong(path, f"expected a mapping, got {_kind(value)}")
    for key in value:
        if not isinstance(key, str):
            raise _wrong(_join(path, key), f"the name must be str, not {_kind(key)}", "Put it in quotes.")
    return {key: _convert(hint, item, _join(path, key)) for key, item in value.items()}


def _convert_union(members: tuple[Any, ...], value: Any, path: str) -> Any:
    if value is None and type(None) in members:
        return None
    present = [member for member in members if member is not type(None)]
    if len(present) == 1:
        return _convert(present[0], value, path)
    classes = [member for member in members if dataclasses.is_dataclass(member)]
    if classes:
        return _convert(_class_by_type(classes, value, path), value, path)
    # A value that has a member's own type stays as it is; only then may a whole number stand for a real one.
    if any(type(value) is member and _fits(member, value) for member in members):
        return value
    if float in members and _fits(float, value):
        return float(value)
    names = " or ".join(member.__name__ for member in present)
    raise _wrong(path, f"expected {names}, got {_kind(value)}")


def _class_by_type(classes: list[Any], value: Any, path: str) -> Any:
    wanted = value.get("type") if isinstance(value, dict) else None
    for member in classes:
        if wanted in get_args(_hints(member)["type"]):
            return member
    names = ", ".join(get_args(_hints(member)["type"])[0] for member in classes)
    raise _wrong(_join(path, "type"), f"{wanted!r} is not one of {names}")


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
