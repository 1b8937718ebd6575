"""One Postgres and one emulator for all stories of a test process; each starts after a clean run that was kept.

The clean run is done once: its database is a template, of which every story gets a copy.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from contract import State
from emulator import EmulatorThread, run_emulator
from tests.integration.faults.world import CONFIG, NEXT_DAY, NOW, World
from tests.postgres import Database, fresh_database


@dataclass(frozen=True)
class Beginning:
    """The emulator, and the name of a database that holds a clean run at NOW."""

    emulator: EmulatorThread
    template: str


@pytest.fixture(scope="session")
def beginning(postgres: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Beginning]:
    folder = tmp_path_factory.mktemp("beginning")
    template = f"template{uuid.uuid4().hex[:12]}"
    with run_emulator(CONFIG, now=NOW, keys=folder / "keys") as emulator:
        with fresh_database(postgres, folder) as database:
            world = World(emulator, database, folder)
            ended = world.run()
            assert ended.summary.state is State.SUCCEEDED, ended.logs
            assert world.wrong() == {}
            name = (database.secret / "dbname").read_text()
            with psycopg.connect(postgres, autocommit=True) as connection:
                connection.execute(f'CREATE DATABASE "{template}" TEMPLATE "{name}"')
        yield Beginning(emulator, template)
        with psycopg.connect(postgres, autocommit=True) as connection:
            connection.execute(f'DROP DATABASE "{template}" WITH (FORCE)')


def copy_of(template: str, server: str, database: Database) -> None:
    """Replace an empty database by a copy of the template."""
    name = (database.secret / "dbname").read_text()
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')


@pytest.fixture
def world(beginning: Beginning, postgres: str, database: Database, tmp_path: Path) -> Iterator[World]:
    """A day after a clean run, before anything goes wrong."""
    copy_of(beginning.template, postgres, database)
    emulator = beginning.emulator
    made = World(emulator, database, tmp_path, moments=[NOW])
    made.at(NEXT_DAY)
    emulator.clear_requests()
    try:
        yield made
    finally:
        unheard = made.unheard()
        emulator.faults([])
        emulator.set_latency(0)
        for account in CONFIG.accounts:
            emulator.set_account(account.name, revoked=False, properties=dict(account.properties))
    assert unheard == [], "told, and nobody asked for it"


@pytest.fixture
def empty_world(beginning: Beginning, database: Database, tmp_path: Path) -> Iterator[World]:
    """The first run of all is still to come."""
    made = World(beginning.emulator, database, tmp_path)
    made.at(NOW)
    beginning.emulator.clear_requests()
    try:
        yield made
    finally:
        unheard = made.unheard()
        beginning.emulator.faults([])
        beginning.emulator.set_latency(0)
    assert unheard == [], "told, and nobody asked for it"
