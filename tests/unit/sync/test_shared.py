"""One property, several identities: synced once, with the others as fall-back; told to every workspace that asked."""

from __future__ import annotations

import json
from collections import Counter
from datetime import date, timedelta
from typing import Any

import pytest

from contract import ExitCode, FailureClass, Limits, State
from sync.account import Account
from sync.errors import (
    CredentialsError,
    GoogleUnavailable,
    Interrupted,
    LoadQuotaError,
    PropertyError,
    SyncError,
)
from sync.launch import Halt, Identity
from sync.outcomes import Ending, PropertyOutcome
from sync.shared import Shared
from tests.unit.sync.fakes import (
    AUTHORIZED_USER,
    FakeGoogle,
    permission_refusal,
    refusal,
    spec,
    workspace,
)
from tests.unit.sync.test_run import DOMAIN, House

NOBODY: Account = None  # type: ignore[assignment]  # never asked here
A, B, C = (Identity(name, NOBODY, Halt()) for name in "abc")


def outcome(error: SyncError | None = None, ending: Ending = Ending.FAILED, rows: int = 0) -> PropertyOutcome:
    return PropertyOutcome(
        DOMAIN, ending if error else Ending.SYNCED, error, committed=rows, rows_written=rows
    )


DENIED = outcome(PropertyError("no access"))
GONE = outcome(PropertyError("gone", FailureClass.PROPERTY_GONE))
REVOKED = outcome(CredentialsError("revoked"))
DOWN = outcome(GoogleUnavailable("down"))


def test_the_first_does_the_work_and_all_hear_of_it():
    shared = Shared()
    assert [shared.claim(DOMAIN, each) for each in (A, B, C)] == [True, False, False]
    assert shared.ended(outcome(rows=7), A) is None
    assert shared.outcomes("a") == [outcome(rows=7)]
    assert shared.outcomes("b") == shared.outcomes("c") == [outcome()], "rows are counted once"


@pytest.mark.parametrize("failed", [DENIED, GONE, REVOKED], ids=["denied", "gone", "revoked"])
def test_an_identity_that_is_of_no_use_is_followed_by_the_next(failed):
    shared = Shared()
    for each in (A, B):
        shared.claim(DOMAIN, each)
    assert shared.ended(failed, A) is B
    assert shared.ended(outcome(rows=7), B) is None
    assert shared.outcomes("a") == [outcome()]
    assert shared.outcomes("b") == [outcome(rows=7)]


@pytest.mark.parametrize(
    "failed",
    [
        pytest.param(DOWN, id="Google is down"),
        pytest.param(outcome(PropertyError("wrong", FailureClass.BAD_REQUEST)), id="the question is wrong"),
        pytest.param(outcome(LoadQuotaError("later", 900), Ending.POSTPONED), id="the property must rest"),
        pytest.param(outcome(Interrupted("stop"), Ending.UNFINISHED), id="the launch ends"),
    ],
)
def test_what_is_nobodys_fault_is_not_tried_by_another(failed):
    shared = Shared()
    for each in (A, B):
        shared.claim(DOMAIN, each)
    assert shared.ended(failed, A) is None
    assert shared.outcomes("a") == shared.outcomes("b") == [failed]


def test_when_all_fail_each_hears_its_own_reason():
    shared = Shared()
    for each in (A, B):
        shared.claim(DOMAIN, each)
    assert shared.ended(DENIED, A) is B
    assert shared.ended(REVOKED, B) is None
    assert (shared.outcomes("a"), shared.outcomes("b")) == ([DENIED], [REVOKED])


def test_one_that_comes_after_the_end_works_only_when_the_others_were_of_no_use():
    shared = Shared()
    assert shared.claim(DOMAIN, A)
    shared.ended(DENIED, A)
    assert shared.claim(DOMAIN, B), "nobody could"
    shared.ended(outcome(rows=3), B)
    assert not shared.claim(DOMAIN, C), "it is done"
    assert shared.outcomes("a") == shared.outcomes("c") == [outcome()]


def two(tmp_path, **fields):
    """Two workspaces with refresh tokens of their own, each seeing the same property."""
    other = {**AUTHORIZED_USER, "refresh_token": "hush-other"}
    places = [workspace(tmp_path, "acme"), workspace(tmp_path, "beta", other)]
    return spec(
        places,
        limits=Limits(concurrency=1, cells_per_property=1, requests_per_second_per_property=100),
        **fields,
    )


def test_fault_51_a_property_of_two_accounts_is_fetched_once(tmp_path):
    google = FakeGoogle()
    house = House(two(tmp_path), google)
    ended = house.run()
    assert ended.exit_code is ExitCode.SUCCESS
    assert len(google.asked("probe")) == 1
    assert set(Counter(body["startDate"] for body in google.asked()).values()) == {2}, (
        "a page and the end of it"
    )
    assert (ended.summary.properties, ended.summary.rows_written) == (1, 6)
    assert [(each.workspace, each.properties, each.rows_written) for each in ended.summary.successes] == [
        ("acme", 1, 6),
        ("beta", 1, 0),
    ]


def first_identity_only(reply):
    """Answers the data requests of the identity that asks first; the other one is let through."""
    seen: list[str] = []

    def script(request, _body):
        if "searchAnalytics" not in request.url:
            return None
        token = request.headers["Authorization"]
        if not seen:
            seen.append(token)
        return reply() if token == seen[0] else None

    return script


def test_fault_51_without_access_the_other_account_goes_on(tmp_path):
    google = FakeGoogle(script=first_identity_only(permission_refusal))
    house = House(two(tmp_path), google)
    ended = house.run()
    assert ended.exit_code is ExitCode.SUCCESS
    assert ended.summary.state is State.SUCCEEDED, "the property is fresh, which is what both asked for"
    assert len(house.store.cells) == 3
    assert ended.summary.rows_written == 6


def test_fault_51_a_credential_that_breaks_in_the_middle_leaves_the_rest_to_the_other(tmp_path):
    google = FakeGoogle()
    asked: list[str] = []

    def script(request, body):
        if "searchAnalytics" not in request.url or body["dimensions"] == ["date"]:
            return None
        token = request.headers["Authorization"]
        asked.append(token)
        broken = len(asked) > 2 and owners.get(token) == "hush-refresh"
        return refusal(401, "Invalid Credentials", "authError") if broken else None

    owners: dict[str, str] = {}
    plain = google.send

    def send(request):
        reply = plain(request)
        if request.url.startswith("https://token.example"):
            token = json.loads(reply.body)["access_token"]
            whose = "hush-other" if b"hush-other" in request.body else "hush-refresh"
            owners[f"Bearer {token}"] = whose
        return reply

    google.send = send
    google.script = script
    house = House(two(tmp_path), google)
    ended = house.run()
    assert ended.summary.state is State.PARTIALLY_SUCCEEDED, "the broken credential is told"
    assert [failure.workspace for failure in ended.summary.failures] == ["acme"]
    assert len(house.store.cells) == 3
    days = Counter(body["startDate"] for body in google.asked())
    assert days["2026-06-14"] == 2, "what the first had committed is not fetched again"


def test_fault_53_no_property_at_all_is_a_success_with_a_warning(tmp_path, caplog):
    google = FakeGoogle(sites={})
    house = House(spec([workspace(tmp_path)]), google)
    ended = house.run()
    assert (ended.exit_code, ended.summary.state) == (ExitCode.SUCCESS, State.SUCCEEDED)
    assert (ended.summary.properties, ended.summary.cells) == (0, 0)
    assert "matches no property" in caplog.text


def test_fault_55_a_run_across_midnight_in_california_keeps_its_window(tmp_path):
    """21:00 on 14 June, and each cell takes two hours: the second is fetched on 15 June."""
    house = House(spec([workspace(tmp_path)], timeout_seconds=86_400), FakeGoogle())
    house.store.on_write = lambda _: house.clock.advance(7200)
    ended = house.run()
    assert ended.exit_code is ExitCode.SUCCESS
    assert {cell.day.day for cell in house.store.cells} == {12, 13, 14}
    assert {body["startDate"] for body in house.google.asked("probe")} == {"2026-06-12"}
    again = house.again()
    again.store.complete.clear()
    assert again.run().summary.cells == 0, "nor does a launch that comes a day later look at other days"


def test_fault_58_days_that_google_no_longer_shows_stay_as_they_are(tmp_path):
    """The 16-month edge moves on: two backfills that reach over it find nothing there, and take nothing away."""
    edge = date(2025, 2, 14)
    window = {"first_day": edge, "last_day": edge + timedelta(days=9)}
    house = House(spec([workspace(tmp_path)], window=window), FakeGoogle())
    house.run()
    kept = {cell: list(house.store.rows(cell)) for cell in house.store.cells}
    assert min(cell.day for cell in kept) == edge
    google = FakeGoogle(
        rows=lambda _property, day, _type: [] if day < edge + timedelta(days=4) else rows_of(day)
    )
    for days in (1, 2):
        order = house.order.model_copy(update={"run_id": f"run-{days}"})
        house.clock.advance(86_400)
        ended = House(order, google, house.store, house.clock).run()
        assert ended.exit_code is ExitCode.SUCCESS
        assert ended.summary.rows_deleted == 0
    assert {cell: list(house.store.rows(cell)) for cell in kept} == kept
    assert google.asked() == [], "neither what is gone nor what is settled"


def rows_of(day: date) -> list[dict[str, Any]]:
    return FakeGoogle().rows("", day, "web")
