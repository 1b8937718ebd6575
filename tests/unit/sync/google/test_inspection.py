"""URL inspection as Google writes it, and whatever else may come."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sync.google.bodies import BadBodyError
from sync.google.inspection import inspection_decoder, inspection_question
from sync.plan.inspection import Inspection, day_began

PAGE = "https://a.example/"
STATUS = {
    "verdict": "PASS",
    "coverageState": "Submitted and indexed",
    "robotsTxtState": "ALLOWED",
    "indexingState": "INDEXING_ALLOWED",
    "lastCrawlTime": "2026-02-03T03:04:05Z",
    "pageFetchState": "SUCCESSFUL",
    "googleCanonical": "https://a.example/x",
    "userCanonical": "https://a.example/y",
    "crawledAs": "MOBILE",
}


def decode(result: Any) -> Inspection:
    return inspection_decoder(PAGE)(json.dumps({"inspectionResult": result}).encode())


def test_a_whole_answer_is_read() -> None:
    assert decode({"indexStatusResult": STATUS}) == Inspection(
        PAGE, "PASS", "Submitted and indexed", "ALLOWED", "INDEXING_ALLOWED", "SUCCESSFUL", "MOBILE",
        datetime(2026, 2, 3, 3, 4, 5, tzinfo=UTC), "https://a.example/x", "https://a.example/y",
    )  # fmt: skip


def test_what_is_left_out_or_odd_is_nothing() -> None:
    assert decode({"indexStatusResult": {}}) == Inspection(PAGE)
    assert decode({"indexStatusResult": dict.fromkeys(STATUS, 5)}) == Inspection(PAGE)
    assert decode({"indexStatusResult": {"lastCrawlTime": "2026-02-03T03:04:05"}}) == Inspection(PAGE)


@pytest.mark.parametrize("result", [None, [], {}, {"indexStatusResult": []}], ids=str)
def test_what_says_nothing_of_the_index_is_no_answer(result: Any) -> None:
    with pytest.raises(BadBodyError):
        decode(result)


@settings(deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(list(STATUS)), st.none() | st.text() | st.integers() | st.lists(st.text())
    )
)
def test_no_status_raises(status: dict[str, Any]) -> None:
    assert decode({"indexStatusResult": status}).page == PAGE


def test_the_question_names_page_and_property() -> None:
    question = inspection_question("sc-domain:a.example", PAGE)
    assert (question.method, question.path) == ("POST", "urlInspection/index:inspect")
    assert question.query == {"inspectionUrl": PAGE, "siteUrl": "sc-domain:a.example"}


@pytest.mark.parametrize(
    ("now", "began"),
    [
        pytest.param("2026-06-15T04:00Z", "2026-06-14T07:00Z", id="summer"),
        pytest.param("2026-11-02T04:00Z", "2026-11-01T07:00Z", id="the day of 25 hours"),
        pytest.param("2026-11-02T08:00Z", "2026-11-02T08:00Z", id="midnight itself"),
    ],
)
def test_the_day_of_a_quota_begins_at_pacific_midnight(now: str, began: str) -> None:
    assert day_began(datetime.fromisoformat(now)) == datetime.fromisoformat(began)
