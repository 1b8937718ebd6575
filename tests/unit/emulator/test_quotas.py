"""Quotas: which limit is refused in which words, and when it clears."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from emulator import Account, Config, Property, Quota, documented_quotas
from emulator.errors import ApiError
from emulator.query import parse_query
from emulator.quotas import Quotas, load_units

TODAY, TOMORROW = date(2026, 3, 20), date(2026, 3, 21)
QUERY = parse_query({"startDate": "2026-03-10", "endDate": "2026-03-10", "dimensions": ["page", "query"]})
SITE, OTHER = Property(url="sc-domain:a.example"), Property(url="sc-domain:b.example")
ROBOT = Account(name="robot")


def quotas(**config: Any) -> Quotas:
    return Quotas(Config(properties=(SITE, OTHER), accounts=(ROBOT,), **config))


def admit(
    keeper: Quotas, at: float, prop: Property = SITE, account: Account = ROBOT, day: date = TODAY
) -> ApiError | None:
    return keeper.admit(account, prop, QUERY, at, day)


def test_without_limits_everything_passes() -> None:
    keeper = quotas()
    assert all(admit(keeper, 0) is None for _ in range(5000))


@pytest.mark.parametrize(
    ("config", "calls", "clears_after", "reason", "words"),
    [
        pytest.param({"property_quota": Quota(per_second=2)}, 2, 1.01, "quotaExceeded", "QPS quota exceeded", id="burst"),
        pytest.param({"property_quota": Quota(per_minute=3)}, 3, 60.1, "quotaExceeded", "QPS quota exceeded", id="minute"),
        pytest.param({"account_quota": Quota(per_minute=3)}, 3, 60.1, "userRateLimitExceeded", "User Rate", id="account"),
        pytest.param({"project_quota": Quota(per_minute=3)}, 3, 60.1, "rateLimitExceeded", "Rate Limit", id="project"),
        pytest.param(
            {"property_quota": Quota(load_per_10_minutes=7)}, 2, 600.1, "quotaExceeded", "load quota exceeded", id="load"
        ),
    ],
)  # fmt: skip
def test_a_spent_limit_is_refused_in_its_own_words_and_clears(
    config: dict[str, Any], calls: int, clears_after: float, reason: str, words: str
) -> None:
    keeper = quotas(**config)
    assert [admit(keeper, 100) for _ in range(calls)] == [None] * calls
    refused = admit(keeper, 100)
    assert refused is not None
    assert (refused.code, refused.domain, refused.reason) == (403, "usageLimits", reason)
    assert words in refused.message
    assert admit(keeper, 100 + clears_after) is None


@pytest.mark.parametrize(
    ("quota", "reason", "words"),
    [
        pytest.param(Quota(per_day=2), "dailyLimitExceeded", "midnight Pacific", id="calls"),
        pytest.param(Quota(load_per_day=6), "quotaExceeded", "load quota exceeded", id="load"),
    ],
)
def test_a_spent_day_lasts_until_the_next_pacific_day(quota: Quota, reason: str, words: str) -> None:
    keeper = quotas(property_quota=quota)
    assert [admit(keeper, at) for at in (0, 5000)] == [None, None]
    refused = admit(keeper, 10_000)
    assert refused is not None
    assert refused.reason == reason
    assert words in refused.message
    assert admit(keeper, 10_001, day=TOMORROW) is None


def test_properties_have_limits_of_their_own() -> None:
    small = SITE.model_copy(update={"quota": Quota(per_minute=1)})
    keeper = quotas(property_quota=Quota(per_minute=2))
    assert admit(keeper, 0, small) is None
    assert admit(keeper, 0, small) is not None
    assert [admit(keeper, 0, OTHER) for _ in range(2)] == [None, None]
    assert admit(keeper, 0, OTHER) is not None


def test_refused_calls_are_not_counted() -> None:
    keeper = quotas(property_quota=Quota(per_minute=1))
    assert admit(keeper, 0) is None
    for second in range(1, 60):
        assert admit(keeper, second) is not None
    assert admit(keeper, 60.5) is None


def test_429_says_when_to_come_back() -> None:
    keeper = quotas(account_quota=Quota(per_minute=1), quota_status=429)
    admit(keeper, 0)
    refused = admit(keeper, 0)
    assert refused is not None
    assert (refused.code, refused.headers) == (429, {"Retry-After": "1"})
    assert refused.envelope()["error"]["status"] == "RESOURCE_EXHAUSTED"


@pytest.mark.parametrize(
    ("body", "units"),
    [
        ({"endDate": "2026-03-10"}, 1),
        ({"endDate": "2026-03-23"}, 14),
        ({"endDate": "2026-03-23", "dimensions": ["page", "query"]}, 42),
        ({"endDate": "2026-03-10", "dimensions": ["page"],
          "dimensionFilterGroups": [{"filters": [{"dimension": "query", "expression": "x"}]}]}, 3),
    ],
    ids=["one-day", "two-weeks", "heavy", "heavy-by-filter"],
)  # fmt: skip
def test_load_grows_with_days_and_with_page_and_query(body: dict[str, Any], units: int) -> None:
    assert load_units(parse_query({"startDate": "2026-03-10"} | body)) == units


def test_the_documented_quotas_are_those_that_google_publishes() -> None:
    usual, new = documented_quotas(per_second=50), documented_quotas(new_project=True)
    assert usual["property_quota"] == usual["account_quota"] == Quota(per_minute=1200, per_second=50)
    assert usual["project_quota"] == Quota(per_minute=40_000, per_day=30_000_000)
    assert new["project_quota"].per_minute == 60


def test_a_full_minute_costs_no_more_than_an_empty_one() -> None:
    """Counted in steps, not in seconds: what is kept is what a limit looks at, and nothing older."""
    keeper = quotas(**documented_quotas(per_second=50), seed=1)
    admitted = sum(admit(keeper, call / 30) is None for call in range(30 * 300))
    assert admitted == 1200 * 5, "a sliding minute"
    meter = keeper._meters["account robot"]
    assert len(meter.minute.counted) <= 1200
    assert len(meter.second.counted) <= 50
    assert len(meter.load.counted) == 0, "nothing limits it, so nothing is kept"


def test_a_site_and_a_user_have_each_their_own_minute() -> None:
    keeper = quotas(**documented_quotas())
    assert [admit(keeper, 0) for _ in range(600)] == [None] * 600
    assert [admit(keeper, 1, OTHER) for _ in range(600)] == [None] * 600
    refused = admit(keeper, 2, OTHER)
    assert refused is not None
    assert refused.reason == "userRateLimitExceeded", "neither site is full, the user is"
