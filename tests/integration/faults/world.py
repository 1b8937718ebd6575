"""The whole sync in one room: the program by its command line, the emulator over HTTP, a real Postgres, an oracle.

The program runs inside the test process, so that pauses are cut short (`Hurried`) and a story of three runs takes a
second; `test_process.py` runs it as a process of its own where signals and death matter. Half of the cells go over the
lines by which the processes of a launch speak. Rows are compared with the emulator's data set, which is computed from
the seed and knows no code of the sync, in both directions and cell by cell: each is whole, as Google showed it at one
moment, and never a mixture.
"""

from __future__ import annotations

import io
import json
import logging
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from contract import FailureClass, Limits, PropertyFilter, RunSpec, RunSummary, State, Workspace
from emulator import Account, Config, EmulatorThread, Property, pacific_day, stage_of
from sync.clock import Clock, SystemClock
from sync.command import cli
from sync.quota.memory import MemoryQuotaTable
from sync.store.port import Store
from sync.store.postgres import PostgresStore
from sync.world import World as Surroundings
from tests.lines import by_lines
from tests.postgres import Database

NOW = datetime(2026, 3, 17, 18, tzinfo=UTC)
"""The moment of the clean run that comes before each fault."""
NEXT_DAY = NOW + timedelta(days=1)
"""The moment of the fault: a day more, one day settled, one restated."""
DAY_AFTER = NOW + timedelta(days=2)
"""The moment of the run in which all is well again."""

ACME, BLOG, GLOBEX = "sc-domain:acme.example", "https://blog.acme.example/", "sc-domain:globex.example"
DAYS = 4
CONFIG = Config(
    seed=23,
    properties=(
        Property(url=ACME, rows={"web": 90, "image": 20}, variation=0.2),
        Property(url=BLOG, rows={"web": 30}),
        Property(url=GLOBEX, rows={"web": 40}),
    ),
    accounts=(
        Account(name="acme", properties={ACME: "siteOwner", BLOG: "siteFullUser"}, project="acme-project"),
        Account(name="globex", kind="authorized_user", properties={GLOBEX: "siteOwner"}),
    ),
)
Row = tuple[Any, ...]
CellName = tuple[str, str, date]


class Hurried(SystemClock):
    """The emulator's date. A pause is noted, and skipped but for a few milliseconds: monotonic time jumps to its end."""

    def __init__(self, now: datetime) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._skipped = 0.0
        self.pauses: list[float] = []

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return time.monotonic() + self._skipped

    def passing(self) -> datetime:
        """A wall clock that goes on with the pauses."""
        return self._now + timedelta(seconds=self.monotonic())

    def wait(self, event: threading.Event, seconds: float) -> bool:
        ends = self.monotonic() + seconds
        told = event.wait(min(max(seconds, 0.0), 0.005))
        with self._lock:
            self.pauses.append(seconds)
            self._skipped = max(self._skipped, ends - time.monotonic())
        return told


@dataclass(frozen=True)
class Ended:
    """What one launch left behind."""

    exit_code: int
    summary: RunSummary
    logs: str
    out: str
    pauses: list[float]

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.logs.splitlines()]

    def failures(self) -> dict[str, FailureClass]:
        return {failure.workspace: failure.failure_class for failure in self.summary.failures}


class OwnBudgets(PostgresStore):
    """The real store, but for the budgets of requests: they are in memory, and their clock is the launch's.

    Postgres's own clock cannot be hurried, so pauses after refusals would take their real time. Stories of budgets that
    outlive a launch use `shared_budgets`.
    """

    clock: Hurried

    def quotas(self) -> MemoryQuotaTable:  # type: ignore[override]  # the port's other adapter
        return MemoryQuotaTable(self.clock.passing)


def hurried_store(spec: RunSpec, clock: Clock) -> Store:
    """The real store; only its pauses are short."""
    assert isinstance(clock, Hurried)
    made = OwnBudgets(
        spec.destination,
        pool_size=spec.limits.concurrency,
        clock=clock.now,
        sleep=lambda seconds: time.sleep(min(seconds, 0.02)),
    )
    made.clock = clock
    return made


def shared_budgets(spec: RunSpec, clock: Clock) -> Store:
    """The real store with its table of budgets."""
    return PostgresStore(
        spec.destination,
        pool_size=spec.limits.concurrency,
        clock=clock.now,
        sleep=lambda seconds: time.sleep(min(seconds, 0.02)),
    )


@dataclass
class World:
    """Everything a story needs. `moments` are those at which the data set was shown to the program."""

    emulator: EmulatorThread
    database: Database
    folder: Path
    now: datetime = NOW
    moments: list[datetime] = field(default_factory=list)
    runs: int = 0
    environment: dict[str, str] = field(default_factory=dict)
    _unheard: list[dict[str, Any]] = field(default_factory=list)

    # Running

    def at(self, moment: datetime) -> None:
        """Move the calendar of everybody."""
        self.now = moment
        self.emulator.set_now(moment)

    def rests_are_over(self) -> None:
        """Rests and budgets run by Postgres's own clock, which no test moves; here their time passes at once."""
        self.database.execute("UPDATE gsc.quota SET rest_until = clock_timestamp(), paused_until = 'epoch'")

    def faults(self, *rules: Mapping[str, Any]) -> None:
        """In place of those before, each of which must have struck by now: see `unheard`."""
        self._unheard += self._unmet()
        self.emulator.faults([dict(rule) for rule in rules])

    def unheard(self) -> list[dict[str, Any]]:
        """Faults that were told and never struck: the story went another way than it says."""
        return self._unheard + self._unmet()

    def _unmet(self) -> list[dict[str, Any]]:
        rules = self.emulator.api.script.describe()
        return [rule for rule in rules if rule["matched"] < rule.get("match", {}).get("nth", 1)]

    def workspace(self, account: str, **fields: Any) -> Workspace:
        path = self.folder / f"{account}.json"
        if not path.exists():
            self.emulator.write_credentials(account, path)
        return Workspace(name=account, credentials_path=str(path), **fields)

    def spec(self, **fields: Any) -> RunSpec:
        """An order for a new run of both workspaces."""
        self.runs += 1
        known: dict[str, Any] = {
            "schedule_uid": "uid-1",
            "namespace": "data",
            "name": "faults",
            "run_id": f"{int(self.now.timestamp()) // 60 + self.runs}",
            "slot": self.now,
            "window": {"days": DAYS},
            "search_types": ["web", "image"],
            "workspaces": [
                self.workspace(account.name)
                for account in self.emulator.config.accounts
                if account.kind != "external"
            ],
            "destination": self.database.destination(),
            "limits": limits(),
        }
        return RunSpec(**{**known, **fields})

    def variables(self, spec: RunSpec) -> dict[str, str]:
        return {
            "GSC_SYNC_RUN_SPEC": spec.to_json(),
            "GSC_SYNC_SUMMARY_PATH": str(self.folder / "summary.json"),
            "GSC_SYNC_API_BASE_URL": f"{self.emulator.url}/webmasters/v3",
            "GSC_SYNC_TOKEN_URL": f"{self.emulator.url}/token",
            **self.environment,
        }

    def run(
        self,
        spec: RunSpec | None = None,
        *,
        command: str = "run",
        store: Callable[[RunSpec, Clock], Store] = hurried_store,
        clock: Hurried | None = None,
        **fields: Any,
    ) -> Ended:
        """One launch, as `python -m sync run` does it."""
        spec = spec or self.spec(**fields)
        if self.now not in self.moments:
            self.moments.append(self.now)
        path = self.folder / "summary.json"
        path.unlink(missing_ok=True)
        clock = clock or Hurried(self.now)
        logs, out = io.StringIO(), io.StringIO()
        surroundings = Surroundings(self.variables(spec), clock, store, logs, out, by_lines)
        with _logging_as_before():
            result = CliRunner().invoke(cli, [command], obj=surroundings)
        assert result.exception is None or isinstance(result.exception, SystemExit), logs.getvalue()
        summary = RunSummary.from_json(path.read_bytes()) if path.exists() else RunSummary(state=State.FAILED)
        return Ended(result.exit_code, summary, logs.getvalue(), out.getvalue(), clock.pauses)

    # Comparing

    def oracle(self, cell: CellName, moment: datetime) -> Counter[Row]:
        """The rows that Google shows of a cell at a moment."""
        url, kind, day = cell
        stage = stage_of(day, moment, self.emulator.config.fresh_days)
        shown = self.emulator.dataset.visible(url, day, kind, stage)  # type: ignore[arg-type]
        return Counter((row.page, row.query or "", *row[2:]) for row in shown)

    def stored(self) -> dict[CellName, Counter[Row]]:
        """Every row of the database, with how often it stands there."""
        cells: defaultdict[CellName, Counter[Row]] = defaultdict(Counter)
        for url, kind, day, *row in self.database.execute(
            "SELECT property, search_type, day, page, query, country, device, clicks, impressions, position FROM gsc.v_page_query"
        ):
            cells[url, kind, day][tuple(row)] += 1
        return dict(cells)

    def days(self, moment: datetime) -> set[date]:
        return {pacific_day(moment) - timedelta(days=back) for back in range(DAYS)}

    def wrong(
        self, *, behind: Callable[[CellName], bool] = lambda _: False, emptied: bool = False
    ) -> dict[CellName, tuple[int, int]]:
        """Cells that are not as Google shows them now: rows missing, rows too many (ghosts and doubles).

        A cell that may be `behind`, or that left the window, must equal what Google showed at one of the moments, or be
        absent where it never was asked for, or where it was `emptied`: Google said so twice. Rows of cells nobody asked for are wrong in any case.
        """
        stored, found = self.stored(), {}
        asked = {
            (prop.url, kind, day)
            for prop in self.emulator.config.properties
            for kind in prop.rows
            for moment in self.moments
            for day in self.days(moment)
        }
        for cell in sorted(asked | stored.keys()):
            have = stored.get(cell, Counter())
            current = cell[2] in self.days(self.now) and not behind(cell)
            allowed = [
                self.oracle(cell, moment)
                for moment in ([self.now] if current else self.moments)
                if cell in asked and cell[2] <= pacific_day(moment)
            ]
            if not current and (emptied or cell[2] not in self.days(self.moments[0])):
                allowed.append(Counter())
            if have not in allowed:
                want = allowed[-1] if allowed else Counter()
                found[cell] = ((want - have).total(), (have - want).total())
        return found

    def explained(self, cell: CellName) -> str:
        """What stands there against what was shown at each moment, the ledger's word, and what was asked."""
        have = self.stored().get(cell, Counter())
        where = f"day = '{cell[2]}'"
        lines = [f"{cell}: {self.ledger('*', where)}"]
        for moment in (*self.moments, DAY_AFTER):
            shown = self.oracle(cell, moment)
            lines.append(f"  as of {moment}: too many {have - shown}, missing {shown - have}")
        asked = self.asked(property=cell[0], type=cell[1], day=str(cell[2]))
        lines += [f"  asked: {each}" for each in asked]
        return "\n".join(lines)

    def ledger(self, columns: str, where: str = "true") -> list[tuple[Any, ...]]:
        return self.database.execute(f"SELECT {columns} FROM gsc.v_coverage WHERE {where}")

    # Stories

    def heal(self, *, emptied: bool = False) -> None:
        """A day later nothing is wrong any more, and a run makes every cell of the window right."""
        self.faults()
        self.rests_are_over()
        self.at(DAY_AFTER)
        ended = self.run()
        assert ended.summary.state is State.SUCCEEDED, ended.summary
        assert self.wrong(emptied=emptied) == {}

    def asked(self, **wanted: str) -> list[dict[str, Any]]:
        return self.emulator.requests(**wanted)


def limits(**fields: Any) -> Limits:
    """Fast enough for a test; four threads, of which two at most are at one property."""
    known: dict[str, Any] = {
        "requests_per_second_per_property": 100,
        "requests_per_second_per_identity": 1000,
        "concurrency": 2,
        "cells_per_property": 2,
    }
    return Limits(**{**known, **fields})


def only(property_: str) -> Callable[[CellName], bool]:
    """Cells of one property may be behind."""
    return lambda cell: cell[0] == property_


def of(*properties: str) -> Callable[[CellName], bool]:
    return lambda cell: cell[0] in properties


def named(*properties: str) -> PropertyFilter:
    return PropertyFilter(include=list(properties))


def eventually(condition: Callable[[], Any], seconds: float = 90) -> Any:
    """What the condition gives once it is true."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise AssertionError("it never came true")
        time.sleep(0.005)
    return value


@contextmanager
def meanwhile(work: Callable[[], None]) -> Iterator[None]:
    """Something that happens while the program runs; its failure is the test's."""
    failures: list[BaseException] = []

    def guarded() -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - handed to the assertion below
            failures.append(error)

    thread = threading.Thread(target=guarded)
    thread.start()
    try:
        yield
    finally:
        thread.join(60)
    assert failures == []


@contextmanager
def _logging_as_before() -> Iterator[None]:
    root, audit = logging.getLogger(), logging.getLogger("gsc.audit")
    before = (root.handlers[:], root.level, audit.level)
    try:
        yield
    finally:
        root.handlers[:], root.level = before[0], before[1]
        audit.setLevel(before[2])
