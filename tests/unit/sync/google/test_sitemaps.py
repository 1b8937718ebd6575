"""Sitemaps as Google writes them: counters in quotes, nothing where nothing is, and whatever else may come."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sync.google.bodies import BadBodyError
from sync.google.sitemaps import MAX_COUNTER, decode_sitemaps, sitemaps_question
from sync.plan.inventory import Sitemap, kind_of, sitemaps_are_due

WHOLE = {
    "path": "https://a.example/index.xml",
    "lastSubmitted": "2026-01-02T03:04:05.678Z",
    "lastDownloaded": "2026-01-03T04:05:06-08:00",
    "isPending": True,
    "isSitemapsIndex": True,
    "type": "sitemap",
    "warnings": "9223372036854775807",
    "errors": "2",
    "contents": [{"type": "web", "submitted": "100", "indexed": "0"}, {"type": "image", "submitted": "5"}],
}


def decode(*entries: Any) -> list[Sitemap]:
    return list(decode_sitemaps(json.dumps({"sitemap": list(entries)}).encode()))


def test_a_whole_entry_is_read() -> None:
    assert decode(WHOLE) == [
        Sitemap(
            "https://a.example/index.xml",
            "sitemap",
            is_index=True,
            is_pending=True,
            submitted_at=datetime(2026, 1, 2, 3, 4, 5, 678000, UTC),
            downloaded_at=datetime(2026, 1, 3, 12, 5, 6, tzinfo=UTC),
            warnings=MAX_COUNTER,
            errors=2,
            contents=(("image", 5), ("web", 100)),
        )
    ]


def test_what_is_left_out_is_nothing() -> None:
    assert decode({"path": "/a"}) == [Sitemap("/a")]
    assert list(decode_sitemaps(b"{}")) == []


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("warnings", "-1"),
        ("warnings", "9" * 40),
        ("warnings", "nine"),
        ("warnings", 1.5),
        ("warnings", True),
        ("lastSubmitted", "yesterday"),
        ("lastSubmitted", "2026-01-02T03:04:05"),
        ("lastSubmitted", 5),
        ("isPending", "true"),
        ("contents", {"type": "web"}),
        ("contents", [5, {"type": 5}]),
        ("type", 5),
    ],
)
def test_what_cannot_be_read_counts_as_left_out(field: str, value: Any) -> None:
    assert decode({"path": "/a", field: value}) == [Sitemap("/a")]


def test_counters_may_be_numbers_and_one_kind_may_come_twice() -> None:
    [found] = decode(
        {
            "path": "/a",
            "errors": 7,
            "contents": [{"type": "web", "submitted": "2"}, {"type": "web", "submitted": 3}],
        }
    )
    assert (found.errors, found.contents) == (7, (("web", 5),))


def test_entries_without_a_path_are_none_and_paths_are_distinct() -> None:
    assert decode(
        "odd", {}, {"path": ""}, {"path": 5}, {"path": "/b"}, {"path": "/a"}, {"path": "/a", "type": "x"}
    ) == [
        Sitemap("/a", "x"),
        Sitemap("/b"),
    ]


@pytest.mark.parametrize(
    "body", [b"", b"[]", b'{"sitemap": {}}', b"<html>"], ids=["empty", "list", "object", "html"]
)
def test_what_is_no_list_is_not_believed(body: bytes) -> None:
    with pytest.raises(BadBodyError):
        decode_sitemaps(body)


@settings(deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text() | st.integers(),
        lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from([*WHOLE, "submitted"]), inner),
    )
)
def test_no_entry_raises(entry: Any) -> None:
    assert all(isinstance(found, Sitemap) for found in decode(entry))


def test_the_property_is_one_segment_of_the_path() -> None:
    assert sitemaps_question("sc-domain:a/b").path == "sites/sc-domain%3Aa%2Fb/sitemaps"


def test_kinds_and_days() -> None:
    assert (kind_of("sc-domain:a"), kind_of("https://a/")) == ("domain", "url-prefix")
    asked = datetime(2026, 6, 1, 4, tzinfo=UTC)
    assert [sitemaps_are_due(asked, asked.replace(hour=hour)) for hour in (5, 23)] == [False, False]
    assert sitemaps_are_due(asked, asked.replace(day=2, hour=0))
    assert sitemaps_are_due(None, asked)
