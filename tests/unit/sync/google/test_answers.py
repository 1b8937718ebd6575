"""From bytes to rows: the fast way, the way for doubles, and the careful way, which agree."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.dimension_sets import DIMENSION_SETS, dimensions_of, gives
from sync.account import Probe, Site
from sync.google.answers import PageDecoder
from sync.google.bodies import BadBodyError, decode_probe, decode_sites
from sync.google.search_types import SEARCH_TYPES, refused_because
from sync.plan.cells import DimensionRow, HourRow, Row, TotalsRow
from sync.rows import MAX_COUNT, MAX_SUM, check_row, whole_text
from tests.unit.sync.fakes import row

WEB = ("page", "query", "country", "device")
decode = PageDecoder(WEB)


def body(*rows: object, **more: object) -> bytes:
    return json.dumps({"rows": list(rows), **more}).encode()


def test_a_plain_page_is_read():
    page = decode(body(row("https://a/", "q", "usa", "MOBILE", clicks=3), responseAggregationType="byPage"))
    assert page.rows == [Row("https://a/", "q", "usa", "MOBILE", 3, 10, 3.5)]
    assert isinstance(page.rows[0], Row)
    assert page.keys == [("https://a/", "q", "usa", "MOBILE")]
    assert (page.received, page.quarantined, page.aggregation) == (1, (), "byPage")


def test_an_answer_without_rows_is_empty():
    assert decode(b'{"responseAggregationType": "byPage"}').received == 0
    assert decode(b"{}").rows == []


def test_a_row_is_the_same_whichever_way_it_was_read():
    """Pages of one cell may need different ways; rows that come twice must not look like two versions of a row."""
    plain, spare = row("https://a/", "q", "usa", "MOBILE", clicks=3, impressions=10), row("https://b/")
    doubles = row("https://a/", "q", "usa", "MOBILE", clicks=3.0, impressions=10.0)
    fast, as_doubles, careful = (
        decode(body(each, *more)) for each, *more in ((plain,), (doubles,), (plain, spare))
    )
    assert careful.quarantined
    assert fast.decoded == as_doubles.decoded == careful.decoded
    assert fast.keys == as_doubles.keys == careful.keys
    assert (
        fast.rows == as_doubles.rows == careful.rows == [Row("https://a/", "q", "usa", "MOBILE", 3, 10, 3.5)]
    )


def test_whole_doubles_become_integers():
    page = decode(body(row("https://a/", "q", "usa", "MOBILE", clicks=3.0, impressions=10.0)))
    assert page.rows[0][4:6] == (3, 10)
    assert all(type(value) is int for value in page.rows[0][4:6])


@pytest.mark.parametrize(
    ("search_type", "keys", "stored"),
    [
        ("discover", ("https://a/", "usa"), ("https://a/", "", "usa", "")),
        ("googleNews", ("https://a/", "usa", "MOBILE"), ("https://a/", "", "usa", "MOBILE")),
        ("news", ("https://a/", "q", "usa", "MOBILE"), ("https://a/", "q", "usa", "MOBILE")),
    ],
)
@pytest.mark.parametrize("careful", [False, True], ids=["fast", "careful"])
def test_each_search_type_fills_the_dimensions_it_has(search_type, keys, stored, careful):
    extra = [row()] if careful else []
    page = PageDecoder(dimensions_of(search_type, "page-query"))(body(row(*keys, position=None), *extra))
    assert page.rows == [Row(*stored, 1, 10, None)]
    assert page.keys == [keys]
    assert len(page.quarantined) == len(extra)


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param(row("https://a/", "q", "usa"), id="a key too few"),
        pytest.param(row("https://a/", "q", "usa", "MOBILE", "x"), id="a key too many"),
        pytest.param({**row(), "keys": None}, id="keys null"),
        pytest.param({**row(), "keys": ["https://a/", 5, "usa", "MOBILE"]}, id="a key that is a number"),
        pytest.param({**row(), "keys": ["https://a/", None, "usa", "MOBILE"]}, id="a key that is null"),
        pytest.param(row("", "q", "usa", "MOBILE"), id="an empty page"),
        pytest.param(row("https://a/", "q", "", "MOBILE"), id="an empty country"),
        pytest.param(row("https://a/", "q", "usa", "MOBILE", clicks=-1), id="negative"),
        pytest.param(row("https://a/", "q", "usa", "MOBILE", clicks=1e308), id="huge"),
        pytest.param(row("https://a/", "q", "usa", "MOBILE", impressions=MAX_COUNT + 1), id="beyond 32 bits"),
        pytest.param({**row("https://a/", "q", "usa", "MOBILE"), "clicks": "5"}, id="a number in quotes"),
        pytest.param({**row("https://a/", "q", "usa", "MOBILE"), "clicks": True}, id="a boolean"),
        pytest.param(row("https://a/", "q", "usa", "MOBILE", clicks=0.5), id="half a click"),
        pytest.param(row("https://a/", "q", "usa", "MOBILE", clicks=float("nan")), id="NaN"),
        pytest.param(row("https://a/", "q", "usa", "MOBILE", clicks=float("inf")), id="infinity"),
        pytest.param(row("https://a/", "q", "usa", "MOBILE", position=-1), id="a negative position"),
        pytest.param(
            row("https://a/", "q", "usa", "MOBILE", position=1e300), id="a position beyond all pages"
        ),
        pytest.param({**row("https://a/", "q", "usa", "MOBILE"), "position": "1"}, id="a position in quotes"),
        pytest.param("text", id="no object"),
        pytest.param(None, id="null"),
    ],
)
def test_a_row_that_follows_no_rule_is_quarantined_and_its_neighbours_are_not(bad):
    good = row("https://good/", "q", "usa", "MOBILE")
    page = decode(body(good, bad, good))
    assert [found.page for found in page.rows] == ["https://good/", "https://good/"]
    assert len(page.quarantined) == 1
    assert page.received == 3


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        pytest.param(rb"shoes \ud800", r"shoes \ud800", id="lone surrogate"),
        pytest.param(b"shoes \xff", r"shoes \udcff", id="invalid UTF-8"),
        pytest.param("ü \U0001f600".encode(), "ü \U0001f600", id="valid text beside"),
    ],
)
def test_broken_text_is_shown_by_its_escape_and_can_be_encoded(raw, shown):
    page = decode(
        b'{"rows":[{"keys":["https://a/","' + raw + b'","usa","MOBILE"],"clicks":1,"impressions":2}]}'
    )
    assert page.rows[0].query == shown
    page.rows[0].query.encode()
    assert page.quarantined == ()


def test_a_byte_order_mark_is_skipped():
    assert decode(b"\xef\xbb\xbf" + body(row("https://a/", "q", "usa", "MOBILE"))).received == 1


@pytest.mark.parametrize(
    "bad",
    [
        b"",
        b"<html>",
        b"[]",
        b'{"rows": null}',
        b'{"rows": {}}',
        b'{"rows": [{"keys": ["a"',
        b"null",
        b"[" * 100_000,
        b'{"rows": [' + b"[" * 100_000 + b"]" * 100_000 + b"]}",
        b'{"rows": [], "junk": ' + b'{"a":' * 100_000 + b"1" + b"}" * 100_001,
    ],
    ids=[
        "empty",
        "html",
        "list",
        "rows null",
        "rows object",
        "cut",
        "null",
        "deep",
        "deep rows",
        "deep beside its rows",
    ],
)
def test_what_is_no_page_is_not_parsed_in_part(bad):
    with pytest.raises(BadBodyError):
        decode(bad)


def test_an_odd_aggregation_is_bounded():
    bad = row()
    assert decode(body(bad, responseAggregationType="x" * 1000)).aggregation == "x" * 40
    assert decode(body(bad, responseAggregationType=5)).aggregation == ""


text = st.text(min_size=1, max_size=20)
good_rows = st.builds(
    lambda page, query, country, device, clicks, impressions, position: row(
        page, query, country, device, clicks=clicks, impressions=impressions, position=position
    ),
    text,
    st.text(max_size=20),
    text,
    text,
    st.integers(0, MAX_COUNT),
    st.integers(0, MAX_COUNT),
    st.none() | st.floats(0, 1e6),
)


@given(st.lists(good_rows, max_size=5))
def test_the_fast_and_the_careful_way_agree(rows):
    fast = decode(json.dumps({"rows": rows}).encode())
    careful = [check_row(found, WEB) for found in rows]
    assert fast.rows == careful


@given(st.text(alphabet=st.characters(categories=["Cs", "L", "Cc"]), max_size=30))
def test_any_text_can_be_encoded_afterwards_and_whole_text_is_untouched(given_text):
    shown = whole_text(given_text)
    shown.encode()
    assert whole_text(shown) == shown


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text() | st.integers(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(st.sampled_from(["keys", "clicks", "impressions", "position"]), inner)
        ),
    )
)
def test_checking_never_raises(raw):
    assert isinstance(check_row(raw, WEB), Row | str)
    assert isinstance(check_row(raw, ()), TotalsRow | str)
    assert isinstance(check_row(raw, ("hour", "page")), HourRow | str)


def test_a_probe_reads_both_spellings_and_ignores_rows_that_are_none():
    for name in ("first_incomplete_date", "firstIncompleteDate"):
        answer = {
            "rows": [
                {"keys": ["2026-06-01"], "impressions": 5},
                {"keys": ["2026-06-02"], "impressions": 0.0},
                {"keys": ["yesterday"], "impressions": 5},
                {"keys": [], "impressions": 5},
                {"keys": ["2026-13-01"], "impressions": 5},
                {"keys": ["2026-06-03"], "impressions": "5"},
                "odd",
            ],
            "metadata": {name: "2026-06-02"},
        }
        probe = decode_probe(json.dumps(answer).encode())
        assert probe.first_incomplete == date(2026, 6, 2)
        assert probe.shows_rows(date(2026, 6, 1))
        assert not probe.shows_rows(date(2026, 6, 2))
        assert not probe.shows_rows(date(2026, 6, 9))


@pytest.mark.parametrize("number", ["1e999", "1e308", "-1", "1" + "0" * 400, "NaN", '"7"', "null"])
def test_totals_beyond_all_sense_are_no_totals(number):
    body = f'{{"rows": [{{"keys": ["2026-03-18"], "clicks": 3, "impressions": {number}}}]}}'
    probe = decode_probe(body.encode())
    assert dict(probe.impressions) == {}
    assert list(probe.clicks.values()) == [3]


def test_a_property_with_a_broken_name_can_be_asked_for():
    (site,) = decode_sites(b'{"siteEntry": [{"siteUrl": "https://\\ud800/", "permissionLevel": "\\udfff"}]}')
    assert site.url == "https://\\ud800/"
    f"{site.url}{site.permission}".encode()


def test_a_probe_may_say_nothing():
    assert decode_probe(b"{}") == Probe(None, {})
    with pytest.raises(BadBodyError):
        decode_probe(b'{"rows": 5}')


def test_sites_are_read_and_oddities_skipped():
    answer = {
        "siteEntry": [
            {"siteUrl": "sc-domain:a", "permissionLevel": "siteOwner"},
            {"siteUrl": ""},
            {"siteUrl": 5},
            "x",
            {},
        ]
    }
    assert decode_sites(json.dumps(answer).encode()) == [Site("sc-domain:a", "siteOwner")]
    assert decode_sites(b"{}") == []
    with pytest.raises(BadBodyError):
        decode_sites(b'{"siteEntry": 5}')


def hour(text: str) -> HourRow:
    return HourRow(datetime.fromisoformat(text).astimezone(UTC), "https://a/", 1, 10, 3.5)


@pytest.mark.parametrize("careful", [False, True], ids=["fast", "careful"])
@pytest.mark.parametrize(
    ("dimensions", "raw", "stored"),
    [
        pytest.param(
            (), {"clicks": 1, "impressions": 10, "position": 3.5}, TotalsRow(1, 10, 3.5), id="totals"
        ),
        pytest.param((), row(), TotalsRow(1, 10, 3.5), id="totals with an empty list of keys"),
        pytest.param(
            (), row(clicks=MAX_SUM, impressions=MAX_SUM), TotalsRow(MAX_SUM, MAX_SUM, 3.5), id="large"
        ),
        pytest.param(("page",), row("https://a/"), DimensionRow("https://a/", 1, 10, 3.5), id="page"),
        pytest.param(("query",), row(""), DimensionRow("", 1, 10, 3.5), id="an empty query is one"),
        pytest.param(
            ("device",), row("TABLET", clicks=2.0), DimensionRow("TABLET", 2, 10, 3.5), id="doubles"
        ),
        pytest.param(
            ("country",),
            row("usa", impressions=2**33),
            DimensionRow("usa", 1, 2**33, 3.5),
            id="a large country",
        ),
        pytest.param(
            ("hour", "page"),
            row("2026-11-01T01:00:00-07:00", "https://a/"),
            hour("2026-11-01T08:00+00:00"),
            id="the hour that comes twice, first",
        ),
        pytest.param(
            ("hour", "page"),
            row("2026-11-01T01:00:00-08:00", "https://a/"),
            hour("2026-11-01T09:00+00:00"),
            id="the hour that comes twice, second",
        ),
    ],
)
def test_each_list_of_dimensions_makes_its_kind_of_row(dimensions, raw, stored, careful):
    extra = ["odd"] if careful else []
    page = PageDecoder(dimensions)(body(raw, *extra))
    assert page.rows == [stored]
    assert type(page.rows[0]) is type(stored)
    assert page.keys == [stored[:-3]]
    assert len(page.quarantined) == len(extra)


@pytest.mark.parametrize(
    ("dimensions", "bad"),
    [
        pytest.param((), row("surplus"), id="totals with a key"),
        pytest.param(("page",), {"clicks": 1, "impressions": 1}, id="no keys"),
        pytest.param(("page",), row("https://a/", impressions=MAX_COUNT + 1), id="a page beyond 32 bits"),
        pytest.param(("country",), row("usa", impressions=MAX_SUM * 4), id="beyond what JSON holds exactly"),
        pytest.param(("device",), row("TABLET", clicks=10**400), id="an endless integer"),
        pytest.param(
            ("hour", "page"), row("2026-11-01T01:00:00", "https://a/"), id="an hour without an offset"
        ),
        pytest.param(("hour", "page"), row("01:00", "https://a/"), id="a time of day"),
        pytest.param(("hour", "page"), row("0001-01-01T00:00:00+14:00", "https://a/"), id="before all time"),
    ],
)
def test_rows_of_every_kind_can_be_quarantined(dimensions, bad):
    page = PageDecoder(dimensions)(body(bad))
    assert (page.rows, len(page.quarantined), page.received) == ([], 1, 1)


def test_every_pair_that_is_given_can_be_asked_for():
    for name in SEARCH_TYPES:
        assert refused_because(name, ("date",)) == []
        for each in DIMENSION_SETS:
            if not gives(name, each):
                with pytest.raises(ValueError, match=each):
                    dimensions_of(name, each)
                continue
            dimensions = dimensions_of(name, each)
            if each == "search-appearance":
                assert refused_because(name, dimensions[:1]) == []
                assert refused_because(name, dimensions[1:], filters=dimensions[:1]) == []
            else:
                state = "hourly_all" if each == "hourly" else "final"
                assert refused_because(name, dimensions, data_state=state) == []
            PageDecoder(dimensions if each != "search-appearance" else dimensions[1:])


@pytest.mark.parametrize(
    ("search_type", "dimensions", "more"),
    [
        pytest.param("discover", ("query",), {}, id="discover has no queries"),
        pytest.param("discover", ("device",), {}, id="discover has no devices"),
        pytest.param("googleNews", ("query",), {}, id="googleNews has no queries"),
        pytest.param("web", ("page", "page"), {}, id="a dimension twice"),
        pytest.param("web", ("page",), {"aggregation": "byProperty"}, id="pages by property"),
        pytest.param("discover", ("country",), {"aggregation": "byProperty"}, id="discover by property"),
        pytest.param("web", ("searchAppearance", "page"), {}, id="an appearance with a page"),
        pytest.param("web", ("date", "hour"), {"data_state": "hourly_all"}, id="a date and an hour"),
        pytest.param("web", ("hour",), {}, id="an hour without its data state"),
        pytest.param("web", ("page",), {"data_state": "hourly_all"}, id="the data state without an hour"),
        pytest.param("web", ("page",), {"filters": ("date",)}, id="a filter by date"),
        pytest.param("discover", ("page",), {"filters": ("device",)}, id="a filter by what is not offered"),
    ],
)
def test_what_google_refuses_is_refused_here(search_type, dimensions, more):
    assert refused_because(search_type, dimensions, **more)
