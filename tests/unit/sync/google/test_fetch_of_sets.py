"""A whole cell of each dimension set, on top of single pages that are scripted here."""

from __future__ import annotations

from datetime import date

import pytest

from contract.run_spec import DataState
from sync.google.answers import Page
from sync.google.fetch import fetch
from sync.google.pages import Gathered
from sync.google.queries import Grouping
from sync.plan.cells import AppearanceRow, Cell, DimensionRow

CELL = Cell("sc-domain:example.com", date(2026, 11, 1), "web", "search-appearance")


def page_of(*rows: DimensionRow, quarantined: tuple[str, ...] = ()) -> Page:
    return Page([row[:1] for row in rows], rows, len(rows) + len(quarantined), quarantined, "byPage")


class Appearances:
    """Lists appearances and shows the pages of each; some are silent about their pages for a few answers."""

    def __init__(
        self, pages: dict[str, Page], *, impressions: int = 10, silent: dict[str, int] | None = None
    ) -> None:
        self.pages, self.impressions, self.silent = pages, impressions, silent or {}

    def __call__(self, grouping: Grouping, start_row: int, row_limit: int) -> Page:
        del row_limit
        if start_row:
            return page_of()
        if not grouping.filters:
            return page_of(*(DimensionRow(name, 1, self.impressions, 2.0) for name in self.pages))
        name = grouping.filters[0].expression
        if self.silent.get(name, 0) > 0:
            self.silent[name] -= 1
            return page_of()
        return self.pages[name]


def fetched(server: Appearances) -> Gathered:
    return fetch(CELL, DataState.ALL, server, expect_rows=True)


PAGES = {"AMP": page_of(DimensionRow("/a", 1, 10, 2.0)), "VIDEO": page_of(DimensionRow("/b", 1, 10, 2.0))}
FOREVER = 1_000


def test_the_pages_of_each_appearance_make_the_cell():
    found = fetched(Appearances(PAGES))
    assert found.rows == [AppearanceRow("AMP", "/a", 1, 10, 2.0), AppearanceRow("VIDEO", "/b", 1, 10, 2.0)]
    assert found.consistent


def test_an_appearance_that_is_silent_once_is_asked_again():
    found = fetched(Appearances(PAGES, silent={"VIDEO": 1}))
    assert len(found.rows) == 2
    assert found.consistent


def test_an_appearance_that_was_listed_and_stays_silent_is_missing():
    """So the cell is neither final nor believed, and the next run asks again."""
    found = fetched(Appearances(PAGES, silent={"VIDEO": FOREVER}))
    assert [row.appearance for row in found.rows] == ["AMP"]
    assert found.missing == 1
    assert not found.consistent


@pytest.mark.parametrize(
    "server",
    [
        pytest.param(
            Appearances(PAGES, impressions=0, silent={"VIDEO": FOREVER}), id="listed without impressions"
        ),
        pytest.param(
            Appearances({**PAGES, "VIDEO": page_of(quarantined=("{}",))}), id="its rows are in quarantine"
        ),
    ],
)
def test_an_appearance_whose_silence_is_explained_is_not_missing(server):
    found = fetched(server)
    assert [row.appearance for row in found.rows] == ["AMP"]
    assert found.missing == 0
