"""Projects whose budget nobody told, and one that was told: how much is accepted in each minute, and how much refused.

"A few" is counted here. While learning, the first two minutes: what was in flight when the budget was spent, and one
question for each sync and for each lesson. After that, in any minute: three, and what is in flight at the budget's own
rate; and on the average one a minute. Of the budget at least 90 % are accepted in each minute.
"""

from __future__ import annotations

import pytest

from sync.quota.bucket import HEADROOM
from tests.integration.quotas.simulation import LATENCY, Figures, Google, simulate

LEARNING = 2
"""Minutes: one whose budget is spent at once, one to wait for it and to begin anew."""
MINUTES = 8
LESSONS = 3
BELIEVED = {60: 20.0, 300: 20.0, 1200: 60.0}
"""Questions a second that the one identity of all syncs may ask, far above what its new project may."""


def in_flight(per_second: float) -> float:
    return per_second * LATENCY[1]


def settled(figures: Figures, budget: int, first: int, last: int) -> None:
    """From one minute to another, with what was learnt."""
    accepted, refused = figures.accepted[first:last], figures.refused[first:last]
    assert min(accepted) >= 0.9 * budget, figures
    assert max(accepted) <= budget + (0 if figures.google.fixed else in_flight(budget / 60)), figures
    assert max(refused) <= 3 + in_flight(budget / 60), figures
    assert sum(refused) <= (last - first) * max(1, in_flight(budget / 60)), figures


@pytest.mark.parametrize("fixed", [False, True], ids=["any sixty seconds", "minutes of the clock"])
@pytest.mark.parametrize("syncs", [1, 3, 8])
@pytest.mark.parametrize("budget", [60, 300, 1200])
def test_a_budget_that_nobody_told(budget: int, syncs: int, fixed: bool) -> None:
    believed = BELIEVED[budget]
    figures = simulate(Google([(0, budget)], fixed), minutes=MINUTES, syncs=syncs, per_identity=believed)
    assert figures.accepted[0] >= 0.9 * budget, figures
    assert sum(figures.accepted[:LEARNING]) >= 0.9 * LEARNING * budget, figures
    assert sum(figures.refused[:LEARNING]) <= in_flight(believed) + syncs + LESSONS, figures
    settled(figures, budget, LEARNING, MINUTES)


@pytest.mark.parametrize("fixed", [False, True], ids=["any sixty seconds", "minutes of the clock"])
@pytest.mark.parametrize(
    ("before", "after", "found_out"),
    [
        pytest.param(60, 300, 10, id="rises to five times as much, known ten minutes later"),
        pytest.param(300, 60, 4, id="falls to a fifth, known four minutes later"),
    ],
)
def test_a_budget_that_changes(before: int, after: int, found_out: int, fixed: bool) -> None:
    changes = 5
    last = changes + found_out + 5
    figures = simulate(Google([(0, before), (changes * 60, after)], fixed), minutes=last)
    settled(figures, before, LEARNING, changes)
    settled(figures, after, changes + found_out, last)
    between = slice(changes, changes + found_out)
    assert max(figures.refused[between]) <= LESSONS + 5, figures


@pytest.mark.parametrize("syncs", [1, 3, 8])
def test_a_budget_that_was_told_is_used_to_its_headroom_and_never_refused(syncs: int) -> None:
    figures = simulate(Google([(0, 1200)]), minutes=4, syncs=syncs, per_identity=20)
    assert min(figures.accepted[1:]) >= 0.99 * HEADROOM * 1200, figures
    assert figures.google.refused == []


def test_a_limit_a_second_is_no_limit_a_minute() -> None:
    """Ten within a second, and no more to it."""
    figures = simulate(Google([(0, 100_000)], per_second=10), minutes=MINUTES)
    assert figures.accepted[-1] >= 0.65 * 600, figures
    assert max(figures.refused[1:]) <= 3, figures


@pytest.mark.parametrize("seed", range(2, 5))
def test_chance_does_not_decide(seed: int) -> None:
    settled(simulate(Google([(0, 60)]), minutes=MINUTES, seed=seed), 60, LEARNING, MINUTES)


def test_the_end_of_the_launches_sends_no_questions_ahead_of_their_time() -> None:
    """Threads that cannot wait any more leave one after the other; 25 of the others once asked at that moment."""
    figures = simulate(Google([(0, 60)]), minutes=4, stop=200.0)
    assert figures.refused[LEARNING:] == [0, 0], figures
    assert figures.accepted[3] <= 20 + 1, figures
