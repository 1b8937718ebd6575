"""Which Postgres the tests of the store run on: the newest, and by `make test-oldest-postgres` the oldest supported."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from demo.postgres import binaries
from sync.store.migrate import OLDEST_SERVER
from tests.postgres import Database, programs_for_us


def test_the_server_is_the_one_that_was_asked_for(database: Database) -> None:
    programs = Path(os.environ.get("GSC_TEST_POSTGRES") or binaries())
    shown = subprocess.run([programs / "postgres", "--version"], capture_output=True, text=True, check=True)
    assert database.execute("SHOW server_version") == [(shown.stdout.split(maxsplit=2)[2].strip(),)]
    ((number,),) = database.execute("SELECT current_setting('server_version_num')::int")
    assert number >= OLDEST_SERVER


def test_a_folder_without_postgres_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="must be a folder with initdb"):
        programs_for_us(tmp_path, {"GSC_TEST_POSTGRES": str(tmp_path)})
