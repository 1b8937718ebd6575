"""Fields: one object of a spec that may hold anything, read field by field as the schema of the resource has it.

The API server refuses what breaks the schema, but only at a write: what a laxer schema let in stays in etcd and is served as it
stands. So each reader holds its field to the same kind, bounds and pattern, and raises a `Problem` that says what is allowed;
a value that was taken for its default instead would run a schedule that its user had suspended. A null counts as not written,
as with the API server, and so do fields that nobody reads. That both agree is tested with some 2,500 wrong values.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
SUBDOMAIN = re.compile(rf"{LABEL.pattern}(\.{LABEL.pattern})*")
SECRET_KEY = re.compile(r"(?!\.$|\.\.)[-._a-zA-Z0-9]+")
SCHEMA = re.compile(r"(?!pg_|information_schema$)[a-z_][a-z0-9_]*")
QUANTITY = re.compile(r"[0-9]+(\.[0-9]{1,9})?([KMGTPE]i|[munkMGTPE])?")

_READABLE = {
    LABEL: "small letters, digits and '-', such as 'acme-2'",
    SUBDOMAIN: "small letters, digits, '-' and '.', such as 'acme-google'",
    SECRET_KEY: "letters, digits, '-', '_' and '.', such as 'credentials.json'",
    SCHEMA: "small letters, digits and '_', none of Postgres' own, such as 'gsc'",
}


class Problem(Exception):  # noqa: N818 - not an error of the program but a finding about its input
    """What is wrong with a field and what is allowed there."""


@dataclass(frozen=True, slots=True)
class Fields:
    """An object and the path at which it stands, such as `spec.window`. Every reader raises `Problem`."""

    path: str
    values: Mapping[str, Any]

    def inside(self, name: str) -> Fields:
        """The object in a field, empty when it is not written."""
        return _object(f"{self.path}.{name}", self.values.get(name))

    def objects(self, name: str, most: int) -> Iterator[Fields]:
        for index, item in enumerate(self._list(name, most, ())):
            yield _object(f"{self.path}.{name}[{index}]", item)

    def has(self, name: str) -> bool:
        return self.values.get(name) is not None

    def flag(self, name: str) -> bool:
        """False when it is not written."""
        value = self.values.get(name)
        if value is not None and not isinstance(value, bool):
            raise self._problem(name, "true or false")
        return bool(value)

    def whole(self, name: str, low: int, high: int, default: int) -> int:
        value = self._value(name, default)
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise self._problem(name, f"a whole number from {low} to {high}")
        return value

    def ratio(self, name: str, default: float) -> float:
        value = self._value(name, default)
        if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= 1:
            raise self._problem(name, "a number from 0 to 1")
        return float(value)

    def text(
        self, name: str, limit: int, default: str | None = None, pattern: re.Pattern[str] | None = None
    ) -> str:
        return _text(f"{self.path}.{name}", self._value(name, default), limit, pattern)

    def texts(self, name: str, most: int, limit: int, default: Sequence[str] = ()) -> tuple[str, ...]:
        """Each once; an empty list is none, unless there is a default, which it would silently undo."""
        found = self._list(name, most, default)
        if default and not found:
            raise self._problem(name, "a list with at least one entry")
        each = (_text(f"{self.path}.{name}[{index}]", item, limit, None) for index, item in enumerate(found))
        return tuple(dict.fromkeys(each))

    def choice(self, name: str, allowed: Sequence[str], default: str | None = None) -> str:
        value = self._value(name, default)
        if value not in allowed:
            raise self._problem(name, f"of {_quoted(allowed)}")
        return str(value)

    def choices(self, name: str, allowed: Sequence[str], default: Sequence[str]) -> tuple[str, ...]:
        """Each once, and one at least when there is a default."""
        chosen = self._value(name, default)
        several = isinstance(chosen, list | tuple) and (chosen or not default)
        if not several or any(item not in allowed for item in chosen):
            raise self._problem(name, f"of {_quoted(allowed)}")
        return tuple(dict.fromkeys(chosen))

    def quantities(self, names: Sequence[str]) -> tuple[tuple[str, str], ...]:
        """Amounts of resources as Kubernetes writes them, by the names that are there."""
        return tuple((name, self._quantity(name)) for name in names if self.has(name))

    def _quantity(self, name: str) -> str:
        value = self.values[name]
        whole = isinstance(value, int) and not isinstance(value, bool) and value >= 0
        if whole or (isinstance(value, str) and len(value) <= 32 and QUANTITY.fullmatch(value)):
            return str(value)
        raise self._problem(name, "a quantity such as '500m', '1Gi' or 2")

    def _value(self, name: str, default: object) -> Any:
        value = self.values.get(name)
        return default if value is None else value

    def _list(self, name: str, most: int, default: Sequence[str]) -> Sequence[object]:
        value = self._value(name, default)
        if not isinstance(value, list | tuple) or len(value) > most:
            raise self._problem(name, f"a list of at most {most} entries")
        return value

    def _problem(self, name: str, allowed: str) -> Problem:
        return Problem(f"`{self.path}.{name}` must be {allowed}")


def _object(path: str, value: object) -> Fields:
    if value is not None and not isinstance(value, Mapping):
        raise Problem(f"`{path}` must be an object with fields of its own")
    return Fields(path, value or {})


def _text(path: str, value: object, limit: int, pattern: re.Pattern[str] | None) -> str:
    if not isinstance(value, str) or not value or len(value) > limit:
        raise Problem(f"`{path}` must be a text of 1 to {limit} characters")
    if pattern and not pattern.fullmatch(value):
        raise Problem(f"`{path}` must be of {_READABLE[pattern]}")
    return value


def _quoted(allowed: Sequence[str]) -> str:
    return ", ".join(f"'{item}'" for item in allowed)
