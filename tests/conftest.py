"""Fixtures shared by all tiers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

from tests.postgres import Database, fresh_database, postgres_server

TOGETHER = {
    # The whole machine is theirs: one after the other, in one process.
    "tests/integration/devcluster/test_node.py": "node",
    "tests/integration/devcluster/test_leftovers.py": "node",
    # They share an API server.
    "tests/integration/packaging/test_resource.py": "packaging",
    "tests/integration/packaging/test_objects.py": "packaging",
    "tests/integration/packaging/test_image_contents.py": "images",
    # What is explored once is asked many times.
    "tests/model/test_mutants.py": "mutants",
    "tests/model/test_promises.py": "explorer",
}
"""Files whose tests run in one process. xdist's own marks for this do nothing with pytest 9: a test keeps its name."""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    return ByFile(config, log)


class ByFile(LoadScopeScheduling):
    """Hands out tests one by one, those of a group together."""

    def _split_scope(self, nodeid: str) -> str:
        return TOGETHER.get(nodeid.split("::", maxsplit=1)[0], nodeid)


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    with postgres_server() as uri:
        yield uri


@pytest.fixture
def database(postgres: str, tmp_path: Path) -> Iterator[Database]:
    with fresh_database(postgres, tmp_path) as database:
        yield database
