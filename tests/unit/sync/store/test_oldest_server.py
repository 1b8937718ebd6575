"""The oldest Postgres that is supported: older ones are refused, and no statement names what it does not have.

`make test-oldest-postgres` runs every statement there; this finds the usual slips within a second, without a server.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, cast

import pytest

from sync.store import migrate

STORE = Path(migrate.__file__).parent
YOUNGER = {
    # Since 16.
    r"\bany_value\s*\(": 16,
    r"\barray_(shuffle|sample)\s*\(": 16,
    r"\bdate_add\s*\(": 16,
    r"\bpg_input_(is_valid|error_info)\s*\(": 16,
    r"\bjson_(array|object)(agg)?\s*\(": 16,
    r"\bIS (NOT )?JSON\b": 16,
    r"\bSYSTEM_USER\b": 16,
    # Since 17.
    r"\bMERGE\b[^;]*\bRETURNING\b": 17,
    r"\bNOT MATCHED BY SOURCE\b": 17,
    r"\bJSON_(TABLE|EXISTS|QUERY|VALUE|SCALAR|SERIALIZE)\s*\(": 17,
    r"\bON_ERROR\b": 17,
    r"\btransaction_timeout\b": 17,
    r"\bto_bin\s*\(|\bto_oct\s*\(|\brandom\s*\([^)]": 17,
    r"\bMAINTAIN\b": 17,
    r"\b(SPLIT|MERGE) PARTITIONS?\b": 19,
    # Since 18.
    r"\buuidv[47]\s*\(": 18,
    r"\bRETURNING\b[^;\"]*\b(OLD|NEW)\.": 18,
    r"\bVIRTUAL\b": 18,
    r"\bNOT ENFORCED\b": 18,
    r"\bWITHOUT OVERLAPS\b": 18,
    r"\bADD (CONSTRAINT \w+ )?NOT NULL\b": 18,
    r"\b(casefold|crc32c?|array_sort|array_reverse)\s*\(": 18,
}


class Server:
    """As much of a connection as is asked: its version and encoding."""

    def __init__(self, version: int, encoding: str = "UTF8") -> None:
        self._row = version, encoding

    def execute(self, _: str) -> Server:
        return self

    def fetchone(self) -> tuple[int, str]:
        return self._row


@pytest.mark.parametrize(
    ("version", "problems"),
    [
        pytest.param(140_021, ["Postgres 14 is too old; 15 or newer is needed."], id="the one before"),
        pytest.param(150_000, [], id="the oldest"),
        pytest.param(190_000, [], id="one that is not there yet"),
    ],
)
def test_a_server_that_is_too_old_is_refused(version: int, problems: list[str]) -> None:
    assert migrate.incompatibilities(cast("Any", Server(version))) == problems


def statements() -> list[Path]:
    return sorted([*STORE.rglob("*.sql"), *STORE.rglob("*.py")])


@pytest.mark.parametrize("file", statements(), ids=lambda file: str(file.relative_to(STORE)))
def test_no_statement_names_what_the_oldest_does_not_have(file: Path) -> None:
    text = file.read_text()
    assert {
        pattern: since for pattern, since in YOUNGER.items() if re.search(pattern, text, re.IGNORECASE)
    } == {}


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT any_value(url)",
        "MERGE INTO t USING s ON t.a = s.a WHEN MATCHED THEN DELETE RETURNING t.a",
        "INSERT INTO t VALUES (1) RETURNING old.a",
        "SELECT random(1, 6)",
        "ALTER TABLE t ADD CONSTRAINT c NOT NULL a NOT VALID",
    ],
)
def test_what_came_later_is_seen(statement: str) -> None:
    assert any(re.search(pattern, statement, re.IGNORECASE) for pattern in YOUNGER)
