"""RunSpec and RunSummary: whole round trips, strict reading, bounded sizes, errors that name the field."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contract import (
    ContractError,
    Destination,
    ExitCode,
    FailureClass,
    Limits,
    PropertyFilter,
    RunSpec,
    RunSummary,
    State,
    Trigger,
    Window,
    Workspace,
    WorkspaceFailure,
    WorkspaceSuccess,
)
from contract.dimension_sets import DIMENSION_SETS
from contract.run_spec import DataState, unix_minutes
from contract.run_summary import MAX_BYTES


def built(document: type, **fields: st.SearchStrategy) -> st.SearchStrategy:
    """Documents with these fields, by their Python names."""
    return st.fixed_dictionaries(fields).map(lambda known: document(**known))


words = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
names = st.from_regex(r"\A[a-z0-9]([-a-z0-9]{0,20}[a-z0-9])?\Z")
moments = st.integers(0, 4_000_000_000).map(
    lambda seconds: datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
)
workspaces = built(
    Workspace,
    name=names,
    credentials_path=words.filter(bool),
    credentials_hint=words,
    subject=st.none() | words,
    properties=built(
        PropertyFilter,
        include=st.lists(words.filter(bool), max_size=4),
        exclude=st.lists(words.filter(bool), max_size=4),
    ),
)
specs = built(
    RunSpec,
    schedule_uid=words.filter(bool),
    namespace=names,
    name=names,
    run_id=st.from_regex(r"\A[a-z0-9-]{1,63}\Z"),
    slot=moments,
    attempt=st.integers(1, 20),
    launch=st.integers(1, 1_000_000),
    trigger=st.sampled_from(Trigger),
    timeout_seconds=st.integers(1, 86_400),
    window=built(Window, days=st.integers(1, 480), data_state=st.sampled_from(DataState)),
    search_types=st.lists(
        st.sampled_from(["web", "image", "video", "news", "discover", "googleNews"]),
        min_size=1,
        max_size=6,
        unique=True,
    ),
    dimension_sets=st.lists(st.sampled_from(DIMENSION_SETS), max_size=7, unique=True).map(
        lambda sets: ["totals", *(each for each in sets if each != "totals")]
    ),
    workspaces=st.lists(workspaces, min_size=1, max_size=4, unique_by=lambda workspace: workspace.name),
    destination=built(
        Destination,
        path=words.filter(bool),
        hint=words,
        schema_name=st.from_regex(r"\A[a-z_][a-z0-9_]{0,47}\Z"),
    ),
    limits=built(
        Limits,
        min_success_ratio=st.floats(0, 1),
        concurrency=st.integers(1, 100),
        requests_per_second_per_property=st.floats(0, 100, exclude_min=True),
        load_cooldown_seconds=st.integers(1, 86_400),
        split_requests_per_cell=st.integers(0, 1000),
        grace_seconds=st.integers(1, 600),
    ),
)
counts = st.integers(0, 2**53)
messages = st.text(st.characters(exclude_categories=["Cs"]), max_size=512)
summaries = built(
    RunSummary,
    state=st.sampled_from(State),
    run_id=names,
    attempt=counts,
    launch=counts,
    total_workspaces=counts,
    succeeded_workspaces=counts,
    failed_workspaces=counts,
    successes=st.lists(
        built(WorkspaceSuccess, workspace=names, properties=counts, rows_written=counts), max_size=40
    ),
    failures=st.lists(
        built(
            WorkspaceFailure,
            workspace=names,
            failure_class=st.sampled_from(FailureClass),
            message=messages,
            properties_failed=counts,
            properties_ok=counts,
        ),
        max_size=40,
    ),
    rows_written=counts,
    newest_final_day=st.none() | st.dates(date(2000, 1, 1)),
    snooze_seconds=counts,
    error_class=st.none() | st.sampled_from(FailureClass),
    message=messages,
    from_earlier_launch=st.booleans(),
)


@settings(max_examples=60, deadline=None)
@given(specs)
def test_a_spec_survives_the_way_through_json(spec):
    assert RunSpec.from_json(spec.to_json()) == spec
    assert RunSpec.from_json(spec.to_json().encode()) == spec


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
@given(summaries)
def test_a_summary_always_fits_and_survives_the_way_through_json(summary):
    fitted = summary.fit()
    text = fitted.to_json()
    assert len(text.encode()) <= MAX_BYTES
    assert RunSummary.from_json(text) == fitted
    counted = {
        name: getattr(summary, name)
        for name in RunSummary.model_fields
        if name not in {"message", "successes", "failures"}
    }
    assert {name: getattr(fitted, name) for name in counted} == counted
    if summary.failures:
        assert fitted.failures[0].failure_class is summary.failures[0].failure_class


@pytest.mark.parametrize(
    "character",
    ["x", "é", "漢", "\U0001f600", "\x00", '"', "\\"],
    ids=["ascii", "two bytes", "three bytes", "four bytes", "escaped as six", "quote", "backslash"],
)
def test_the_worst_summary_fits_whatever_its_text_is_made_of(character):
    huge = character * 512
    failure = WorkspaceFailure(
        workspace=character * 63,
        failure_class=FailureClass.GOOGLE_UNAVAILABLE,
        message=huge,
        properties_failed=2**53,
        properties_ok=2**53,
    )
    success = WorkspaceSuccess(workspace=character * 63, properties=2**53, rows_written=2**53)
    big = {
        name: 2**53
        for name, field in RunSummary.model_fields.items()
        if field.annotation is int and name != "version"
    }
    summary = RunSummary(
        state=State.PARTIALLY_SUCCEEDED,
        run_id=character * 63,
        successes=[success] * 100,
        failures=[failure] * 100,
        newest_final_day=date(9999, 12, 31),
        error_class=FailureClass.CREDENTIALS_MISSING,
        message=huge,
        from_earlier_launch=True,
        **big,
    )
    fitted = summary.fit()
    assert len(fitted.to_json().encode()) <= MAX_BYTES
    assert fitted.failures, "the first failure is never cut away"


def test_a_small_summary_is_left_as_it_is():
    summary = RunSummary(
        state=State.SUCCEEDED, successes=[WorkspaceSuccess(workspace="a")], message="m" * 512
    )
    assert summary.fit() == summary


def minimal() -> dict[str, Any]:
    return {
        "scheduleUid": "uid",
        "namespace": "data",
        "name": "marketing",
        "runId": "29690640",
        "slot": "2026-06-15T04:00:00Z",
        "workspaces": [{"name": "acme", "credentialsPath": "/c"}],
        "destination": {"path": "/d"},
    }


def changed(path: str, value: Any) -> str:
    document: Any = minimal()
    place = document
    *way, last = path.split(".")
    for step in way:
        place = place[int(step)] if step.isdigit() else place.setdefault(step, {})
    place[last] = value
    return json.dumps(document)


def test_defaults_are_those_of_the_resource():
    spec = RunSpec.from_json(json.dumps(minimal()))
    assert (spec.window.days, spec.window.data_state, spec.timeout_seconds, spec.search_types) == (
        14,
        DataState.ALL,
        600,
        ["web"],
    )
    assert (spec.limits.concurrency, spec.limits.load_cooldown_seconds, spec.attempt, spec.launch) == (
        10,
        900,
        1,
        1,
    )
    assert spec.soft_deadline_seconds == 570
    assert spec.slot_minutes() == unix_minutes(spec.slot) == 29_691_600
    assert spec.destination.schema_name == "gsc"


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("surprise", 1),
        ("window.surprise", 1),
        ("workspaces.0.surprise", 1),
        ("version", 2),
        ("window.days", 0),
        ("window.days", 481),
        ("window.days", "14"),
        ("window.dataState", "all"),
        ("slot", "2026-06-15T04:00:00"),
        ("slot", 5),
        ("runId", "Upper"),
        ("runId", "x" * 64),
        ("attempt", 21),
        ("launch", 0),
        ("timeoutSeconds", 0),
        ("searchTypes", []),
        ("searchTypes", ["google"]),
        ("dimensionSets", ["pages"]),
        ("dimensionSets", ["page", "page"]),
        ("dimensionSets", []),
        ("workspaces", []),
        ("workspaces.0.name", "Bad Name"),
        ("workspaces.0.credentialsPath", ""),
        ("destination.schemaName", 'gsc"; drop'),
        ("destination.schemaName", "x" * 49),
        ("limits.minSuccessRatio", 1.01),
        ("limits.requestsPerSecondPerProperty", 0),
        ("limits.concurrency", True),
        ("limits.splitRequestsPerCell", 1001),
        ("inventory", ["everything"]),
        ("limits.inspectionsPerProperty", 2001),
        ("trigger", "cron"),
    ],
)
def test_what_is_wrong_is_refused_by_the_name_of_its_field(path, value):
    with pytest.raises(ContractError) as caught:
        RunSpec.from_json(changed(path, value))
    assert path in str(caught.value).replace("function-after[", "")


def test_sets_that_google_gives_for_none_of_the_types_are_refused_before_any_request():
    document = minimal() | {"searchTypes": ["discover", "image"], "dimensionSets": ["hourly"]}
    with pytest.raises(ContractError, match=r"Google gives 'hourly' for none of 'discover', 'image'"):
        RunSpec.from_json(json.dumps(document))
    document["searchTypes"] = ["discover", "web"]
    assert RunSpec.from_json(json.dumps(document)).dimension_sets == ["hourly"]


def test_a_missing_field_is_named():
    document = minimal()
    del document["destination"]
    with pytest.raises(ContractError, match=r"destination: Field required"):
        RunSpec.from_json(json.dumps(document))


def test_workspaces_have_distinct_names():
    document = minimal()
    document["workspaces"] *= 2
    with pytest.raises(ContractError, match="distinct names"):
        RunSpec.from_json(json.dumps(document))


def test_errors_never_quote_what_was_given():
    with pytest.raises(ContractError) as caught:
        RunSpec.from_json(changed("window.days", "hush-hush"))
    assert "hush-hush" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        "nonsense",
        "\ud800",
        '{"a":' * 10_000,
        '{"runId": "\\ud800"}',
        b"\xff\xfe",
        '{"limits": {"minSuccessRatio": NaN}}',
    ],
    ids=range(10),
)
@pytest.mark.parametrize("document", [RunSpec, RunSummary])
def test_what_is_no_document_is_refused_in_one_way(document, text):
    with pytest.raises(ContractError):
        document.from_json(text)


@given(st.binary(max_size=300) | st.text(max_size=300))
def test_hostile_text_is_a_summary_or_refused(text):
    try:
        RunSummary.from_json(text)
    except ContractError:
        return


def test_sizes_are_bounded_both_ways():
    workspace = Workspace(
        name="a", credentials_path="/c", properties=PropertyFilter(include=["x" * 2048] * 40)
    )
    spec = RunSpec.from_json(json.dumps(minimal())).model_copy(update={"workspaces": [workspace]})
    with pytest.raises(ContractError, match="at most 65536"):
        spec.to_json()
    with pytest.raises(ContractError, match="at most 65536"):
        RunSpec.from_json(" " * 65_537)
    with pytest.raises(ContractError, match="at most 4096"):
        RunSummary.from_json(" " * 4097)
    with pytest.raises(ContractError, match="at most 4096"):
        RunSummary(state=State.FAILED, successes=[WorkspaceSuccess(workspace="w" * 60)] * 100).to_json()


def test_a_document_cannot_be_changed():
    spec = RunSpec.from_json(json.dumps(minimal()))
    with pytest.raises(ValueError, match="frozen"):
        spec.launch = 2


def test_exit_codes_are_those_that_tools_know():
    assert {code.name: int(code) for code in ExitCode} == {
        "SUCCESS": 0,
        "FAILURE": 1,
        "USAGE": 2,
        "SNOOZED": 75,
        "CANCELLED": 78,
    }
