"""`gsc.run`: who may write for a run. A name in Kubernetes locks only while its Job exists; this row outlives it.

A launch takes the row over only with a number as high as the one that stands there, and each cell is written while
the row is held: taking over waits for writers in flight, and writers that come later wait for it and find themselves
superseded. Two locks hold a row, this one first:

- an advisory lock, shared by writers: who waits for it is served in the order of coming. Writers that overlap without
  end would otherwise keep a take-over waiting for ever, since a row may be locked FOR SHARE past one who waits for it.
- the row's own, for a program of before, which knows no other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, cast

from contract import ContractError, RunSummary
from sync.store.memory import superseded
from sync.store.port import AlreadyComplete, Claimed, RunKey

if TYPE_CHECKING:
    from sync.store.connect import Connection

LOCK = 0x67736309
RUNNING, COMPLETE, ENDED = "running", "complete", "ended"
_HERE = "schedule_uid = %s AND run_id = %s AND shard = %s AND shards = %s"


class RunFence:
    def __init__(self, schema: str) -> None:
        self._schema, self._table = schema, f'"{schema}".run'

    def claim(
        self, connection: Connection, run: RunKey, launch: int, now: datetime
    ) -> Claimed | AlreadyComplete:
        key = _key(run)
        self._wait_for_writers(connection, [*self._divided_otherwise(connection, run, launch), run])
        # In one transaction with the claim: a launch that divides the run anew leaves nothing to those that did before.
        self._execute(
            connection,
            "UPDATE {} SET launch = %s WHERE schedule_uid = %s AND run_id = %s AND shards <> %s AND launch < %s",
            [launch, run.schedule_uid, run.run_id, run.shards, launch],
        )
        # Dying after this commit leaves the run in the hands of a launch that is gone: the next, higher one takes over.
        made = self._execute(
            connection,
            "INSERT INTO {} (schedule_uid, run_id, shard, shards, launch, state, started_at)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING RETURNING 1",
            [*key, launch, RUNNING, now],
        ).fetchone()
        if made:
            return Claimed(0)
        row = self._execute(
            connection,
            "SELECT launch, state, summary::text FROM {} WHERE " + _HERE + " FOR UPDATE",
            key,
        ).fetchone()
        assert row is not None
        holder, state, summary = row
        if state == COMPLETE and (stored := _read(summary)) is not None:
            return AlreadyComplete(stored)
        if holder > launch:
            raise superseded(run, launch, holder)
        self._execute(
            connection,
            "UPDATE {} SET launch = %s, state = %s WHERE " + _HERE,
            [launch, RUNNING, *key],
        )
        return Claimed(holder)

    def hold(self, connection: Connection, run: RunKey, launch: int) -> None:
        """Keep the row from being taken over until this transaction ends.

        Raises Superseded.
        """
        # Both in one trip: WHERE comes before FOR SHARE, and that reads what was committed while WHERE was waiting.
        row = self._execute(
            connection,
            "SELECT launch, state FROM {} WHERE "
            + _HERE
            + " AND pg_advisory_xact_lock_shared(%s, hashtext(%s)) IS NOT NULL"
            " FOR SHARE",
            [*_key(run), *self._lock(run)],
        ).fetchone()
        if row is None or row[0] != launch or row[1] == COMPLETE:
            raise superseded(run, launch, row[0] if row else 0)

    def finish(
        self,
        connection: Connection,
        run: RunKey,
        launch: int,
        summary: RunSummary,
        now: datetime,
        *,
        complete: bool,
    ) -> None:
        key = _key(run)
        self._wait_for_writers(connection, [run])
        row = self._execute(
            connection,
            "SELECT launch, state FROM {} WHERE " + _HERE + " FOR UPDATE",
            key,
        ).fetchone()
        if row is None or row[0] != launch:
            raise superseded(run, launch, row[0] if row else 0)
        if row[1] == COMPLETE:
            # We closed it ourselves, and the answer to that commit was lost.
            return
        # Dying before the commit: the next launch finds all cells done and finishes. After it: it repeats the summary.
        self._execute(
            connection,
            "UPDATE {} SET state = %s, summary = %s, finished_at = %s WHERE " + _HERE,
            [COMPLETE if complete else ENDED, _storable_json(summary.fit().to_json()), now, *key],
        )

    def _divided_otherwise(self, connection: Connection, run: RunKey, launch: int) -> list[RunKey]:
        """The rows that the launch takes away from lower ones."""
        found = self._execute(
            connection,
            "SELECT shard, shards FROM {} WHERE schedule_uid = %s AND run_id = %s AND shards <> %s AND launch < %s",
            [run.schedule_uid, run.run_id, run.shards, launch],
        )
        return [replace(run, shard=shard, shards=shards) for shard, shards in found]

    def _wait_for_writers(self, connection: Connection, runs: Sequence[RunKey]) -> None:
        """Always in the same order, so that two who want the same rows do not wait crosswise."""
        for each in sorted(runs, key=lambda each: (each.shards, each.shard)):
            connection.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", self._lock(each))

    def _lock(self, run: RunKey) -> list[Any]:
        """The two numbers of a row's advisory lock, the second one still as text."""
        return [LOCK, f"{self._schema}/{run.schedule_uid}/{run.run_id}/{run.shard}/{run.shards}"]

    def _execute(self, connection: Connection, statement: str, parameters: list[Any]) -> Any:
        return connection.execute(cast("Any", statement.replace("{}", self._table)), parameters)


def _key(run: RunKey) -> list[Any]:
    return [run.schedule_uid, run.run_id, run.shard, run.shards]


def _storable_json(text: str) -> str:
    """NUL is refused by jsonb, even when escaped."""
    return text.replace("\\u0000", "\\u2400")


def _read(text: str | None) -> RunSummary | None:
    """A stored summary; one that cannot be read any more does not stand in the way of doing the run again."""
    try:
        return RunSummary.from_json(text) if text else None
    except ContractError:
        return None
