"""The real transport and the real pages of a run, against the emulator and a store in memory.

The emulator's data set is the oracle: it is computed from its seed, without the request log and without the sync.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from contract import Destination, ExitCode, FailureClass, Limits, PropertyFilter, RunSpec, State, Workspace
from emulator import Account, Config, EmulatorThread, Property, pacific_day, run_emulator, stage_of
from sync.clock import SystemClock
from sync.compose import parts
from sync.plan.cells import Cell
from sync.progress import LogReporter
from sync.quota.memory import MemoryQuotaTable
from sync.run import Ended
from sync.run import run as run_launch
from sync.settings import load
from sync.store.memory import MemoryStore

NOW = datetime(2026, 3, 20, 12, tzinfo=UTC)
TODAY = date(2026, 3, 20)
SETTLED = datetime(2026, 3, 16, 12, tzinfo=UTC)
"""A slot whose day is final, so of exactly the configured size."""
ACME = "sc-domain:acme.example"
BLOG = "https://blog.acme.example/"
EVERY_TYPE = ["web", "image", "video", "news", "discover", "googleNews"]

CONFIG = Config(
    seed=11,
    accounts=(
        Account(
            name="acme",
            properties={
                ACME: "siteOwner",
                BLOG: "siteRestrictedUser",
                "https://u.example/": "siteUnverifiedUser",
            },
        ),
        Account(name="globex", kind="authorized_user", properties={ACME: "siteFullUser"}),
        Account(name="revoked", kind="authorized_user", revoked=True),
    ),
    properties=(
        Property(
            url=ACME, rows={"web": 120, "image": 20, "video": 5, "news": 7, "discover": 30, "googleNews": 9}
        ),
        Property(url=BLOG, rows={"web": 40}),
        Property(url="https://u.example/", rows={"web": 10}),
    ),
)


class Calendar(SystemClock):
    """The emulator's date; pauses are skipped but for a few milliseconds, and monotonic time jumps to their end."""

    def __init__(self, now: datetime = NOW) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._skipped = 0.0

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return super().monotonic() + self._skipped

    def passing(self) -> datetime:
        """For the budgets: a wall clock that goes on with the pauses."""
        return self._now + timedelta(seconds=self.monotonic())

    def wait(self, event: threading.Event, seconds: float) -> bool:
        ends = self.monotonic() + seconds
        told = event.wait(min(seconds, 0.01))
        with self._lock:
            self._skipped = max(self._skipped, ends - super().monotonic())
        return told


@dataclass
class Bench:
    emulator: EmulatorThread
    folder: Path
    store: MemoryStore = field(init=False)
    now: datetime = NOW
    slot: datetime | None = None
    runs: int = 0

    def __post_init__(self) -> None:
        self.store = MemoryStore(lambda: self.now)

    def workspace(self, account: str = "acme", **fields: Any) -> Workspace:
        path = self.folder / f"{account}.json"
        self.emulator.write_credentials(account, path)
        return Workspace(name=account, credentials_path=str(path), **fields)

    def spec(self, *workspaces: Workspace, days: int = 4, **fields: Any) -> RunSpec:
        self.runs += 1
        known: dict[str, Any] = {
            "schedule_uid": "uid",
            "namespace": "data",
            "name": "marketing",
            "run_id": f"run-{self.runs}",
            "slot": self.slot or self.now,
            "window": {"days": days},
            "workspaces": list(workspaces) or [self.workspace()],
            "destination": Destination(path="/nowhere"),
            "limits": Limits(requests_per_second_per_property=100),
        }
        return RunSpec(**{**known, **fields})

    def run(self, spec: RunSpec) -> Ended:
        settings = load(environment(self.emulator))
        clock = Calendar(self.now)
        budgets = MemoryQuotaTable(clock.passing)
        with parts(spec, settings, clock, clock.monotonic(), budgets) as made:
            return run_launch(made.launch(self.store), LogReporter(made.tally, clock))

    def differences(self, property_: str = ACME, search_type: Any = "web", days: int = 4) -> dict[str, int]:
        """Rows missing and rows too many, over the window; empty when the store equals what Google shows."""
        found = {}
        for back in range(days):
            day = pacific_day(self.slot or NOW) - timedelta(days=back)
            stage = stage_of(day, self.now, self.emulator.config.fresh_days)
            shown = {
                (row.page, row.query or "", row.country, row.device, row.clicks, row.impressions)
                for row in self.emulator.dataset.visible(property_, day, search_type, stage)
            }
            stored = {tuple(row[:6]) for row in self.store.rows(Cell(property_, day, search_type))}
            if shown != stored:
                found[day.isoformat()] = (len(shown - stored), len(stored - shown))
            assert shown or not self.emulator.config.properties
        return found


def environment(emulator: EmulatorThread) -> dict[str, str]:
    return {
        "GSC_SYNC_API_BASE_URL": f"{emulator.url}/webmasters/v3",
        "GSC_SYNC_TOKEN_URL": f"{emulator.url}/token",
    }


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with run_emulator(CONFIG, now=NOW) as running:
        yield Bench(running, tmp_path)


def test_every_search_type_of_every_readable_property_arrives_whole(bench):
    ended = bench.run(bench.spec(search_types=EVERY_TYPE))
    assert ended.summary.state is State.SUCCEEDED
    assert {name: bench.differences(ACME, name) for name in EVERY_TYPE} == {name: {} for name in EVERY_TYPE}
    assert bench.differences(BLOG) == {}
    assert ended.summary.properties == 2
    assert ended.summary.newest_final_day == TODAY - timedelta(days=3)


def test_rows_without_a_position_have_none(bench):
    bench.run(bench.spec(search_types=["discover", "web"]))
    positions = {
        name: {row.position is None for row in bench.store.rows(Cell(ACME, TODAY, name))}
        for name in ("discover", "web")
    }
    assert positions == {"discover": {True}, "web": {False}}


def test_a_restatement_is_followed_and_leaves_no_ghost(bench):
    bench.run(bench.spec())
    before = {row[:4] for row in bench.store.rows(Cell(ACME, TODAY - timedelta(days=1), "web"))}
    bench.now = NOW + timedelta(days=3)
    bench.emulator.set_now(bench.now)
    ended = bench.run(bench.spec(days=7))
    assert ended.summary.rows_deleted > 0
    assert bench.differences() == {}
    assert before != {row[:4] for row in bench.store.rows(Cell(ACME, TODAY - timedelta(days=1), "web"))}


def test_a_refresh_token_serves_as_well_as_a_key(bench):
    ended = bench.run(bench.spec(bench.workspace("globex")))
    assert ended.summary.state is State.SUCCEEDED
    assert bench.differences() == {}


def test_a_revoked_identity_fails_alone_and_says_what_to_do(bench):
    ended = bench.run(bench.spec(bench.workspace(), bench.workspace("revoked")))
    assert ended.summary.state is State.PARTIALLY_SUCCEEDED
    [failure] = ended.summary.failures
    assert failure.failure_class is FailureClass.CREDENTIALS_REVOKED
    assert "replace the key in the Secret" in failure.message
    assert len(bench.emulator.requests(operation="token", status="400")) == 1


def test_the_pages_of_a_large_day_are_all_read_and_the_cap_is_noted(tmp_path):
    config = Config(
        seed=3,
        accounts=(Account(name="acme", properties={ACME: "siteOwner", BLOG: "siteOwner"}),),
        properties=(Property(url=ACME, rows={"web": 26_000}), Property(url=BLOG, rows={"web": 50_500})),
    )
    with run_emulator(config, now=NOW) as running:
        bench = Bench(running, tmp_path, slot=SETTLED)
        ended = bench.run(bench.spec(days=1))
        assert bench.differences(ACME, days=1) == {}
        assert bench.differences(BLOG, days=1) == {}
        assert ended.summary.saturated_cells == 1
        # sites, two probes; 25,000 + 1,000 + empty; twice 25,000 and the cap
        assert ended.summary.requests == 1 + 2 + 3 + 2


HARMLESS = [
    {"kind": "rate-403"},
    {"kind": "user-rate-403"},
    {"kind": "rate-429", "retry_after": "1"},
    {"kind": "unknown-403"},
    {"kind": "token-expired"},
    {"kind": "html-500"},
    {"kind": "backend-error"},
    {"kind": "200-with-error"},
    {"kind": "captive-page"},
    {"kind": "redirect", "location": "http://127.0.0.1:9/"},
    {"kind": "no-content"},
    {"kind": "empty-rows"},
    {"kind": "short-page", "rows": 50},
    {"kind": "reset-mid-body", "after": 200},
    {"kind": "incomplete-body", "after": 200},
    {"kind": "truncated-gzip"},
    {"kind": "truncated-json"},
    {"kind": "invalid-json"},
    {"kind": "byte-order-mark"},
    {"kind": "not-gzip"},
    {"kind": "drop-connection"},
    {"kind": "delay", "seconds": 0.2},
    {"kind": "headers", "headers": {"Retry-After": "-5", "X-Odd": "1"}},
    {"kind": "slow-drip", "chunk": 2000, "seconds": 0.01},
]


@pytest.mark.parametrize("fault", HARMLESS, ids=lambda fault: fault["kind"])
@pytest.mark.parametrize("dimension", ["probe", "page"])
def test_faults_that_pass_leave_no_trace_in_the_rows(bench, fault, dimension):
    nth = 1 if dimension == "probe" else 2
    bench.emulator.faults(
        [{"match": {"operation": "query", "property": ACME, "nth": nth, "times": 1}, "fault": fault}]
    )
    ended = bench.run(bench.spec(bench.workspace(properties=PropertyFilter(include=[ACME])), days=2))
    assert ended.summary.state is State.SUCCEEDED, ended.summary.message
    assert bench.differences(days=2) == {}


@pytest.mark.parametrize("kind", ["html-500", "drop-connection"])
def test_a_token_endpoint_that_stumbles_is_asked_again(bench, kind):
    bench.emulator.faults([{"match": {"operation": "token", "nth": 1, "times": 2}, "fault": {"kind": kind}}])
    assert bench.run(bench.spec(days=1)).summary.state is State.SUCCEEDED


def test_short_tokens_are_renewed_in_time(bench):
    bench.emulator.faults(
        [{"match": {"operation": "token"}, "fault": {"kind": "short-lived-token", "seconds": 1}}]
    )
    ended = bench.run(bench.spec(days=2))
    assert ended.summary.state is State.SUCCEEDED


def test_ties_that_move_between_pages_lose_no_row(tmp_path):
    config = Config(
        seed=5,
        accounts=(Account(name="acme", properties={ACME: "siteOwner"}),),
        properties=(Property(url=ACME, rows={"web": 40_000}),),
    )
    with run_emulator(config, now=NOW) as running:
        bench = Bench(running, tmp_path, slot=SETTLED)
        running.faults(
            [
                {
                    "match": {"operation": "query", "day": "2026-03-16", "times": 3},
                    "fault": {"kind": "moved-ties"},
                }
            ]
        )
        ended = bench.run(bench.spec(days=1))
        assert ended.summary.state is State.SUCCEEDED
        assert bench.differences(days=1) == {}


def test_a_server_that_does_not_page_fails_the_cell_and_does_not_loop(bench):
    bench.emulator.faults([{"match": {"operation": "query"}, "fault": {"kind": "ignore-start-row"}}])
    ended = bench.run(bench.spec(days=1))
    assert ended.summary.error_class is FailureClass.BAD_ANSWER
    assert ended.summary.requests < 20


POISON_KEPT = [
    "long-url",
    "long-query",
    "control-characters",
    "markup",
    "empty-query",
    "unknown-country",
    "unknown-device",
    "clicks-above-impressions",
    "no-position",
    "look-alikes",
    "lone-surrogate",
    "invalid-utf8",
]
POISON_QUARANTINED = [
    "extra-key",
    "missing-key",
    "null-key",
    "number-key",
    "negative",
    "nan",
    "infinity",
    "huge-number",
    "beyond-int32",
    "string-number",
    "fractional-clicks",
]


@pytest.mark.parametrize("what", ["unknown-fields", *POISON_KEPT, *POISON_QUARANTINED])
def test_one_row_that_follows_no_rule_harms_no_other(bench, what):
    bench.emulator.faults(
        [
            {
                "match": {"operation": "query", "day": "2026-03-20", "start_row": 0, "times": 1, "nth": 2},
                "fault": {"kind": "poison", "what": what},
            }
        ]
    )
    ended = bench.run(bench.spec(bench.workspace(properties=PropertyFilter(include=[BLOG])), days=1))
    assert ended.summary.state is State.SUCCEEDED, ended.summary.message
    missing, more = bench.differences(BLOG, days=1).get("2026-03-20", (0, 0))
    assert missing == 0
    assert bool(bench.store.quarantine) is (what in POISON_QUARANTINED)
    assert bool(more) is (what in POISON_KEPT)


def test_load_quota_rests_the_property_and_the_next_launch_finishes_the_run(bench):
    bench.emulator.faults(
        [{"match": {"operation": "query", "property": BLOG}, "fault": {"kind": "load-403"}}]
    )
    spec = bench.spec(limits=Limits(requests_per_second_per_property=100, load_cooldown_seconds=7))
    ended = bench.run(spec)
    assert ended.exit_code is ExitCode.SNOOZED
    assert ended.summary.error_class is FailureClass.LOAD_QUOTA
    assert ended.summary.snooze_seconds in {7, 8}
    assert bench.differences(ACME) == {}
    bench.emulator.faults([])
    bench.emulator.clear_requests()
    ended = bench.run(spec.model_copy(update={"launch": 2}))
    assert ended.summary.state is State.SUCCEEDED
    assert bench.differences(BLOG) == {}
    assert {call["property"] for call in bench.emulator.requests(operation="query")} == {BLOG}


def test_a_run_that_was_done_asks_nothing_of_google(bench):
    spec = bench.spec()
    bench.run(spec)
    bench.emulator.clear_requests()
    ended = bench.run(spec.model_copy(update={"launch": 2}))
    assert ended.summary.from_earlier_launch
    assert bench.emulator.requests() == []


def test_a_second_run_of_unchanged_days_writes_nothing(bench):
    bench.run(bench.spec())
    ended = bench.run(bench.spec())
    assert (ended.summary.cells, ended.summary.cells_skipped) == (0, 8)
    assert ended.summary.rows_written == 0
    bench.now, bench.slot = bench.now + timedelta(days=1), bench.now
    ended = bench.run(bench.spec())
    assert ended.summary.cells_unchanged == ended.summary.cells == 6, "the fresh ones, read once a day"
    assert (ended.summary.cells_skipped, ended.summary.rows_written) == (2, 0)


@pytest.mark.parametrize(
    ("kind", "error_class"),
    [
        ("daily-403", FailureClass.DAILY_QUOTA),
        ("permission-403", FailureClass.PERMISSION_DENIED),
        ("api-disabled", FailureClass.API_DISABLED),
        ("scope-403", FailureClass.CREDENTIALS_INVALID),
        ("not-found", FailureClass.PROPERTY_GONE),
        ("bad-request", FailureClass.BAD_REQUEST),
        ("html-500", FailureClass.GOOGLE_UNAVAILABLE),
        ("captive-page", FailureClass.BAD_ANSWER),
        ("token-expired", FailureClass.CREDENTIALS_INVALID),
        ("load-403", FailureClass.LOAD_QUOTA),
        ("rate-403", FailureClass.RATE_LIMITED),
        ("drop-connection", FailureClass.GOOGLE_UNAVAILABLE),
    ],
)
@pytest.mark.parametrize("error_style", ["classic", "details"])
def test_each_lasting_refusal_is_called_by_its_name(tmp_path, kind, error_class, error_style):
    with run_emulator(CONFIG.model_copy(update={"error_style": error_style}), now=NOW) as running:
        bench = Bench(running, tmp_path)
        running.faults([{"match": {"operation": "query"}, "fault": {"kind": kind}}])
        ended = bench.run(bench.spec(bench.workspace(properties=PropertyFilter(include=[BLOG])), days=1))
        assert ended.summary.error_class is error_class, ended.summary.message
        assert ended.summary.message
