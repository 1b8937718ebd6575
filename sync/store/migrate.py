"""Brings the schema to this program's version, or says why not.

Alembic runs inside one transaction under a transaction-level advisory lock, so two programs that start together take
turns and a pooler in transaction mode does no harm. An older program works on a newer schema unless the schema's
`min_program_version` says no: schemas expand first and contract releases later.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import psycopg
import sqlalchemy
import sqlalchemy.exc
import sqlalchemy.pool
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory

from sync.errors import DatabaseIncompatible, DatabaseRefused
from sync.store.errors import translate

if TYPE_CHECKING:
    from sync.store.connect import Connection, Connections

PROGRAM_VERSION = 1
"""Compared with the schema's `min_program_version`; rises when old programs could do harm."""

OLDEST_SERVER = 150_000
LOCK = 0x67736301


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
    script = ScriptDirectory.from_config(_config(schema))
    older = {revision.revision for revision in script.walk_revisions()} - {script.get_current_head()}
    # A version that this program does not know is newer: it was made so that we can work with it.
    return present not in older


def downgrade(connections: Connections, schema: str, version: str = "base") -> None:
    """Back to an older version, or to nothing, with the data that came since. For tests of the migrations."""
    _locked(connections, schema, lambda config: command.downgrade(config, version))


def _locked(connections: Connections, schema: str, step: Callable[[Config], None]) -> None:
    """One transaction of SQLAlchemy, under the lock: dying before its commit leaves nothing, after it everything."""
    engine = sqlalchemy.create_engine(
        "postgresql+psycopg://",
        creator=lambda: connections.connect(autocommit=False),
        poolclass=sqlalchemy.pool.NullPool,
    )
    config = _config(schema)
    try:
        with engine.begin() as lent:
            lent.execute(sqlalchemy.text("SELECT set_config('lock_timeout', '120s', true)"))
            lent.execute(
                sqlalchemy.text("SELECT pg_advisory_xact_lock(:lock, hashtext(:schema))"),
                {"lock": LOCK, "schema": schema},
            )
            found = lent.execute(
                sqlalchemy.text("SELECT to_regnamespace(:name) IS NOT NULL"), {"name": f'"{schema}"'}
            ).scalar_one()
            if not found:
                lent.execute(sqlalchemy.text(f'CREATE SCHEMA "{schema}"'))
            config.attributes["connection"] = lent
            step(config)
    except sqlalchemy.exc.DBAPIError as error:
        if isinstance(error.orig, psycopg.Error):
            raise translate(error.orig, connections.hint) from error
        raise
    finally:
        engine.dispose()


def _config(schema: str) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["schema"] = schema
    return config
