"""docs/requirements.md is kept by hand; these tests keep it honest: every row there, once, with proof that exists."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
PAGE = ROOT / "docs" / "requirements.md"
STATES = ("done", "partly", "planned", "not applicable")
WEIGHTS = ("M", "S", "O", "-")
TOP_LEVEL = (
    "contract",
    "controller",
    "crds",
    "demo",
    "devcluster",
    "docs",
    "emulator",
    "helm",
    "manifests",
    "sync",
    "tests",
)
IN_BACKTICKS = re.compile(r"`([^`]+)`")
A_PATH = re.compile(rf"(?:{'|'.join(TOP_LEVEL)}|requirements|scripts|\.ci)/[\w./-]*(?:::\w+)?")


@dataclass(frozen=True)
class Row:
    number: int
    asked: str
    weight: str
    state: str
    where: str

    @property
    def paths(self) -> list[str]:
        return [text for text in IN_BACKTICKS.findall(self.where) if A_PATH.fullmatch(text)]


def rows() -> list[Row]:
    found = []
    for line in PAGE.read_text().splitlines():
        if re.match(r"\| R\d+ \|", line):
            number, asked, weight, state, where = (cell.strip() for cell in line.strip("|").split(" | "))
            found.append(Row(int(number.removeprefix("R")), asked, weight, state, where))
    return found


ROWS = rows()


def test_every_requirement_has_exactly_one_row_in_order() -> None:
    assert [row.number for row in ROWS] == list(range(1, 217))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"R{row.number}")
class TestRow:
    def test_has_a_known_weight_and_state(self, row: Row) -> None:
        assert row.weight in WEIGHTS
        assert row.state in STATES
        assert row.asked

    def test_names_only_files_and_tests_that_exist(self, row: Row) -> None:
        for path in row.paths:
            name, _, test = path.partition("::")
            assert (ROOT / name).exists(), f"{name} does not exist"
            if test:
                assert re.search(rf"\b(?:def|class) {test}\b", (ROOT / name).read_text()), (
                    f"{name} has no {test}"
                )

    def test_says_what_its_state_demands(self, row: Row) -> None:
        if row.state in {"done", "partly"}:
            assert row.paths, "name the file or the test that shows it"
        if row.state == "done" and row.weight == "M":
            assert any(path.startswith("tests/") for path in row.paths), (
                "what must be is done when a test holds it"
            )
        if row.state in {"partly", "planned"}:
            assert "next:" in row.where, "say what comes next"
        if row.state == "done":
            assert "next:" not in row.where, "what is done has nothing next"
        if row.state == "not applicable":
            assert len(row.where) >= 20, "say why not"


def test_the_sums_at_the_top_are_right() -> None:
    sums = {state: Counter(row.weight for row in ROWS if row.state == state) for state in STATES}
    expected = [
        f"| {state} | {' | '.join(str(sums[state][weight]) for weight in WEIGHTS)} | {sums[state].total()} |"
        for state in STATES
    ]
    page = PAGE.read_text()
    assert [line for line in expected if line not in page] == []
