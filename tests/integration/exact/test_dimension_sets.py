"""The promise about data, for every dimension set: each table holds what Google shows of that set, in both directions.

The window crosses the autumn night on which one hour comes twice. The oracle counts from the seed alone, apart from the
stand-in's own counting. The last tests spoil each table in each way and show that the comparison notices.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from contract import ExitCode, Limits, RunSpec, RunSummary, Window, Workspace
from contract.dimension_sets import DIMENSION_SETS, SEARCH_TYPES, DimensionSet, Inventory, SearchType, gives
from emulator import run_emulator
from emulator.config import Account, Config, Property
from emulator.pacific import pacific_day, stage_of
from emulator.running import EmulatorThread
from sync.clock import SystemClock
from sync.compose import parts
from sync.progress import LogReporter
from sync.run import run
from sync.settings import load
from sync.store.layouts import LAYOUTS
from sync.store.postgres import PostgresStore
from tests.oracle.dimension_sets import Key, Numbers, differences, expected
from tests.postgres import Database

BIG, SMALL = "sc-domain:big.example", "https://small.example/"
NOW = datetime(2026, 11, 3, 18, 30, tzinfo=UTC)
AUTUMN = date(2026, 11, 1)
TYPES: dict[str, tuple[SearchType, ...]] = {
    BIG: ("web", "image", "news", "video"),
    SMALL: ("web", "discover", "googleNews"),
}
CONFIG = Config(
    seed=17,
    properties=(
        Property(url=BIG, rows={"web": 600, "image": 60, "news": 30, "video": 10}, variation=0.2),
        Property(url=SMALL, rows={"web": 60, "discover": 25, "googleNews": 15}, variation=0.3),
    ),
    accounts=(Account(name="acme", properties={BIG: "siteFullUser", SMALL: "siteOwner"}),),
)
HOURLY_DAYS = 10
Cells = dict[tuple[str, str, date], dict[Key, Numbers]]


@dataclass
class World:
    emulator: EmulatorThread
    database: Database
    folder: Path

    def sync(
        self,
        slot: datetime,
        *,
        days: int = 12,
        types: Sequence[SearchType] = SEARCH_TYPES,
        sets: Sequence[DimensionSet] = DIMENSION_SETS,
        now: datetime | None = None,
        split_requests: int = 0,
        inventory: Sequence[Inventory] = (),
        inspections: int = 0,
    ) -> RunSummary:
        credentials = self.emulator.write_credentials("acme", self.folder / "acme.json")
        spec = RunSpec(
            schedule_uid="uid-1",
            namespace="default",
            name="exact",
            run_id=str(int(slot.timestamp()) // 60),
            slot=slot,
            window=Window(days=days),
            search_types=list(types),
            dimension_sets=list(sets),
            inventory=list(inventory),
            workspaces=[Workspace(name="acme", credentials_path=str(credentials))],
            destination=self.database.destination(),
            limits=Limits(
                requests_per_second_per_property=100,
                requests_per_second_per_identity=1000,
                concurrency=2,
                split_requests_per_cell=split_requests,
                inspections_per_property=inspections,
            ),
        )
        clock = Calendar(now or slot)
        settings = load(
            {
                "GSC_SYNC_API_BASE_URL": f"{self.emulator.url}/webmasters/v3",
                "GSC_SYNC_INSPECTION_BASE_URL": f"{self.emulator.url}/v1",
                "GSC_SYNC_TOKEN_URL": f"{self.emulator.url}/token",
            }
        )
        store = PostgresStore(spec.destination, pool_size=2, clock=clock.now)
        with parts(spec, settings, clock, clock.monotonic()) as made:
            ended = run(made.launch(store), LogReporter(made.tally, clock))
        assert ended.exit_code is ExitCode.SUCCESS, ended.summary.message
        refused = [call for call in self.emulator.requests(operation="query") if call["status"] == 400]
        assert refused == [], "the rules of combination are built in, so nothing is ever refused for its own"
        return ended.summary

    def expected(self, slot: datetime, *, days: int = 12, types: Sequence[str] = SEARCH_TYPES) -> Cells:
        """Cells that have rows, as Google shows them at this moment."""
        cells: Cells = {}
        for url, kinds in TYPES.items():
            for kind in kinds:
                for name in DIMENSION_SETS:
                    for day in window(slot, min(days, HOURLY_DAYS) if name == "hourly" else days):
                        if gives(kind, name) and kind in types:
                            stage = stage_of(day, slot, CONFIG.fresh_days)
                            rows = expected(self.emulator.dataset, url, day, kind, stage, name, slot)
                            if rows:
                                cells[name, f"{url} {kind}", day] = rows
        return cells

    def stored(self, since: date, hours_since: date) -> Cells:
        cells: Cells = {}
        for name, layout in LAYOUTS.items():
            columns = ", ".join([*(key.shown for key in layout.keys), "clicks", "impressions", "position"])
            found = self.database.execute(
                f"SELECT property || ' ' || search_type, day, {columns} FROM gsc.{layout.view} WHERE day >= %s",
                [hours_since if name == "hourly" else since],
            )
            for place, day, *row in found:
                rows = cells.setdefault((name, place, day), {})
                assert tuple(row[:-3]) not in rows, "no row stands twice"
                rows[tuple(row[:-3])] = (row[-3], row[-2], row[-1])
        return cells

    def wrong(self, slot: datetime, *, days: int = 12, types: Sequence[str] = SEARCH_TYPES) -> dict[str, int]:
        """Rows that are missing, too many or different, by set."""
        wanted = self.expected(slot, days=days, types=types)
        stored = self.stored(window(slot, days)[-1], window(slot, min(days, HOURLY_DAYS))[-1])
        found: dict[str, int] = {}
        for cell in wanted.keys() | stored.keys():
            number = len(differences(stored.get(cell, {}), wanted.get(cell, {})))
            if number:
                found[cell[0]] = found.get(cell[0], 0) + number
        return found


class Calendar(SystemClock):
    """The machine's clock, set to another day; it goes on, since budgets of requests fill up with time."""

    def __init__(self, now: datetime) -> None:
        super().__init__()
        self._ahead = now - super().now()

    def now(self) -> datetime:
        return super().now() + self._ahead

    def wait(self, event: threading.Event, seconds: float) -> bool:
        return event.wait(min(seconds, 0.01))


def window(slot: datetime, days: int) -> list[date]:
    return [pacific_day(slot) - timedelta(days=back) for back in range(days)]


@pytest.fixture
def world(database: Database, tmp_path: Path) -> Iterator[World]:
    with run_emulator(CONFIG, now=NOW, keys=tmp_path / "keys") as emulator:
        yield World(emulator, database, tmp_path)


def test_every_set_is_what_google_shows_and_stays_it_when_google_restates(world: World) -> None:
    first = world.sync(NOW)
    assert world.wrong(NOW) == {}
    expected_rows = sum(map(len, world.expected(NOW).values()))
    assert first.rows_written == expected_rows
    assert {cell[0] for cell in world.expected(NOW)} == set(DIMENSION_SETS), "each set has rows to compare"

    later = NOW + timedelta(days=2)
    world.emulator.set_now(later)
    second = world.sync(later)
    assert world.wrong(later) == {}
    assert second.rows_deleted > 0, "a restatement must take rows away, or ghosts are not tested"

    third = world.sync(later + timedelta(minutes=5))
    assert (third.rows_written, third.rows_deleted) == (0, 0), "nothing changed, so nothing is written"
    assert world.wrong(later) == {}


def test_the_hour_that_comes_twice_is_two_hours(world: World) -> None:
    world.sync(NOW, days=4, types=["web"], sets=["hourly"])
    hours = world.database.execute(
        "SELECT hour AT TIME ZONE 'America/Los_Angeles', count(DISTINCT hour) FROM gsc.v_by_hour WHERE day = %s"
        " GROUP BY 1 ORDER BY 1",
        [AUTUMN],
    )
    assert [(moment.hour, count) for moment, count in hours] == [
        (hour, 2 if hour == 1 else 1) for hour in range(24)
    ]


def test_hours_that_google_no_longer_shows_are_kept_and_not_asked_for(world: World) -> None:
    world.sync(NOW, types=["web"], sets=["hourly"])
    oldest = window(NOW, HOURLY_DAYS)[-1]
    kept = world.stored(oldest, oldest)
    later = NOW + timedelta(days=3)
    for minutes in (0, 5):
        world.emulator.set_now(later)
        world.emulator.clear_requests()
        world.sync(later + timedelta(minutes=minutes), types=["web"], sets=["hourly"])
        asked = {call["day"] for call in world.emulator.requests(operation="query")}
        assert oldest.isoformat() not in asked
    still = world.stored(oldest, oldest)
    assert {cell: still[cell] for cell in kept if cell[2] == oldest} == {
        cell: kept[cell] for cell in kept if cell[2] == oldest
    }


# What follows shows that the comparison above can fail, for each set.

SPOILED = {
    "a row more": "INSERT INTO gsc.{table} SELECT (jsonb_populate_record(t, '{{\"search_type_id\": 32000}}')).* FROM gsc.{table} t LIMIT 1",
    "a row less": "DELETE FROM gsc.{table} WHERE (tableoid, ctid) IN (SELECT tableoid, ctid FROM gsc.{table} LIMIT 1)",
    "a click more": "UPDATE gsc.{table} SET clicks = clicks + 1 WHERE (tableoid, ctid) IN (SELECT tableoid, ctid FROM gsc.{table} LIMIT 1)",
    "a position that differs": (
        "UPDATE gsc.{table} SET position = position + 1e-6 WHERE (tableoid, ctid) IN (SELECT tableoid, ctid FROM gsc.{table} LIMIT 1)"
    ),
}


def test_whatever_is_spoiled_in_whichever_set_is_noticed(world: World) -> None:
    world.sync(NOW, days=2, types=["web"])
    assert world.wrong(NOW, days=2, types=["web"]) == {}
    seen: dict[str, set[str]] = {}
    for name, layout in LAYOUTS.items():
        for what, statement in SPOILED.items():
            world.database.execute(f"CREATE TABLE public.kept AS SELECT * FROM gsc.{layout.table}")
            world.database.execute(statement.format(table=layout.table))
            wrong = world.wrong(NOW, days=2, types=["web"])
            assert set(wrong) <= {name}
            if wrong:
                seen.setdefault(name, set()).add(what)
            world.database.execute(
                f"DELETE FROM gsc.{layout.table}; INSERT INTO gsc.{layout.table} SELECT * FROM public.kept; DROP TABLE public.kept"
            )
    assert seen == {name: set(SPOILED) for name in LAYOUTS}
    assert world.wrong(NOW, days=2, types=["web"]) == {}


def test_it_is_noticed_when_one_set_is_left_out(world: World) -> None:
    world.sync(NOW, days=2, types=["web"], sets=[name for name in DIMENSION_SETS if name != "country"])
    assert set(world.wrong(NOW, days=2, types=["web"])) == {"country"}
