"""Parts of a sweep: all of them together are the sweep, and none is run twice."""

from __future__ import annotations

import pytest

from tests.fault.plan import Plan
from tests.fault.sweep import WHOLE, Part

PLANS = [Plan(f"plan/{number}", "first-slot") for number in range(37)]


def names(plans: list[Plan]) -> list[str]:
    return [plan.name for plan in plans]


def test_all_parts_together_are_the_whole() -> None:
    parts = [Part.read(f"{place}/16").choose(PLANS) for place in range(16)]
    assert sorted(names([plan for part in parts for plan in part])) == sorted(names(WHOLE.choose(PLANS)))
    assert names(WHOLE.choose(PLANS)) == names(PLANS)


def test_several_parts_in_one_sweep_are_those_parts() -> None:
    one_by_one = [plan for place in (3, 5, 6) for plan in Part.read(f"{place}/16").choose(PLANS)]
    assert sorted(names(Part.read("3,5,6/16").choose(PLANS))) == sorted(names(one_by_one))


def test_the_number_of_a_change_chooses_its_part() -> None:
    assert Part.read("314/4") == Part.read("2/4")


@pytest.mark.parametrize("text", ["", "4", "1/0", "a/4", "1,/4", "-1/4"])
def test_what_is_no_part_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="such as 1/4 or 3,5,6/16"):
        Part.read(text)
