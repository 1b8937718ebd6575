"""docs/sync-faults.md names a test for each of the eighty faults; these tests see that it is there, under its number."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
PAGE = ROOT / "docs" / "sync-faults.md"
TIERS = {"story", "store", "unit"}
A_TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


@dataclass(frozen=True)
class Row:
    number: int
    fault: str
    happens: str
    tests: tuple[tuple[str, str], ...]
    tiers: frozenset[str]


def rows() -> list[Row]:
    found = []
    for line in PAGE.read_text().splitlines():
        if re.match(r"\| \d+ \|", line):
            number, fault, happens, tests, tiers = (cell.strip() for cell in line.strip("|").split("|"))
            found.append(
                Row(int(number), fault, happens, tuple(A_TEST.findall(tests)), frozenset(tiers.split(", ")))
            )
    return found


ROWS = rows()


@cache
def told_by(file: str) -> dict[str, str]:
    """Each test function of a file with all that names it: its name, its parameters' ids, and lists these come from."""
    tree = ast.parse((ROOT / file).read_text())
    lists = {
        target.id: ast.unparse(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Name)
    }
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            marks = " ".join(ast.unparse(mark) for mark in node.decorator_list)
            found[node.name] = " ".join(
                [node.name, marks, *(text for name, text in lists.items() if name in marks)]
            )
    return found


def test_every_fault_has_exactly_one_row_in_order() -> None:
    assert [row.number for row in ROWS] == list(range(1, 81))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"fault_{row.number:02}")
def test_the_tests_of_a_fault_exist_under_its_number(row: Row) -> None:
    assert row.fault
    assert row.happens
    assert row.tests, "name a test"
    assert row.tiers
    assert row.tiers <= TIERS
    for file, name in row.tests:
        assert (ROOT / file).exists(), f"{file} does not exist"
        assert name in told_by(file), f"{file} has no {name}"
    assert any(f"fault_{row.number:02}" in told_by(file)[name] for file, name in row.tests), (
        f"no test named here holds fault_{row.number:02}"
    )
