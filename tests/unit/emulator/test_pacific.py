"""Days are Pacific days, and a day settles with age."""

from datetime import UTC, date, datetime

import pytest

from emulator.pacific import Stage, first_incomplete_day, hour_of, hours_of, oldest_day, pacific_day, stage_of


@pytest.mark.parametrize(
    ("moment", "day"),
    [
        pytest.param("2026-03-20T04:00:00+00:00", "2026-03-19", id="04-utc-is-still-yesterday"),
        pytest.param("2026-03-20T06:59:59+00:00", "2026-03-19", id="last-second-in-summer"),
        pytest.param("2026-03-20T07:00:00+00:00", "2026-03-20", id="midnight-in-summer"),
        pytest.param("2026-01-20T07:59:59+00:00", "2026-01-19", id="last-second-in-winter"),
        pytest.param("2026-01-20T08:00:00+00:00", "2026-01-20", id="midnight-in-winter"),
    ],
)
def test_a_day_begins_at_pacific_midnight(moment: str, day: str) -> None:
    assert pacific_day(datetime.fromisoformat(moment)).isoformat() == day


@pytest.mark.parametrize(
    ("day", "stage"),
    [
        (date(2026, 3, 20), Stage.PARTIAL),
        (date(2026, 3, 19), Stage.FRESH),
        (date(2026, 3, 18), Stage.FRESH),
        (date(2026, 3, 17), Stage.FINAL),
        (date(2025, 3, 17), Stage.FINAL),
    ],
    ids=str,
)
def test_a_day_is_partial_then_fresh_then_final(day: date, stage: Stage) -> None:
    assert stage_of(day, datetime(2026, 3, 20, 20, tzinfo=UTC), 3) is stage


def test_without_fresh_days_everything_is_final() -> None:
    now = datetime(2026, 3, 20, 20, tzinfo=UTC)
    assert stage_of(date(2026, 3, 20), now, 0) is Stage.FINAL
    assert first_incomplete_day(now, 0) is None
    assert first_incomplete_day(now, 3) == date(2026, 3, 18)


@pytest.mark.parametrize(
    ("now", "months", "oldest"),
    [
        pytest.param("2026-03-20T20:00:00+00:00", 16, "2024-11-20", id="sixteen-months"),
        pytest.param("2026-12-31T20:00:00+00:00", 10, "2026-02-28", id="short-month"),
    ],
)
def test_retention_counts_calendar_months(now: str, months: int, oldest: str) -> None:
    assert oldest_day(datetime.fromisoformat(now), months).isoformat() == oldest


def test_hours_carry_the_offset_and_follow_the_clock_changes() -> None:
    assert len(hours_of(date(2026, 3, 10))) == 24
    spring, autumn = hours_of(date(2026, 3, 8)), hours_of(date(2026, 11, 1))
    assert (len(spring), len(autumn)) == (23, 25)
    assert "2026-03-08T02:00:00-08:00" not in spring
    assert {"2026-11-01T01:00:00-07:00", "2026-11-01T01:00:00-08:00"} <= set(autumn)
    assert len(set(autumn)) == 25
    assert hour_of(datetime(2026, 3, 20, 20, 59, tzinfo=UTC)) == "2026-03-20T13:00:00-07:00"
