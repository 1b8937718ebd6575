"""Breaker, limiter and retry together, on whole launches: an outage, one bad property, and the order of each try."""

from __future__ import annotations

from datetime import timedelta

import pytest

from contract import Dependency, ExitCode, FailureClass, Limits, State
from sync.google.transport import Request, Response
from sync.quota.bucket import HEADROOM
from sync.quota.circuit import Pass, Refuse, Rules, Wait
from sync.quota.guard import Guard
from sync.quota.limiter import Limiter, Permit
from sync.quota.names import BucketName
from sync.quota.rest import Spent
from tests.unit.sync.fakes import FakeGoogle, TinyStore, answer, load_refusal, refusal, spec, workspace
from tests.unit.sync.google.test_client import IDENTITY, SITES, Bench
from tests.unit.sync.test_run import House

BAD = "sc-domain:p0.example"
MANY = {f"sc-domain:p{number}.example": "siteOwner" for number in range(40)}
SERIAL = Limits(requests_per_second_per_property=100, requests_per_second_per_identity=1000, concurrency=1)
DOWN = answer(503, b"<html>")


class Switchable(FakeGoogle):
    """Answers until it is told not to, for some of the requests."""

    def fail(self, when, response: Response = DOWN) -> None:
        self.script = lambda request, _body: response if when(request) else None


def is_query(request: Request) -> bool:
    return "searchAnalytics" in request.url


def test_an_outage_of_google_costs_a_few_questions_and_ends_the_launch_soon(tmp_path) -> None:
    """Forty properties that each try everything would ask 720 times and wait for an hour."""
    google = Switchable(sites=MANY)
    google.fail(is_query)
    order = spec([workspace(tmp_path)], limits=SERIAL, timeout_seconds=7200)
    house = House(order, google)
    ended = house.run()
    assert ended.exit_code is ExitCode.FAILURE
    assert ended.summary.error_class is FailureClass.GOOGLE_UNAVAILABLE
    assert ended.summary.tripped_circuits == ended.summary.open_circuits == [Dependency.GOOGLE_API]
    assert ended.summary.requests < 60
    assert ended.summary.duration_ms < 600_000


def test_one_bad_property_is_its_own_trouble(tmp_path) -> None:
    google = Switchable(sites=MANY)
    google.fail(lambda request: "p0.example" in request.url)
    ended = House(spec([workspace(tmp_path)], limits=SERIAL, timeout_seconds=7200), google).run()
    assert ended.summary.tripped_circuits == []
    [failure] = ended.summary.failures
    assert (failure.properties_failed, failure.properties_ok) == (1, 39)


def test_an_outage_of_the_token_endpoint_is_not_asked_by_every_workspace(tmp_path) -> None:
    tokens: list[str] = []

    class NoTokens(FakeGoogle):
        def send(self, request: Request) -> Response:
            if "token" in request.url:
                tokens.append(request.url)
                return DOWN
            return super().send(request)

    places = [workspace(tmp_path, f"w{number}") for number in range(30)]
    ended = House(spec(places, limits=SERIAL, timeout_seconds=7200), NoTokens()).run()
    assert ended.summary.error_class is FailureClass.GOOGLE_UNAVAILABLE
    assert ended.summary.tripped_circuits == [Dependency.TOKEN_ENDPOINT]
    assert len(tokens) < 40, "thirty workspaces with six tries each would be 180"


def test_each_try_goes_through_breaker_limiter_and_retry_in_this_order(tmp_path) -> None:
    """Every try takes a permit of its own; a try that fails tells breaker and limiter before it is repeated."""
    bench = Bench(tmp_path, DOWN, refusal(429, "slow", "rateLimitExceeded"), SITES)
    order: list[str] = []
    client = bench.client

    class NotedLimiter:
        def __init__(self, limiter: Limiter) -> None:
            self._limiter = limiter

        def acquire(self, names: tuple[BucketName, ...]) -> Permit:
            order.append("limiter")
            return self._limiter.acquire(names)

    class NotedGuard(Guard):
        def _enter(self) -> Pass | Wait | Refuse:
            order.append("breaker")
            return super()._enter()

    def send(request: Request, exchange=bench.wire.send) -> Response:
        if "token" not in request.url:
            order.append("request")
        return exchange(request)

    def sleep(seconds: float) -> None:
        order.append("retry")
        bench.clock.advance(seconds)

    client._guard = NotedGuard(Dependency.GOOGLE_API, bench.clock, bench.clock.advance, bench.recorder)
    client._limiter, client._sleep, bench.wire.send = NotedLimiter(client._limiter), sleep, send
    bench.sites()
    each = ["breaker", "limiter", "request"]
    assert order == [*each, "retry", *each, "retry", *each]
    assert bench.table.buckets[IDENTITY].learned.refusals == 1


def test_an_open_breaker_uses_up_neither_tries_nor_budget(tmp_path) -> None:
    """Eight times it finds out for all that the outage is not over: more than the six tries it has itself."""
    bench = Bench(tmp_path, *[DOWN] * 8, SITES)
    guard = bench.client._guard
    guard.rules = Rules(give_up_seconds=1000)
    for source in "abababab":
        guard.circuit = guard.circuit.fail(source, bench.clock.monotonic(), guard.rules)
    assert len(bench.sites()) == 1
    assert len(bench.wire.asked) == 9
    assert bench.clock.monotonic() >= 5 + 10 + 20 + 40 + 60 * 5
    assert [change["state"] for change in bench.recorder.circuits] == ["half-open", "open"] * 8 + [
        "half-open",
        "closed",
    ]
    bench.client._limiter.close()
    assert bench.table.buckets[IDENTITY].asked == 1


def test_a_load_refusal_after_the_cool_down_leaves_the_property_to_the_next_run(tmp_path) -> None:
    google = Switchable(sites={BAD: "siteOwner", "sc-domain:p1.example": "siteOwner"})
    google.fail(lambda request: "p0.example" in request.url, load_refusal())
    house = House(spec([workspace(tmp_path)], limits=Limits(load_cooldown_seconds=900)), google)
    first = house.run()
    assert first.summary.state is State.SNOOZED
    assert 900 <= first.summary.snooze_seconds <= 901, (
        "a moment may pass until the summary is written, or not"
    )
    house.clock.advance(901)
    second = house.again().run()
    assert second.summary.state is State.PARTIALLY_SUCCEEDED
    assert second.exit_code is ExitCode.SUCCESS
    assert "left to the next run" in second.summary.message
    asked = sum("p0.example" in url for url, _ in google.requests)
    assert asked == 2, "once, and once after the cool-down"
    [rest] = [bucket.rest for bucket in house.store.budgets.buckets.values() if bucket.rest]
    assert rest.spent is Spent.DAILY_LOAD


def test_a_spent_day_stops_the_other_workspaces_of_the_project(tmp_path) -> None:
    """Two refresh tokens of one client: two users, one project."""
    content = {
        "type": "authorized_user",
        "client_id": "77-x.apps",
        "client_secret": "s",
        "refresh_token": "r",
    }
    places = [
        workspace(tmp_path, name, {**content, "refresh_token": name}) for name in ("one", "two", "three")
    ]
    google = Switchable(sites={BAD: "siteOwner"})
    google.fail(is_query, refusal(403, "Daily Limit Exceeded", "dailyLimitExceeded", "usageLimits"))
    house = House(spec(places, limits=SERIAL), google)
    ended = house.run()
    assert (ended.summary.state, ended.summary.error_class) == (State.SNOOZED, FailureClass.DAILY_QUOTA)
    assert sum("searchAnalytics" in url for url, _ in google.requests) == 1, (
        "one refusal is enough for all three"
    )
    house.clock.advance(60)
    house.again().run()
    assert len(google.requests) == 1 + sum("searchAnalytics" not in url for url, _ in google.requests)
    house.clock.advance(timedelta(hours=3).total_seconds())
    google.script = lambda _request, _body: None
    assert house.again(3).run().summary.state is State.SUCCEEDED


@pytest.mark.parametrize("rate", [2.0, 5.0])
def test_a_launch_alone_uses_its_rate(tmp_path, rate: float) -> None:
    google = FakeGoogle(sites={BAD: "siteOwner"})
    limits = Limits(requests_per_second_per_property=rate, concurrency=1)
    house = House(spec([workspace(tmp_path)], days=40, limits=limits), google, TinyStore())
    ended = house.run()
    assert ended.summary.requests / (ended.summary.duration_ms / 1000) == pytest.approx(
        rate * HEADROOM, rel=0.1
    )
    assert ended.summary.quota_wait_ms > 0
