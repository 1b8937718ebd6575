"""Faults 24-47: pages that are short, long, doubled, restated or empty, and rows that follow no rule.

A faulty page is met on the second day of a story, in one cell. What can be mended by asking again is mended within the
run; a row that follows no rule is stored if it can be told apart, else kept as it came in quarantine, and harms no other.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from contract import ExitCode, FailureClass, State
from emulator import Account, Config, EmulatorThread, Property, run_emulator
from emulator.pacific import Stage
from sync.plan.cells import CAP_ROWS, PAGE_ROWS
from tests.integration.faults.world import (
    ACME,
    BLOG,
    CONFIG,
    DAY_AFTER,
    NEXT_DAY,
    CellName,
    Ended,
    Row,
    World,
    named,
    only,
)
from tests.postgres import Database

Rule = dict[str, Any]
DAY = date(2026, 3, 18)
"""The running day of NEXT_DAY: in the window of the fault and of the recovery, not of the clean run before."""
OLD_DAY = date(2026, 3, 17)
"""The day before it, which has rows already."""


def page(kind: str, match: Rule | None = None, **fault: Any) -> Rule:
    where = {"operation": "query", "property": ACME, "type": "web", "grouped_by": "page"}
    return {"match": where | (match or {}), "fault": {"kind": kind, **fault}}


BEYOND = {"rows": [{"keys": ["2026-03-18"], "clicks": 10**400, "impressions": 1e308}, {"keys": [7]}, 7]}
"""Totals beyond all numbers."""

PASSING = [
    pytest.param(
        [
            {
                "match": {"operation": "query", "grouped_by": "date"},
                "fault": {"kind": "status", "status": 200, "json_body": BEYOND},
            }
        ],
        id="fault_36 totals beyond all numbers",
    ),
    pytest.param([page("empty-rows", {"day": "2026-03-17", "times": 1})], id="fault_24 empty once"),
    pytest.param([page("short-page", {"start_row": 0}, rows=13)], id="fault_25 short pages with more behind"),
    pytest.param([page("long-page", {"start_row": 0}, rows=10)], id="fault_26 longer than asked for"),
    pytest.param([page("duplicate-rows", rows=5)], id="fault_28 rows of the page before again"),
    pytest.param([page("poison", what="unknown-fields")], id="fault_41 fields nobody knows"),
    pytest.param(
        [{"match": {"operation": "query", "grouped_by": "date"}, "fault": {"kind": "poison", "what": "bad-date"}}],
        id="fault_35 a malformed date among the totals",
    ),
    pytest.param(
        [{"match": {"operation": "query", "grouped_by": "date"}, "fault": {"kind": "poison", "what": "date-outside"}}],
        id="fault_35 a date outside the window among the totals",
    ),
]  # fmt: skip


@pytest.mark.parametrize("rules", PASSING)
def test_what_can_be_mended_is_mended_within_the_run(world: World, rules: list[Rule]) -> None:
    world.faults(*rules)
    ended = world.run()
    assert any(entry["fault"] for entry in world.asked()), "the fault must have been met"
    assert (ended.exit_code, ended.summary.state) == (ExitCode.SUCCESS, State.SUCCEEDED), ended.summary
    assert world.wrong() == {}
    assert world.ledger("DISTINCT quarantined") == [(0,)]


def test_fault_24_empty_answers_delete_nothing_while_totals_show_rows(world: World) -> None:
    """Two runs in a row hear nothing of a day that has rows; the totals say otherwise both times."""
    world.faults(page("empty-rows", {"day": OLD_DAY.isoformat()}))
    for _ in range(2):
        ended = world.run()
        assert ended.exit_code == ExitCode.SUCCESS
        assert ended.summary.rows_deleted < len(world.oracle((ACME, "web", OLD_DAY), NEXT_DAY))
        assert world.wrong(behind=lambda cell: cell == (ACME, "web", OLD_DAY)) == {}
        assert world.ledger(
            "final", f"property = '{ACME}' AND search_type = 'web' AND day = '{OLD_DAY}'"
        ) == [(False,)]
    world.heal()


def test_fault_24_rows_go_when_the_totals_say_zero_as_well_twice(world: World) -> None:
    world.faults(
        {"match": {"operation": "query", "property": ACME, "type": "web"}, "fault": {"kind": "empty-rows"}}
    )
    gone = (ACME, "web", OLD_DAY)
    world.run()
    assert world.stored()[gone] == world.oracle(gone, world.moments[0]), "one hiccup deletes nothing"
    world.run()
    assert gone not in world.stored()
    world.faults()
    world.at(DAY_AFTER)
    assert world.run().exit_code == ExitCode.SUCCESS
    left_the_window = {
        cell: (len(world.oracle(cell, NEXT_DAY)), 0) for cell in [(ACME, "web", date(2026, 3, 15))]
    }
    assert world.wrong() == left_the_window, "what came back is right again"


def test_fault_27_a_server_that_ignores_the_start_row_is_found_out(world: World) -> None:
    world.faults(page("ignore-start-row"))
    ended = world.run()
    assert (ended.exit_code, ended.summary.state) == (ExitCode.SUCCESS, State.PARTIALLY_SUCCEEDED)
    assert ended.failures() == {"acme": FailureClass.BAD_ANSWER}
    assert len(world.asked(fault="ignore-start-row")) <= 3 * 5, "no endless loop"
    assert world.wrong(behind=only(ACME)) == {}
    world.heal()


@pytest.mark.parametrize("spelling", ["camel", "snake"])
def test_fault_41_both_spellings_of_the_metadata_are_read(
    database: Database, tmp_path: Path, spelling: str
) -> None:
    config = CONFIG.model_copy(update={"metadata_spelling": spelling})
    with run_emulator(config, now=NEXT_DAY, keys=tmp_path / "keys") as emulator:
        world = World(emulator, database, tmp_path, now=NEXT_DAY)
        assert world.run().exit_code == ExitCode.SUCCESS
        assert world.wrong() == {}
        assert world.ledger("count(DISTINCT final)") == [(2,)], "the first incomplete day was understood"


# Rows that follow no rule


def text_of(row: Row) -> str:
    return str(row[0])


KEPT: list[Any] = [
    pytest.param("clicks-above-impressions", lambda row: row[4] > row[5], id="fault_38"),
    pytest.param("no-position", lambda row: row[6] is None, id="fault_39"),
    pytest.param("unknown-country", lambda row: row[2] == "xqz", id="fault_40 country"),
    pytest.param("unknown-device", lambda row: row[3] == "GLASSES", id="fault_40 device"),
    pytest.param("empty-query", lambda row: row[1] == "", id="fault_34 an empty query"),
    pytest.param("zero-row", lambda row: row[4:] == (0, 0, 0.0), id="fault_36 zeros"),
    pytest.param("nul", lambda row: text_of(row).endswith("\u2400end"), id="fault_42"),
    pytest.param(
        "lone-surrogate", lambda row: text_of(row).endswith("\\ud800"), id="fault_43 a lone surrogate"
    ),
    pytest.param(
        "invalid-utf8", lambda row: "poison=\\udcff" in text_of(row), id="fault_43 bytes that are no UTF-8"
    ),
    pytest.param(
        "long-url", lambda row: len(text_of(row)) == 65_536, id="fault_44 a URL beyond 64 KiB is cut"
    ),
    pytest.param("long-query", lambda row: len(row[1]) > 65_000, id="fault_44 query"),
    pytest.param("control-characters", lambda row: "\t\n\r\\.\\N\x01\x7f" in text_of(row), id="fault_46"),
    pytest.param("markup", lambda row: text_of(row).endswith("--\u202e😀{{7*7}}"), id="fault_47"),
]


def poisoned(world: World, what: str) -> tuple[Ended, Counter[Row]]:
    """A run that meets one poisoned row in one cell, and the rows of that cell which are no row of the data set."""
    cell: CellName = (ACME, "web", DAY)
    world.faults(page("poison", {"day": DAY.isoformat(), "start_row": 0}, what=what))
    ended = world.run()
    assert world.asked(fault="poison")
    assert (ended.exit_code, ended.summary.state) == (ExitCode.SUCCESS, State.SUCCEEDED), ended.summary
    assert world.wrong(behind=lambda name: name == cell).keys() <= {cell}
    have, want = world.stored()[cell], world.oracle(cell, NEXT_DAY)
    assert want - have == Counter(), "no true row is missing"
    return ended, have - want


@pytest.mark.parametrize(("what", "recognised"), KEPT)
def test_odd_rows_are_stored_as_what_they_are(
    world: World, what: str, recognised: Callable[[Row], bool]
) -> None:
    ended, more = poisoned(world, what)
    [(row, count)] = more.items()
    assert count == 1
    assert recognised(row), row
    assert ended.logs.isascii(), "a log line shows no direction mark and no control character as such"
    world.heal()


def test_fault_45_texts_that_look_alike_are_rows_of_their_own(world: World) -> None:
    _, more = poisoned(world, "look-alikes")
    texts = sorted(text_of(row) for row in more)
    assert len(texts) == len(set(texts)) == 8
    folded = {text.casefold().rstrip("/ ") for text in texts}
    assert len(folded) < len(texts), "they were made to look alike"
    world.heal()


QUARANTINED = [
    pytest.param("extra-key", id="fault_33 a key too many"),
    pytest.param("missing-key", id="fault_33 a key too few"),
    pytest.param("null-key", id="fault_34 null"),
    pytest.param("number-key", id="fault_34 a number"),
    pytest.param("negative", id="fault_36 negative"),
    pytest.param("nan", id="fault_36 NaN"),
    pytest.param("infinity", id="fault_36 infinity"),
    pytest.param("huge-number", id="fault_36 1e308"),
    pytest.param("beyond-int32", id="fault_36 beyond 32 bits"),
    pytest.param("string-number", id="fault_36 a number in quotes"),
    pytest.param("fractional-clicks", id="fault_37"),
]


@pytest.mark.parametrize("what", QUARANTINED)
def test_impossible_rows_are_kept_apart_and_their_cell_is_not_final(world: World, what: str) -> None:
    ended, more = poisoned(world, what)
    assert more == Counter()
    [(text,)] = world.database.execute("SELECT row_text FROM gsc.quarantine")
    assert '"clicks"' in text
    here = f"property = '{ACME}' AND search_type = 'web' AND day = '{DAY}'"
    assert world.ledger("quarantined, final", here) == [(1, False)]
    assert "quarantined a row" in ended.logs
    world.heal()
    assert world.database.execute("SELECT count(*) FROM gsc.quarantine") == [(0,)]


def test_fault_37_whole_doubles_are_whole_numbers(world: World) -> None:
    """A page in which every count is written as a double."""
    cell: CellName = (ACME, "web", DAY)
    rows = [
        {"keys": list(row[:4]), "clicks": float(row[4]), "impressions": row[5] + 1e-9, "position": row[6]}
        for row in world.oracle(cell, NEXT_DAY)
    ]
    document = {"rows": rows, "responseAggregationType": "byPage"}
    world.faults(
        page("status", {"day": DAY.isoformat(), "start_row": 0}, status=200, json_body=document),
    )
    assert world.run().exit_code == ExitCode.SUCCESS
    assert world.asked(fault="status")
    assert world.wrong() == {}


# More than one page

BIG, FULL, EXACT = "sc-domain:big.example", "sc-domain:full.example", "sc-domain:exact.example"
LATER = datetime(2026, 3, 20, 12, tzinfo=UTC)
SETTLED = datetime(2026, 3, 16, 12, tzinfo=UTC)
"""A slot whose day is final, so of exactly the configured size."""
SETTLED_DAY = date(2026, 3, 16)
BIG_CONFIG = Config(
    seed=5,
    accounts=(Account(name="acme", properties=dict.fromkeys((BIG, FULL, EXACT), "siteOwner")),),
    properties=(
        Property(url=BIG, rows={"web": 26_000}),
        Property(url=FULL, rows={"web": CAP_ROWS}),
        Property(url=EXACT, rows={"web": PAGE_ROWS}),
    ),
)


@pytest.fixture(scope="module")
def big_emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmulatorThread]:
    with run_emulator(BIG_CONFIG, now=LATER, keys=tmp_path_factory.mktemp("big")) as running:
        yield running


@pytest.fixture
def big(big_emulator: EmulatorThread, database: Database, tmp_path: Path) -> Iterator[World]:
    made = World(big_emulator, database, tmp_path, now=LATER)
    big_emulator.clear_requests()
    yield made
    big_emulator.faults([])


def settled(world: World, *properties: str) -> tuple[Ended, dict[str, tuple[int, int]]]:
    """A run of the settled day, and the rows missing and too many of each property that is not right."""
    ended = world.run(
        slot=SETTLED,
        window={"days": 1},
        search_types=["web"],
        workspaces=[world.workspace("acme", properties=named(*properties))],
    )
    assert ended.summary.state is State.SUCCEEDED, ended.summary
    stored, found = world.stored(), {}
    for url in properties:
        cell: CellName = (url, "web", SETTLED_DAY)
        have, want = stored.get(cell, Counter()), world.oracle(cell, LATER)
        if have != want:
            found[url] = ((want - have).total(), (have - want).total())
    return ended, found


def second(kind: str, **fault: Any) -> Rule:
    """A fault of what comes after the first page."""
    match = {"operation": "query", "grouped_by": "page", "start_row": PAGE_ROWS, "times": 1}
    return {"match": match, "fault": {"kind": kind, **fault}}


def first(kind: str, **fault: Any) -> Rule:
    """A fault of the first page."""
    match = {"operation": "query", "grouped_by": "page", "start_row": 0, "times": 1}
    return {"match": match, "fault": {"kind": kind, **fault}}


@pytest.mark.parametrize(
    "rule",
    [
        pytest.param(second("short-page", rows=300), id="fault_25 short, with more behind"),
        pytest.param(second("duplicate-rows", rows=50), id="fault_28 identical duplicates across pages"),
        pytest.param(
            second("duplicate-rows", rows=50, changed=True), id="fault_29 duplicates that differ, once"
        ),
        pytest.param(first("duplicate-rows", rows=50), id="fault_28 duplicates within a full page"),
        pytest.param(second("moved-ties"), id="fault_30 another order between pages"),
        pytest.param(second("other-stage", stage=Stage.FRESH.value), id="fault_31 restated between pages"),
        pytest.param(second("truncated-gzip"), id="fault_19 the second page cut short"),
    ],
)
def test_pages_of_one_cell_become_one_state_of_it(big: World, rule: Rule) -> None:
    big.faults(rule)
    _, found = settled(big, BIG)
    assert [entry for entry in big.asked() if entry["fault"]]
    assert found == {}


def test_fault_29_duplicates_that_go_on_differing_are_counted_and_the_cell_stays_open(big: World) -> None:
    rule = second("duplicate-rows", rows=50, changed=True)
    del rule["match"]["times"]
    big.faults(rule)
    _, found = settled(big, BIG)
    assert found == {BIG: (50, 50)}, "the later version of each stands, and no row twice"
    [(duplicates, final)] = big.database.execute("SELECT duplicates, final FROM gsc.ledger")
    assert (duplicates >= 50, final) == (True, False)
    big.faults()
    _, found = settled(big, BIG)
    assert found == {}


def test_fault_32_exactly_one_page_and_exactly_the_cap(big: World) -> None:
    ended, found = settled(big, EXACT, FULL)
    assert found == {}
    assert ended.summary.saturated_cells == 1
    starts = Counter(
        (entry["property"], entry["start_row"])
        for entry in big.asked(day=SETTLED_DAY.isoformat())
        if "page" in entry["body"]["dimensions"]
    )
    assert starts == {(EXACT, 0): 1, (EXACT, PAGE_ROWS): 1, (FULL, 0): 1, (FULL, PAGE_ROWS): 1}
    assert big.ledger("property, saturated") == [(FULL, True), (EXACT, False)] or big.ledger(
        "property, saturated", f"saturated = (property = '{FULL}')"
    )


def test_fault_31_a_day_that_changes_while_it_is_read_again_and_again_is_not_final(big: World) -> None:
    """Every second page shows another stage of the day than the first: no walk is of one state."""
    rule = second("other-stage", stage=Stage.FRESH.value)
    del rule["match"]["times"]
    big.faults(rule)
    settled(big, BIG)
    assert big.database.execute("SELECT final FROM gsc.ledger") == [(False,)]
    big.faults()
    _, found = settled(big, BIG)
    assert found == {}
    assert big.database.execute("SELECT final FROM gsc.ledger") == [(True,)]


def test_fault_47_markup_in_a_property_name_is_data(database: Database, tmp_path: Path) -> None:
    evil = 'https://evil.example/\u202e\'); DROP SCHEMA gsc CASCADE; --<b>😀\u2028{"event":"forged"}/'
    config = CONFIG.model_copy(
        update={
            "properties": (Property(url=evil, rows={"web": 5}), Property(url=BLOG, rows={"web": 5})),
            "accounts": (Account(name="acme", properties={evil: "siteOwner", BLOG: "siteOwner"}),),
        }
    )
    with run_emulator(config, now=NEXT_DAY, keys=tmp_path / "keys") as emulator:
        world = World(emulator, database, tmp_path, now=NEXT_DAY)
        workspaces = [world.workspace("acme")]
        ended = world.run(workspaces=workspaces)
        assert ended.exit_code == ExitCode.SUCCESS, ended.logs
        assert world.wrong() == {}
        world.faults({"match": {"operation": "query", "property": evil}, "fault": {"kind": "not-found"}})
        world.at(NEXT_DAY + timedelta(days=1))
        ended = world.run(workspaces=workspaces)
    assert ended.summary.state is State.FAILED
    assert all("event" not in line or line["event"] != "forged" for line in ended.events)
    assert not set(ended.summary.message) & {"\u202e", "\u2028"}


def test_fault_43_a_property_whose_name_no_request_can_carry_fails_alone(world: World) -> None:
    names = f'{{"siteUrl": "{BLOG}", "permissionLevel": "siteOwner"}}, {{"siteUrl": "https://\\ud800/"}}'
    world.faults(
        {
            "match": {"operation": "sites.list"},
            "fault": {"kind": "status", "status": 200, "body": f'{{"siteEntry": [{names}]}}'},
        }
    )
    ended = world.run(workspaces=[world.workspace("acme")])
    assert ended.failures() == {"acme": FailureClass.PERMISSION_DENIED}
    assert world.wrong(behind=lambda cell: cell[0] != BLOG) == {}, "the other property is synced"
    world.heal()
