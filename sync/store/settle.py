"""Makes the indexes and constraints that take long, beside readers and writers; a launch calls it when its rows are in.

look (catalogue: what is missing) -> alone (one launch at a time) -> make, step by step, until done or told to stop

Nothing is remembered but what the catalogue says, so dying anywhere is mended by the next launch: an index that was
cut off is INVALID, is dropped and made again; months that were done stay done. Statements that take long hold no lock
that anybody waits for; those that need such a lock are short, and wait for it as briefly as other DDL does.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

import psycopg

from sync.store.errors import translate
from sync.store.migrate import SHORT_LOCK_MILLISECONDS, revisions
from sync.store.settle_steps import WANTED, Constraint, Index, Step

if TYPE_CHECKING:
    from sync.store.connect import Connection, Connections

LOCK = 0x67736307
LOOK_SECONDS = 0.2
CANCEL_SECONDS = 5

_log = logging.getLogger(__name__)


class Settling:
    """The steps of one schema."""

    def __init__(self, schema: str, connections: Connections, wanted: Sequence[Step] = WANTED) -> None:
        self._schema, self._connections, self._wanted = schema, connections, wanted

    def __call__(self, enough: Callable[[], bool]) -> Sequence[str]:
        """Make what is missing until `enough` says so; the names of what is missing still.

        A step that cannot be made (its lock is not to be had, old rows break its rule) is told and left to the next time.

        Raises DatabaseUnavailable or DatabaseRefused when the database cannot be asked.
        """
        missing = self._missing()
        if not missing:
            return ()
        # The workers are done: two connections in place of theirs, so that a launch never has more than it may.
        self._connections.drop_idle()
        try:
            with self._alone() as alone, self._worker(enough) as connection:
                for step in missing if alone else ():
                    if enough():
                        break
                    self._try(connection, step)
        except psycopg.Error as error:
            raise translate(error, self._connections.hint) from error
        return [step.name for step in self._missing()]

    def _missing(self) -> list[Step]:
        with self._connections.transaction() as connection:
            (version,) = _row(connection, f'SELECT version_num FROM "{self._schema}".schema_version')
            if version != revisions()[-1]:
                # Older: the tables may not be there. Newer: what we want may have been taken away for good.
                return []
            return [step for step in self._wanted if not self._is_there(connection, step)]

    def _is_there(self, connection: Connection, step: Step) -> bool:
        if isinstance(step, Index):
            return self._valid(connection, step.name) is True
        return self._validated(connection, step.table, step.name) is True

    def _try(self, connection: Connection, step: Step) -> None:
        try:
            if isinstance(step, Index):
                self._make_index(connection, step)
            else:
                self._make_constraint(connection, step)
        except psycopg.Error as error:
            if connection.closed:
                raise
            _log.warning(
                "%s on %s is left to a later launch: %s",
                step.name,
                step.table,
                translate(error, self._connections.hint),
            )
        else:
            _log.info("%s on %s is there now", step.name, step.table)

    def _make_index(self, connection: Connection, step: Index) -> None:
        months = self._months(connection, step.table)
        if months is None:
            self._make_concurrently(connection, step.name, step.table, step.on)
            return
        # The index of the whole table is invalid until every month has its part. From here on a new month makes its own.
        self._briefly(
            connection, f"CREATE INDEX IF NOT EXISTS {step.name} ON ONLY {{}}.{step.table} {step.on}"
        )
        attached = (
            "SELECT 1 FROM pg_inherits JOIN pg_index ON indexrelid = inhrelid"
            " WHERE inhparent = to_regclass(%s) AND indrelid = to_regclass(%s)"
        )
        for month in months:
            if connection.execute(attached, [self._named(step.name), self._named(month)]).fetchone():
                continue
            part = step.name + month.removeprefix(step.table)
            self._make_concurrently(connection, part, month, step.on)
            # Dying before this leaves an index of the month alone, which the next launch only attaches.
            self._briefly(connection, f"ALTER INDEX {{}}.{step.name} ATTACH PARTITION {{}}.{part}")

    def _make_concurrently(self, connection: Connection, name: str, table: str, on: str) -> None:
        valid = self._valid(connection, name)
        if valid is False:
            # Left by one that was cut off. Whoever was making it is gone: we are alone.
            self._execute(connection, f"DROP INDEX CONCURRENTLY {{}}.{name}")
        if not valid:
            # Waits for transactions that are open, while new ones go on. Dying leaves an INVALID index, see above.
            self._execute(connection, f"CREATE INDEX CONCURRENTLY {name} ON {{}}.{table} {on}")

    def _make_constraint(self, connection: Connection, step: Constraint) -> None:
        if self._validated(connection, step.table, step.name) is None:
            # Dying after this leaves a rule for new rows only; the next launch looks at the old ones.
            self._briefly(
                connection,
                f"ALTER TABLE {{}}.{step.table} ADD CONSTRAINT {step.name} {step.rule.replace('{schema}', '{}')} NOT VALID",
            )
        for table in (*(self._months(connection, step.table) or ()), step.table):
            if self._validated(connection, table, step.name) is not True:
                self._execute(connection, f"ALTER TABLE {{}}.{table} VALIDATE CONSTRAINT {step.name}")

    def _months(self, connection: Connection, table: str) -> list[str] | None:
        """Names of the partitions, oldest first; None for a plain table."""
        (kind,) = _row(
            connection, "SELECT relkind FROM pg_class WHERE oid = %s::regclass", self._named(table)
        )
        if kind not in {"p", b"p"}:
            return None
        found = connection.execute(
            "SELECT relname FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid"
            " WHERE inhparent = %s::regclass ORDER BY relname",
            [self._named(table)],
        )
        return [name for (name,) in found]

    def _valid(self, connection: Connection, index: str) -> bool | None:
        """None when there is no such index."""
        question = "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(%s)"
        found = connection.execute(question, [self._named(index)]).fetchone()
        return bool(found[0]) if found else None

    def _validated(self, connection: Connection, table: str, constraint: str) -> bool | None:
        """None when there is no such constraint."""
        question = "SELECT convalidated FROM pg_constraint WHERE conrelid = to_regclass(%s) AND conname = %s"
        found = connection.execute(question, [self._named(table), constraint]).fetchone()
        return bool(found[0]) if found else None

    def _briefly(self, connection: Connection, statement: str) -> None:
        """DDL that readers and writers would queue behind: not while one of them is in the way for long."""
        with connection.transaction():
            connection.execute(
                "SELECT set_config('lock_timeout', %s, true)", [f"{SHORT_LOCK_MILLISECONDS}ms"]
            )
            self._execute(connection, statement)

    def _execute(self, connection: Connection, statement: str) -> None:
        connection.execute(cast("Any", statement.replace("{}", f'"{self._schema}"')))

    def _named(self, name: str) -> str:
        return f'"{self._schema}".{name}'

    @contextmanager
    def _alone(self) -> Iterator[bool]:
        """True for one launch at a time, by a transaction that holds a lock and, having no snapshot, delays nobody.

        The lock is never waited for: who waits has a snapshot, and an index that is being made waits for that.
        """
        connection = self._connections.connect()
        try:
            connection.isolation_level = psycopg.IsolationLevel.READ_COMMITTED
            with connection.transaction():
                # Without parameters: the answer to a statement with some keeps its snapshot until the next statement.
                (alone,) = _row(
                    connection, f"SELECT pg_try_advisory_xact_lock({LOCK}, hashtext('{self._schema}'))"
                )
                yield bool(alone)
        finally:
            connection.close()

    @contextmanager
    def _worker(self, enough: Callable[[], bool]) -> Iterator[Connection]:
        """A connection whose statement is cancelled when it is enough: no setting of the session, for poolers' sake."""
        connection = self._connections.connect()
        over = threading.Event()

        def watch() -> None:
            while not over.wait(LOOK_SECONDS):
                if enough():
                    # Again and again: between two statements it hits nothing.
                    try:
                        connection.cancel_safe(timeout=CANCEL_SECONDS)
                    except psycopg.Error:
                        _log.debug("the statement could not be cancelled", exc_info=True)

        watcher = threading.Thread(target=watch, name="settling", daemon=True)
        watcher.start()
        try:
            yield connection
        finally:
            over.set()
            watcher.join()
            connection.close()


def _row(connection: Connection, statement: str, *parameters: Any) -> tuple[Any, ...]:
    row = connection.execute(cast("Any", statement), parameters or None).fetchone()
    assert row is not None
    return row
