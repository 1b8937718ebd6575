"""From the mounted Secret to connections: one a transaction, made when needed, dropped when in doubt.

The files are read for every new connection, so a rotated password is picked up. No session state is used outside a
transaction and prepared statements are off, so a transaction-mode pooler may stand in between.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from psycopg.conninfo import make_conninfo
from psycopg.pq import Conninfo

from contract import Destination
from sync.errors import DatabaseRefused
from sync.store.errors import TooManyConnections, translate

PARTS = ("host", "port", "dbname", "user", "password", "sslmode")
CONNECT_SECONDS = 10
WAIT_SECONDS = 60
LOCK_MILLISECONDS = 30_000
STATEMENT_MILLISECONDS = 300_000

BUNDLES = (
    "~/.postgresql/root.crt",
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)
"""Where certificate authorities are found when the Secret has none: a person's own, as libpq does; Debian's, and so our
image's; Red Hat's; SUSE's; Alpine's and macOS's."""

DEFAULTS = {
    "application_name": "gsc-sync",
    "connect_timeout": CONNECT_SECONDS,
    # A peer that vanished without a word is noticed in a minute, not in the two hours of the kernel.
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 60_000,
}
"""Settings that the Secret's `uri` may override."""

Connection = psycopg.Connection[tuple[Any, ...]]


def conninfo(destination: Destination, bundles: Sequence[str] = BUNDLES) -> str:
    """The connection string out of the files of the Secret.

    `uri` wins over the single parts, which may still add what it leaves out. With `ca.crt` the server's name and
    certificate are verified; without it and without `sslmode`, TLS is required. Where `sslmode` is `verify-full` and nobody
    names an authority, those of the first of `bundles` that is there are trusted, so that public ones need no `ca.crt`.

    Raises DatabaseRefused when there is nothing to connect to.
    """
    folder = Path(destination.path)
    values = {name: _read(folder / name) for name in ("uri", *PARTS)}
    ca = folder / "ca.crt"
    where = destination.hint or f"the files below {folder}"
    if not values["uri"] and not values["host"]:
        raise DatabaseRefused(
            f"The destination is incomplete: {where} must have the key 'uri', or 'host' with 'dbname', 'user' and 'password'. Add it; the retry picks it up."
        )
    parameters: dict[str, Any] = {name: values[name] for name in PARTS if values[name]}
    try:
        given = psycopg.conninfo.conninfo_to_dict(values["uri"] or "")
        if "sslmode" not in given and "sslmode" not in parameters:
            parameters["sslmode"] = "verify-full" if ca.exists() else "require"
        # Not for verify-ca: a public authority signs for anybody, and nothing but the name tells whom.
        verifies = (given.get("sslmode") or parameters.get("sslmode")) == "verify-full"
        if "sslrootcert" not in given:
            if ca.exists():
                parameters["sslrootcert"] = str(ca)
            elif verifies and not _named_by_environment() and (bundle := _first(bundles)):
                parameters["sslrootcert"] = bundle
        if "," in str(given.get("host") or parameters.get("host", "")):
            # Several hosts are a cluster: only its primary takes writes.
            parameters["target_session_attrs"] = "read-write"
        parameters = {**DEFAULTS, **parameters}
        return make_conninfo(
            values["uri"] or "", **{name: value for name, value in parameters.items() if name not in given}
        )
    except psycopg.ProgrammingError:
        # Its text may quote the password, so it is not repeated.
        raise DatabaseRefused(
            f"The destination cannot be understood: check 'uri' or 'host' and 'port' in {where}."
        ) from None


def _named_by_environment() -> bool:
    """Whether libpq takes its authorities from PGSSLROOTCERT."""
    return any(option.keyword == b"sslrootcert" and option.val for option in Conninfo.get_defaults())


def _first(files: Sequence[str]) -> str:
    return next((file for file in map(os.path.expanduser, files) if os.access(file, os.R_OK)), "")


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise DatabaseRefused(
            f"The destination key '{file.name}' cannot be read ({type(error).__name__})."
        ) from error


class Connections:
    """Hands out transactions, never more at once than allowed. A connection that saw an error is never given out again."""

    def __init__(self, destination: Destination, *, limit: int) -> None:
        """`limit` is how many connections there are at most; it shrinks when the server has fewer for us."""
        self._destination = destination
        self._limit = limit
        self._changed = threading.Condition()
        self._idle: list[Connection] = []
        self._used = 0
        self._closed = False

    def part(self, processes: int) -> bool:
        """Leave the others their part; False, and nothing is changed, when there are fewer connections than processes."""
        if self._limit < processes:
            return False
        self._limit //= processes
        return True

    @contextmanager
    def transaction(self, *, lock_milliseconds: int = LOCK_MILLISECONDS) -> Iterator[Connection]:
        """One transaction: commits at the end, rolls back on any exception.

        Raises the database errors of sync.errors in place of psycopg's.
        """
        connection = self._take()
        try:
            with connection.transaction():
                connection.execute(
                    "SELECT set_config('lock_timeout', %s, true), set_config('statement_timeout', %s, true)",
                    [f"{lock_milliseconds}ms", f"{STATEMENT_MILLISECONDS}ms"],
                )
                yield connection
        except psycopg.Error as error:
            connection.close()
            raise translate(error, self.hint) from error
        finally:
            self._give_back(connection)

    @property
    def hint(self) -> str:
        return self._destination.hint or "the destination's Secret"

    def connect(self, *, autocommit: bool = True) -> Connection:
        """A connection of one's own, to be closed by the caller."""
        try:
            return psycopg.connect(conninfo(self._destination), autocommit=autocommit, prepare_threshold=None)
        except psycopg.Error as error:
            raise translate(error, self.hint) from error

    def close(self) -> None:
        with self._changed:
            self._closed = True
        self.drop_idle()

    def drop_idle(self) -> None:
        """After a lost connection the others that wait here are likely dead, too, and each would cost a try."""
        with self._changed:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def _take(self) -> Connection:
        while True:
            with self._changed:
                free = self._changed.wait_for(lambda: self._idle or self._used < self._limit, WAIT_SECONDS)
                if not free:
                    raise TooManyConnections(f"No connection to the database became free ({self.hint}).")
                self._used += 1
                if self._idle:
                    return self._idle.pop()
            try:
                return self.connect()
            except TooManyConnections:
                if not self._settle_for_fewer():
                    raise
            except BaseException:
                self._release()
                raise

    def _settle_for_fewer(self) -> bool:
        """False when we have none at all."""
        self._release()
        with self._changed:
            have = self._used + len(self._idle)
            if have:
                self._limit = min(self._limit, have)
            return have > 0

    def _give_back(self, connection: Connection) -> None:
        with self._changed:
            keep = not (self._closed or connection.closed or connection.broken)
            if keep:
                self._idle.append(connection)
        if not keep:
            connection.close()
        self._release()

    def _release(self) -> None:
        with self._changed:
            self._used -= 1
            self._changed.notify()
