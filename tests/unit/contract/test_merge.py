"""The summaries of shards as one: counts add up, the worst word stands, nothing is said to be better than it was."""

from __future__ import annotations

from datetime import date
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from contract import FailureClass, RunSummary, State, WorkspaceFailure, WorkspaceSuccess, merge


def shard(state: State = State.SUCCEEDED, **values: Any) -> RunSummary:
    return RunSummary(state=state, **({"total_workspaces": 2, "succeeded_workspaces": 2} | values))


def failure(workspace: str, failed: int = 1, ok: int = 0) -> WorkspaceFailure:
    return WorkspaceFailure(
        workspace=workspace,
        failure_class=FailureClass.PERMISSION_DENIED,
        message="no access",
        properties_failed=failed,
        properties_ok=ok,
    )


def test_no_shard_says_nothing_and_one_speaks_for_itself() -> None:
    alone = shard(rows_written=3)
    assert merge([]) is None
    assert merge([alone]) is alone


def test_counts_add_up_and_durations_are_the_longest() -> None:
    whole = merge(
        [
            shard(properties=2, cells=28, rows_written=10, requests=30, duration_ms=900),
            shard(properties=1, cells=14, rows_written=5, requests=15, duration_ms=1500),
        ]
    )
    assert whole is not None
    assert (whole.properties, whole.cells, whole.rows_written, whole.requests) == (3, 42, 15, 45)
    assert (whole.duration_ms, whole.total_workspaces, whole.succeeded_workspaces) == (1500, 2, 2)


def test_a_workspace_is_well_when_it_is_in_every_shard() -> None:
    well = [WorkspaceSuccess(workspace=name, properties=1, rows_written=4) for name in ("acme", "zeta")]
    whole = merge(
        [
            shard(successes=well),
            shard(
                State.PARTIALLY_SUCCEEDED,
                succeeded_workspaces=1,
                failed_workspaces=1,
                successes=well[:1],
                failures=[failure("zeta", ok=2)],
            ),
            shard(
                State.PARTIALLY_SUCCEEDED,
                succeeded_workspaces=1,
                failed_workspaces=1,
                successes=well[:1],
                failures=[failure("zeta", failed=3)],
            ),
        ]
    )
    assert whole is not None
    assert whole.state is State.PARTIALLY_SUCCEEDED
    assert (whole.succeeded_workspaces, whole.failed_workspaces) == (1, 1)
    assert [(each.workspace, each.properties_failed, each.properties_ok) for each in whole.failures] == [
        ("zeta", 4, 2)
    ]
    assert [(each.workspace, each.rows_written) for each in whole.successes] == [("acme", 12)]


def test_the_newest_final_day_is_the_oldest_of_those_with_properties() -> None:
    day, older = date(2026, 6, 12), date(2026, 6, 11)
    busy, idle = shard(properties=1, newest_final_day=day), shard()
    whole = merge([busy, shard(properties=1, newest_final_day=older), idle])
    assert whole is not None
    assert whole.newest_final_day == older
    unknown = merge([busy, shard(properties=1)])
    assert unknown is not None
    assert unknown.newest_final_day is None


@given(st.permutations(list(State)))
def test_the_worst_word_stands_in_any_order(states: list[State]) -> None:
    whole = merge([shard(state, snooze_seconds=n) for n, state in enumerate(states)])
    assert whole is not None
    assert whole.state is State.CANCELLED
    assert whole.snooze_seconds == len(states) - 1
    assert RunSummary.from_json(whole.fit().to_json()) == whole.fit()
