"""The part of the model check that every run of the tests affords: each story to a depth, and ten thousand distinct states.

`make test-model` explores fourteen times as much.
"""

from __future__ import annotations

from functools import cache

import pytest

from tests.model.__main__ import play, table
from tests.model.explore import Limits, Report
from tests.model.stories import STORIES

STATES = 1_000
LEAST = 10_000


@cache
def explored(story: str) -> Report:
    return play(story, Limits(states=STATES, rest_every=10))


@pytest.mark.parametrize("story", [story.name for story in STORIES])
def test_every_promise_holds(story: str) -> None:
    report = explored(story)
    assert not report.findings, "\n\n".join(map(str, report.findings))
    assert report.rested or report.whole


def test_enough_distinct_states_were_visited() -> None:
    reports = [explored(story.name) for story in STORIES]
    assert len(set().union(*(report.shapes for report in reports))) >= LEAST, table(reports)
