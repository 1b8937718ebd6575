"""The table of budgets in Postgres: one short transaction for all leases that a launch renews at once.

Rows are made and locked in the order of their names, so that Jobs which share several cannot wait crosswise. Time is
the database's, read after the locks are held. A connection of its own, with time-outs of a second or two, keeps a
renewal from queueing behind writers; nothing outlives a transaction, so a pooler in transaction mode may stand between.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from contract import Destination
from sync.errors import DatabaseUnavailable
from sync.quota.bucket import Ask, Bucket, Grant, Lease, renew
from sync.quota.keeping import KEPT_LEARNED_SECONDS, KEPT_PLAIN_SECONDS
from sync.quota.learning import Learned, Minute
from sync.quota.names import BucketName, Scope
from sync.quota.rest import REMEMBERED_SECONDS, Rest, Spent
from sync.store.connect import Connections
from sync.store.errors import Transient

if TYPE_CHECKING:
    from sync.store.connect import Connection

LOCK_MILLISECONDS = 1_000
STATEMENT_MILLISECONDS = 2_000
PRUNED_AT_ONCE = 10_000
TRIES = 10

_MAKE = (
    "INSERT INTO {} (scope, name) SELECT scope, name FROM unnest(%s::text[], %s::text[]) AS new (scope, name)"
    ' ORDER BY scope COLLATE "C", name COLLATE "C" ON CONFLICT DO NOTHING'
)
_LOCK = (
    "WITH locked AS MATERIALIZED (SELECT * FROM {}"
    " WHERE (scope, name) IN (SELECT * FROM unnest(%s::text[], %s::text[])) ORDER BY scope, name FOR UPDATE)"
    " SELECT scope, name, leases, learned, refused_at_rate, learned_step, epoch, refused, accepted_since, in_a_row,"
    " extract(epoch FROM changed_at)::float8, extract(epoch FROM paused_until)::float8, rest_reason,"
    " extract(epoch FROM rest_until)::float8, last_minute, asked, extract(epoch FROM touched_at)::float8,"
    " extract(epoch FROM clock_timestamp())::float8 FROM locked"
)
"""The last row is read when all are locked, so its clock is the time of the renewal."""
_KEEP = (
    "UPDATE {} SET leases = %s, learned = %s, refused_at_rate = %s, learned_step = %s, epoch = %s, refused = %s,"
    " accepted_since = %s, in_a_row = %s, changed_at = to_timestamp(%s), paused_until = to_timestamp(%s),"
    " rest_reason = %s, rest_until = to_timestamp(%s), last_minute = %s, asked = %s, touched_at = to_timestamp(%s)"
    " WHERE scope = %s AND name = %s"
)
_PRUNE = (
    "DELETE FROM {} WHERE (scope, name) IN (SELECT scope, name FROM {} WHERE"
    " touched_at < clock_timestamp() - make_interval(secs => CASE WHEN learned IS NULL THEN %s ELSE %s END)"
    " AND (rest_until IS NULL OR rest_until < clock_timestamp() - make_interval(secs => %s))"
    " LIMIT %s FOR UPDATE SKIP LOCKED)"
)


class PostgresQuotaTable:
    """See `sync.quota.port`. Needs the schema to be there."""

    def __init__(self, destination: Destination, *, lock_milliseconds: int = LOCK_MILLISECONDS) -> None:
        self._connections = Connections(destination, limit=1)
        self._table = f'"{destination.schema_name}".quota'
        self._lock_milliseconds = lock_milliseconds
        self._made: set[BucketName] = set()

    def renew(self, asks: Sequence[Ask]) -> Mapping[BucketName, Grant]:
        for _ in range(TRIES):
            try:
                return self._renew(asks)
            except _RowsGoneError:
                # Forgotten by somebody since we made them, so they are made anew.
                self._made.clear()
        raise DatabaseUnavailable("The rows of Google's quotas are deleted as fast as they are made.")

    def prune(self) -> int:
        with self._connections.transaction(lock_milliseconds=self._lock_milliseconds) as connection:
            # Dying before the commit: the rows are forgotten another time. After it: who needs one makes it anew.
            bounds = [KEPT_PLAIN_SECONDS, KEPT_LEARNED_SECONDS, REMEMBERED_SECONDS, PRUNED_AT_ONCE]
            gone: int = self._execute(connection, _PRUNE, bounds).rowcount
        self._made.clear()
        return gone

    def close(self) -> None:
        self._connections.close()

    def _renew(self, asks: Sequence[Ask]) -> Mapping[BucketName, Grant]:
        by_name = {ask.name: ask for ask in asks}
        names = sorted(by_name)
        try:
            with self._connections.transaction(lock_milliseconds=self._lock_milliseconds) as connection:
                now, buckets = self._lock(connection, names)
                grants: dict[BucketName, Grant] = {}
                changed = []
                for bucket in buckets:
                    after, grants[bucket.name] = renew(bucket, by_name[bucket.name], now)
                    changed.append(_values(after))
                # Dying before the commit: what was done since the last renewal goes uncounted, and the old leases run
                # out. After it: the new ones do.
                connection.cursor().executemany(cast("Any", self._on(_KEEP)), changed)
        except Transient as error:
            if error.stale:
                self._made.clear()
                self._connections.drop_idle()
            raise
        self._made.update(names)
        return grants

    def _lock(self, connection: Connection, names: Sequence[BucketName]) -> tuple[float, list[Bucket]]:
        """The rows, locked, and the time at which they were."""
        # Losing a renewal to a crash of the server costs nothing, so nobody waits for its disk.
        connection.execute(
            "SELECT set_config('statement_timeout', %s, true), set_config('synchronous_commit', 'off', true)",
            [f"{STATEMENT_MILLISECONDS}ms"],
        )
        if new := [name for name in names if name not in self._made]:
            self._execute(connection, _MAKE, [*_columns(new)])
        rows = self._execute(connection, _LOCK, [*_columns(names)]).fetchall()
        if len(rows) < len(names):
            raise _RowsGoneError
        return max(row[-1] for row in rows), [_bucket(row[:-1]) for row in rows]

    def _execute(self, connection: Connection, statement: str, parameters: list[Any]) -> Any:
        return connection.execute(cast("Any", self._on(statement)), parameters)

    def _on(self, statement: str) -> str:
        return statement.replace("{}", self._table)


class _RowsGoneError(Exception):
    """Some rows are not there any more."""


def _columns(names: Sequence[BucketName]) -> tuple[list[str], list[str]]:
    return [name.scope.value for name in names], [name.name for name in names]


def _bucket(row: Sequence[Any]) -> Bucket:
    (
        scope, name, leases, learned, refused_rate, step, epoch, refused, accepted, in_a_row, changed_at, paused_until,
        rest_reason, rest_until, minute, asked, touched_at,
    ) = row  # fmt: skip
    return Bucket(
        BucketName(Scope(scope), name),
        Learned(learned, refused_rate, step, epoch, refused, accepted, in_a_row, changed_at, paused_until),
        Minute(tuple(zip(minute[::2], minute[1::2], strict=True))),
        tuple(Lease(**lease) for lease in leases),
        Rest(Spent(rest_reason), rest_until) if rest_reason else None,
        asked,
        touched_at,
    )


def _values(bucket: Bucket) -> list[Any]:
    learned, rest = bucket.learned, bucket.rest
    leases = [
        {
            "holder": lease.holder, "share": lease.share, "wants": lease.wants, "ceiling": lease.ceiling,
            "until": lease.until,
        }
        for lease in bucket.leases
    ]  # fmt: skip
    return [
        json.dumps(leases), learned.rate, learned.refused, learned.step, learned.epoch, learned.refusals,
        learned.accepted, learned.in_a_row, learned.changed_at, learned.paused_until,
        rest.spent.value if rest else None, rest.until if rest else None,
        [number for slot in bucket.minute.slots for number in slot], bucket.asked, bucket.touched_at,
        bucket.name.scope.value, bucket.name.name,
    ]  # fmt: skip
