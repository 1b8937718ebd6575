"""A run divided among several processes that never talk: every property is done once, whoever dies."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract import ExitCode, PropertyFilter, RunSummary, State, merge
from contract.run_spec import MAX_SHARDS
from sync.compose import shard_of
from sync.errors import ConfigurationError
from sync.plan.shards import is_mine
from sync.settings import Settings, load
from tests.unit.sync.fakes import FakeGoogle, TinyStore, spec, workspace
from tests.unit.sync.test_run import House

SITES = {f"sc-domain:p{number}.example": "siteOwner" for number in range(40)}


@given(st.text(max_size=40), st.integers(1, MAX_SHARDS))
def test_every_property_has_exactly_one_shard(name: str, shards: int) -> None:
    assert sum(is_mine(name, shard, shards) for shard in range(shards)) == 1


def test_properties_are_spread_evenly() -> None:
    counts = [sum(is_mine(f"sc-domain:{n}.example", shard, 8) for n in range(8000)) for shard in range(8)]
    assert min(counts) > 850
    assert max(counts) < 1150


class Divided:
    """A run in four shards, on one store."""

    def __init__(self, folder: Path, sites: PropertyFilter | None = None) -> None:
        self.order = spec([workspace(folder, properties=sites or PropertyFilter())], shards=4)
        self.store = TinyStore()

    def launch(self, shard: int, launch: int = 1, google: FakeGoogle | None = None) -> RunSummary:
        order = self.order.model_copy(update={"launch": launch})
        house = House(order, google or FakeGoogle(sites=SITES), self.store)
        house.launch = replace(house.launch, shard=shard)
        return house.run().summary


def test_four_shards_do_together_what_one_process_does_alone(tmp_path: Path) -> None:
    run, alone = Divided(tmp_path), TinyStore()
    store = run.store
    whole = merge([run.launch(shard) for shard in range(4)])
    house = House(spec([workspace(tmp_path)]), FakeGoogle(sites=SITES), alone)
    assert house.run().exit_code is ExitCode.SUCCESS
    assert store.cells.keys() == alone.cells.keys()
    assert whole is not None
    assert (whole.properties, whole.state) == (len(SITES), State.SUCCEEDED)
    assert len(store.complete) == 4


def test_one_shard_dies_and_the_next_launch_does_its_part_only(tmp_path: Path) -> None:
    run = Divided(tmp_path)
    store = run.store
    for shard in (0, 1, 3):
        run.launch(shard)
    google = FakeGoogle(sites=SITES)
    again = [run.launch(shard, 2, google) for shard in range(4)]
    assert [summary.from_earlier_launch for summary in again] == [True, True, False, True]
    assert {body["startDate"] for body in google.asked()}, "the shard that died asks"
    assert len({cell.property for cell in store.cells}) == len(SITES)


def test_a_name_that_nobody_sees_is_reported_by_one_shard(tmp_path: Path) -> None:
    run = Divided(tmp_path, PropertyFilter(include=["sc-domain:gone.example"]))
    assert sorted(run.launch(shard).failed_workspaces for shard in range(4)) == [0, 0, 0, 1]


def test_the_index_comes_from_the_environment(tmp_path: Path) -> None:
    order = spec([workspace(tmp_path)], shards=4)
    assert shard_of(order, load({"JOB_COMPLETION_INDEX": "3"})) == 3
    assert shard_of(spec([workspace(tmp_path)]), load({"JOB_COMPLETION_INDEX": "3"})) == 0


@pytest.mark.parametrize(
    ("settings", "said"), [(Settings(), "is not set"), (Settings(shard=4), "is 4")], ids=["none", "too high"]
)
def test_an_index_that_does_not_fit_is_refused(tmp_path: Path, settings: Settings, said: str) -> None:
    order = spec([workspace(tmp_path)], shards=4)
    with pytest.raises(ConfigurationError, match=f"JOB_COMPLETION_INDEX {said}; it must be 0 to 3"):
        shard_of(order, settings)


def test_an_index_that_is_no_number_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="JOB_COMPLETION_INDEX"):
        load({"JOB_COMPLETION_INDEX": "first"})
