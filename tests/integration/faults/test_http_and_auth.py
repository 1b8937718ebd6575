"""Faults 1-23: what Google, its token endpoint and everything between answer instead of rows.

Each story starts after a clean run, a day later, and ends with the same question: does every cell equal the data set?
What passes is survived within one run; what lasts costs what it concerns and nothing else, leaves the stored rows as
they were, and is mended by the next run.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from contract import ExitCode, FailureClass, State
from sync.google.retry import Policy
from tests.integration.faults.stranger import stranger
from tests.integration.faults.world import (
    ACME,
    BLOG,
    GLOBEX,
    NEXT_DAY,
    CellName,
    World,
    eventually,
    limits,
    meanwhile,
    named,
    of,
    only,
    shared_budgets,
)

Rule = dict[str, Any]
SKEWED = "Invalid JWT: Token must be a short-lived token (60 minutes). Check your iat and exp values in the JWT claim."


def rule(kind: str, match: Rule | None = None, **fault: Any) -> Rule:
    return {
        "match": {"operation": "query", "property": ACME} | (match or {}),
        "fault": {"kind": kind, **fault},
    }


def page(kind: str, match: Rule | None = None, **fault: Any) -> Rule:
    return rule(kind, {"grouped_by": "page"} | (match or {}), **fault)


def once(kind: str, times: int = 1, **fault: Any) -> Rule:
    """From the second page on, so in the middle of a run."""
    return page(kind, {"nth": 2, "times": times}, **fault)


def token(kind: str, times: int | None = None, **fault: Any) -> Rule:
    return {"match": {"operation": "token", "times": times}, "fault": {"kind": kind, **fault}}


def sites(kind: str, times: int | None = None, **fault: Any) -> Rule:
    return {"match": {"operation": "sites.list", "times": times}, "fault": {"kind": kind, **fault}}


PASSING = [
    pytest.param([once("token-expired")], id="fault_01 a token refused in mid-run"),
    pytest.param([sites("token-expired", 1)], id="fault_01 a token refused at once"),
    *(
        pytest.param([token("html-500", 3, status=status)], id=f"fault_03 token endpoint {status} with HTML")
        for status in (500, 502, 503)
    ),
    pytest.param([token("status", 3, status=429, body="<html>")], id="fault_03 token endpoint 429"),
    pytest.param([token("short-lived-token", seconds=1)], id="fault_04 tokens that live a second"),
    pytest.param(
        [token("status", 1, status=200, json_body={"access_token": "x", "expires_in": 10**400})],
        id="fault_04 a lifetime beyond all numbers, and a token that is none",
    ),
    *(
        pytest.param(
            [token("status", 2, status=200, json_body={"access_token": text})],
            id=f"fault_23 a token with {name}",
        )
        for name, text in (("a line end", "x\r\nX: y"), ("a snowman", "\u2603"))
    ),
    pytest.param([token("invalid-grant", 2, message=SKEWED)], id="fault_04 token used too early, twice"),
    *(
        pytest.param([once(kind, 3)], id=f"fault_05 {kind}")
        for kind in ("rate-403", "user-rate-403", "project-rate-403")
    ),
    *(
        pytest.param([once("unknown-403", 2, body=body)], id=f"fault_10 {name}")
        for name, body in (("empty", ""), ("HTML", "<html>Forbidden"), ("unknown", '{"fault": "x"}'))
    ),
    *(
        pytest.param([once("rate-429", 2, retry_after=text)], id=f"fault_12 Retry-After {name}")
        for name, text in (
            ("in seconds", "7"),
            ("as a date", "Wed, 18 Mar 2026 18:00:09 GMT"),
            ("absurd", "99999999"),
            ("negative", "-5"),
            ("no number", "soon"),
            ("missing", None),
        )
    ),
    *(
        pytest.param([once("html-500", 4, status=status)], id=f"fault_15 {status} with HTML")
        for status in (500, 502, 503, 504)
    ),
    pytest.param([once("backend-error", 4)], id="fault_15 503 with backendError"),
    pytest.param([sites("html-500", 3)], id="fault_15 500 while listing properties"),
    pytest.param([once("200-with-error", 2)], id="fault_16 an error inside a 200"),
    pytest.param([once("redirect")], id="fault_17 a redirect"),
    pytest.param([once("no-content", 2)], id="fault_17 204"),
    pytest.param([once("status", status=304)], id="fault_17 304"),
    pytest.param([once("drop-connection", 3)], id="fault_18 connections dropped"),
    pytest.param([token("drop-connection", 3)], id="fault_18 connections dropped by the token endpoint"),
    *(
        pytest.param([once(kind, 2)], id=f"fault_19 {kind}")
        for kind in ("reset-mid-body", "incomplete-body", "truncated-gzip", "not-gzip")
    ),
    *(
        pytest.param([once(kind, 2)], id=f"fault_20 {kind}")
        for kind in ("truncated-json", "invalid-json", "byte-order-mark", "wrong-content-type")
    ),
    pytest.param([rule("truncated-json", {"times": 1})], id="fault_20 totals cut short"),
    pytest.param([once("slow-drip", chunk=500, seconds=0.02)], id="fault_21 a slow body"),
    pytest.param([once("endless-headers", seconds=1)], id="fault_21 endless headers"),
    pytest.param([once("captive-page", 2)], id="fault_23 captive page"),
    pytest.param([sites("captive-page", 2)], id="fault_23 captive page while listing properties"),
    pytest.param([token("captive-page", 2)], id="fault_23 captive page at the token endpoint"),
]


@pytest.mark.parametrize("rules", PASSING)
def test_what_passes_is_survived_within_the_run(world: World, rules: list[Rule]) -> None:
    world.faults(*rules)
    ended = world.run(timeout_seconds=3600)  # the longest waits may come one after the other
    assert any(entry["fault"] for entry in world.asked()), "the fault must have been met"
    assert (ended.exit_code, ended.summary.state) == (ExitCode.SUCCESS, State.SUCCEEDED), ended.summary
    assert ended.summary.failures == []
    assert max(ended.pauses, default=0) <= Policy().retry_after_cap
    assert world.wrong() == {}


def everything_of_acme(cell: CellName) -> bool:
    return cell[0] in {ACME, BLOG}


AT_ONE_PROPERTY = 2
"""Threads that `limits()` allows at one property: so many may have asked before the first is refused."""

PERMISSION = {"error": {"code": 403, "message": "x", "errors": [{"domain": "global", "reason": "forbidden"}]}}
LASTING = [
    pytest.param([rule("permission-403")], FailureClass.PERMISSION_DENIED, "permission", 1, only(ACME), id="fault_08"),
    pytest.param([rule("unknown-403")], FailureClass.PERMISSION_DENIED, "403", 3, only(ACME), id="fault_10"),
    pytest.param([rule("not-found")], FailureClass.PROPERTY_GONE, "stored rows are kept", 1, only(ACME), id="fault_11"),
    pytest.param([rule("html-500", status=502)], FailureClass.GOOGLE_UNAVAILABLE, "502", 6 * 3, only(ACME), id="fault_15"),
    pytest.param(
        [rule("status", status=200, json_body=PERMISSION)], FailureClass.PERMISSION_DENIED, "403", 1, only(ACME), id="fault_16"
    ),
    pytest.param([rule("no-content")], FailureClass.BAD_ANSWER, "204", 3 * 3, only(ACME), id="fault_17 204"),
    pytest.param([rule("drop-connection")], FailureClass.GOOGLE_UNAVAILABLE, "reached", 6 * 3, only(ACME), id="fault_18"),
    pytest.param([rule("reset-mid-body", after=20)], FailureClass.GOOGLE_UNAVAILABLE, "reached", 6 * 3, only(ACME), id="fault_19"),
    pytest.param([rule("truncated-json")], FailureClass.BAD_ANSWER, "JSON", 3 * 3, only(ACME), id="fault_20"),
    pytest.param([rule("captive-page")], FailureClass.BAD_ANSWER, "proxy", 3 * 3, only(ACME), id="fault_23"),
    pytest.param(
        [rule("token-expired", {"account": "acme", "property": None})],
        FailureClass.CREDENTIALS_INVALID, "fresh one", 4 * 2, everything_of_acme, id="fault_01 a second 401",
    ),
    pytest.param(
        [rule("api-disabled", {"account": "acme", "property": None})],
        FailureClass.API_DISABLED, "enable it there", 4, everything_of_acme, id="fault_09 API off",
    ),
    pytest.param(
        [rule("scope-403", {"account": "acme", "property": None})],
        FailureClass.CREDENTIALS_INVALID, "webmasters.readonly", 4, everything_of_acme, id="fault_09 scope",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("rules", "failure", "says", "most", "behind"), LASTING)
def test_what_lasts_costs_what_it_concerns_and_nothing_else(
    world: World,
    rules: list[Rule],
    failure: FailureClass,
    says: str,
    most: int,
    behind: Callable[[CellName], bool],
) -> None:
    world.faults(*rules)
    ended = world.run()
    assert (ended.exit_code, ended.summary.state) == (ExitCode.SUCCESS, State.PARTIALLY_SUCCEEDED)
    assert ended.failures() == {"acme": failure}
    assert says in ended.summary.failures[0].message
    refused = len([entry for entry in world.asked() if entry["fault"]])
    assert refused <= most * AT_ONE_PROPERTY, "no storm of retries"
    assert world.wrong(behind=behind) == {}, "rows stay as they were, those of others are right"
    assert ended.summary.rows_deleted >= 0
    world.heal()


@pytest.mark.parametrize(
    "account", [pytest.param("acme", id="key"), pytest.param("globex", id="refresh token")]
)
def test_fault_02_a_revoked_credential_is_asked_for_once_and_says_what_to_do(
    world: World, account: str
) -> None:
    world.emulator.set_account(account, revoked=True)
    ended = world.run()
    assert (ended.exit_code, ended.summary.state) == (ExitCode.SUCCESS, State.PARTIALLY_SUCCEEDED)
    assert ended.failures() == {account: FailureClass.CREDENTIALS_REVOKED}
    assert "7 days" in ended.summary.failures[0].message
    assert len(world.asked(operation="token", status="400")) == 1
    assert world.wrong(behind=everything_of_acme if account == "acme" else only(GLOBEX)) == {}
    world.emulator.set_account(account, revoked=False)
    world.heal()


def test_fault_02_alone_it_fails_the_launch_under_its_own_name(world: World) -> None:
    world.emulator.set_account("acme", revoked=True)
    ended = world.run(workspaces=[world.workspace("acme")])
    assert (ended.exit_code, ended.summary.state) == (ExitCode.FAILURE, State.FAILED)
    assert ended.summary.error_class is FailureClass.CREDENTIALS_REVOKED


def test_fault_04_a_clock_that_stays_wrong_is_reported_as_that(world: World) -> None:
    world.faults(token("invalid-grant", message=SKEWED))
    ended = world.run()
    assert (ended.exit_code, ended.summary.state) == (ExitCode.FAILURE, State.FAILED)
    assert set(ended.failures().values()) == {FailureClass.CREDENTIALS_INVALID}
    assert "check the clock of the node" in ended.summary.failures[0].message
    assert len(world.asked(operation="token")) == 2 * Policy().unclear_tries
    assert world.wrong(behind=of(ACME, BLOG, GLOBEX)) == {}
    world.heal()


def test_fault_06_load_quota_rests_the_property_and_a_later_launch_goes_on(world: World) -> None:
    world.faults(rule("load-403"))
    spec = world.spec(limits=limits(load_cooldown_seconds=900))
    refused = []
    for launch in (1, 2):
        ended = world.run(spec.model_copy(update={"launch": launch}), store=shared_budgets)
        assert (ended.exit_code, ended.summary.state) == (ExitCode.SNOOZED, State.SNOOZED)
        assert ended.summary.error_class is FailureClass.LOAD_QUOTA
        assert ended.summary.snooze_seconds >= 890
        assert max(ended.pauses, default=0) < 890, "the launch does not sit the cool-down out"
        assert world.wrong(behind=only(ACME)) == {}
        refused.append(len(world.asked(fault="load-403")))
    assert refused[0] == refused[1], "while the property rests it is not asked for"
    world.rests_are_over()
    ended = world.run(spec.model_copy(update={"launch": 3}), store=shared_budgets)
    assert (ended.exit_code, ended.summary.state) == (ExitCode.SUCCESS, State.PARTIALLY_SUCCEEDED)
    assert ended.failures() == {}, "refused again: left to the next run, which is no failure of the workspace"
    assert "acme" not in {success.workspace for success in ended.summary.successes}
    assert world.wrong(behind=only(ACME)) == {}
    world.heal()


def test_fault_07_a_spent_day_stops_the_project_until_midnight_in_california(world: World) -> None:
    world.faults(rule("daily-403", {"account": "acme", "property": None}))
    spec = world.spec()
    ended = world.run(spec, store=shared_budgets)
    assert (ended.exit_code, ended.summary.state) == (ExitCode.SNOOZED, State.SNOOZED)
    assert ended.summary.error_class is FailureClass.DAILY_QUOTA
    midnight = NEXT_DAY.replace(hour=7) + timedelta(days=1)
    assert abs(ended.summary.snooze_seconds - (midnight - NEXT_DAY).total_seconds()) <= 60
    assert len(world.asked(fault="daily-403")) <= 2, "the properties that were being asked for, and no other"
    assert world.wrong(behind=everything_of_acme) == {}, "another project goes on"
    world.faults()
    world.emulator.clear_requests()
    ended = world.run(spec.model_copy(update={"launch": 2}), store=shared_budgets)
    assert (ended.exit_code, ended.summary.state) == (ExitCode.SNOOZED, State.SNOOZED)
    assert world.asked(operation="query", account="acme") == [], "not before midnight"
    world.heal()


def test_fault_13_a_search_type_that_google_refuses_costs_that_type_alone(world: World) -> None:
    world.faults(rule("bad-request", {"type": "image"}))
    ended = world.run()
    assert (ended.exit_code, ended.summary.state) == (ExitCode.SUCCESS, State.PARTIALLY_SUCCEEDED)
    assert ended.failures() == {"acme": FailureClass.BAD_REQUEST}
    assert len(world.asked(fault="bad-request")) == 1
    assert world.wrong(behind=lambda cell: cell[:2] == (ACME, "image")) == {}
    world.heal()


def test_fault_14_no_question_is_one_that_google_refuses(world: World) -> None:
    """The emulator enforces the rule table of the API: a wrong combination would be a 400."""
    ended = world.run(search_types=["web", "image", "video", "news", "discover", "googleNews"])
    assert ended.exit_code == ExitCode.SUCCESS
    assert {entry["status"] for entry in world.asked(operation="query")} == {200}
    for entry in world.asked(operation="query"):
        assert (
            "page" not in entry["body"]["dimensions"] or entry["body"].get("aggregationType") != "byProperty"
        )


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_fault_17_a_redirect_is_no_success_and_the_token_stays_here(world: World, status: int) -> None:
    with stranger() as (url, heard):
        world.faults(
            rule("redirect", status=status, location=f"{url}/x"),
            sites("redirect", 1, status=status, location=url),
        )
        ended = world.run()
    assert heard == []
    assert ended.failures() == {"acme": FailureClass.BAD_ANSWER}
    assert world.wrong(behind=only(ACME)) == {}


@pytest.mark.parametrize(
    ("base", "says"),
    [
        pytest.param("http://no-such-host.invalid/v3", "reached", id="fault_18 an unknown name"),
        pytest.param("http://127.0.0.1:9/v3", "reached", id="fault_18 connection refused"),
        pytest.param("https://{here}/v3", "TLS", id="fault_18 no TLS"),
    ],
)
def test_a_google_that_cannot_be_reached_fails_the_run_and_not_the_rows(
    world: World, base: str, says: str
) -> None:
    world.environment = {
        "GSC_SYNC_API_BASE_URL": base.format(here=world.emulator.url.removeprefix("http://")),
        "no_proxy": "*",
    }
    ended = world.run()
    assert (ended.exit_code, ended.summary.state) == (ExitCode.FAILURE, State.FAILED)
    assert set(ended.failures().values()) == {FailureClass.GOOGLE_UNAVAILABLE}
    assert says in ended.summary.message
    assert ended.summary.requests == 2 * Policy().transient_tries, "growing pauses and an end, no tight loop"
    assert max(ended.pauses) > 2
    assert world.wrong(behind=of(ACME, BLOG, GLOBEX)) == {}
    world.environment = {}
    world.heal()


def test_fault_21_a_dripping_body_does_not_outlast_the_launch(world: World) -> None:
    world.faults(page("slow-drip", chunk=10, seconds=0.2))
    ended = world.run(timeout_seconds=2)
    assert ended.summary.duration_ms < 5_000
    assert ended.exit_code in {ExitCode.FAILURE, ExitCode.SNOOZED}
    assert world.wrong(behind=of(ACME, BLOG, GLOBEX)) == {}
    world.heal()


def test_fault_22_a_body_beyond_all_bounds_costs_its_cell(world: World) -> None:
    day = NEXT_DAY.date() - timedelta(days=1)
    world.faults(page("huge-body", {"day": day.isoformat(), "type": "web"}, megabytes=70))
    ended = world.run()
    assert (ended.exit_code, ended.summary.state) == (ExitCode.SUCCESS, State.PARTIALLY_SUCCEEDED)
    assert ended.failures() == {"acme": FailureClass.BAD_ANSWER}
    assert len(world.asked(fault="huge-body")) == 1
    assert world.wrong(behind=lambda cell: cell == (ACME, "web", day)) == {}
    world.heal()


def test_fault_01_many_threads_that_meet_a_401_share_one_new_token(world: World) -> None:
    """The token is taken back while four properties and types are being read."""
    world.emulator.set_latency(20)

    def take_back() -> None:
        eventually(lambda: len(world.asked(operation="query", account="acme")) > 3)
        world.emulator.expire_tokens()

    with meanwhile(take_back):
        ended = world.run(workspaces=[world.workspace("acme", properties=named(ACME, BLOG))])
    assert ended.exit_code == ExitCode.SUCCESS
    assert len(world.asked(operation="token")) == 2, "the first, and one after the refusals"
    assert world.wrong(behind=only(GLOBEX)) == {}
