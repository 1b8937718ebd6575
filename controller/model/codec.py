"""Codec: frozen records <-> the JSON of a status, driven by their field types.

Names become camelCase, times end in `Time`, times have whole seconds in UTC. In a map an absent value is written as
null, because a merge patch keeps what it does not mention; inside lists, which a merge patch replaces, it is left out.
Reading is lenient: a value of the wrong kind counts as absent, and a record whose required part is absent is dropped.
"""

from __future__ import annotations

import types
from collections.abc import Hashable, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from datetime import UTC, date, datetime
from enum import StrEnum
from functools import lru_cache
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


class _Broken(Exception):  # noqa: N818 - a finding, not an error: the record is dropped
    """A required value is absent or of the wrong kind."""


def dump(record: object, *, in_list: bool = False) -> dict[str, Any]:
    """The record as JSON values."""
    result: dict[str, Any] = {}
    for item in fields(cast("Any", record)):
        value = getattr(record, item.name)
        if value in (None, "", ()) and not _required(item):
            if not in_list:
                result[json_name(item.name)] = None
            continue
        result[json_name(item.name)] = _dump_value(value, in_list=in_list)
    return result


def load(kind: type[_T], value: object) -> _T | None:
    """The record, or None when it cannot be read."""
    try:
        return _load(kind, value)
    except _Broken:
        return None


def load_list(kind: type[_T], value: object, limit: int) -> tuple[_T, ...]:
    """The records of a list that can be read, at most `limit` of them."""
    items = value if isinstance(value, list | tuple) else ()
    return tuple(record for item in items if (record := load(kind, item)) is not None)[:limit]


def json_name(name: str) -> str:
    return _NAMES.get(name) or to_camel(name)


def format_moment(value: datetime) -> str:
    return value.astimezone(UTC).replace(microsecond=0, tzinfo=None).isoformat() + "Z"


def _required(item: Field[Any]) -> bool:
    return item.default is MISSING and item.default_factory is MISSING


def _dump_value(value: object, *, in_list: bool) -> Any:
    if isinstance(value, datetime):
        return format_moment(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, tuple):
        return [_dump_value(item, in_list=True) for item in value]
    if is_dataclass(value):
        return dump(value, in_list=in_list)
    return str(value) if isinstance(value, StrEnum) else value


@lru_cache(maxsize=32)
def _hints(kind: Hashable) -> dict[str, Any]:
    return get_type_hints(kind)


def _load(kind: type[_T], value: object) -> _T:
    if not isinstance(value, Mapping):
        raise _Broken
    hints, arguments = _hints(cast("Any", kind)), dict[str, Any]()
    for item in fields(cast("Any", kind)):
        raw = value.get(json_name(item.name))
        try:
            if raw is None:
                raise _Broken  # noqa: TRY301 - absent and broken are answered alike, just below
            arguments[item.name] = _load_value(hints[item.name], raw)
        except _Broken:
            if _required(item):
                if hints[item.name] != datetime | None:
                    raise
                arguments[item.name] = None
    return kind(**arguments)


def _load_value(hint: Any, raw: object) -> Any:
    if isinstance(hint, types.UnionType):
        hint = next(choice for choice in get_args(hint) if choice is not type(None))
    if get_origin(hint) is tuple:
        element = get_args(hint)[0]
        if not isinstance(raw, list | tuple):
            raise _Broken
        return tuple(_load_value(element, item) for item in raw)
    if is_dataclass(hint):
        return _load(cast("type[Any]", hint), raw)
    if hint is datetime:
        return _present(moment(raw))
    if hint is int:
        if not isinstance(raw, int) or isinstance(raw, bool) or not 0 <= raw <= _MAX_INT:
            raise _Broken
        return raw
    if hint is bool:
        if not isinstance(raw, bool):
            raise _Broken
        return raw
    if not isinstance(raw, str):
        raise _Broken
    return raw if hint is str else _parse_text(hint, raw)


def _parse_text(hint: Any, raw: str) -> Any:
    try:
        return date.fromisoformat(raw) if hint is date else hint(raw)
    except ValueError as error:
        raise _Broken from error


def _present(value: _T | None) -> _T:
    if value is None:
        raise _Broken
    return value
