"""What is measured: how much data, which passes over it, and what a tool must do to take part.

A *pass* is one complete sync of the same window. Before it, Google's side has changed in a known way (or not at all), so
the right content of the tables after it is known row by row.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Protocol

import psycopg

PROPERTY = "sc-domain:bench.example"
EMPTY_PROPERTY = "sc-domain:empty.example"
LAST_DAY = date(2026, 11, 7)
"""The window crosses the border of a month and the autumn change of the clocks, as windows do."""
DIMENSIONS = ("date", "page", "query", "country", "device")

Key = tuple[str, str, str, str, str]
Metrics = tuple[int, int, float | None]
Rows = Iterator[tuple[Key, Metrics]]


@dataclass(frozen=True, slots=True)
class Size:
    days: int = 14
    rows: int = 20_000
    """Of a day."""

    @property
    def total(self) -> int:
        return self.days * self.rows

    @property
    def first_day(self) -> date:
        return LAST_DAY - timedelta(days=self.days - 1)

    @property
    def window(self) -> list[date]:
        return [self.first_day + timedelta(days=n) for n in range(self.days)]


@dataclass(frozen=True, slots=True)
class Pass:
    """`state` names the stand-in that is asked (see `google`)."""

    name: str
    state: str
    only_ours: bool = False
    probed: bool = False
    """Our sync may skip what a probe shows to be unchanged; in all other passes it reads everything again."""
    property: str = PROPERTY


PASSES = (
    Pass("new database", "published", only_ours=True, property=EMPTY_PROPERTY),
    Pass("first load", "published"),
    Pass("identical", "published"),
    Pass("identical, probed", "published", only_ours=True, probed=True),
    Pass("10 % changed", "recounted"),
    Pass("restated day", "restated"),
)
"""In this order, into one database. Each reads everything again, unless it says otherwise: nothing is remembered from
the pass before but the tables. Our `new database` makes the schema, for a property without a row."""


@dataclass(frozen=True, slots=True)
class Ground:
    """What a tool is given: an empty directory that stays over the passes, a database, and where Google is."""

    folder: Path
    database: str
    """URI."""
    size: Size
    credentials: Mapping[str, Any]
    """The service account's key file."""
    user: Mapping[str, Any]
    """The same rights as an authorized-user file, for tools that know no service account."""


class Tool(Protocol):
    """One way to bring Search Console into Postgres."""

    name: str
    fact_tables: tuple[str, ...]
    """Schema-qualified; partitions and indexes are counted with them. Empty for a tool that does not write there."""
    other_tables: tuple[str, ...]

    def install(self) -> None:
        """Make the environment of its own that it runs in, unless it is there."""

    def before(self, what: Pass, connection: psycopg.Connection[Any]) -> None:
        """Whatever makes it read everything again, outside the measurement."""

    def commands(self, ground: Ground, google: str, what: Pass, number: int) -> list[list[str]]:
        """A pipeline of programs for pass `number` (1, 2, ...); `google` is the base URL of the stand-in."""

    def environment(self, ground: Ground, google: str) -> Mapping[str, str]: ...

    def questions(self, size: Size) -> list[dict[str, Any]]:
        """The queries it will ask, so that the stand-in can have the answers ready: its own work is not measured."""

    def rows(self, ground: Ground, connection: psycopg.Connection[Any]) -> Rows:
        """What it has stored."""
