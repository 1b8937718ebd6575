"""A launch takes a run over, or closes it, however many writers there are: it waits for those that hold the run, and
those that come later wait for it. Against the real Postgres, since it is its queues that are asked."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import partial
from typing import Self

import psycopg
import pytest

from contract import RunSummary, State
from sync.errors import Superseded
from sync.plan.cells import Cell, FetchedCell, Row
from sync.store.errors import Transient
from sync.store.port import Claimed, RunKey
from sync.store.postgres import PostgresStore, ReadCommitted
from sync.store.run_fence import LOCK, RunFence
from tests.integration.store.waiting import until
from tests.postgres import Database

HALF, OTHER_HALF = (RunKey("uid-1", "29000000", shard, 2) for shard in (0, 1))
QUARTER = RunKey("uid-1", "29000000", 0, 4)
CELL = Cell("sc-domain:example.com", date(2026, 11, 3), "web")
NOW = datetime(2026, 11, 20, 4, tzinfo=UTC)
HELD = "FROM gsc.run WHERE schedule_uid = %s AND run_id = %s AND shard = %s AND shards = %s"

HAND_OVERS = 40
"""A take-over that lets so many writers pass is taken to wait for ever."""

LONGEST_CELL_SECONDS = 0.3
"""A writer that nobody relieves ends all the same."""


@dataclass
class Naps:
    """Stands for the pauses between tries, and remembers them."""

    taken: list[float] = field(default_factory=list)

    def __call__(self, seconds: float) -> None:
        self.taken.append(seconds)


@pytest.fixture
def naps() -> Naps:
    return Naps()


@pytest.fixture
def store(database: Database, naps: Naps) -> Iterator[PostgresStore]:
    with PostgresStore(database.destination(), pool_size=4, clock=lambda: NOW, sleep=naps) as store:
        store.migrate()
        yield store


@pytest.fixture
def connections(database: Database) -> Iterator[ReadCommitted]:
    connections = ReadCommitted(database.destination(), limit=4)
    yield connections
    connections.close()


def fetched(clicks: int) -> FetchedCell:
    return FetchedCell(CELL, [Row("/", "q", "usa", "MOBILE", clicks, 4, 1.25)], final=True)


def waiting(database: Database) -> int:
    ((count,),) = database.execute(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        " AND application_name = 'gsc-sync' AND wait_event_type = 'Lock'"
    )
    return int(count)


@contextmanager
def a_writer_of(connections: ReadCommitted, run: RunKey, launch: int = 1) -> Iterator[None]:
    """In the middle of its cell."""
    with connections.transaction(lock_milliseconds=10_000) as connection:
        RunFence("gsc").hold(connection, run, launch)
        yield


class Stream:
    """Writers without end: each leaves only when another one has begun, so the run is held at any moment."""

    def __init__(self, connections: ReadCommitted, run: RunKey) -> None:
        self._connections, self._run = connections, run
        self._changed = threading.Condition()
        self.begun = 0
        self._stopped = False

    def __enter__(self) -> Self:
        self._pool = ThreadPoolExecutor(3)
        self._writers = [self._pool.submit(self._write) for _ in range(3)]
        until(lambda: self.begun > 3)
        return self

    def __exit__(self, *_: object) -> None:
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        self._pool.shutdown()
        for each in self._writers:
            each.result()

    def _write(self) -> None:
        while not self._stopped:
            try:
                with a_writer_of(self._connections, self._run), self._changed:
                    self.begun += 1
                    mine = self.begun
                    self._changed.notify_all()
                    self._changed.wait_for(
                        lambda mine=mine: self._stopped or self.begun > mine, LONGEST_CELL_SECONDS
                    )
            except Superseded:
                return


def finish(store: PostgresStore) -> None:
    store.finish_run(HALF, 1, RunSummary(state=State.SUCCEEDED), complete=True)


@pytest.mark.parametrize(
    "take",
    [
        pytest.param(lambda store: store.claim_run(HALF, 2), id="a higher launch takes the run over"),
        pytest.param(lambda store: store.claim_run(QUARTER, 2), id="a higher launch divides the run anew"),
        pytest.param(finish, id="the launch closes the run"),
    ],
)
def test_a_stream_of_writers_does_not_starve_who_wants_the_run(
    database: Database,
    store: PostgresStore,
    connections: ReadCommitted,
    take: Callable[[PostgresStore], object],
) -> None:
    store.claim_run(HALF, 1)
    with ThreadPoolExecutor(1) as pool, Stream(connections, HALF) as stream:
        taking = pool.submit(take, store)
        until(lambda: taking.done() or waiting(database) > 0)
        before = stream.begun
        until(lambda: taking.done() or stream.begun > before + HAND_OVERS)
        assert taking.done(), f"{stream.begun - before} writers went first"
        taking.result()
    with pytest.raises(Superseded), a_writer_of(connections, HALF):
        pass


def test_a_writer_that_comes_later_waits_behind_the_take_over_and_finds_itself_superseded(
    database: Database, store: PostgresStore, connections: ReadCommitted, naps: Naps
) -> None:
    store.claim_run(HALF, 1)
    with ThreadPoolExecutor(2) as pool:
        with a_writer_of(connections, HALF):
            taking = pool.submit(store.claim_run, HALF, 2)
            until(lambda: waiting(database) == 1)
            late = pool.submit(store.write_cell, fetched(1), HALF, 1)
            until(lambda: late.done() or waiting(database) == 2)
            assert not late.done(), "it went first"
            assert not taking.done()
        assert taking.result(30) == Claimed(1)
        with pytest.raises(Superseded):
            late.result(30)
    assert list(store.rows(CELL)) == []
    assert naps.taken == [], "neither had what the other waited for"


def test_writers_hold_the_run_side_by_side(store: PostgresStore, connections: ReadCommitted) -> None:
    store.claim_run(HALF, 1)
    with a_writer_of(connections, HALF), a_writer_of(connections, HALF):
        pass


def test_writers_of_one_shard_do_not_keep_another_waiting(
    store: PostgresStore, connections: ReadCommitted
) -> None:
    for shard in (HALF, OTHER_HALF):
        store.claim_run(shard, 1)
    with a_writer_of(connections, HALF):
        assert store.claim_run(OTHER_HALF, 2) == Claimed(1)
        store.finish_run(OTHER_HALF, 2, RunSummary(state=State.SUCCEEDED), complete=True)


def test_launches_that_divide_a_run_differently_do_not_wait_crosswise(
    database: Database, store: PostgresStore, connections: ReadCommitted, naps: Naps
) -> None:
    """Each takes the other's row as well as its own; both stand waiting when the writers of both rows end."""
    for run in (QUARTER, HALF):
        store.claim_run(run, 1)
    with ThreadPoolExecutor(2) as pool:
        with a_writer_of(connections, HALF), a_writer_of(connections, QUARTER):
            second: Future[object] = pool.submit(store.claim_run, QUARTER, 2)
            third: Future[object] = pool.submit(store.claim_run, HALF, 3)
            until(lambda: waiting(database) == 2)
        assert isinstance(third.result(30), Claimed)
        assert isinstance(second.exception(30), Superseded | None)
    assert naps.taken == [], "nobody had to try again"
    assert database.execute("SELECT DISTINCT launch FROM gsc.run") == [(3,)]


@pytest.mark.parametrize(
    ("of_before", "of_now"),
    [
        pytest.param("SELECT launch {} FOR SHARE", "claim", id="it writes and this program takes over"),
        pytest.param("SELECT launch {} FOR UPDATE", "write", id="it takes over and this program writes"),
    ],
)
def test_a_program_of_before_that_knows_the_row_only_is_waited_for(
    database: Database, store: PostgresStore, of_before: str, of_now: str
) -> None:
    """Both versions work on one run while an upgrade rolls."""
    store.claim_run(HALF, 1)
    works = {
        "claim": partial(store.claim_run, HALF, 2),
        "write": partial(store.write_cell, fetched(1), HALF, 1),
    }
    with psycopg.connect(database.uri) as old, ThreadPoolExecutor(1) as pool:
        old.execute(of_before.replace("{}", HELD), [HALF.schedule_uid, HALF.run_id, HALF.shard, HALF.shards])
        working: Future[object] = pool.submit(works[of_now])
        until(lambda: working.done() or waiting(database) == 1)
        assert not working.done(), "it went on beside the other"
        old.rollback()
        working.result(30)


def test_a_writer_that_waited_long_enough_is_to_try_again(
    database: Database, store: PostgresStore, connections: ReadCommitted
) -> None:
    """It gave up a lock, and did not lose its connection: nothing that this process remembers is in doubt."""
    store.claim_run(HALF, 1)
    with psycopg.connect(database.uri) as other:
        other.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", [LOCK, "gsc/uid-1/29000000/0/2"])
        with (
            pytest.raises(Transient, match="55P03") as gave_up,
            connections.transaction(lock_milliseconds=20) as connection,
        ):
            RunFence("gsc").hold(connection, HALF, 1)
    assert not gave_up.value.stale
    with a_writer_of(connections, HALF):
        pass
