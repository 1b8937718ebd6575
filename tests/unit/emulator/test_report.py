"""Reports: clamped days, order, grouping, aggregation, totals, metadata, caps."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest

from emulator import Config, Dataset, Property, Stage
from emulator.query import parse_query
from emulator.report import Report, Span, build_report, span_of

NOW = datetime(2026, 3, 20, 20, 30, tzinfo=UTC)  # 13:30 on the Pacific 20th
SITE = "sc-domain:a.example"
ALL_KEYS = ["page", "query", "country", "device"]


def config(rows: int = 200, **changes: Any) -> Config:
    prop = Property(url=SITE, rows={"web": rows, "discover": rows, "googleNews": rows})
    return Config(**({"properties": (prop,), "seed": 3} | changes))


def ask(settings: Config | None = None, *, now: datetime = NOW, **body: Any) -> tuple[Report, Span]:
    settings = settings or config()
    given = {"startDate": "2026-03-10", "endDate": "2026-03-10", "dimensions": ALL_KEYS} | body
    query = parse_query(given)
    span = span_of(query, settings, now)
    return build_report(Dataset(settings.seed, settings), SITE, query, span, settings), span


def test_full_keys_show_exactly_what_the_oracle_says() -> None:
    report, _ = ask()
    expected = Dataset(3, config()).visible(SITE, date(2026, 3, 10), "web", Stage.FINAL)
    assert [(*row.keys, *row[1:]) for row in report.rows] == [tuple(row) for row in expected]


def test_keys_follow_the_order_of_the_dimensions() -> None:
    report, _ = ask(dimensions=["device", "date", "country"])
    device, day, country = report.rows[0].keys
    assert (device in ("MOBILE", "DESKTOP", "TABLET"), day, len(country)) == (True, "2026-03-10", 3)


def test_clicks_descend_and_with_a_date_the_dates_ascend_first() -> None:
    plain, _ = ask()
    assert [row.clicks for row in plain.rows] == sorted((row.clicks for row in plain.rows), reverse=True)
    dated, _ = ask(startDate="2026-03-08", dimensions=["page", "date"])
    order = [(row.keys[1], -row.clicks) for row in dated.rows]
    assert order == sorted(order)
    assert {day for day, _ in order} == {"2026-03-08", "2026-03-09", "2026-03-10"}


@pytest.mark.parametrize("dimensions", [["page"], ["query"], ["country", "device"], ["date"], []], ids=str)
def test_a_grouping_has_distinct_keys_and_all_clicks(dimensions: list[str]) -> None:
    report, _ = ask(dimensions=dimensions)
    data = Dataset(3, config())
    day = date(2026, 3, 10)
    source = data.named if "query" in dimensions else data.rows
    assert len({row.keys for row in report.rows}) == len(report.rows)
    assert sum(row.clicks for row in report.rows) == sum(
        r.clicks for r in source(SITE, day, "web", Stage.FINAL)
    )
    for row in report.rows:
        assert row.clicks <= row.impressions
        assert row.position is not None
        assert row.position >= 1
        assert row.ctr == pytest.approx(row.clicks / row.impressions)


def test_totals_hold_the_anonymised_queries_until_a_query_filter_takes_them_out() -> None:
    rows, _ = ask()
    totals, _ = ask(dimensions=[])
    everything = [
        {"filters": [{"dimension": "query", "operator": "notEquals", "expression": "no such query"}]}
    ]
    named, _ = ask(dimensions=[], dimensionFilterGroups=everything)
    shown = sum(row.clicks for row in rows.rows)
    assert totals.rows[0].keys == ()
    assert totals.rows[0].clicks > shown
    assert named.rows[0].clicks == shown


def test_by_page_counts_more_impressions_than_by_property() -> None:
    by_page, _ = ask(dimensions=["country"], aggregationType="byPage")
    by_property, _ = ask(dimensions=["country"], aggregationType="byProperty")
    impressions = [sum(row.impressions for row in report.rows) for report in (by_page, by_property)]
    clicks = [sum(row.clicks for row in report.rows) for report in (by_page, by_property)]
    assert impressions[0] > impressions[1]
    assert clicks[0] == clicks[1]


@pytest.mark.parametrize(
    ("search_type", "keys"), [("discover", ["page", "country"]), ("googleNews", ["page", "device"])]
)
def test_there_is_no_position_for_discover_and_google_news(search_type: str, keys: list[str]) -> None:
    report, _ = ask(type=search_type, dimensions=keys)
    assert report.rows
    assert all(row.position is None for row in report.rows)


@pytest.mark.parametrize(
    ("body", "first", "last", "count"),
    [
        pytest.param(
            {"endDate": "2030-01-01", "dataState": "all"}, "2026-03-10", "2026-03-20", 11, id="future"
        ),
        pytest.param({"startDate": "2001-01-01"}, "2024-11-20", "2026-03-10", 476, id="before-retention"),
        pytest.param(
            {"endDate": "2026-03-20"}, "2026-03-10", "2026-03-17", 8, id="final-leaves-fresh-days-out"
        ),
    ],
)
def test_dates_out_of_range_are_cut_off_silently(
    body: dict[str, str], first: str, last: str, count: int
) -> None:
    query = parse_query({"startDate": "2026-03-10", "endDate": "2026-03-10"} | body)
    days = [day.isoformat() for day, _ in span_of(query, config(), NOW).days]
    assert (days[0], days[-1], len(days)) == (first, last, count)


@pytest.mark.parametrize("start", ["2026-03-21", "2001-01-01"])
def test_a_range_wholly_outside_has_no_rows(start: str) -> None:
    report, span = ask(startDate=start, endDate=start, dataState="all")
    assert (report.rows, span.days) == ([], ())


def test_final_shows_nothing_of_a_fresh_day_and_all_shows_it_as_fresh() -> None:
    fresh = {"startDate": "2026-03-19", "endDate": "2026-03-19"}
    assert ask(**fresh)[0].rows == []
    shown, span = ask(**fresh, dataState="all")
    assert span.days == ((date(2026, 3, 19), Stage.FRESH),)
    later, _ = ask(**fresh, dataState="all", now=datetime(2026, 3, 25, tzinfo=UTC))
    assert {row.keys for row in shown.rows} != {row.keys for row in later.rows}


@pytest.mark.parametrize(
    ("body", "mark"),
    [
        pytest.param({"dataState": "all", "dimensions": ["date"]}, "2026-03-18", id="all-by-date"),
        pytest.param({"dataState": "all", "dimensions": ["page", "date"]}, "2026-03-18", id="date-anywhere"),
        pytest.param(
            {"dataState": "all", "dimensions": ["date"], "startDate": "2026-03-19"}, "2026-03-19", id="inside"
        ),
        pytest.param({"dataState": "all", "dimensions": ["page"]}, None, id="not-by-date"),
        pytest.param({"dataState": "final", "dimensions": ["date"]}, None, id="final"),
        pytest.param(
            {"dataState": "all", "dimensions": ["date"], "endDate": "2026-03-17"},
            None,
            id="nothing-incomplete",
        ),
    ],
)
def test_metadata_names_the_first_incomplete_date(body: dict[str, Any], mark: str | None) -> None:
    query = parse_query({"startDate": "2026-03-10", "endDate": "2026-03-20"} | body)
    assert span_of(query, config(), NOW).first_incomplete == mark


def test_hours_reach_back_ten_days_and_end_now() -> None:
    report, span = ask(
        startDate="2026-01-01", endDate="2026-03-20", dimensions=["hour", *ALL_KEYS], dataState="hourly_all"
    )
    hours = [row.keys[0] for row in report.rows]
    assert hours == sorted(hours)
    assert hours[0].startswith("2026-03-11T")
    assert hours[-1] <= "2026-03-20T13:00:00-07:00"
    assert span.first_incomplete == "2026-03-18T00:00:00-07:00"


def test_search_appearances_are_listed_alone_and_then_used_as_filter() -> None:
    listed, _ = ask(dimensions=["searchAppearance"])
    assert listed.rows
    for row in listed.rows:
        groups = [{"filters": [{"dimension": "searchAppearance", "expression": row.keys[0]}]}]
        pages, _ = ask(dimensions=["page"], dimensionFilterGroups=groups)
        assert sum(page.clicks for page in pages.rows) == row.clicks


def test_the_cap_holds_per_day() -> None:
    report, _ = ask(config(rows=300, cap=250))
    assert len(report.rows) == 250
    dated, _ = ask(config(rows=300, cap=250), startDate="2026-03-09", dimensions=["date", *ALL_KEYS])
    assert len(dated.rows) == 500


def test_several_days_without_a_date_are_summed() -> None:
    days = [ask(startDate=f"2026-03-0{n}", endDate=f"2026-03-0{n}")[0] for n in (8, 9)]
    both, _ = ask(startDate="2026-03-08", endDate="2026-03-09")
    keys = {row.keys for report in days for row in report.rows}
    assert {row.keys for row in both.rows} == keys
    assert len(both.rows) == len(keys)
    assert sum(row.clicks for row in both.rows) == sum(row.clicks for report in days for row in report.rows)


@pytest.mark.parametrize(("zero_rows", "count"), [(False, 0), (True, 1)])
@pytest.mark.parametrize("dimensions", [["date"], []], ids=str)
def test_days_without_data_are_left_out_or_zero(zero_rows: bool, count: int, dimensions: list[str]) -> None:
    report, _ = ask(config(rows=0, zero_rows=zero_rows), dimensions=dimensions)
    assert len(report.rows) == count
    assert all(row.impressions == row.ctr == 0 for row in report.rows)
