"""`H`: a value of the object's own, the same after every restart."""

from itertools import pairwise

import pytest

from controller.decide.cron import Cron
from controller.decide.epoch import cron_of
from controller.model.policy import Site
from controller.model.spread import SpreadError, spread
from controller.model.status_io import write_status
from tests.unit.controller.decide.world import UID, World

UIDS = [f"uid-{number}" for number in range(1000)]
RANGES = {
    "H * * * *": (0, range(60)),
    "0 H * * *": (1, range(24)),
    "0 0 H * *": (2, range(1, 29)),
    "0 0 1 H *": (3, range(1, 13)),
    "0 0 * * H": (4, range(7)),
    "H(30-44) * * * *": (0, range(30, 45)),
}


@pytest.mark.parametrize(("expression", "place"), RANGES.items(), ids=RANGES.keys())
def test_it_spreads_over_its_whole_range(expression: str, place: tuple[int, range]) -> None:
    number, allowed = place
    found = {int(spread(expression, uid).split()[number]) for uid in UIDS}
    assert found == set(allowed)


@pytest.mark.parametrize(
    "expression", ["H/15 * * * *", "H(0-29)/10 * * * *", "H(5-5) * * * *", "H,H(40-50) H/7 * * *"]
)
def test_every_expression_it_makes_is_a_schedule(expression: str) -> None:
    for uid in UIDS:
        Cron.parse(spread(expression, uid), "Etc/UTC")
    assert spread(expression, "a") == spread(expression, "a")


def test_steps_begin_at_a_value_of_their_own_and_keep_their_distance() -> None:
    starts = set()
    for uid in UIDS:
        cron = Cron.parse(spread("H/15 * * * *", uid), "Etc/UTC")
        minutes = list(cron._minutes)
        assert len(minutes) == 4
        assert {later - earlier for earlier, later in pairwise(minutes)} == {15}
        starts.add(minutes[0])
    assert starts == set(range(15))


def test_without_it_nothing_changes() -> None:
    for expression in ("0 4 * * *", "@daily", "0 4 * * THU", "nonsense", "H H"):
        assert spread(expression, "u") == expression


@pytest.mark.parametrize(
    "expression",
    ["H(30-10) * * * *", "H(0-70) * * * *", "H/0 * * * *", "H/61 * * * *", "Hx * * * *", "0 0 H(1-31) * *"],
)
def test_what_it_cannot_mean_is_refused_with_what_is_allowed(expression: str) -> None:
    with pytest.raises(SpreadError, match="must"):
        spread(expression, "u")
    cron, problem = cron_of(World(spec={"schedule": expression}).schedule(), Site())
    assert cron is None
    assert "must" in problem


def test_the_status_shows_what_it_stands_for() -> None:
    world = World(spec={"schedule": "H 4 * * *"})
    world.rest()
    effective = write_status(world.status, world.schedule())["effective"]
    assert effective["schedule"] == spread("H 4 * * *", UID)
    assert world.status.next_slot is not None
    assert effective["schedule"].startswith(f"{world.status.next_slot.minute} ")
