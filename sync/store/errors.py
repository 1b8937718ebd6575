"""What an error of Postgres means for a run, by its SQLSTATE.

OperationalError alone says nothing: a full disk, an index row that is too large and a restart all raise it. Three
answers: try the transaction again, let a later launch try, or tell a person. psycopg's text is repeated only as far
as it cannot hold a secret: connection errors may quote the whole connection string. A missing privilege is told as the
GRANT that gives it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import Enum

import psycopg

from sync.errors import DatabaseError, DatabaseIncompatible, DatabaseRefused, DatabaseUnavailable

LOST = {"57P01", "57P02", "57P03", "57P05", "25006", "25P03", "25P04", "40003"}
"""With class 08: the connection is gone, or leads to a server that is not the primary any more."""
REPEAT = {"40001", "40P01", "55P03", "57014"}
"""serialization failure, deadlock, lock timeout, statement timeout."""
NO_PARTITION = "23514"
"""No month for a row: somebody dropped it after this program had seen it. The tables have no other such check."""
NO_SUCH_NUMBER = "23503"
"""A number of a property that is not there: a failover or a person took it away after this program had seen it."""
TOO_MANY = "53300"
PRIVILEGE = "42501"

VERBS = ("SELECT", "INSERT", "UPDATE", "DELETE")
"""What the role must be able to do with every table."""

WORDS = {
    "53100": "The database's disk is full: make room, the retry picks it up",
    "53300": "The database has no connection left: raise max_connections or the role's limit, or lower the concurrency",
    "28P01": "The password was refused: check 'user' and 'password'",
    "28000": "The login was refused: check 'user', pg_hba.conf and 'sslmode'",
    "3D000": "The database does not exist: check 'dbname' or create it",
    "3F000": "The schema does not exist and could not be made",
    "42P01": "A table is missing: let the program migrate the schema",
    "42P07": "A table of that name is in the way (a detached month?): attach, rename or drop it",
    "25006": "The database is read-only (a standby?): point 'host' at the primary",
    "57P03": "The database is starting up or shutting down",
}

SIGNS = (
    ("password authentication failed", "28P01"),
    ("no pg_hba.conf entry", "28000"),
    ("too many", TOO_MANY),
    ("remaining connection slots", TOO_MANY),
    ("permission denied for database", PRIVILEGE),
    ('role "', "28000"),
    ("does not exist", "3D000"),
    ("starting up", "57P03"),
    ("shutting down", "57P03"),
    ("session is read-only", "25006"),
    ("not accepting connections", "57P03"),
)
"""While connecting there is no SQLSTATE, only words (of a server that speaks English)."""

MISSING = (
    (
        ("root certificate file", "does not exist"),
        "A CA certificate is missing to verify the database: put it as `ca.crt` into the Secret, without 'sslrootcert' in 'uri', or use sslmode=require",
    ),
    (
        ("no password supplied",),
        "The database asks for a password and the Secret has none: add the key 'password', or a password in 'uri'",
    ),
)
"""What libpq itself says before the server is asked to let us in: all signs of a row, and what a person must add."""

TLS_LOST = ("ssl syscall", "unexpected eof", "eof detected", "closed unexpectedly")
TLS_WRONG = ("ssl error", "support ssl", "ssl negotiation", "certificate")


class Transient(DatabaseUnavailable):
    """Worth repeating at once: the same transaction may well succeed."""

    def __init__(self, message: str, *, stale: bool = False) -> None:
        """`stale`: what this process remembers (idle connections, ids, months) may not be true any more."""
        super().__init__(message)
        self.stale = stale


class TooManyConnections(Transient):
    """Wait until one of ours is free, or the server has room again."""


class Kind(Enum):
    REPEAT = "repeat"
    STALE = "stale"
    TOO_MANY = "too many"
    UNAVAILABLE = "unavailable"
    REFUSED = "refused"
    INCOMPATIBLE = "incompatible"


def kind_of(sqlstate: str) -> Kind:
    """The table of this module; an unknown state is for a person, since repeating it would hide a bug."""
    if sqlstate in REPEAT:
        return Kind.REPEAT
    if sqlstate in LOST or sqlstate in {NO_PARTITION, NO_SUCH_NUMBER} or sqlstate[:2] == "08":
        return Kind.STALE
    if sqlstate == TOO_MANY:
        return Kind.TOO_MANY
    if sqlstate in {"22P05", "22021"}:
        return Kind.INCOMPATIBLE
    if sqlstate[:2] in {"53", "58", "57"}:
        return Kind.UNAVAILABLE
    return Kind.REFUSED


def translate(error: psycopg.Error, hint: str) -> DatabaseError:
    """The error of this program for one of psycopg, with what to do next and without secrets."""
    state = error.sqlstate or ""
    if state:
        detail = (error.diag.message_primary or type(error).__name__)[:160]
        words = _privilege(detail) if state == PRIVILEGE else WORDS.get(state, "The database refused")
        return _of_kind(kind_of(state), f"{words} (SQLSTATE {state}: {detail}; {hint}).")
    if isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
        return _without_state(error, hint)
    # Not from the server: a value that no column takes. Repeating it would fail for ever.
    return DatabaseRefused(f"The database driver refused a value ({type(error).__name__}; {hint}).")


def _of_kind(kind: Kind, text: str) -> DatabaseError:
    match kind:
        case Kind.REPEAT:
            return Transient(text)
        case Kind.STALE:
            return Transient(text, stale=True)
        case Kind.TOO_MANY:
            return TooManyConnections(text)
        case Kind.UNAVAILABLE:
            return DatabaseUnavailable(text)
        case Kind.REFUSED:
            return DatabaseRefused(text)
        case Kind.INCOMPATIBLE:
            return DatabaseIncompatible(text)


def _without_state(error: psycopg.Error, hint: str) -> DatabaseError:
    """Refused, no route, bad name, wrong TLS, a login refused before a SQLSTATE reached us, or a lost connection."""
    said = str(error)
    # Only what the server itself said is repeated: libpq's own words may quote what it was given.
    server = re.search(r"(?:FATAL|FEHLER|ERROR)\s*:\s*([^\n]{1,160})", said)
    detail = f": {server[1]}" if server else ""
    for signs, words in MISSING:
        if all(sign in said.lower() for sign in signs):
            return DatabaseRefused(f"{words} ({hint}).")
    for sign, state in SIGNS:
        if sign in said.lower():
            words = _privilege(server[1] if server else "", "CONNECT") if state == PRIVILEGE else WORDS[state]
            return _of_kind(kind_of(state), f"{words} ({hint}{detail}).")
    lost = any(sign in said.lower() for sign in TLS_LOST)
    if not lost and any(sign in said.lower() for sign in TLS_WRONG):
        return DatabaseRefused(f"TLS with the database failed: check 'sslmode' and 'ca.crt' ({hint}).")
    return Transient(
        "The database cannot be reached or dropped the connection: check that it runs, that 'host' and 'port' are right, and that "
        f"the network policy lets its port through (`networkPolicy.postgresPorts` of the chart) ({hint}{detail}).",
        stale=True,
    )


def grant(verbs: Sequence[str], on: str, role: str) -> str:
    return f"GRANT {', '.join(verbs)} ON {on} TO {role};"


def _privilege(said: str, of_database: str = "CREATE") -> str:
    """The GRANT that is missing, as far as the server's words tell; its error knows neither the role nor a table's schema.

    `of_database` is what a refusal of the database as a whole is about.
    """
    schema, tables = "SCHEMA <schema>", "ALL TABLES IN SCHEMA <schema>"
    wanted = [grant(("USAGE", "CREATE"), schema, "<role>"), grant(VERBS, tables, "<role>")]
    if found := re.search(r'temporary tables in database "?([^"]+)', said):
        wanted = [grant(("TEMPORARY",), f'DATABASE "{found[1]}"', "<role>")]
    elif found := re.search(r'permission denied for (database|schema|table|view) "?([^"]+)', said):
        kind, name = found[1], found[2]
        if kind == "database":
            wanted = [grant((of_database,), f'DATABASE "{name}"', "<role>")]
        elif kind == "schema":
            wanted = [grant(("USAGE", "CREATE"), f'SCHEMA "{name}"', "<role>")]
        else:
            wanted = wanted[1:]
    elif "must be owner" in said:
        wanted = ["GRANT <owner of the tables> TO <role>;"]
    return f"A privilege is missing. As an administrator: `{' '.join(wanted)}` with the role of the Secret's 'user'"
