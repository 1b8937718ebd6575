"""Fixtures shared by all tiers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.postgres import Database, fresh_database, postgres_server


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    with postgres_server() as uri:
        yield uri


@pytest.fixture
def database(postgres: str, tmp_path: Path) -> Iterator[Database]:
    with fresh_database(postgres, tmp_path) as database:
        yield database
