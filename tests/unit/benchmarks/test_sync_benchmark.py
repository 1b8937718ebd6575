"""The benchmark's own judgement: which rows count as wrong, which targets as met, and a picture that says so."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

import pytest

from benchmarks.sync.case import PASSES, Size
from benchmarks.sync.chart import svg
from benchmarks.sync.measure import wrong_rows
from benchmarks.sync.ours import Ours
from benchmarks.sync.peers.airbyte import Airbyte
from benchmarks.sync.peers.dlt import Dlt
from benchmarks.sync.peers.singer import Singer
from benchmarks.sync.report import best, targets, text
from emulator.query import parse_query

A, B, C = (("2026-11-07", f"/{name}", "q", "usa", "MOBILE") for name in "abc")
RIGHT = {A: (1, 10, 1.5), B: (0, 3, None)}


@pytest.mark.parametrize(
    ("stored", "wrong"),
    [
        ([(A, (1, 10, 1.5)), (B, (0, 3, None))], {}),
        ([(A, (1, 10, 1.5 + 1e-9)), (B, (0, 3, None))], {}),
        ([(A, (1, 10, 1.5))], {"missing": 1}),
        ([(A, (1, 10, 1.5)), (B, (0, 3, None)), (C, (1, 1, 1.0))], {"surplus": 1}),
        ([(A, (1, 10, 1.5)), (B, (0, 3, None)), (A, (1, 10, 1.5))], {"doubled": 1}),
        ([(A, (1, 11, 1.5)), (B, (0, 3, None))], {"different": 1}),
        ([(A, (1, 10, 1.6)), (B, (0, 3, 0.0))], {"different": 2}),
    ],
    ids=["right", "rounded", "missing", "surplus", "doubled", "another count", "another position"],
)
def test_rows_are_compared_in_both_directions(stored, wrong):
    none = dict.fromkeys(("missing", "surplus", "doubled", "different"), 0)
    assert wrong_rows(iter(stored), RIGHT) == none | wrong


def measured(tool: str, name: str, speed: int, *, latency: float = 0, wrong: int = 0, dead: int = 0) -> dict:
    one = {
        "pass": name, "seconds": 280_000 / speed, "rows_per_s": speed, "requests": 29, "requests_with_rows": 15,
        "tool_cpu_s": 1.0, "peak_mb": 120, "wal_bytes_per_row": 0.1, "dead_tuples": dead, "fact_bytes_per_row": 84.0,
        "dictionary_bytes_per_row": 3.6, "exit_codes": [0], "google_cpu_s": 0.1, "postgres_cpu_s": 0.5,
        "wrong": {"missing": wrong, "surplus": 0, "doubled": 0, "different": 0},
    }  # fmt: skip
    return {"tool": tool, "latency_ms": latency, "turn": 1, "load_before": 0.1, "passes": [one]}


FOUND = {
    "date": "2026-11-29T15:31Z",
    "machine": {"cpus": 2},
    "days": 14,
    "rows_a_day": 20_000,
    "runs": [
        measured("gsc-sync", "first load", 90_000),
        measured("gsc-sync", "first load", 120_000),
        measured("gsc-sync", "first load", 500_000, latency=300),
        measured("gsc-sync", "identical", 140_000, dead=3),
        measured("gsc-sync", "10 % changed", 110_000, wrong=1),
        measured("dlt", "first load", 16_000),
        measured("airbyte source", "first load", 3_000),
        measured("singer tap | target", "first load", 3_100),
    ],
}


def test_the_fastest_turn_without_latency_is_held_against_the_targets():
    verdicts = {row["what"]: row["met"] for row in targets(FOUND)}
    assert verdicts["first load, rows/s"] is True
    assert verdicts["identical, rows/s"] is False
    assert verdicts["identical, dead tuples"] is False
    assert verdicts["10 % changed, wrong rows"] is False
    assert verdicts["first load, times airbyte source"] is True
    assert verdicts["first load, times singer tap | target"] is False
    assert verdicts["first load, times dlt"] is True
    assert [one["rows_per_s"] for one in best(FOUND) if one["tool"] == "gsc-sync"][:2] == [120_000, 500_000]
    assert "120,000" in text(FOUND)


def test_the_picture_is_whole_and_shows_every_bar():
    picture = svg(FOUND)
    root = ET.fromstring(picture)
    assert len(re.findall("<rect x=", picture)) == 6
    shown = " ".join(element.text or "" for element in root.iter() if element.tag.endswith("text"))
    assert "singer tap | target" in shown
    assert "110,000  10 % changed, 1 rows wrong" in shown


@pytest.mark.parametrize("tool", [Ours(), Dlt(), Singer(), Airbyte()], ids=lambda tool: tool.name)
def test_the_questions_that_are_prepared_are_ones_that_google_takes(tool):
    for question in tool.questions(Size(5, 30_000)):
        assert parse_query(question).row_limit in (1_000, 10_000, 25_000)


def test_only_our_passes_may_be_probed():
    assert [each.name for each in PASSES if not each.only_ours] == [
        "first load", "identical", "10 % changed", "restated day",
    ]  # fmt: skip
