"""Runs by state, as SQL shows them: running, failed, waiting."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from contract import FailureClass, RunSummary, State
from sync.store.port import RunKey
from sync.store.postgres import PostgresStore
from tests.postgres import Database

NOW = datetime(2026, 11, 20, 4, tzinfo=UTC)
RUN, NEXT = RunKey("uid-1", "29000000"), RunKey("uid-1", "29001440")
VIEWS = ("v_runs_running", "v_runs_failed", "v_runs_waiting")


class Moving:
    """A clock of the database's rows, a minute further at each look."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        self.now += timedelta(minutes=1)
        return self.now


@pytest.fixture
def store(database: Database) -> Iterator[PostgresStore]:
    with PostgresStore(database.destination(), pool_size=1, clock=Moving(), sleep=lambda _: None) as store:
        store.migrate()
        yield store


def shown(database: Database) -> dict[str, list[str]]:
    """The ids of the runs in each of the three views."""
    return {
        name.removeprefix("v_runs_"): [
            run for (run,) in database.execute(f"SELECT run_id FROM gsc.{name} ORDER BY 1")
        ]
        for name in VIEWS
    }


def ends(store: PostgresStore, state: State, run: RunKey = RUN, launch: int = 1, **fields: object) -> None:
    store.claim_run(run, launch)
    summary = RunSummary.model_validate({"state": state, **fields})
    store.finish_run(run, launch, summary, complete=state in {State.SUCCEEDED, State.PARTIALLY_SUCCEEDED})


def test_a_run_that_is_held_is_running(database: Database, store: PostgresStore) -> None:
    store.claim_run(RUN, 1)
    assert shown(database) == {"running": [RUN.run_id], "failed": [], "waiting": []}


@pytest.mark.parametrize(
    ("state", "where"),
    [
        (State.SUCCEEDED, None),
        (State.PARTIALLY_SUCCEEDED, None),
        (State.FAILED, "failed"),
        (State.CANCELLED, "failed"),
        (State.SNOOZED, "waiting"),
        (State.CONTINUES, "waiting"),
    ],
)
def test_each_end_is_in_one_view_at_most(
    database: Database, store: PostgresStore, state: State, where: str | None
) -> None:
    ends(store, state)
    assert shown(database) == {
        name: [RUN.run_id] if name == where else [] for name in ("running", "failed", "waiting")
    }


def test_a_failure_says_why_until_a_retry_takes_it_away(database: Database, store: PostgresStore) -> None:
    ends(
        store,
        State.FAILED,
        error_class=FailureClass.DATABASE_UNAVAILABLE,
        message="the disk is full",
        failed_workspaces=2,
    )
    assert database.execute(
        "SELECT launch, outcome, error_class, failed_workspaces, message FROM gsc.v_runs_failed"
    ) == [(1, "Failed", "DatabaseUnavailable", 2, "the disk is full")]
    store.claim_run(RUN, 2)
    assert shown(database) == {"running": [RUN.run_id], "failed": [], "waiting": []}


def test_a_snoozed_run_tells_when_it_may_go_on(database: Database, store: PostgresStore) -> None:
    ends(store, State.SNOOZED, snooze_seconds=900)
    assert database.execute("SELECT not_before - finished_at, outcome FROM gsc.v_runs_waiting") == [
        (timedelta(minutes=15), "Snoozed")
    ]


def test_a_newer_run_takes_the_place_of_one_that_waits(database: Database, store: PostgresStore) -> None:
    ends(store, State.SNOOZED, snooze_seconds=900)
    ends(store, State.SNOOZED, RunKey("uid-2", RUN.run_id))
    store.claim_run(NEXT, 1)
    assert database.execute("SELECT schedule_uid FROM gsc.v_runs_waiting") == [("uid-2",)]


@pytest.mark.parametrize("view", VIEWS)
def test_a_view_reads_open_runs_only(database: Database, store: PostgresStore, view: str) -> None:
    """Runs are never deleted; among very many that are complete, the few that are open are found by their index."""
    assert store.settle(lambda: False) == []
    database.execute(
        "INSERT INTO gsc.run (schedule_uid, run_id, launch, state, summary, started_at)"
        " SELECT 'uid-1', n::text, 1, 'complete', '{}', now() FROM generate_series(1, 20000) AS n"
    )
    database.execute("ANALYZE gsc.run")
    plan = "\n".join(line for (line,) in database.execute(f"EXPLAIN SELECT * FROM gsc.{view}"))
    assert "run_open" in plan
