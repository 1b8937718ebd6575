"""Every zone, thirty years, fifty schedules: the product's slots are those of the model, one by one.

Around every change of every clock all schedules are compared minute by minute; a year without a change is looked at
somewhere else. Schedules too seldom for that are walked through all the years. `make test-slots` runs this; a part of it
is in the unit tests.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from controller.decide.cron import Cron
from tests.oracle.slots import Rule, long_walk
from tests.oracle.sweep import (
    DAILY,
    SCHEDULES,
    SPARSE,
    compare_window,
    forward,
    probe,
    same,
    windows,
    zones,
)

FIRST, LAST = 2007, 2036
AROUND = timedelta(hours=8)
SHARDS = 48
START, END = datetime(FIRST, 1, 2, tzinfo=UTC), datetime(LAST, 12, 30, tzinfo=UTC)

Record = Callable[[str, int], None]


def shard_of(shard: int) -> list[str]:
    """Zones spread like cards, so that no shard has all of a continent."""
    return zones()[shard::SHARDS]


def test_no_zone_is_left_out() -> None:
    dealt = [zone for shard in range(SHARDS) for zone in shard_of(shard)]
    assert sorted(dealt) == zones()
    assert len(dealt) > 590
    assert len(set(SCHEDULES)) == 50


@pytest.mark.parametrize("shard", range(SHARDS))
def test_around_every_change_of_the_clock(shard: int, seed: int, record_property: Record) -> None:
    chance = random.Random(f"{seed} windows {shard}")
    compared = looked = 0
    for name in shard_of(shard):
        zone = ZoneInfo(name)
        for start, end in windows(zone, FIRST, LAST, AROUND, chance):
            compared += compare_window(zone, start, end, SCHEDULES, chance)
            looked += 1
    assert compared > 1000 * len(shard_of(shard))
    record_property("stretches of 16 hours, each with 50 schedules", looked)
    record_property("slots around changes of the clock and elsewhere", compared)


@pytest.mark.parametrize("shard", range(SHARDS))
def test_seldom_ones_through_all_the_years(shard: int, seed: int, record_property: Record) -> None:
    chance = random.Random(f"{seed} years {shard}")
    compared = 0
    for number, name in enumerate(shard_of(shard)):
        zone = ZoneInfo(name)
        for expression in (*SPARSE, DAILY[(shard + number) % len(DAILY)]):
            walked = long_walk(Rule.read(expression), zone, date(FIRST, 1, 1), date(LAST, 12, 31))
            expected = [slot for slot in walked if START <= slot <= END]
            cron = Cron.parse(expression, name)
            same(forward(cron, START, END), expected, f"{expression} in {name}")
            for _ in range(2):
                low = chance.randrange((END - START).days - 3650)
                begin = START + timedelta(days=low)
                end = begin + timedelta(days=chance.randrange(30, 3650))
                probe(cron, [slot for slot in expected if begin <= slot <= end], begin, end, chance)
            compared += len(expected)
    assert compared > 100 * len(shard_of(shard))
    record_property("slots of thirty years in a row", compared)
