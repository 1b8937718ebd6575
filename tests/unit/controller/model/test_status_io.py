"""Status to JSON and back: equal after a round trip through a merge patch, small at every bound, never raising."""

import json
from dataclasses import fields, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from contract import RunSummary, State
from contract.run_summary import FailureClass, WorkspaceFailure, WorkspaceSuccess
from controller.model import bounds
from controller.model.parse import parse_schedule
from controller.model.status import (
    ActiveLaunch,
    AttemptError,
    Condition,
    ConditionType,
    Counters,
    CurrentRun,
    DecisionNote,
    Outcome,
    RunRecord,
    RunState,
    Status,
)
from controller.model.status_io import read_status, write_status
from controller.model.text import json_bytes
from tests.unit.controller.decide.world import BORN, World, merge

SCHEDULE = World().schedule()

moments = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1)).map(  # noqa: DTZ001 - given UTC here
    lambda moment: moment.replace(microsecond=0, tzinfo=UTC)
)
alphabet = st.characters() | st.sampled_from('"\\\n\x00ä…')
texts = st.text(alphabet, max_size=8).flatmap(lambda text: st.integers(0, 90).map(lambda times: text * times))
words = st.text(alphabet, max_size=3).flatmap(lambda text: st.integers(0, 30).map(lambda times: text * times))
numbers = st.integers(0, 2**53)


def summary(
    state: State, count: int, text: str, failure: FailureClass | None, day: date | None, many: int
) -> RunSummary:
    text = text.encode(errors="replace").decode()  # a summary is UTF-8, whoever wrote it
    return RunSummary(
        state=state,
        run_id=text[:63],
        rows_written=count,
        total_workspaces=count,
        successes=[WorkspaceSuccess(workspace=text[:63], rows_written=count)] * many,
        failures=[
            WorkspaceFailure(workspace=text[:63], failure_class=FailureClass.LOAD_QUOTA, message=text[:512])
        ] * many,
        newest_final_day=day,
        error_class=failure,
        message=text[:512],
    )  # fmt: skip


days = st.dates(date(2000, 1, 1), date(2100, 1, 1))
summaries = st.builds(
    summary, st.sampled_from(State), numbers, texts, st.none() | st.sampled_from(FailureClass), st.none() | days,
    st.integers(0, 30),
)  # fmt: skip
records = st.builds(
    RunRecord, run_id=words, slot=moments, trigger=words, outcome=st.sampled_from(Outcome), attempts=numbers,
    launches=numbers, finished_at=moments, duration_seconds=numbers, workspaces_ok=numbers, workspaces_total=numbers,
    rows_written=numbers, reason=words, message=texts,
)  # fmt: skip
errors = st.builds(AttemptError, at=moments, attempt=numbers, launch=numbers, reason=words, message=texts)
runs = st.builds(
    CurrentRun, run_id=words, slot=moments, trigger=words, state=st.sampled_from(RunState), attempt=numbers,
    launch=numbers, token=texts, reason=texts, requested_by=words, not_before=st.none() | moments,
    started_at=st.none() | moments, snoozes=numbers, refusals=numbers, refusal=texts,
    errors=st.lists(errors, max_size=3).map(tuple), workspaces=st.lists(words, max_size=20).map(tuple),
    granted=st.integers(0, 20), window_days=st.integers(0, 480), dry_run=st.booleans(),
)  # fmt: skip
launches = st.builds(
    ActiveLaunch, run_id=words, launch=numbers, attempt=numbers, job_name=words, job_uid=words, created_at=moments,
    started_at=st.none() | moments, doomed=words, doomed_message=texts,
)  # fmt: skip
notes = st.builds(DecisionNote, at=moments, slot=st.none() | moments, what=words, why=texts)
conditions = st.builds(
    Condition, type=st.sampled_from(ConditionType), status=st.sampled_from(["True", "False", "Unknown"]), reason=words,
    message=texts, observed_generation=numbers, last_transition_time=moments,
)  # fmt: skip
statuses = st.builds(
    Status,
    observed_generation=numbers,
    schedule_hash=st.text("0123456789abcdef", max_size=12),
    effective_since=st.none() | moments,
    watermark=st.none() | moments,
    manual_watermark=st.none() | moments,
    next_slots=st.lists(moments, max_size=3).map(tuple),
    waiting=st.lists(st.text("0123456789", min_size=1, max_size=10), max_size=4).map(tuple),
    current=st.none() | runs,
    beside=st.lists(runs, max_size=3).map(tuple),
    active=st.lists(launches, max_size=4).map(tuple),
    counters=st.builds(Counters, **{item.name: numbers for item in fields(Counters)}),
    consecutive_failures=numbers,
    last_success_at=st.none() | moments,
    newest_final_day=st.none() | days,
    last_run=st.none() | records,
    last_summary=st.just("") | summaries.map(bounds.short_summary),
    history=st.lists(records, max_size=10).map(tuple),
    tokens=st.lists(st.text("0123456789abcdef", min_size=12, max_size=12), max_size=20).map(tuple),
    tokens_seen=st.booleans(),
    decisions=st.lists(notes, max_size=20).map(tuple),
    conditions=st.lists(conditions, max_size=6).map(tuple),
)


def stored(status: Status, before: dict[str, Any] | None = None) -> dict[str, Any]:
    """As the API server keeps it, sent as JSON over what stood there before."""
    sent = json.loads(json.dumps(write_status(status, SCHEDULE)))
    return {"status": merge((before or {}).get("status", {}), sent)}


@given(statuses, statuses)
@settings(max_examples=30, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
def test_what_was_read_and_is_written_again_is_equal_whatever_stood_there(
    status: Status, older: Status
) -> None:
    body = stored(status, stored(older))
    read = read_status(body)
    assert stored(read, body) == body
    assert read_status(stored(read)) == read
    assert json_bytes(body["status"]) <= bounds.MAX_STATUS


@given(summaries)
@settings(max_examples=100, deadline=None)
def test_a_summary_yields_words_but_no_counts(summary: RunSummary) -> None:
    text = bounds.short_summary(summary)
    assert len(text.encode()) <= bounds.MAX_SUMMARY
    short = bounds.read_summary(text)
    assert short is not None
    assert (short.rows_written, short.total_workspaces) == (summary.rows_written, summary.total_workspaces)
    assert bounds.short_summary(short) == text


def test_an_ordinary_status_loses_nothing() -> None:
    when = BORN + timedelta(days=1)
    record = RunRecord(
        "29551920", when, "Cron", Outcome.FAILED, 3, 4, when, 90, 1, 2, 12345, "RateLimited", "try later"
    )
    status = Status(
        observed_generation=3,
        schedule_hash="abc",
        effective_since=BORN,
        watermark=when,
        next_slots=(when, when),
        current=CurrentRun(
            "m-0123", when, "Manual", RunState.RETRYING, 2, 5, token="t", reason="r", requested_by="ann", not_before=when,
            errors=(AttemptError(when, 1, 4, "ExitCode1", "boom"),),
        ),
        active=(ActiveLaunch("m-0123", 5, 2, "job", "uid", when, when, "TimedOut", "too long"),),
        counters=Counters(runs=7, launches=9),
        consecutive_failures=2,
        last_success_at=BORN,
        newest_final_day=date(2026, 3, 7),
        last_run=record,
        last_summary=bounds.short_summary(RunSummary(state=State.FAILED, message="try later")),
        history=(record, replace(record, run_id="1")),
        tokens=("0123456789ab",),
        tokens_seen=True,
        decisions=(DecisionNote(when, "Launched", "Job x", when), DecisionNote(when, "Refused", "run-now")),
        conditions=(Condition(ConditionType.READY, "True", "Serving", "Next run.", 3, when),),
    )  # fmt: skip
    assert read_status(stored(status)) == status


def test_with_everything_at_its_bounds_only_the_oldest_decisions_yield() -> None:
    hostile = '"\\' * 400
    when = BORN
    record = RunRecord(
        "r" * 99,
        when,
        "Manual",
        Outcome.PARTIALLY_SUCCEEDED,
        20,
        9999,
        when,
        99999,
        100,
        100,
        10**9,
        "R" * 99,
        hostile,
    )
    failure = WorkspaceFailure(
        workspace="w" * 63, failure_class=FailureClass.CREDENTIALS_REVOKED, message=hostile[:512]
    )
    status = Status(
        current=CurrentRun(
            "r" * 99, when, "Manual", RunState.RETRYING, 20, 9999, token=hostile, reason=hostile, requested_by=hostile,
            not_before=when, started_at=when, snoozes=50, continues=50, lost=5, unknown=1, coalesced=9, refusals=9, refusal=hostile,
            errors=tuple(AttemptError(when, 20, 9999, "R" * 99, hostile) for _ in range(3)),
        ),
        active=(ActiveLaunch("r" * 63, 9999, 20, "j" * 63, "u" * 36, when, when, "D" * 64, hostile),),
        counters=Counters(**{item.name: 10**7 for item in fields(Counters)}),
        last_run=record,
        last_summary=bounds.short_summary(RunSummary(state=State.FAILED, message=hostile[:512], failures=[failure] * 5)),
        history=(record,) * 10,
        tokens=("0123456789ab",) * 10,
        decisions=(DecisionNote(when, "Superseded", hostile, when),) * 20,
        conditions=tuple(Condition(kind, "Unknown", "R" * 99, hostile, 10**6, when) for kind in ConditionType),
    )  # fmt: skip
    body = stored(status)["status"]
    assert json_bytes(body) <= bounds.MAX_STATUS
    assert len(body["history"]) == 10
    assert len(body["activeLaunches"]) == 1
    assert len(body["decisions"]) >= 5
    assert all(json_bytes(entry) <= bounds.MAX_HISTORY_ENTRY for entry in body["history"])
    assert all(json_bytes(entry) <= bounds.MAX_NOTE for entry in body["decisions"])


def test_lists_beyond_their_bounds_are_cut_and_the_newest_stay() -> None:
    notes_of = tuple(DecisionNote(BORN, "Launched", str(number)) for number in range(50))
    read = read_status(stored(Status(decisions=notes_of)))
    assert [note.why for note in read.decisions] == [str(number) for number in range(20)]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)
PATHS = sorted(write_status(Status(), SCHEDULE))


@given(st.dictionaries(st.sampled_from(PATHS), json_values) | json_values, st.data())
@settings(max_examples=30, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
def test_nonsense_in_a_status_is_dropped_and_never_raises(nonsense: Any, data: st.DataObject) -> None:
    read = read_status({"status": nonsense})
    assert json_bytes(stored(read)["status"]) <= bounds.MAX_STATUS
    good = stored(data.draw(statuses))["status"]
    broken = good | (nonsense if isinstance(nonsense, dict) else {})
    read_status({"status": broken})


def test_a_broken_entry_does_not_take_its_list_along() -> None:
    body = stored(
        Status(decisions=(DecisionNote(BORN, "Launched", "one"), DecisionNote(BORN, "Launched", "two")))
    )
    del body["status"]["decisions"][0]["time"]
    assert [note.why for note in read_status(body).decisions] == ["two"]


def test_the_schedule_without_a_spec_has_no_values_in_force() -> None:
    broken = parse_schedule({"metadata": {"name": "x"}, "spec": {}})
    written = write_status(Status(), broken)
    assert written["effective"] is None
    assert written["workspaces"] is None
