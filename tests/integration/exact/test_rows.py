"""The promise about data: the rows in Postgres are the data set, in both directions, also after a restatement.

The program runs as it does in a Job: a process of its own, a RunSpec, a mounted Secret. The oracle computes the rows from
the seed alone; it knows no request and no code of the sync. The last tests switch a part of the work off and show that
the comparison notices.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from contract import Destination, ExitCode, Limits, PropertyFilter, RunSpec, RunSummary, Window, Workspace
from emulator import run_emulator
from emulator.config import Account, Config, Property
from emulator.pacific import pacific_day, stage_of
from emulator.running import EmulatorThread
from tests.postgres import Database

ROOT = Path(__file__).resolve().parents[3]
BIG, SMALL = "sc-domain:big.example", "https://small.example/"
NOW = datetime(2026, 3, 10, 18, tzinfo=UTC)
"""Two days after the clocks changed in California, so the window crosses a day of 23 hours."""

TYPES = {BIG: ("web", "image", "news", "video"), SMALL: ("web", "discover", "googleNews")}
CONFIG = Config(
    seed=7,
    properties=(
        Property(url=BIG, rows={"web": 2600, "image": 120, "news": 30, "video": 10}, variation=0.2),
        Property(url=SMALL, rows={"web": 60, "discover": 25, "googleNews": 15}, variation=0.3),
    ),
    accounts=(Account(name="acme", properties={BIG: "siteFullUser", SMALL: "siteOwner"}),),
)


@dataclass
class World:
    emulator: EmulatorThread
    database: Database
    folder: Path

    def sync(
        self,
        slot: datetime,
        *,
        days: int = 14,
        types: tuple[str, ...] = ("web", "image", "video", "news", "discover", "googleNews"),
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
            workspaces=[
                Workspace(name="acme", credentials_path=str(credentials), properties=PropertyFilter())
            ],
            destination=Destination(path=str(self.database.secret)),
            limits=Limits(requests_per_second_per_property=100),
        )
        summary = self.folder / "summary.json"
        done = subprocess.run(
            [sys.executable, "-m", "sync", "run"],
            cwd=ROOT,
            env={
                **os.environ,
                "GSC_SYNC_RUN_SPEC": spec.to_json(),
                "GSC_SYNC_SUMMARY_PATH": str(summary),
                "GSC_SYNC_API_BASE_URL": f"{self.emulator.url}/webmasters/v3",
                "GSC_SYNC_TOKEN_URL": f"{self.emulator.url}/token",
            },
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == ExitCode.SUCCESS, done.stderr[-3000:]
        return RunSummary.from_json(summary.read_text())

    def expected(self, slot: datetime, *, days: int = 14) -> set[tuple[object, ...]]:
        """Every row that Google would show of the window at this moment, named by its cell."""
        return {
            (url, kind, day, *row)
            for url, kinds in TYPES.items()
            for kind in kinds
            for day in window(slot)[:days]
            for row in self.emulator.dataset.visible(url, day, kind, stage_of(day, slot, CONFIG.fresh_days))
        }

    def stored(self) -> set[tuple[object, ...]]:
        rows = self.database.execute(
            "SELECT property, search_type, day, page, query, country, device, clicks, impressions, position FROM gsc.v_page_query"
        )
        assert len(rows) == len(set(rows)), "no row stands twice"
        return set(rows)


def window(slot: datetime) -> list[date]:
    return [pacific_day(slot) - timedelta(days=back) for back in range(14)]


@pytest.fixture
def world(database: Database, tmp_path: Path) -> Iterator[World]:
    with run_emulator(CONFIG, now=NOW, keys=tmp_path / "keys") as emulator:
        yield World(emulator, database, tmp_path)


def compare(world: World, slot: datetime, days: list[date] | None = None) -> tuple[int, int]:
    """Rows that are missing, and rows that should not be there."""
    expected, stored = world.expected(slot), world.stored()
    if days is not None:
        expected = {row for row in expected if row[2] in days}
        stored = {row for row in stored if row[2] in days}
    return len(expected - stored), len(stored - expected)


def test_the_rows_are_the_data_set_and_stay_it_when_google_restates(world: World) -> None:
    first = world.sync(NOW)
    assert compare(world, NOW) == (0, 0)
    assert first.rows_written == len(world.expected(NOW))

    later = NOW + timedelta(days=2)
    world.emulator.set_now(later)
    world.emulator.clear_requests()
    second = world.sync(later)
    assert compare(world, later, window(later)) == (0, 0)
    assert second.rows_deleted > 0, "a restatement must take rows away, or ghosts are not tested"
    assert second.cells_skipped > 0, "settled days whose totals stayed are not read again"

    third = world.sync(later + timedelta(minutes=5))
    assert (third.rows_written, third.rows_deleted) == (0, 0), "nothing changed, so nothing is written"
    assert third.cells == 0, "nothing is even read: the probes say that all is as it was"
    assert compare(world, later, window(later)) == (0, 0)


def test_days_that_left_the_window_are_kept(world: World) -> None:
    world.sync(NOW, days=6)
    oldest = window(NOW)[5]
    later = NOW + timedelta(days=1)
    world.emulator.set_now(later)
    world.sync(later, days=6)
    assert oldest not in window(later)[:6]
    assert any(row[2] == oldest for row in world.stored())


def test_a_day_beyond_the_cap_is_cut_as_google_cuts_it_and_marked(database: Database, tmp_path: Path) -> None:
    config = CONFIG.model_copy(
        update={"properties": (Property(url=BIG, rows={"web": 50_400}), Property(url=SMALL))}
    )
    with run_emulator(config, now=NOW, keys=tmp_path / "keys") as emulator:
        world = World(emulator, database, tmp_path)
        summary = world.sync(NOW, days=2, types=("web",))
        assert compare_types(world, NOW, ("web",), days=2) == (0, 0)
    assert summary.saturated_cells >= 1
    assert database.execute("SELECT max(rows) FROM gsc.v_coverage WHERE saturated") == [(50_000,)]


# What follows shows that the comparison above can fail.


def test_it_is_noticed_when_paging_is_switched_off(database: Database, tmp_path: Path) -> None:
    """Every page after the first comes back empty, as if it had never been asked for."""
    big = CONFIG.model_copy(
        update={"properties": (Property(url=BIG, rows={"web": 26_000}), Property(url=SMALL))}
    )
    with run_emulator(big, now=NOW, keys=tmp_path / "keys") as emulator:
        world = World(emulator, database, tmp_path)
        rule = {"match": {"operation": "query", "start_row": 25_000}, "fault": {"kind": "empty-rows"}}
        emulator.faults([rule])
        world.sync(NOW, days=2, types=("web",))
        missing, surplus = compare_types(world, NOW, ("web",), days=2)
        assert (missing > 0, surplus) == (True, 0)
        emulator.faults([])
        world.sync(NOW + timedelta(minutes=5), days=2, types=("web",))
        assert compare_types(world, NOW, ("web",), days=2) == (0, 0)


def test_it_is_noticed_when_one_search_type_is_left_out(world: World) -> None:
    world.sync(NOW, days=6, types=("web", "image", "video", "discover", "googleNews"))
    missing, surplus = compare(world, NOW, window(NOW)[:6])
    assert (missing > 0, surplus) == (True, 0)


def test_it_is_noticed_when_ghosts_are_not_deleted(world: World) -> None:
    """A trigger of the database swallows every delete."""
    world.sync(NOW, days=6)
    world.database.execute(
        """
        CREATE FUNCTION public.keep() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
        CREATE TRIGGER keep BEFORE DELETE ON gsc.page_query FOR EACH ROW EXECUTE FUNCTION public.keep();
        """
    )
    later = NOW + timedelta(days=2)
    world.emulator.set_now(later)
    world.sync(later, days=6)
    missing, surplus = compare(world, later, window(later)[:6])
    assert (missing, surplus > 0) == (0, True)


def compare_types(world: World, slot: datetime, types: tuple[str, ...], *, days: int = 14) -> tuple[int, int]:
    expected = {row for row in world.expected(slot, days=days) if row[1] in types}
    stored = world.stored()
    return len(expected - stored), len(stored - expected)


def test_the_summary_is_a_document_of_the_contract(world: World) -> None:
    summary = world.sync(NOW, days=4, types=("web",))
    again = json.loads((world.folder / "summary.json").read_text())
    assert again["state"] == "Succeeded"
    assert summary.total_workspaces == summary.succeeded_workspaces == 1
    assert summary.newest_final_day == pacific_day(NOW) - timedelta(days=CONFIG.fresh_days)
