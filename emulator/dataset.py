"""THE ORACLE: every row of every property, as a pure function of (seed, property, day, search type, stage).

The server shows what this module says; tests compare a database with what this module says. It knows no request, no
clock and no code of the product, so an error there cannot hide here. A day is *restated*: what the fresh stage shows
differs from the final stage in rows that vanish, appear and change (`rows`). Google shows only the top of a day and
never rare queries; `visible` applies both.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from datetime import date
from operator import attrgetter
from typing import NamedTuple

from emulator.cache import Cache
from emulator.config import Config, Property, SearchType
from emulator.pacific import Stage
from emulator.vocabulary import NO_QUERY, Atom, universe

GHOSTS = 0.02
"""The part of a fresh day's rows that vanish when it becomes final; as many others appear."""
CHANGED_EVERY = 3
"""Of the rows that stay, every third has other numbers while the day is fresh."""
ROW_BYTES = 250
"""About what a row takes in memory, its share of the texts included."""
HEAD = 0.08
"""Clicks of the most popular row, as a fraction of the number of rows."""


class Row(NamedTuple):
    """One row. `query` is None where Google withholds it; `position` is None where the search type has none."""

    page: str
    query: str | None
    country: str
    device: str
    clicks: int
    impressions: int
    position: float | None

    @property
    def key(self) -> tuple[str, str | None, str, str]:
        return self[:4]


class Totals(NamedTuple):
    """Sums over one day by page, anonymised queries and rows beyond the cap included."""

    clicks: int
    impressions: int


def rank(row: Row) -> tuple[int, int, tuple[str, ...]]:
    """The order in which rows are shown: clicks descending. Ties are settled only to make the cap well defined."""
    return (-row.clicks, -row.impressions, tuple(part or "" for part in row[:4]))


def ratio(numerator: int, denominator: int) -> float:
    """A quotient as Google writes it: whole numbers without a fraction."""
    whole, rest = divmod(numerator, denominator)
    return numerator / denominator if rest else whole


class Dataset:
    """All rows of all properties of a configuration. Safe to share between threads; memory is bounded."""

    def __init__(self, seed: int, config: Config) -> None:
        self._seed = str(seed)
        self._cap = config.cap
        self._revision = config.revision
        self._published_anew = config.published_anew
        self._properties = {prop.url: prop for prop in config.properties}
        rows_held = config.cache_megabytes * 1024 * 1024 // 4 // ROW_BYTES
        self._universes: Cache[list[Atom]] = Cache(rows_held // 2, len)
        self._days: Cache[list[Row]] = Cache(rows_held, len)

    def property_of(self, url: str) -> Property:
        return self._properties[url]

    def rows(self, url: str, day: date, search_type: SearchType, stage: Stage) -> list[Row]:
        """Everything that happened, uncapped, anonymised queries (as None) included. Keys are distinct but theirs."""
        key = (url, day, search_type, stage)
        return self._days.get(key, lambda: self._generate(*key))

    def named(self, url: str, day: date, search_type: SearchType, stage: Stage) -> list[Row]:
        """The rows whose query may be shown."""
        return [row for row in self.rows(url, day, search_type, stage) if row.query is not None]

    def visible(self, url: str, day: date, search_type: SearchType, stage: Stage) -> list[Row]:
        """What grouping by page, query, country and device can show: the capped top of `named`, in order."""
        return sorted(self.named(url, day, search_type, stage), key=rank)[: self._cap]

    def totals(self, url: str, day: date, search_type: SearchType, stage: Stage) -> Totals:
        """The sums of `rows`."""
        rows = self.rows(url, day, search_type, stage)
        return Totals(_sum(rows, "clicks"), _sum(rows, "impressions"))

    def _generate(self, url: str, day: date, search_type: SearchType, stage: Stage) -> list[Row]:
        if stage is Stage.FINAL and day in self._published_anew:
            stage = Stage.FRESH
        prop = self._properties[url]
        configured = prop.rows.get(search_type, 0)
        rng = random.Random(f"{self._seed}|{url}|{day.isoformat()}|{search_type}")
        wave = 1 + prop.variation * (2 * rng.random() - 1)
        count = round(configured * wave)
        if not count:
            return []
        most = round(configured * (1 + prop.variation))
        key = (url, search_type)
        atoms = self._universes.get(key, lambda: universe(self._seed, url, search_type, most))
        moving = max(1, round(count * GHOSTS))
        chosen = sorted(rng.sample(range(len(atoms)), count + moving))
        movers = rng.sample(range(count + moving), 2 * moving) if count > moving else [0, 1]
        ghosts, newcomers = set(movers[:moving]), set(movers[moving:])
        hidden = ghosts if stage is Stage.FINAL else newcomers
        shown = _measure([atoms[index] for index in chosen], hidden, count, stage, rng, search_type)
        if self._revision:
            shown = [_recounted(row, self._revision) if n % 10 == 0 else row for n, row in enumerate(shown)]
        if len(shown) > self._cap:
            shown = _untie_border(shown, self._cap)
        if search_type in NO_QUERY:
            return shown
        return shown + _anonymised(atoms, round(count * prop.anonymised), stage, rng)


def _sum(rows: Iterable[Row], field: str) -> int:
    return sum(map(attrgetter(field), rows))


def _measure(
    atoms: list[Atom], hidden: set[int], count: int, stage: Stage, rng: random.Random, search_type: SearchType
) -> list[Row]:
    """Give the atoms their numbers. Every stage draws the same dice, so rows that stay keep theirs."""
    dice = [rng.random() for _ in range(2 * len(atoms))]
    head = count * HEAD + 3
    final, partial = stage is Stage.FINAL, stage is Stage.PARTIAL
    has_position = search_type not in NO_QUERY
    rows = []
    for index, atom in enumerate(atoms):
        if index in hidden:
            continue
        luck, spread = dice[2 * index], dice[2 * index + 1]
        if partial and spread < 0.3:
            continue
        clicks = int(head * (0.5 + luck) / (index + 1) ** 0.9)
        impressions = clicks + 2 + int((clicks + 2) * 20 * spread * luck)
        place = int(impressions * (1 + 60 * luck * spread))
        if partial:
            clicks, impressions = clicks * 6 // 10, impressions * 6 // 10 + 1
        elif not final and index % CHANGED_EVERY == 0:
            clicks, impressions = clicks * 9 // 10, impressions - max(1, impressions // 10)
        impressions = max(impressions, clicks)
        position = ratio(max(place, impressions), impressions) if has_position else None
        rows.append(Row(*atom, clicks, impressions, position))
    return rows


def _recounted(row: Row, revision: int) -> Row:
    position = None if row.position is None else row.position + revision / 8
    return row._replace(impressions=row.impressions + revision, position=position)


def _untie_border(rows: list[Row], cap: int) -> list[Row]:
    """Rows within the cap have clicks and rows beyond it have none: which rows are shown is never a matter of ties."""
    ordered = sorted(rows, key=rank)
    within = [
        row if row.clicks else row._replace(clicks=1, impressions=max(1, row.impressions))
        for row in ordered[:cap]
    ]
    return within + [row._replace(clicks=0) for row in ordered[cap:]]


def _anonymised(atoms: list[Atom], count: int, stage: Stage, rng: random.Random) -> list[Row]:
    """Rows of queries that too few people asked: few clicks each, many of them."""
    rows = []
    for _ in range(count):
        page, _query, country, device = atoms[int(rng.random() * len(atoms))]
        clicks = int(3 * rng.random())
        impressions = clicks + 1 + int(8 * rng.random())
        if stage is Stage.PARTIAL:
            clicks //= 2
        rows.append(
            Row(
                page, None, country, device, clicks, impressions, ratio(impressions * 7 + clicks, impressions)
            )
        )
    return rows
