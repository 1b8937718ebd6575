"""What an error of Postgres means for a run, by its SQLSTATE.

OperationalError alone says nothing: a full disk, an index row that is too large and a restart all raise it. Three
answers: try the transaction again, let a later launch try, or tell a person. psycopg's text is repeated only as far
as it cannot hold a secret: connection errors may quote the whole connection string.
"""

from __future__ import annotations

from enum import Enum

import psycopg

from sync.errors import DatabaseError, DatabaseIncompatible, DatabaseRefused, DatabaseUnavailable

LOST = {"", "08000", "08003", "08006", "57P01", "57P02", "57P03", "25006", "25P03"}
REPEAT = {"40001", "40P01", "55P03", "57014"}
"""serialization failure, deadlock, lock timeout, statement timeout."""

WORDS = {
    "53100": "The database's disk is full: make room, the retry picks it up",
    "53300": "The database has no connection left: raise max_connections or lower the concurrency",
    "28P01": "The password was refused: check 'user' and 'password'",
    "28000": "The login was refused: check 'user', pg_hba.conf and 'sslmode'",
    "3D000": "The database does not exist: check 'dbname' or create it",
    "3F000": "The schema does not exist and could not be made",
    "42501": "A privilege is missing: run `python -m sync check` for the GRANTs",
    "25006": "The database is read-only (a standby?): point 'host' at the primary",
    "57P03": "The database is starting up or shutting down",
}


class Transient(DatabaseUnavailable):
    """Worth repeating at once: the same transaction may well succeed."""


class Kind(Enum):
    TRANSIENT = "transient"
    UNAVAILABLE = "unavailable"
    REFUSED = "refused"
    INCOMPATIBLE = "incompatible"


def kind_of(sqlstate: str) -> Kind:
    """The table of this module; an unknown state is for a person, since repeating it would hide a bug."""
    if sqlstate in LOST or sqlstate in REPEAT:
        return Kind.TRANSIENT
    if sqlstate in {"22P05", "22021"}:
        return Kind.INCOMPATIBLE
    if sqlstate[:2] in {"53", "58", "57", "08"}:
        return Kind.UNAVAILABLE
    return Kind.REFUSED


def translate(error: psycopg.Error, hint: str) -> DatabaseError:
    """The error of this program for one of psycopg, with what to do next and without secrets."""
    state = error.sqlstate or ""
    if not state and isinstance(error, psycopg.OperationalError):
        # Refused, no route, bad name, wrong TLS, or a login refused before a SQLSTATE reached us.
        return _without_state(error, hint)
    words = WORDS.get(state, "")
    detail = (error.diag.message_primary or type(error).__name__)[:160]
    text = f"{words or 'The database refused'} (SQLSTATE {state or 'none'}: {detail}; {hint})."
    classes = {
        Kind.TRANSIENT: Transient,
        Kind.UNAVAILABLE: DatabaseUnavailable,
        Kind.REFUSED: DatabaseRefused,
        Kind.INCOMPATIBLE: DatabaseIncompatible,
    }
    return classes[kind_of(state)](text)


def _without_state(error: psycopg.OperationalError, hint: str) -> DatabaseError:
    said = str(error).lower()
    for sign, state in (("password authentication failed", "28P01"), ("no pg_hba.conf entry", "28000"), ("does not exist", "3D000"),
                        ("too many", "53300"), ("starting up", "57P03"), ("shutting down", "57P03")):  # fmt: skip
        if sign in said:
            text = f"{WORDS[state]} ({hint})."
            return {"53300": DatabaseUnavailable, "57P03": Transient}.get(state, DatabaseRefused)(text)
    if "ssl" in said or "certificate" in said:
        return DatabaseRefused(f"TLS with the database failed: check 'sslmode' and 'ca.crt' ({hint}).")
    return Transient(
        f"The database cannot be reached or dropped the connection: check that it runs and that 'host' and 'port' are right ({hint})."
    )
