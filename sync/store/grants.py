"""What `python -m sync check` says of a database: sentences with the next step, found without changing anything."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

from sync.errors import DatabaseError
from sync.store.errors import VERBS, grant
from sync.store.layouts import LAYOUTS
from sync.store.migrate import incompatibilities, is_current

if TYPE_CHECKING:
    from sync.store.connect import Connection, Connections

FACTS = tuple(layout.table for layout in LAYOUTS.values())
TABLES = (
    "property",
    "page",
    "query",
    "country",
    "device",
    "appearance",
    "search_type",
    *FACTS,
    "ledger",
    "run",
    "quarantine",
    "property_access",
    "sitemap",
    "sitemap_list",
    "url_inspection",
    "quota",
)
_THERE = "SELECT to_regclass(%s) IS NOT NULL"
"""An older schema has fewer tables; the migration makes the rest."""


def problems(connections: Connections, schema: str) -> Sequence[str]:
    """Empty when the sync can work."""
    try:
        with connections.transaction() as connection:
            found = list(incompatibilities(connection))
            if _one(connection, "SELECT pg_is_in_recovery()"):
                found.append("The database is a read-only standby: point 'host' at the primary.")
            return found + _privileges(connection, schema)
    except DatabaseError as error:
        return [str(error)]


def _privileges(connection: Connection, schema: str) -> list[str]:
    user, database = connection.execute("SELECT current_user, current_database()").fetchone() or ("", "")
    role, in_database, in_schema = f'"{user}"', f'DATABASE "{database}"', f'SCHEMA "{schema}"'
    if not _one(connection, "SELECT to_regnamespace(%s) IS NOT NULL", f'"{schema}"'):
        if _one(connection, "SELECT has_database_privilege(current_database(), 'CREATE')"):
            return []
        return [
            f"The schema {schema!r} is missing and may not be made: {grant(('CREATE',), in_database, role)}"
        ]
    found = [
        f"{grant((verb,), in_schema, role)} is needed."
        for verb in ("USAGE", "CREATE")
        if not _one(connection, "SELECT has_schema_privilege(%s, %s)", schema, verb)
    ]
    if found or not _one(connection, "SELECT to_regclass(%s) IS NOT NULL", f'"{schema}".schema_version'):
        return found
    if not _one(connection, "SELECT has_database_privilege(current_database(), 'TEMPORARY')"):
        found.append(f"{grant(('TEMPORARY',), in_database, role)} is needed.")
    there = [name for name in TABLES if _one(connection, _THERE, f'"{schema}".{name}')]
    for table in there:
        name = f'"{schema}".{table}'
        owner, owns = connection.execute(
            "SELECT relowner::regrole::text, pg_has_role(relowner, 'USAGE') FROM pg_class WHERE oid = to_regclass(%s)",
            [name],
        ).fetchone() or ("", True)
        if table in FACTS and not owns:
            found.append(
                f"Months are added to {table} by its owner only: GRANT {owner} TO {role}; or write as {owner}."
            )
        missing = [
            verb for verb in VERBS if not _one(connection, "SELECT has_table_privilege(%s, %s)", name, verb)
        ]
        if missing:
            found.append(f"{grant(missing, name, role)} is needed.")
    if not found:
        is_current(connection, schema)
    return found


def _one(connection: Connection, statement: str, *parameters: Any) -> Any:
    row = connection.execute(cast("Any", statement), parameters).fetchone()
    return row[0] if row else None
