"""What a search analytics request may say, rule by rule."""

from __future__ import annotations

from typing import Any

import pytest

from emulator.errors import ApiError
from emulator.query import Query, parse_query

GOOD: dict[str, Any] = {"startDate": "2026-03-01", "endDate": "2026-03-02"}


def parsed(**body: Any) -> Query:
    return parse_query(GOOD | body)


def page_filter(**parts: Any) -> list[dict[str, Any]]:
    return [{"filters": [{"dimension": "page", "expression": "/x"} | parts]}]


def filtered(dimension: str, expression: str = "x") -> list[dict[str, Any]]:
    return [{"filters": [{"dimension": dimension, "expression": expression}]}]


def test_defaults() -> None:
    query = parsed()
    assert (query.row_limit, query.start_row, query.data_state) == (1000, 0, "final")
    assert (query.search_type, query.aggregation, query.dimensions) == ("web", "byProperty", ())


@pytest.mark.parametrize(
    ("body", "reads"),
    [
        pytest.param({"rowLimit": 1}, {"row_limit": 1}, id="smallest-limit"),
        pytest.param({"rowLimit": 25000}, {"row_limit": 25000}, id="largest-limit"),
        pytest.param({"rowLimit": "500"}, {"row_limit": 500}, id="quoted-number"),
        pytest.param({"rowLimit": 500.0}, {"row_limit": 500}, id="integral-double"),
        pytest.param({"type": "googleNews"}, {"search_type": "googleNews", "aggregation": "byPage"}, id="camel-type"),
        pytest.param({"type": "GOOGLE_NEWS"}, {"search_type": "googleNews"}, id="upper-snake-type"),
        pytest.param({"searchType": "IMAGE"}, {"search_type": "image"}, id="old-name-of-type"),
        pytest.param({"type": "image", "searchType": "IMAGE"}, {"search_type": "image"}, id="both-names-agree"),
        pytest.param({"dataState": "ALL"}, {"data_state": "all"}, id="upper-data-state"),
        pytest.param(
            {"dataState": "hourly_all", "dimensions": ["hour"]}, {"data_state": "hourly_all"}, id="hourly-lower"
        ),
        pytest.param(
            {"dataState": "HOURLY_ALL", "dimensions": ["HOUR", "query", "page", "country", "device"]},
            {"dimensions": ("hour", "query", "page", "country", "device")},
            id="hour-with-everything",
        ),
        pytest.param(
            {"dimensions": ["date", "query", "page", "country", "device"]},
            {"dimensions": ("date", "query", "page", "country", "device"), "aggregation": "byPage"},
            id="five-dimensions",
        ),
        pytest.param(
            {"dimensions": ["SEARCH_APPEARANCE"]}, {"dimensions": ("searchAppearance",)}, id="appearance-alone"
        ),
        pytest.param({"dimensions": ["query"]}, {"aggregation": "byProperty"}, id="auto-without-page"),
        pytest.param({"dimensionFilterGroups": page_filter()}, {"aggregation": "byPage"}, id="auto-with-page-filter"),
        pytest.param({"aggregationType": "BY_PAGE"}, {"aggregation": "byPage"}, id="by-page-asked"),
        pytest.param(
            {"type": "googleNews", "dimensions": ["device"]}, {"dimensions": ("device",)}, id="google-news-by-device"
        ),
        pytest.param(
            {"type": "discover", "aggregationType": "byNewsShowcasePanel",
             "dimensionFilterGroups": filtered("searchAppearance", "NEWS_SHOWCASE")},
            {"aggregation": "byNewsShowcasePanel"},
            id="showcase-panel",
        ),
    ],
)  # fmt: skip
def test_accepted(body: dict[str, Any], reads: dict[str, Any]) -> None:
    query = parsed(**body)
    assert {name: getattr(query, name) for name in reads} == reads


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({"startDate": "2026-03-03"}, id="start-after-end"),
        pytest.param({"startDate": None}, id="start-missing"),
        pytest.param({"endDate": "03/02/2026"}, id="date-format"),
        pytest.param({"endDate": "20260302"}, id="date-without-dashes"),
        pytest.param({"endDate": "2026-02-30"}, id="date-impossible"),
        pytest.param({"endDate": 5}, id="date-a-number"),
        pytest.param({"rowLimit": 0}, id="limit-0"),
        pytest.param({"rowLimit": 25001}, id="limit-25001"),
        pytest.param({"rowLimit": -1}, id="limit-negative"),
        pytest.param({"rowLimit": "many"}, id="limit-a-word"),
        pytest.param({"rowLimit": True}, id="limit-a-boolean"),
        pytest.param({"startRow": -1}, id="start-row-negative"),
        pytest.param({"startRow": 1.5}, id="start-row-fraction"),
        pytest.param({"type": "maps"}, id="type-unknown"),
        pytest.param({"type": "Web"}, id="type-wrong-case"),
        pytest.param({"type": "web", "searchType": "image"}, id="types-contradict"),
        pytest.param({"dataState": "fresh"}, id="data-state-unknown"),
        pytest.param({"aggregationType": "bySite"}, id="aggregation-unknown"),
        pytest.param({"dimensions": ["city"]}, id="dimension-unknown"),
        pytest.param({"dimensions": "page"}, id="dimensions-not-a-list"),
        pytest.param({"dimensions": ["page", "page"]}, id="dimension-twice"),
        pytest.param({"dimensions": ["page", "PAGE"]}, id="dimension-twice-in-two-spellings"),
        pytest.param({"dimensions": ["searchAppearance", "date"]}, id="appearance-with-date"),
        pytest.param({"dimensions": ["date", "hour"], "dataState": "hourly_all"}, id="date-with-hour"),
        pytest.param({"dimensions": ["hour"]}, id="hour-without-hourly"),
        pytest.param({"dimensions": ["date"], "dataState": "hourly_all"}, id="hourly-without-hour"),
        pytest.param({"type": "discover", "dimensions": ["query"]}, id="discover-query"),
        pytest.param({"type": "googleNews", "dimensions": ["query"]}, id="google-news-query"),
        pytest.param({"type": "discover", "dimensions": ["device"]}, id="discover-device"),
        pytest.param(
            {"type": "discover", "dimensionFilterGroups": filtered("query")}, id="discover-query-filter"
        ),
        pytest.param({"dimensionFilterGroups": filtered("date", "2026-03-01")}, id="filter-by-date"),
        pytest.param({"dimensionFilterGroups": filtered("hour")}, id="filter-by-hour"),
        pytest.param({"dimensionFilterGroups": page_filter(operator="startsWith")}, id="operator-unknown"),
        pytest.param({"dimensionFilterGroups": page_filter(expression=None)}, id="filter-without-expression"),
        pytest.param(
            {"dimensionFilterGroups": page_filter(operator="includingRegex", expression="(")},
            id="regex-broken",
        ),
        pytest.param(
            {"dimensionFilterGroups": page_filter(operator="includingRegex", expression="(?=x)")},
            id="regex-look-ahead-is-not-re2",
        ),
        pytest.param(
            {"dimensionFilterGroups": page_filter(operator="excludingRegex", expression=r"(a)\1")},
            id="regex-back-reference-is-not-re2",
        ),
        pytest.param(
            {"dimensionFilterGroups": [{"groupType": "or", "filters": []}]}, id="groups-joined-by-or"
        ),
        pytest.param({"dimensionFilterGroups": ["x"]}, id="group-not-an-object"),
        pytest.param({"dimensionFilterGroups": [{"filters": ["x"]}]}, id="filter-not-an-object"),
        pytest.param({"aggregationType": "byProperty", "dimensions": ["page"]}, id="by-property-with-page"),
        pytest.param(
            {"aggregationType": "byProperty", "dimensionFilterGroups": page_filter()},
            id="by-property-page-filter",
        ),
        pytest.param({"aggregationType": "byProperty", "type": "discover"}, id="by-property-discover"),
        pytest.param({"aggregationType": "byNewsShowcasePanel"}, id="showcase-for-web"),
        pytest.param(
            {"aggregationType": "byNewsShowcasePanel", "type": "discover"}, id="showcase-without-filter"
        ),
        pytest.param({"limit": 5}, id="unknown-field"),
    ],
)
def test_refused_with_400(body: dict[str, Any]) -> None:
    with pytest.raises(ApiError) as caught:
        parsed(**body)
    assert caught.value.code == 400
    error = caught.value.envelope()["error"]
    assert error["status"] == "INVALID_ARGUMENT"
    assert error["errors"][0]["reason"] in ("invalidParameter", "badRequest")


def test_by_property_with_page_names_the_parameter() -> None:
    with pytest.raises(ApiError) as caught:
        parsed(aggregationType="byProperty", dimensions=["page"])
    assert caught.value.envelope()["error"]["errors"][0] == {
        "message": caught.value.message,
        "domain": "global",
        "reason": "invalidParameter",
        "location": "aggregation_type",
        "locationType": "parameter",
    }


@pytest.mark.parametrize("body", [[], "text", None, 5], ids=str)
def test_a_body_that_is_no_object_is_refused(body: object) -> None:
    with pytest.raises(ApiError, match="Root element"):
        parse_query(body)


def test_unknown_members_are_passed_over_when_told_so() -> None:
    odd = GOOD | {"$parameters": {"search_types": ["web"]}}
    with pytest.raises(ApiError, match="Unknown name"):
        parse_query(odd)
    assert parse_query(odd, tolerant=True) == parse_query(GOOD)
