"""The promises that `make fuzz-sync` holds against mutated input, here for a few hundred seeded mutations."""

from __future__ import annotations

import random

import pytest

from sync.google.answers import Page
from sync.plan.cells import Row
from tests.fuzz.mutate import mutated
from tests.fuzz.seeds import SEEDS
from tests.fuzz.targets import TARGETS, holds


@pytest.mark.parametrize("name", TARGETS)
def test_seeds_and_mutations_of_them_break_no_promise(name: str) -> None:
    target, draw = TARGETS[name], random.Random(f"seed {name}")
    for body in SEEDS[name]:
        target(body)
    for _ in range(300):
        target(mutated(SEEDS[name], draw))


def test_a_broken_promise_would_be_noticed() -> None:
    key = ("https://a.example/", "q", "usa", "MOBILE")
    for row in (
        Row(*key, -1, 2, 1.0),
        Row(*key, 1, 2, -1.0),
        Row("\ud800", "q", "usa", "MOBILE", 1, 2, None),
    ):
        with pytest.raises((AssertionError, UnicodeEncodeError)):
            holds(Page([key], [row], 1))
    with pytest.raises(AssertionError):
        holds(Page([key], [Row(*key, 1, 2, 1.0)], 2))
