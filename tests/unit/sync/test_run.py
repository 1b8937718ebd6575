"""One launch from the fence to the summary, against a scripted Google and a small store."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta

import pytest

from contract import ExitCode, FailureClass, Limits, PropertyFilter, RunSpec, State
from sync.clock import ManualClock
from sync.compose import budgets
from sync.errors import DatabaseIncompatible, DatabaseRefused, DatabaseUnavailable, Superseded
from sync.events import Events
from sync.google.account import GoogleAccess, TokenGuards
from sync.google.retry import Policy
from sync.google.skew import SkewWatch
from sync.launch import Launch
from sync.plan.cells import Cell, Row
from sync.progress import LogReporter
from sync.quota.guard import API, TOKENS, Guard
from sync.run import Ended, run
from sync.stop import Stop, StopReason
from sync.tally import Tally
from tests.unit.sync.fakes import (
    ADDRESSES,
    TODAY,
    FakeGoogle,
    TinyStore,
    clock,
    days_of,
    load_refusal,
    permission_refusal,
    refusal,
    row,
    spec,
    workspace,
)

DOMAIN = "sc-domain:a.example"


class House:
    """Everything a launch needs, wired as the composition root does it."""

    def __init__(
        self,
        order: RunSpec,
        google: FakeGoogle,
        store: TinyStore | None = None,
        now: ManualClock | None = None,
    ):
        self.order = order
        self.google = google
        self.store = store or TinyStore()
        self.clock = now or clock()
        self.store.now = self.clock.now
        self.stop = Stop(
            self.clock,
            soft_deadline=self.clock.monotonic() + order.soft_deadline_seconds,
            hard_deadline=self.clock.monotonic() + order.timeout_seconds,
            grace=order.limits.grace_seconds,
        )
        self.tally = Tally()
        events = Events(self.tally)
        self.limiter = budgets(order, self.store.quotas(), self.clock, self.stop, events)
        accounts = GoogleAccess(
            namespace=order.namespace,
            transport=google,
            metadata_transport=google,
            base_url="https://google.example/v3",
            inspection_url="http://127.0.0.1:9/v1",
            addresses=ADDRESSES,
            identity_token=None,
            clock=self.clock,
            sleep=self.stop.sleep,
            draw=lambda: 0.5,
            limiter=self.limiter,
            api_guard=Guard(API, self.clock, self.stop.sleep, events),
            token_guards=TokenGuards(*(Guard(TOKENS, self.clock, self.stop.sleep, events) for _ in range(3))),
            policy=Policy(load_cooldown=order.limits.load_cooldown_seconds),
            observer=events,
            skew=SkewWatch(self.clock.now),
        )
        self.launch = Launch(
            order, self.store, accounts, self.clock, self.stop, self.tally, events, self.clock.monotonic()
        )

    def run(self) -> Ended:
        ended = run(self.launch, LogReporter(self.tally, self.clock))
        self.limiter.close()
        return ended

    def again(self, launch: int = 2) -> House:
        """The next launch of the same run, on the same store."""
        return House(self.order.model_copy(update={"launch": launch}), self.google, self.store, self.clock)


def test_a_run_brings_every_day_of_the_window_into_the_store(tmp_path):
    house = House(spec([workspace(tmp_path)]), FakeGoogle())
    ended = house.run()
    assert ended.exit_code is ExitCode.SUCCESS
    assert ended.summary.state is State.SUCCEEDED
    assert sorted(cell.day for cell in house.store.cells) == [
        TODAY - timedelta(days=2),
        TODAY - timedelta(days=1),
        TODAY,
    ]
    cell = Cell(DOMAIN, TODAY, "web")
    assert house.store.rows(cell) == [
        Row(f"https://a.example/{TODAY}", "", "usa", "MOBILE", 0, 10, 3.5),
        Row(f"https://a.example/{TODAY}", "shoes", "usa", "MOBILE", 1, 10, 3.5),
    ]
    assert ended.summary.rows_written == 6
    assert ended.summary.cells == 3
    assert ended.summary.properties == 1
    # sites, a probe, and for each of three days a page and the empty page behind it
    assert ended.summary.requests == 8
    assert house.store.summaries == [(ended.summary, True)]
    assert house.store.opened == 0


def test_days_are_taken_newest_first(tmp_path):
    house = House(spec([workspace(tmp_path)], limits=Limits(concurrency=1)), FakeGoogle())
    house.run()
    assert list(days_of(house.google.asked())) == ["2026-06-14", "2026-06-13", "2026-06-12"]


def test_days_before_the_first_incomplete_one_are_final(tmp_path):
    google = FakeGoogle(first_incomplete=TODAY - timedelta(days=1))
    house = House(spec([workspace(tmp_path)]), google)
    ended = house.run()
    finals = {cell.day: found.final for cell, found in house.store.cells.items()}
    assert finals == {TODAY: False, TODAY - timedelta(days=1): False, TODAY - timedelta(days=2): True}
    assert ended.summary.newest_final_day == TODAY - timedelta(days=2)


def test_without_metadata_only_days_older_than_three_are_final(tmp_path):
    house = House(spec([workspace(tmp_path)], days=6), FakeGoogle(first_incomplete=None))
    house.run()
    assert {(TODAY - cell.day).days for cell, found in house.store.cells.items() if found.final} == {4, 5}


def test_a_final_window_ends_before_the_first_incomplete_day(tmp_path):
    order = spec([workspace(tmp_path)], window={"days": 3, "data_state": "Final"})
    house = House(order, FakeGoogle(first_incomplete=TODAY - timedelta(days=1)))
    house.run()
    assert {(TODAY - cell.day).days for cell in house.store.cells} == {2, 3, 4}
    assert {body["dataState"] for body in house.google.asked()} == {"final"}
    assert {body["dataState"] for body in house.google.asked("probe")} == {"all"}


def test_a_finished_run_is_answered_from_its_stored_summary(tmp_path):
    house = House(spec([workspace(tmp_path)]), FakeGoogle())
    house.run()
    asked = len(house.google.requests)
    ended = house.again().run()
    assert ended.exit_code is ExitCode.SUCCESS
    assert ended.summary.from_earlier_launch
    assert len(house.google.requests) == asked


def test_a_missing_credentials_file_fails_that_workspace_alone(tmp_path):
    house = House(spec([workspace(tmp_path), workspace(tmp_path, "beta", None)]), FakeGoogle())
    ended = house.run()
    assert ended.exit_code is ExitCode.SUCCESS
    assert ended.summary.state is State.PARTIALLY_SUCCEEDED
    [failure] = ended.summary.failures
    assert failure.workspace == "beta"
    assert failure.failure_class is FailureClass.CREDENTIALS_MISSING
    assert "Secret 'beta-google' key 'credentials.json' is missing" in failure.message
    assert "add the key" in failure.message
    assert house.store.summaries[0][1], "a partial success closes the run"


def test_nothing_out_of_n_is_a_failure_and_stays_open(tmp_path):
    house = House(spec([workspace(tmp_path, "beta", None)]), FakeGoogle())
    ended = house.run()
    assert ended.exit_code is ExitCode.FAILURE
    assert ended.summary.error_class is FailureClass.CREDENTIALS_MISSING
    assert house.store.summaries == [(ended.summary, False)]


def test_fewer_successes_than_asked_for_are_a_failure(tmp_path):
    limits = Limits(min_success_ratio=0.6)
    house = House(spec([workspace(tmp_path), workspace(tmp_path, "beta", None)], limits=limits), FakeGoogle())
    ended = house.run()
    assert ended.exit_code is ExitCode.FAILURE
    assert "minSuccessRatio" in ended.summary.message


def test_a_late_secret_heals_by_the_retry_which_repeats_nothing(tmp_path):
    house = House(
        spec([workspace(tmp_path), workspace(tmp_path, "beta", None)], limits=Limits(min_success_ratio=1)),
        FakeGoogle(),
    )
    assert house.run().exit_code is ExitCode.FAILURE
    workspace(tmp_path, "beta")
    asked = len(house.google.asked())
    ended = house.again().run()
    assert ended.exit_code is ExitCode.SUCCESS
    assert ended.summary.succeeded_workspaces == 2
    assert len(house.google.asked()) == asked, "both workspaces see the same property, whose cells are done"
    assert ended.summary.newest_final_day is None, "no day before the first incomplete one is in this window"


def test_cells_that_were_done_still_count_for_the_newest_final_day(tmp_path):
    google = FakeGoogle(first_incomplete=TODAY)
    house = House(
        spec([workspace(tmp_path), workspace(tmp_path, "beta", None)], limits=Limits(min_success_ratio=1)),
        google,
    )
    assert house.run().exit_code is ExitCode.FAILURE
    workspace(tmp_path, "beta")
    assert house.again().run().summary.newest_final_day == TODAY - timedelta(days=1)


def test_a_property_without_permission_fails_and_the_others_go_on(tmp_path):
    google = FakeGoogle(sites={DOMAIN: "siteOwner", "https://b.example/": "siteFullUser"})
    google.script = lambda request, _: permission_refusal() if "b.example" in request.url else None
    house = House(spec([workspace(tmp_path)]), google)
    ended = house.run()
    assert {cell.property for cell in house.store.cells} == {DOMAIN}
    [failure] = ended.summary.failures
    assert failure.failure_class is FailureClass.PERMISSION_DENIED
    assert (failure.properties_ok, failure.properties_failed) == (1, 1)
    assert "https://b.example/" in failure.message


def test_a_property_asked_for_by_name_and_not_visible_is_a_failure_that_says_what_to_do(tmp_path):
    wanted = PropertyFilter(include=["https://a.example", DOMAIN])
    google = FakeGoogle(sites={DOMAIN: "siteOwner", "https://a.example/": "siteOwner"})
    ended = House(spec([workspace(tmp_path, properties=wanted)]), google).run()
    [failure] = ended.summary.failures
    assert failure.failure_class is FailureClass.PROPERTY_GONE
    assert "is spelled https://a.example/ at Google" in failure.message
    assert failure.properties_ok == 1


def test_no_matching_property_is_a_success_with_a_warning(tmp_path, caplog):
    house = House(
        spec([workspace(tmp_path, properties=PropertyFilter(include=["https://*.nowhere/"]))]), FakeGoogle()
    )
    ended = house.run()
    assert ended.summary.state is State.SUCCEEDED
    assert "matches no property" in caplog.text


def test_unverified_properties_are_skipped(tmp_path, caplog):
    google = FakeGoogle(sites={DOMAIN: "siteOwner", "https://u.example/": "siteUnverifiedUser"})
    house = House(spec([workspace(tmp_path)]), google)
    assert house.run().summary.state is State.SUCCEEDED
    assert {cell.property for cell in house.store.cells} == {DOMAIN}
    assert "not verified" in caplog.text


def test_a_wrong_question_costs_its_search_type_only(tmp_path):
    google = FakeGoogle()
    google.script = lambda _, body: (
        refusal(400, "no discover", "badRequest") if body.get("type") == "discover" else None
    )
    house = House(spec([workspace(tmp_path)], search_types=["discover", "web"]), google)
    ended = house.run()
    assert {cell.search_type for cell in house.store.cells} == {"web"}
    assert len(house.store.cells) == 3
    assert ended.summary.failures[0].failure_class is FailureClass.BAD_REQUEST


def test_r8_load_quota_postpones_the_property_and_gives_the_attempt_back(tmp_path):
    google = FakeGoogle(sites={DOMAIN: "siteOwner", "https://b.example/": "siteFullUser"})
    google.script = lambda request, _: load_refusal() if "b.example" in request.url else None
    house = House(spec([workspace(tmp_path)], limits=Limits(load_cooldown_seconds=120)), google)
    ended = house.run()
    assert ended.exit_code is ExitCode.SNOOZED
    assert ended.summary.state is State.SNOOZED
    assert ended.summary.error_class is FailureClass.LOAD_QUOTA
    assert 120 <= ended.summary.snooze_seconds <= 121
    assert ended.summary.failed_workspaces == 0
    assert {cell.property for cell in house.store.cells} == {DOMAIN}
    assert sum("b.example" in url for url, _ in google.requests) == 1, "one refusal is enough"
    google.script = lambda _request, _body: None
    early = house.again().run()
    assert early.summary.state is State.SNOOZED
    assert sum("b.example" in url for url, _ in google.requests) == 1, "remembered: not asked before its time"
    house.clock.advance(early.summary.snooze_seconds)
    ended = house.again(3).run()
    assert ended.summary.state is State.SUCCEEDED
    assert ended.summary.cells == 3, "only what was postponed is fetched"


def test_load_quota_beside_failures_only_is_a_failure(tmp_path):
    google = FakeGoogle(
        script=lambda request, _: load_refusal() if "searchAnalytics" in request.url else None
    )
    house = House(spec([workspace(tmp_path), workspace(tmp_path, "beta", None)]), google)
    assert house.run().exit_code is ExitCode.FAILURE


def test_r8_the_daily_quota_postpones_the_whole_workspace_until_midnight_in_california(tmp_path):
    google = FakeGoogle(sites={f"sc-domain:{name}.example": "siteOwner" for name in "abcdef"})
    google.script = lambda request, _: (
        refusal(403, "Daily Limit Exceeded", "dailyLimitExceeded", "usageLimits")
        if "searchAnalytics" in request.url
        else None
    )
    house = House(spec([workspace(tmp_path)], limits=Limits(concurrency=1)), google)
    ended = house.run()
    assert ended.summary.error_class is FailureClass.DAILY_QUOTA
    assert ended.exit_code is ExitCode.SNOOZED
    assert ended.summary.snooze_seconds == pytest.approx(3 * 3600, abs=10), "21:00:05 to midnight"
    assert len(google.asked("probe")) == 1


def test_r8_a_revoked_credential_is_asked_for_once(tmp_path):
    google = FakeGoogle(sites={f"sc-domain:{name}.example": "siteOwner" for name in "abcdef"})
    google.script = lambda request, _: (
        refusal(401, "Invalid Credentials", "authError") if "searchAnalytics" in request.url else None
    )
    house = House(spec([workspace(tmp_path)], limits=Limits(concurrency=1)), google)
    ended = house.run()
    assert ended.summary.error_class is FailureClass.CREDENTIALS_INVALID
    assert len(google.asked("probe")) == 2, "once, and once more with a fresh token"


def test_the_soft_deadline_with_cells_committed_means_continue(tmp_path):
    house = House(spec([workspace(tmp_path)], timeout_seconds=100), FakeGoogle())
    house.store.on_write = lambda _: house.clock.advance(60)
    ended = house.run()
    assert (ended.exit_code, ended.summary.state) == (ExitCode.SNOOZED, State.CONTINUES)
    assert ended.summary.snooze_seconds == 0
    assert ended.summary.cells == 2
    assert house.store.summaries[-1][1] is False
    house.store.on_write = lambda _: None
    ended = house.again().run()
    assert (ended.summary.state, ended.summary.cells) == (State.SUCCEEDED, 1)


def test_the_soft_deadline_with_nothing_committed_is_a_failure(tmp_path):
    house = House(spec([workspace(tmp_path)], timeout_seconds=100), FakeGoogle())
    house.clock.advance(96)
    ended = house.run()
    assert ended.exit_code is ExitCode.FAILURE
    assert ended.summary.error_class is FailureClass.INTERRUPTED


def test_a_pause_that_does_not_fit_before_the_deadline_is_not_begun(tmp_path):
    google = FakeGoogle()
    google.script = lambda _, body: (
        refusal(503, "later", **{"retry-after": "200"}) if body.get("startDate") == "2026-06-13" else None
    )
    house = House(spec([workspace(tmp_path)], timeout_seconds=100), google)
    ended = house.run()
    assert ended.summary.state is State.CONTINUES
    assert house.clock.monotonic() < 95


def test_sigterm_keeps_what_is_committed_and_says_so(tmp_path):
    house = House(spec([workspace(tmp_path)]), FakeGoogle())
    house.store.on_write = lambda _: house.stop.request(StopReason.SIGNAL)
    ended = house.run()
    assert ended.exit_code is ExitCode.FAILURE
    assert ended.summary.error_class is FailureClass.INTERRUPTED
    assert "1 cells were committed" in ended.summary.message
    assert len(house.store.cells) == 1


def raising(error: Exception) -> Callable[[object], None]:
    def fail(*_: object) -> None:
        raise error

    return fail


def test_a_higher_launch_stops_this_one_at_once(tmp_path):
    google = FakeGoogle(sites={f"sc-domain:{name}.example": "siteOwner" for name in "abcdefgh"})
    house = House(spec([workspace(tmp_path)], limits=Limits(concurrency=1)), google)
    house.store.on_write = raising(Superseded("Launch 2 holds the run."))
    ended = house.run()
    assert ended.exit_code is ExitCode.FAILURE
    assert ended.summary.error_class is FailureClass.SUPERSEDED
    assert not house.store.cells
    assert len(google.asked("probe")) == 1
    assert not house.store.summaries


@pytest.mark.parametrize(
    ("error", "code", "error_class"),
    [
        pytest.param(
            DatabaseUnavailable("down"), ExitCode.FAILURE, FailureClass.DATABASE_UNAVAILABLE, id="down"
        ),
        pytest.param(
            DatabaseRefused("password"),
            ExitCode.FAILURE,
            FailureClass.DATABASE_REFUSED,
            id="password, which a Secret heals",
        ),
        pytest.param(
            DatabaseIncompatible("newer"),
            ExitCode.CANCELLED,
            FailureClass.DATABASE_REFUSED,
            id="schema newer than the program",
        ),
        pytest.param(KeyError("surprise"), ExitCode.FAILURE, FailureClass.UNEXPECTED, id="nobody foresaw"),
    ],
)
@pytest.mark.parametrize("place", ["on_migrate", "on_write"])
def test_errors_of_the_store_end_the_launch(tmp_path, caplog, error, code, error_class, place):
    house = House(spec([workspace(tmp_path)]), FakeGoogle())
    setattr(house.store, place, raising(error))
    ended = house.run()
    assert ended.exit_code is code
    assert ended.summary.error_class is error_class
    assert caplog.text.count("Traceback") == (1 if error_class is FailureClass.UNEXPECTED else 0)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        pytest.param(KeyError("surprise"), [State.FAILED], id="nobody foresaw"),
        pytest.param(DatabaseRefused("disk full"), [State.FAILED], id="refused"),
        pytest.param(DatabaseIncompatible("newer"), [State.CANCELLED], id="incompatible"),
        pytest.param(DatabaseUnavailable("down"), [], id="nobody to tell it to"),
        pytest.param(Superseded("by launch 2"), [], id="another launch's row"),
    ],
)
def test_the_runs_row_says_that_an_error_ended_the_launch(tmp_path, error, told):
    house = House(spec([workspace(tmp_path)]), FakeGoogle())
    house.store.on_write = raising(error)
    house.run()
    assert [(summary.state, complete) for summary, complete in house.store.summaries] == [
        (state, False) for state in told
    ]


def test_the_runs_row_says_so_of_an_error_after_the_workspaces_too(tmp_path):
    house = House(spec([workspace(tmp_path)]), FakeGoogle())
    house.store.on_settle = raising(KeyError("surprise"))
    ended = house.run()
    assert ended.exit_code is ExitCode.FAILURE
    [(summary, complete)] = house.store.summaries
    assert (summary.state, complete) == (State.FAILED, False)
    assert summary.properties == ended.summary.properties > 0


def test_a_day_that_the_probe_shows_empty_is_asked_for_once(tmp_path):
    google = FakeGoogle(rows=lambda *_: [])
    House(spec([workspace(tmp_path)]), google).run()
    assert set(days_of(google.asked()).values()) == {1}


def test_an_empty_answer_against_the_probe_is_asked_for_again(tmp_path):
    google = FakeGoogle()
    empty = {"left": 1}

    def glitch(_request, body):
        if body.get("startDate") == body.get("endDate") == "2026-06-13" and empty["left"]:
            empty["left"] -= 1
            return replace(refusal(200, ""), body=b'{"responseAggregationType":"byPage"}')
        return None

    google.script = glitch
    house = House(spec([workspace(tmp_path)]), google)
    house.run()
    assert len(house.store.cells[Cell(DOMAIN, date(2026, 6, 13), "web")].rows) == 2


def test_quarantined_rows_leave_a_cell_that_is_not_final(tmp_path, caplog):
    google = FakeGoogle(
        first_incomplete=TODAY + timedelta(days=1),
        rows=lambda _property, day, _type: [row("https://a.example/", "q", "usa", "MOBILE"), row("short")],
    )
    house = House(spec([workspace(tmp_path)]), google)
    ended = house.run()
    assert ended.summary.state is State.SUCCEEDED
    assert all(not found.final and len(found.quarantined) == 1 for found in house.store.cells.values())
    assert "quarantined" in caplog.text


def test_of_many_rows_in_quarantine_the_log_shows_the_first_few(tmp_path, caplog):
    bad = [row("x" * 3_000, str(number)) for number in range(200)]
    google = FakeGoogle(rows=lambda _property, _day, _type: bad)
    house = House(spec([workspace(tmp_path)], days=1), google)
    house.run()
    (found,) = house.store.cells.values()
    assert len(found.quarantined) == 200
    told = [line for line in caplog.messages if "quarantined" in line]
    assert [line.partition("(")[2][:8] for line in told] == ["1 of 200", "2 of 200", "3 of 200"]
    assert max(map(len, told)) < 1_000


def test_three_unreadable_cells_are_enough_for_a_property(tmp_path):
    google = FakeGoogle(
        script=lambda _, body: (
            refusal(500, "boom") if body.get("startDate") == body.get("endDate") and body else None
        )
    )
    one_by_one = Limits(concurrency=1)
    house = House(spec([workspace(tmp_path)], days=5, timeout_seconds=86_400, limits=one_by_one), google)
    ended = house.run()
    assert ended.summary.error_class is FailureClass.GOOGLE_UNAVAILABLE
    assert len(days_of(google.asked())) == 3
    assert set(days_of(google.asked()).values()) == {6}


def test_the_stable_events_are_told(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    House(spec([workspace(tmp_path), workspace(tmp_path, "beta", None)]), FakeGoogle()).run()
    told = {record.event: record for record in caplog.records if record.name == "gsc.audit"}
    assert set(told) == {"api.request", "auth.token_refresh", "sync.complete", "auto_sync.complete"}
    end = told["auto_sync.complete"]
    assert end.levelname == "WARNING"
    assert {"total_workspaces": 2, "successes": 1, "failures": 1}.items() <= end.measurements.items()
    assert "duration_ms" in end.measurements
    assert end.metadata["results"]["failures"] == {"beta": "CredentialsMissing"}
    request = told["api.request"]
    assert set(request.measurements) == {"duration_ms", "rows"}
    assert {"operation", "site_url", "date", "rate_limited"} <= set(request.metadata)


def test_a_failed_launch_tells_the_failed_event(tmp_path, caplog):
    House(spec([workspace(tmp_path, "beta", None)]), FakeGoogle()).run()
    [end] = [record for record in caplog.records if getattr(record, "event", "") == "auto_sync.failed"]
    assert end.levelname == "ERROR"
    assert "missing" in end.metadata["reason"]
