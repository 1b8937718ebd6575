"""Brings the schema to this program's version, or says why not.

Alembic runs inside one transaction under a transaction-level advisory lock, so two programs that start together take
turns and a pooler in transaction mode does no harm. For its turn a program waits long; for a table's lock, which readers
would queue behind, as briefly as other DDL does, and again a few seconds later. Alembic is imported only when there is something to migrate: it takes
longer to load than a run with nothing new takes to finish. An older program works on a newer schema unless the schema's
`min_program_version` says no: schemas expand first and contract releases later.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import psycopg

from sync.errors import DatabaseIncompatible, DatabaseRefused
from sync.store.errors import Transient, translate

if TYPE_CHECKING:
    from alembic.config import Config

    from sync.store.connect import Connection, Connections

PROGRAM_VERSION = 1
"""Compared with the schema's `min_program_version`; rises when old programs could do harm."""

MIGRATIONS = Path(__file__).parent / "migrations"
OLDEST_SERVER = 150_000
LOCK = 0x67736301
TURN_MILLISECONDS = 120_000
SHORT_LOCK_MILLISECONDS = 2_000
"""For DDL: readers must not queue behind one that waits."""


def migrate(connections: Connections, schema: str, *, apply: bool = True) -> None:
    """Raises DatabaseIncompatible, DatabaseRefused or DatabaseUnavailable."""
    with connections.transaction() as connection:
        problems = incompatibilities(connection)
        if problems:
            raise DatabaseIncompatible(" ".join(problems))
        current = is_current(connection, schema)
    if current:
        return
    if not apply:
        raise DatabaseRefused(
            f"Schema {schema!r} is missing or older than this program, which may not change it: let a program that may migrate run once."
        )
    from alembic import command  # noqa: PLC0415

    _locked(connections, schema, lambda config: command.upgrade(config, "head"))


def incompatibilities(connection: Connection) -> Sequence[str]:
    """What no retry can change."""
    problems = []
    row = connection.execute(
        "SELECT current_setting('server_version_num')::int, current_setting('server_encoding')"
    ).fetchone()
    assert row is not None
    version, encoding = row
    if version < OLDEST_SERVER:
        problems.append(f"Postgres {version // 10000} is too old; 15 or newer is needed.")
    if encoding != "UTF8":
        problems.append(
            f"The database's encoding is {encoding}; it must be UTF8 (create the database WITH ENCODING 'UTF8')."
        )
    return problems


def is_current(connection: Connection, schema: str) -> bool:
    """True when nothing is to be done; raises DatabaseIncompatible when the schema is too new for this program."""
    table = f'"{schema}"'
    names = [f"{table}.schema_version", f"{table}.meta"]
    if None in (connection.execute("SELECT to_regclass(%s), to_regclass(%s)", names).fetchone() or (None,)):
        return False
    row = connection.execute(
        cast(
            "Any",
            f"SELECT version_num, (SELECT value FROM {table}.meta WHERE key = 'min_program_version')"
            f" FROM {table}.schema_version",
        )
    ).fetchone()
    if row is None:
        return False
    present, least = row
    if least is not None and int(least) > PROGRAM_VERSION:
        raise DatabaseIncompatible(
            f"Schema {schema!r} has version {present} and asks for program version {least}; this program has {PROGRAM_VERSION}. Use a newer image."
        )
    # A version that this program does not know is newer: it was made so that we can work with it.
    return present not in revisions()[:-1]


@lru_cache(maxsize=1)
def revisions() -> Sequence[str]:
    """The versions this program knows, oldest first, by the names of their files: `v0001_first.py` is 0001."""
    files = (MIGRATIONS / "versions").glob("v[0-9]*_*.py")
    return sorted(file.name[1:].partition("_")[0] for file in files)


def downgrade(connections: Connections, schema: str, version: str = "base") -> None:
    """Back to an older version, or to nothing, with the data that came since. For tests of the migrations."""
    from alembic import command  # noqa: PLC0415

    _locked(connections, schema, lambda config: command.downgrade(config, version))


def _locked(connections: Connections, schema: str, step: Callable[[Config], None]) -> None:
    """One transaction of SQLAlchemy, under the lock: dying before its commit leaves nothing, after it everything."""
    import sqlalchemy  # noqa: PLC0415
    import sqlalchemy.exc  # noqa: PLC0415
    import sqlalchemy.pool  # noqa: PLC0415

    engine = sqlalchemy.create_engine(
        "postgresql+psycopg://",
        creator=lambda: connections.connect(autocommit=False),
        poolclass=sqlalchemy.pool.NullPool,
    )
    config = _config(schema)
    waits = sqlalchemy.text("SELECT set_config('lock_timeout', :milliseconds, true)")
    our_turn = False
    try:
        with engine.begin() as lent:
            lent.execute(waits, {"milliseconds": f"{TURN_MILLISECONDS}ms"})
            lent.execute(
                sqlalchemy.text("SELECT pg_advisory_xact_lock(:lock, hashtext(:schema))"),
                {"lock": LOCK, "schema": schema},
            )
            our_turn = True
            lent.execute(waits, {"milliseconds": f"{SHORT_LOCK_MILLISECONDS}ms"})
            found = lent.execute(
                sqlalchemy.text("SELECT to_regnamespace(:name) IS NOT NULL"), {"name": f'"{schema}"'}
            ).scalar_one()
            if not found:
                lent.execute(sqlalchemy.text(f'CREATE SCHEMA "{schema}"'))
            config.attributes["connection"] = lent
            step(config)
    except sqlalchemy.exc.DBAPIError as error:
        if our_turn and isinstance(error.orig, psycopg.errors.LockNotAvailable):
            raise _in_use(connections, schema) from error
        if isinstance(error.orig, psycopg.Error):
            raise translate(error.orig, connections.hint) from error
        raise
    finally:
        engine.dispose()


def _in_use(connections: Connections, schema: str) -> Transient:
    """Who has the tables open. Tried again as after a lost connection, in seconds: a reader takes longer than a conflict."""
    with connections.transaction() as connection:
        found = connection.execute(
            "SELECT pid, usename, application_name, age FROM ("
            "SELECT DISTINCT pid, usename, application_name, xact_start,"
            " date_trunc('second', clock_timestamp() - xact_start)::text AS age"
            " FROM pg_locks JOIN pg_class ON pg_class.oid = relation JOIN pg_stat_activity USING (pid)"
            " WHERE granted AND relnamespace = to_regnamespace(%s) AND datname = current_database()"
            " AND pid <> pg_backend_pid()) AS held ORDER BY xact_start LIMIT 3",
            [f'"{schema}"'],
        ).fetchall()
    held = [
        f"process {pid} of {user or '?'} ({program or 'no name'}{f', for {age}' if age else ''})"
        for pid, user, program, age in found
    ]
    # Whoever it was may be gone by now.
    who = f" These have it open: {'; '.join(held)}." if held else ""
    return Transient(
        f"The tables of schema {schema!r} must be changed for this version and others are using them.{who} Wait until they"
        f" are done or end them (`SELECT pg_terminate_backend(<process>)`); the next launch tries again ({connections.hint}).",
        stale=True,
    )


def _config(schema: str) -> Config:
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["schema"] = schema
    return config
