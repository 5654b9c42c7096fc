"""Frozen dataclasses as plain JSON values and back, strictly typed: what a snapshot tells of itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

T = TypeVar("T")


def plain(value: Any) -> Any:
    """Return dataclasses as dicts and tuples as lists; numbers keep the type that their field declares."""
    if is_dataclass(value) and not isinstance(value, type):
        hints = _hints(type(value))
        return {
            one.name: float(getattr(value, one.name)) if hints[one.name] is float else plain(getattr(value, one.name))
            for one in fields(value)
        }
    return [plain(item) for item in value] if isinstance(value, tuple) else value


def build(kind: type[T], value: object, name: str) -> T:
    """Return the dataclass that plain values describe; raises ValueError naming the field and the cause."""
    return _build(kind, value, name)  # type: ignore[no-any-return] # built by its hints


def _build(kind: Any, value: object, name: str) -> Any:
    if get_origin(kind) is tuple:
        if not isinstance(value, (list, tuple)):
            raise _wrong(name, "a list", value)
        return tuple(_build(get_args(kind)[0], item, name) for item in value)
    if is_dataclass(kind):
        if not isinstance(value, Mapping):
            raise _wrong(name, "an object", value)
        hints = _hints(kind)  # type: ignore[arg-type]  # narrowed by is_dataclass: mypy doubts that classes are hashable
        for one in fields(kind):
            if one.name not in value:
                raise ValueError(f"model snapshot: {name}.{one.name} is missing")
        found = {one.name: _build(hints[one.name], value[one.name], f"{name}.{one.name}") for one in fields(kind)}
        return kind(**found)  # type: ignore[operator] # as above
    return _scalar(kind, value, name)


@cache  # of the few dataclasses that there are: each asking compiles every annotation anew
def _hints(kind: type) -> Mapping[str, Any]:
    return get_type_hints(kind)


def _scalar(kind: type, value: object, name: str) -> object:
    if kind is float and isinstance(value, (int, float)) and not isinstance(value, bool):
        try:
            number = float(value)
        except OverflowError:
            number = float("inf")
        if number - number != 0.0:  # only inf and nan differ from themselves so
            raise ValueError(f"model snapshot: {name}: a number is not finite")
        return number
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise _wrong(name, kind.__name__, value)
    return value


def _wrong(name: str, expected: str, value: object) -> ValueError:
    return ValueError(f"model snapshot: {name}: expected {expected}, found {type(value).__name__}")
