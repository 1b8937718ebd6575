"""From a checked query and the data set to the rows that Google would show.

Groups, aggregates by page or by property, orders by clicks with dates ascending, and applies the cap. Rows that tie are
listed in a fixed order here; the pages shuffle them per answer. Pure apart from the cache: `now` is an argument.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial
from operator import attrgetter, itemgetter
from typing import NamedTuple
from zlib import crc32

from emulator.config import Config
from emulator.dataset import Dataset, Row, ratio
from emulator.filters import appearance, matcher
from emulator.pacific import (
    HOURLY_DAYS,
    Stage,
    first_incomplete_day,
    hour_of,
    hours_of,
    oldest_day,
    pacific_day,
    stage_of,
)
from emulator.query import Query
from emulator.vocabulary import NO_QUERY

_ATOMS = ("page", "query", "country", "device")


class ReportRow(NamedTuple):
    """One row of an answer."""

    keys: tuple[str, ...]
    clicks: int
    impressions: int
    position: float | None

    @property
    def ctr(self) -> float:
        return ratio(self.clicks, self.impressions) if self.impressions else 0


@dataclass(frozen=True, slots=True)
class Span:
    """The days of a query as they can be answered now: out-of-range dates are cut off silently."""

    days: tuple[tuple[date, Stage], ...]
    hour: str | None
    first_incomplete: str | None


@dataclass(frozen=True, slots=True)
class Report:
    """All rows of a query, uncut by paging. `tie` names the rows that may stand in any order among themselves."""

    rows: list[ReportRow]
    date_index: int | None

    def tie(self, row: ReportRow) -> tuple[str, int]:
        return ("" if self.date_index is None else row.keys[self.date_index], row.clicks)


def span_of(query: Query, config: Config, now: datetime) -> Span:
    """Clamp the dates, name the stages, and find the first incomplete date or hour."""
    today = pacific_day(now)
    oldest = oldest_day(now, config.retention_months)
    hourly = query.data_state == "hourly_all"
    if hourly:
        oldest = max(oldest, today - timedelta(days=HOURLY_DAYS - 1))
    first, last = max(query.start, oldest), min(query.end, today)
    days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    staged = [(day, stage_of(day, now, config.fresh_days)) for day in days]
    if query.data_state == "final":
        staged = [(day, stage) for day, stage in staged if stage is Stage.FINAL]
    incomplete = first_incomplete_day(now, config.fresh_days)
    mark: str | None = None
    if (
        query.data_state == "all"
        and "date" in query.dimensions
        and incomplete
        and staged
        and incomplete <= last
    ):
        mark = max(incomplete, first).isoformat()
    hour = hour_of(now) if hourly else None
    if hourly and incomplete and staged and incomplete <= last:
        mark = hours_of(max(incomplete, first))[0]
    return Span(tuple(staged), hour, mark)


def build_report(dataset: Dataset, url: str, query: Query, span: Span, config: Config) -> Report:
    """Every row of the query."""
    if "date" in query.dimensions:
        index = query.dimensions.index("date")
        rows: list[ReportRow] = []
        for day, stage in span.days:
            here = _rows(dataset, url, query, day, stage)
            grouped = _group(here, query, partial(_always, day.isoformat()), distinct=True)
            if config.zero_rows and not grouped and len(query.dimensions) == 1:
                grouped = [ReportRow((day.isoformat(),), 0, 0, 0)]
            rows += _top(grouped, config.cap)
        return Report(rows, index)
    if "hour" in query.dimensions:
        return _hourly(dataset, url, query, span, config.cap)
    everything = [row for day, stage in span.days for row in _rows(dataset, url, query, day, stage)]
    grouped = _group(everything, query, partial(_always, ""), distinct=len(span.days) == 1)
    if config.zero_rows and not grouped and not query.dimensions:
        grouped = [ReportRow((), 0, 0, 0)]
    return Report(_top(grouped, config.cap), None)


def _hourly(dataset: Dataset, url: str, query: Query, span: Span, cap: int) -> Report:
    rows: list[ReportRow] = []
    index = query.dimensions.index("hour")
    for day, stage in span.days:
        hours = hours_of(day)
        if span.hour is not None and stage is Stage.PARTIAL:
            hours = [hour for hour in hours if hour <= span.hour]
        here = _rows(dataset, url, query, day, stage)
        grouped = _group(here, query, partial(_hour_of_row, hours), distinct=True)
        for hour in hours:
            rows += _top((row for row in grouped if row.keys[index] == hour), cap)
    return Report(rows, index)


def _always(text: str, _row: Row) -> str:
    return text


def _hour_of_row(hours: list[str], row: Row) -> str:
    """All of a row falls into one hour, chosen by its key."""
    return hours[crc32("|".join(map(str, row.key)).encode()) % len(hours)]


def _rows(dataset: Dataset, url: str, query: Query, day: date, stage: Stage) -> Sequence[Row]:
    """The atoms of one day. Anonymised queries stay out as soon as the query is grouped or filtered by."""
    by_query = "query" in query.dimensions or any(item.dimension == "query" for item in query.filters)
    everything = (dataset.named if by_query else dataset.rows)(url, day, query.search_type, stage)
    if query.filters:
        everything = list(filter(matcher(query.filters), everything))
    if "searchAppearance" in query.dimensions:
        everything = [row for row in everything if appearance(row.page)]
    return _by_property(everything) if query.aggregation == "byProperty" else everything


def _by_property(rows: Iterable[Row]) -> list[Row]:
    """Several pages shown for one search count as one impression, at the best position."""
    merged: dict[tuple[str | None, str, str], Row] = {}
    lonely: list[Row] = []
    for row in rows:
        if row.query is None:
            lonely.append(row)
            continue
        key = (row.query, row.country, row.device)
        seen = merged.get(key)
        if seen is None:
            merged[key] = row
        else:
            clicks = seen.clicks + row.clicks
            merged[key] = seen._replace(
                clicks=clicks,
                impressions=max(seen.impressions, row.impressions, clicks),
                position=min(seen.position or 1, row.position or 1),
            )
    return list(merged.values()) + lonely


def _group(
    rows: Sequence[Row], query: Query, when: Callable[[Row], str], *, distinct: bool
) -> list[ReportRow]:
    """Sum rows by the dimensions. `distinct` says that the rows are of one day, so that full keys need no sums."""
    dimensions = query.dimensions
    has_position = query.search_type not in NO_QUERY
    if distinct and set(_ATOMS) <= set(dimensions):
        pick = _picker(dimensions, when)
        return [ReportRow(pick(row), row.clicks, row.impressions, row.position) for row in rows]
    pick = _picker(dimensions, when)
    sums: defaultdict[tuple[str, ...], list[float]] = defaultdict(lambda: [0, 0, 0.0])
    for row in rows:
        total = sums[pick(row)]
        total[0] += row.clicks
        total[1] += row.impressions
        total[2] += (row.position or 0) * row.impressions
    return [
        ReportRow(
            keys, int(clicks), int(impressions), _mean(weight, int(impressions)) if has_position else None
        )
        for keys, (clicks, impressions, weight) in sums.items()
    ]


def _mean(weight: float, impressions: int) -> float:
    mean = max(weight / impressions, 1.0)
    return int(mean) if mean.is_integer() else mean


def _picker(dimensions: tuple[str, ...], when: Callable[[Row], str]) -> Callable[[Row], tuple[str, ...]]:
    if len(dimensions) > 1 and set(dimensions) <= set(_ATOMS):
        return itemgetter(*map(_ATOMS.index, dimensions))
    sources: list[Callable[[Row], str]] = [_source(name, when) for name in dimensions]
    return lambda row: tuple(source(row) for source in sources)


def _source(name: str, when: Callable[[Row], str]) -> Callable[[Row], str]:
    if name in ("date", "hour"):
        return when
    if name == "searchAppearance":
        return lambda row: appearance(row.page) or ""
    return attrgetter(name)


def _top(rows: Iterable[ReportRow], cap: int) -> list[ReportRow]:
    """Ordered by clicks; which of tied rows fall to the cap depends on nothing but their keys."""
    return sorted(rows, key=_rank)[:cap]


def _rank(row: ReportRow) -> tuple[int, int, tuple[str, ...]]:
    return (-row.clicks, -row.impressions, row.keys)
