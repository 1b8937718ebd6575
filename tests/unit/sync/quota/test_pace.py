"""The pace of one launch: tickets in a queue, at a rate that may change while they wait."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.quota.pace import Pace, burst_of


def pace(rate: float, tokens: float | None = None) -> Pace:
    return Pace(rate, burst_of(rate) if tokens is None else tokens, 0.0)


def waits(pace: Pace, tickets: int, now: float = 0.0) -> list[float]:
    found = []
    for _ in range(tickets):
        pace = pace.join()
        found.append(pace.wait(pace.issued, now))
    return found


def test_half_a_second_may_come_at_once_and_then_the_rate_holds() -> None:
    assert waits(pace(10), 8) == pytest.approx([0, 0, 0, 0, 0, 0.1, 0.2, 0.3])


def test_a_slow_pace_still_lets_one_through() -> None:
    assert waits(pace(0.5), 2) == pytest.approx([0, 2])


def test_nobody_saves_up_more_than_a_burst() -> None:
    assert waits(pace(10, 0).fill(1000.0), 7, 1000.0) == pytest.approx([0] * 5 + [0.1, 0.2])


def test_a_rate_that_falls_or_grows_moves_who_waits() -> None:
    queued = pace(1, 0).join().join()
    assert queued.wait(2, 0.0) == pytest.approx(2)
    assert queued.at_rate(0.5, 1.0).wait(2, 1.0) == pytest.approx(2)
    assert queued.at_rate(10, 1.0).wait(2, 1.0) == pytest.approx(0.1)
    assert queued.at_rate(0, 1.0).wait(2, 1.0) == float("inf")


def test_a_burst_saved_at_a_high_rate_does_not_outlive_it() -> None:
    assert waits(pace(100).at_rate(1, 0.0), 3) == pytest.approx([0, 1, 2])


def test_in_a_pause_nothing_flows_and_after_it_nothing_is_saved() -> None:
    paused = pace(10).pause(3.0, 0.0)
    assert waits(paused, 2) == pytest.approx([3.1, 3.2])
    assert waits(paused.fill(2.0), 1, 2.0) == pytest.approx([1.1])
    assert waits(paused.fill(3.1), 2, 3.1) == pytest.approx([0, 0.1])


def test_after_a_pause_those_who_waited_for_another_budget_do_not_go_all_at_once() -> None:
    """Nine whose tickets were worth a request here, while the other budget kept them."""
    queued = pace(100)
    for _ in range(9):
        queued = queued.join()
    paused = queued.pause(1.0, 0.0).at_rate(1, 0.0)
    assert [round(paused.wait(ticket, 0.0), 6) for ticket in (1, 2, 9)] == [2, 3, 10]


def test_who_leaves_the_queue_lets_those_behind_him_move_up_and_nobody_else() -> None:
    queued = pace(1, 0).join().join().join()
    left = queued.leave(2)
    assert [left.wait(ticket, 0.0) for ticket in (1, 3)] == pytest.approx([1, 2])


def test_when_many_leave_the_first_in_the_queue_still_waits_for_his_token() -> None:
    """At the end of a launch, or when a property rests, all its threads leave within a moment."""
    queued = pace(0.5, 0)
    for _ in range(30):
        queued = queued.join()
    for ticket in range(30, 1, -1):
        queued = queued.leave(ticket)
    assert queued.wait(1, 0.0) == pytest.approx(2)


def test_who_is_served_out_of_turn_leaves_the_tokens_of_the_others() -> None:
    queued = pace(10, 3).join().join().join().serve(3, 0.0)
    assert [queued.wait(ticket, 0.0) for ticket in (1, 2)] == [0, 0]
    assert queued.join().wait(4, 0.0) == pytest.approx(0.1)


def test_a_cut_leaves_what_was_earned_of_one_ticket() -> None:
    assert pace(1, 0.7).join().cut(0.0).wait(1, 0.0) == pytest.approx(0.3)
    assert pace(1, 1.7).join().cut(0.0).wait(1, 0.0) == pytest.approx(1)


@given(
    rate=st.floats(0.1, 100),
    gaps=st.lists(st.floats(0, 5), min_size=1, max_size=60),
)
def test_in_no_span_of_time_more_than_a_burst_and_the_rate(rate: float, gaps: list[float]) -> None:
    """Threads that come at any moments; each goes when its wait is over."""
    now, state, went = 0.0, pace(rate), []
    for gap in gaps:
        now += gap
        state = state.fill(now).join()
        went.append(now + state.wait(state.issued, now))
    for first, start in enumerate(went):
        for last in range(first, len(went)):
            span = went[last] - start
            assert last - first + 1 <= burst_of(rate) + rate * span + 1 + 1e-6
