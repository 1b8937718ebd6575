"""What each dimension set shows of a day, computed from the data set alone.

Written a second time, in other words than the stand-in's report: no request, no grouping of its, no code of the sync.
The data set says what happened, page by page and search by search; here it is counted as Google says it counts.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from zlib import crc32
from zoneinfo import ZoneInfo

from emulator.config import SearchType
from emulator.dataset import Dataset, Row
from emulator.filters import appearance
from emulator.pacific import Stage

PACIFIC = ZoneInfo("America/Los_Angeles")
QUERYLESS = ("discover", "googleNews")

Key = tuple[object, ...]
Numbers = tuple[int, int, float | None]


def expected(
    dataset: Dataset, url: str, day: date, kind: SearchType, stage: Stage, name: str, now: datetime
) -> dict[Key, Numbers]:
    """Key to (clicks, impressions, position); keys are those of the set's table, hours in UTC."""
    everything = dataset.rows(url, day, kind, stage)
    named = dataset.named(url, day, kind, stage)
    searches = everything if kind in QUERYLESS else list(_searches(everything))
    known_searches = list(_searches(named))
    ways: Mapping[str, Callable[[], Iterable[tuple[Key, Row]]]] = {
        "page-query": lambda: (((r.page, r.query or "", r.country, r.device), r) for r in named),
        "totals": lambda: (((), r) for r in searches),
        "page": lambda: (((r.page,), r) for r in everything),
        "query": lambda: (((r.query,), r) for r in known_searches),
        "country": lambda: (((r.country,), r) for r in searches),
        "device": lambda: (((r.device,), r) for r in searches),
        "search-appearance": lambda: (
            ((appearance(r.page), r.page), r) for r in everything if appearance(r.page)
        ),
        "hourly": lambda: (((_hour(r, day, stage, now), r.page), r) for r in everything),
    }
    return _counted(ways[name](), positions=kind not in QUERYLESS)


def same(found: Mapping[Key, Numbers], wanted: Mapping[Key, Numbers]) -> bool:
    """Equal keys and counts; positions are means of many numbers, equal but for the order of their addition."""
    return not differences(found, wanted)


def differences(found: Mapping[Key, Numbers], wanted: Mapping[Key, Numbers]) -> set[Key]:
    """Keys that are missing, too many, or differ in a number."""
    return {
        key
        for key in found.keys() | wanted.keys()
        if key not in found or key not in wanted or not _equal(found[key], wanted[key])
    }


def _equal(one: Numbers, other: Numbers) -> bool:
    if one[:2] != other[:2] or (one[2] is None) != (other[2] is None):
        return False
    return one[2] is None or other[2] is None or math.isclose(one[2], other[2], rel_tol=1e-12)


def _searches(rows: Iterable[Row]) -> Iterator[Row]:
    """Counted by property: however many pages one search showed, it is one impression, at the best position."""
    shown: defaultdict[Key, list[Row]] = defaultdict(list)
    for row in rows:
        if row.query is None:
            yield row
        else:
            shown[row.query, row.country, row.device].append(row)
    for together in shown.values():
        clicks = sum(row.clicks for row in together)
        yield together[0]._replace(
            clicks=clicks,
            impressions=max(clicks, *(row.impressions for row in together))
            if len(together) > 1
            else together[0].impressions,
            position=min(row.position or 1 for row in together),
        )


def _hour(row: Row, day: date, stage: Stage, now: datetime) -> datetime:
    """The data set knows days; the hour of a row is drawn from its key among the hours that have begun."""
    begin = datetime(day.year, day.month, day.day, tzinfo=PACIFIC).astimezone(UTC)
    after = day + timedelta(days=1)
    end = datetime(after.year, after.month, after.day, tzinfo=PACIFIC).astimezone(UTC)
    if stage is Stage.PARTIAL:
        end = min(end, now + timedelta(microseconds=1))
    hours = math.ceil((end - begin) / timedelta(hours=1))
    return begin + timedelta(hours=crc32("|".join(map(str, row.key)).encode()) % hours)


def _counted(rows: Iterable[tuple[Key, Row]], *, positions: bool) -> dict[Key, Numbers]:
    groups: defaultdict[Key, list[Row]] = defaultdict(list)
    for key, row in rows:
        groups[key].append(row)
    counted: dict[Key, Numbers] = {}
    for key, together in groups.items():
        clicks, impressions = sum(r.clicks for r in together), sum(r.impressions for r in together)
        weight = math.fsum((r.position or 0) * r.impressions for r in together)
        counted[key] = (clicks, impressions, max(weight / impressions, 1.0) if positions else None)
    return counted
