"""Codec: frozen records <-> the JSON of a status, driven by their field types.

Names become camelCase, times end in `Time`, times have whole seconds in UTC. In a map an absent value is written as
null, because a merge patch keeps what it does not mention; inside lists, which a merge patch replaces, it is left out.
Reading is lenient: a value of the wrong kind counts as absent, and a record whose required part is absent is dropped.
What a class looks like is worked out once; ten thousand statuses are read at every start.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from datetime import UTC, date, datetime
from enum import StrEnum
from functools import lru_cache
from types import UnionType
from typing import Any, TypeVar, cast, get_args, get_origin, get_type_hints

from pydantic.alias_generators import to_camel

from controller.model.raw import moment

_NAMES = {
    "run_id": "id",
    "at": "time",
    "created_at": "createTime",
    "started_at": "startTime",
    "finished_at": "finishTime",
}
_T = TypeVar("_T")
_MAX_INT = 2**53
_EMPTY: tuple[object, ...] = (None, "", ())


@dataclass(frozen=True, slots=True)
class _Part:
    """One field: its names here and there, whether it must be present, and how its JSON value is read (None: absent)."""

    name: str
    key: str
    required: bool
    read: Callable[[Any], Any]


def dump(record: object, *, in_list: bool = False) -> dict[str, Any]:
    """The record as JSON values."""
    result: dict[str, Any] = {}
    for part in _parts(cast("Any", type(record))):
        value = getattr(record, part.name)
        if not part.required and (value is False or value in _EMPTY):
            if not in_list:
                result[part.key] = None
            continue
        result[part.key] = _dump_value(value, in_list=in_list)
    return result


def load(kind: type[_T], value: object) -> _T | None:
    """The record, or None when it cannot be read."""
    if not isinstance(value, Mapping):
        return None
    arguments: dict[str, Any] = {}
    for part in _parts(cast("Any", kind)):
        raw = value.get(part.key)
        read = None if raw is None else part.read(raw)
        if read is not None:
            arguments[part.name] = read
        elif part.required:
            return None
    return kind(**arguments)


def load_list(kind: type[_T], value: object, limit: int) -> tuple[_T, ...]:
    """The records of a list that can be read, at most `limit` of them."""
    items = value if isinstance(value, list | tuple) else ()
    return tuple(record for item in items if (record := load(kind, item)) is not None)[:limit]


def format_moment(value: datetime) -> str:
    value = value.astimezone(UTC)
    return f"{value.year:04}-{value.month:02}-{value.day:02}T{value.hour:02}:{value.minute:02}:{value.second:02}Z"


@lru_cache(maxsize=32)
def _parts(kind: Hashable) -> tuple[_Part, ...]:
    hints = get_type_hints(kind)
    return tuple(
        _Part(
            name=item.name,
            key=_NAMES.get(item.name) or to_camel(item.name),
            required=item.default is MISSING and item.default_factory is MISSING,
            read=_reader(hints[item.name]),
        )
        for item in fields(cast("Any", kind))
    )


def _dump_value(value: object, *, in_list: bool) -> Any:
    if isinstance(value, StrEnum):
        return value.value
    if value is None or isinstance(value, str | int):
        return value
    if isinstance(value, datetime):
        return format_moment(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, tuple):
        return [_dump_value(item, in_list=True) for item in value]
    return dump(value, in_list=in_list)


def _reader(hint: Any) -> Callable[[Any], Any]:
    if isinstance(hint, UnionType):
        hint = next(choice for choice in get_args(hint) if choice is not type(None))
    if get_origin(hint) is tuple:
        element = _reader(get_args(hint)[0])
        return lambda raw: _read_list(element, raw)
    if is_dataclass(hint):
        return lambda raw: load(cast("type[Any]", hint), raw)
    if hint is datetime:
        return moment
    if hint is bool:
        return lambda raw: raw if isinstance(raw, bool) else None
    if hint is int:
        return _read_whole
    if hint is str:
        return lambda raw: raw if isinstance(raw, str) else None
    return lambda raw: _read_text(hint, raw)


def _read_list(element: Callable[[Any], Any], raw: object) -> tuple[Any, ...] | None:
    if not isinstance(raw, list | tuple):
        return None
    return tuple(item for value in raw if (item := element(value)) is not None)


def _read_whole(raw: object) -> int | None:
    return raw if isinstance(raw, int) and not isinstance(raw, bool) and 0 <= raw <= _MAX_INT else None


def _read_text(hint: Any, raw: object) -> Any:
    """An enum's member or a date."""
    if not isinstance(raw, str):
        return None
    try:
        return date.fromisoformat(raw) if hint is date else hint(raw)
    except ValueError:
        return None
