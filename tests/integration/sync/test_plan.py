"""Which cells are asked for, in what order: launches in this process against the emulator and a real Postgres.

The emulator's data set is the oracle. The calendar is set; where a test needs real time to pass, it says so.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from contract import ExitCode, Limits, RunSpec, State, Workspace
from emulator import Account, Config, EmulatorThread, Property, pacific_day, run_emulator, stage_of
from sync.backfill import Range
from sync.clock import SystemClock
from sync.compose import parts
from sync.plan.cells import Cell
from sync.progress import LogReporter
from sync.run import Ended
from sync.run import run as run_launch
from sync.settings import load
from sync.store.postgres import PostgresStore
from tests.postgres import Database

pytestmark = pytest.mark.needs_postgres

NOW = datetime(2026, 3, 20, 12, tzinfo=UTC)
BIG = "sc-domain:big.example"
SMALL = [f"https://small{number}.example/" for number in range(6)]
CONFIG = Config(
    seed=3,
    accounts=(
        Account(name="acme", properties=dict.fromkeys((BIG, *SMALL), "siteOwner")),
        Account(name="globex", properties={BIG: "siteFullUser"}),
    ),
    properties=(Property(url=BIG, rows={"web": 60}), *(Property(url=url, rows={"web": 8}) for url in SMALL)),
)


class Calendar(SystemClock):
    """A date that stands still, beside a real monotonic clock."""

    def __init__(self, now: datetime) -> None:
        self._now = now

    def now(self) -> datetime:
        return self._now


@dataclass
class Bench:
    emulator: EmulatorThread
    database: Database
    folder: Path
    now: datetime = NOW
    runs: int = 0

    def move(self, days: int) -> None:
        self.now += timedelta(days=days)
        self.emulator.set_now(self.now)
        self.emulator.clear_requests()

    def spec(self, *accounts: str, include: tuple[str, ...] = (BIG,), **fields: Any) -> RunSpec:
        self.runs += 1
        places = []
        for account in accounts or ("acme",):
            path = self.folder / f"{account}.json"
            self.emulator.write_credentials(account, path)
            filters = {"include": list(include)}
            places.append(Workspace(name=account, credentials_path=str(path), properties=filters))
        known: dict[str, Any] = {
            "schedule_uid": "uid",
            "namespace": "data",
            "name": "marketing",
            "run_id": f"run-{self.runs}",
            "slot": self.now,
            "window": {"days": 14},
            "workspaces": places,
            "destination": self.database.destination(),
            "limits": Limits(requests_per_second_per_property=100),
        }
        return RunSpec(**{**known, **fields})

    def run(self, spec: RunSpec, clock: SystemClock | None = None) -> Ended:
        settings = load(
            {
                "GSC_SYNC_API_BASE_URL": f"{self.emulator.url}/webmasters/v3",
                "GSC_SYNC_TOKEN_URL": f"{self.emulator.url}/token",
            }
        )
        clock = clock or Calendar(self.now)
        with parts(spec, settings, clock, clock.monotonic()) as made:
            return run_launch(made.launch(self.store()), LogReporter(made.tally, clock))

    def store(self) -> PostgresStore:
        return PostgresStore(self.database.destination(), pool_size=10, clock=lambda: self.now)

    def asked(self, property_: str = "") -> list[tuple[str, date]]:
        """The queries, probes left out, in order: property and day."""
        return [
            (call["property"], date.fromisoformat(call["day"]))
            for call in self.emulator.requests(operation="query")
            if call["day"] == call["last_day"] and property_ in ("", call["property"])
        ]

    def days(self) -> list[date]:
        return [day for _, day in self.asked()]

    def differences(self, first: date, last: date, property_: str = BIG) -> dict[date, tuple[int, int]]:
        """Rows missing and rows too many, of each day that is not as Google shows it."""
        found = {}
        with self.store() as store:
            for back in range((last - first).days + 1):
                day = last - timedelta(days=back)
                stage = stage_of(day, self.now, CONFIG.fresh_days)
                shown = {
                    (row.page, row.query or "", row.country, row.device, row.clicks, row.impressions)
                    for row in self.emulator.dataset.visible(property_, day, "web", stage)
                }
                stored = {tuple(row[:6]) for row in store.rows(Cell(property_, day, "web"))}
                if shown != stored:
                    found[day] = (len(shown - stored), len(stored - shown))
        return found

    def final(self, property_: str = BIG) -> set[date]:
        with self.store() as store:
            return {
                e.cell.day for e in store.ledger(property_, date(2020, 1, 1), date(2030, 1, 1)) if e.final
            }


@pytest.fixture
def bench(database: Database, tmp_path: Path) -> Iterator[Bench]:
    with run_emulator(CONFIG, now=NOW, keys=tmp_path / "keys") as emulator:
        yield Bench(emulator, database, tmp_path)


def today(bench: Bench) -> date:
    return pacific_day(bench.now)


def test_after_an_outage_of_30_days_the_window_reaches_back_over_it(bench: Bench) -> None:
    assert bench.run(bench.spec()).exit_code is ExitCode.SUCCESS
    before = today(bench)
    open_since = min({before - timedelta(days=back) for back in range(14)} - bench.final())
    bench.move(30)
    ended = bench.run(bench.spec())
    assert ended.exit_code is ExitCode.SUCCESS
    assert bench.differences(before - timedelta(days=13), today(bench)) == {}
    assert ended.summary.catch_up_days == (today(bench) - open_since).days - 13
    assert min(bench.days()) == open_since, "no day that was final is asked for again"
    bench.move(0)
    again = bench.run(bench.spec())
    assert (again.summary.catch_up_days, again.summary.cells, bench.days()) == (0, 0, [])


def test_the_window_reaches_back_no_further_than_allowed_and_says_so(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    bench.run(bench.spec())
    bench.move(30)
    ended = bench.run(bench.spec(window={"days": 14, "max_catch_up_days": 20}))
    assert ended.summary.catch_up_days == 6
    assert min(bench.days()) == today(bench) - timedelta(days=19)
    assert "maxCatchUpDays" in caplog.text
    assert bench.differences(today(bench) - timedelta(days=19), today(bench)) == {}


def test_a_new_search_type_or_property_is_no_gap(bench: Bench) -> None:
    bench.run(bench.spec())
    bench.move(1)
    ended = bench.run(bench.spec(search_types=["web", "image"], include=(BIG, SMALL[0])))
    assert ended.summary.catch_up_days == 0


@pytest.mark.parametrize("data_state", ["All", "Final"])
def test_a_backfill_loads_its_days_and_no_others_and_the_daily_run_goes_on(
    bench: Bench, data_state: str
) -> None:
    bench.run(bench.spec())
    bench.emulator.clear_requests()
    first, last = date(2025, 11, 20), date(2026, 1, 25)
    window = {"first_day": first, "last_day": last, "data_state": data_state}
    ended = bench.run(bench.spec(window=window))
    assert ended.exit_code is ExitCode.SUCCESS
    assert (ended.summary.cells, ended.summary.cells_skipped) == (67, 0)
    assert (min(bench.days()), max(bench.days())) == (first, last)
    assert bench.differences(first, last) == {}
    months = bench.database.execute(
        "SELECT count(DISTINCT tableoid) FROM gsc.page_query WHERE day <= '2026-01-31'"
    )
    assert months == [(3,)], "a partition for each month"
    bench.move(0)
    again = bench.run(bench.spec(window=window))
    assert (again.summary.cells, again.summary.cells_skipped, bench.days()) == (0, 67, [])
    gap = bench.run(bench.spec())
    assert (gap.summary.cells, gap.summary.catch_up_days) == (40, 40), (
        "between backfill and window there is a gap now"
    )
    assert bench.differences(first, today(bench)) == {}
    assert bench.run(bench.spec()).summary.cells == 0


def test_a_backfill_that_is_cut_short_goes_on_where_it_stopped(bench: Bench) -> None:
    limits = Limits(requests_per_second_per_property=100, cells_per_property=2)
    midnight = datetime(2025, 12, 1, tzinfo=UTC).replace(tzinfo=None)
    order = bench.spec(timeout_seconds=2, limits=limits)
    spec = Range(midnight, midnight + timedelta(days=39)).over(order)
    assert spec.run_id.startswith("b-20251201-20260109-")
    bench.emulator.set_latency(100)
    ended = bench.run(spec)
    assert (ended.exit_code, ended.summary.state) == (ExitCode.SNOOZED, State.CONTINUES)
    assert 0 < ended.summary.cells < 40
    bench.emulator.set_latency(0)
    bench.emulator.clear_requests()
    rest = bench.run(spec.model_copy(update={"timeout_seconds": 60}))
    assert rest.exit_code is ExitCode.SUCCESS
    assert rest.summary.cells == 40 - ended.summary.cells
    assert set(Counter(bench.days()).values()) == {2}, "no day that was committed is asked for again"
    assert bench.differences(date(2025, 12, 1), date(2026, 1, 9)) == {}


def test_a_first_load_larger_than_the_deadline_ends_by_itself_over_several_launches(bench: Bench) -> None:
    """In real time: two seconds a launch, and answers that take a tenth."""
    bench.emulator.set_latency(100)
    limits = Limits(requests_per_second_per_property=100, cells_per_property=2, concurrency=2)
    spec = bench.spec(window={"days": 40}, timeout_seconds=2, limits=limits, include=("*",))
    states: list[State] = []
    cells = 0
    for launch in range(1, 40):
        ended = bench.run(spec.model_copy(update={"launch": launch}))
        states.append(ended.summary.state)
        cells += ended.summary.cells
        if ended.exit_code is ExitCode.SUCCESS:
            break
        assert (ended.exit_code, ended.summary.snooze_seconds) == (ExitCode.SNOOZED, 0)
        assert ended.summary.cells > 0
    assert states == [State.CONTINUES] * (len(states) - 1) + [State.SUCCEEDED]
    assert len(states) >= 3
    assert cells == 7 * 40, "every cell once"
    for url in (BIG, *SMALL):
        assert bench.differences(today(bench) - timedelta(days=39), today(bench), url) == {}


def test_cells_of_one_property_are_fetched_side_by_side(bench: Bench) -> None:
    """In real time: one after the other, 14 days of two requests each would take 8.4 seconds."""
    bench.emulator.set_latency(300)
    started = time.monotonic()
    assert bench.run(bench.spec()).exit_code is ExitCode.SUCCESS
    assert time.monotonic() - started < 5
    assert bench.differences(today(bench) - timedelta(days=13), today(bench)) == {}


def test_one_huge_property_starves_nobody(bench: Bench) -> None:
    """One place only, and the huge one is first in line: it lets the others go first before it goes on."""
    bench.run(bench.spec(include=("https://*",)))
    bench.move(1)
    limits = Limits(
        requests_per_second_per_property=100, requests_per_second_per_identity=1000, concurrency=1
    )
    ended = bench.run(bench.spec(window={"days": 80}, limits=limits, include=("*",)))
    assert ended.exit_code is ExitCode.SUCCESS
    order = [name for name, _ in bench.asked()]
    assert order[0] == BIG, "never synced, so the oldest"
    end = max(place for place, name in enumerate(order) if name == BIG)
    assert all(order.index(name) < end for name in SMALL)


def test_fault_51_a_property_of_two_accounts_is_fetched_once_and_by_the_other_when_access_is_gone(
    bench: Bench,
) -> None:
    ended = bench.run(bench.spec("acme", "globex"))
    assert ended.exit_code is ExitCode.SUCCESS
    assert set(Counter(bench.days()).values()) == {2}
    assert bench.differences(today(bench) - timedelta(days=13), today(bench)) == {}
    bench.move(1)
    rule = {"match": {"operation": "query", "account": "acme"}, "fault": {"kind": "permission-403"}}
    bench.emulator.faults([rule])
    ended = bench.run(bench.spec("acme", "globex"))
    assert ended.summary.state is State.SUCCEEDED
    assert bench.differences(today(bench) - timedelta(days=13), today(bench)) == {}


def test_fault_56_two_runs_at_once_leave_one_set_of_rows(bench: Bench) -> None:
    """Two schedules with the same property: each cell is written under its lock, by one after the other."""
    bench.emulator.set_latency(20)
    specs = [bench.spec(schedule_uid=f"uid-{number}") for number in range(3)]
    gate = threading.Barrier(3)

    def together(spec: RunSpec) -> Ended:
        gate.wait(10)
        return bench.run(spec)

    with ThreadPoolExecutor(3) as pool:
        ended = list(pool.map(together, specs))
    assert [each.exit_code for each in ended] == [ExitCode.SUCCESS] * 3
    first = today(bench) - timedelta(days=13)
    assert bench.differences(first, today(bench)) == {}
    doubled = bench.database.execute(
        "SELECT 1 FROM gsc.page_query GROUP BY property_id, search_type_id, day, page_id, query_id, country_id, device_id"
        " HAVING count(*) > 1"
    )
    assert doubled == []


def test_fault_56_a_higher_launch_takes_over_and_the_lower_one_says_so(bench: Bench) -> None:
    """In real time."""
    bench.emulator.set_latency(100)
    spec = bench.spec(
        window={"days": 40}, limits=Limits(requests_per_second_per_property=100, cells_per_property=2)
    )
    with ThreadPoolExecutor(2) as pool:
        lower = pool.submit(bench.run, spec)
        until = time.monotonic() + 30
        while len(bench.days()) < 4:
            assert time.monotonic() < until
            time.sleep(0.02)
        higher = bench.run(spec.model_copy(update={"launch": 2}))
    assert higher.exit_code is ExitCode.SUCCESS
    assert "no longer holds" in lower.result().summary.message
    assert bench.differences(today(bench) - timedelta(days=39), today(bench)) == {}


def test_plan_counts_what_the_probes_will_spare(bench: Bench) -> None:
    from sync.look import find_all, guess  # noqa: PLC0415

    spec = bench.spec(include=("*",))
    settings = load(
        {
            "GSC_SYNC_API_BASE_URL": f"{bench.emulator.url}/webmasters/v3",
            "GSC_SYNC_TOKEN_URL": f"{bench.emulator.url}/token",
        }
    )

    def estimate() -> tuple[int, int, int]:
        clock = Calendar(bench.now)
        with parts(spec, settings, clock, clock.monotonic()) as made, bench.store() as store:
            found = guess(made, find_all(made), store)
            return found.cells, found.skipped, found.requests

    with bench.store() as store:
        store.migrate()
    assert estimate() == (7 * 14, 0, 7 * 29)
    bench.run(spec)
    cells, skipped, requests = estimate()
    assert (cells, skipped, requests) == (0, 7 * 14, 7)
    bench.move(1)
    spec = bench.spec(include=("*",))
    cells, skipped, requests = estimate()
    ended = bench.run(spec)
    assert (cells, skipped) == (ended.summary.cells, ended.summary.cells_skipped)
    assert requests + 1 == pytest.approx(ended.summary.requests, abs=7), "and the list of the sites"
