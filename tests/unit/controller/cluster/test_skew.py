"""The clock against the API server's: small differences are noise, large ones hold everything."""

import asyncio
from datetime import UTC, datetime

import pytest

from controller.clock import ManualClock
from controller.cluster.memory import Fault, MemoryCluster
from controller.cluster.port import Unavailable
from controller.cluster.skew import Skew


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(datetime(2026, 11, 26, 4, 0, tzinfo=UTC))


@pytest.mark.parametrize(
    ("server_ahead", "held"), [(0, False), (59, False), (-59, False), (62, True), (-62, True)]
)
async def test_only_a_large_skew_holds(clock, server_ahead: float, held: bool) -> None:
    cluster = MemoryCluster(clock)
    cluster.skew_seconds = server_ahead
    skew = Skew(cluster, clock)
    assert await skew.check()
    assert bool(skew.held) is held
    if held:
        assert ("behind" if server_ahead > 0 else "ahead of") in skew.held
    assert skew.seconds == pytest.approx(-server_ahead, abs=1)


async def test_the_reason_says_what_to_do_and_goes_when_the_clock_is_right_again(clock) -> None:
    cluster = MemoryCluster(clock)
    cluster.skew_seconds = -120
    skew = Skew(cluster, clock)
    await skew.check()
    await clock.advance(400)
    assert skew.bad_for() == 400
    assert "set the time of its node right" in skew.held
    cluster.skew_seconds = 0
    await skew.check()
    assert skew.held == ""
    assert skew.bad_for() == 0


async def test_without_an_answer_the_last_measurement_stands(clock) -> None:
    cluster = MemoryCluster(clock)
    cluster.skew_seconds = 120
    skew = Skew(cluster, clock)
    await skew.check()
    cluster.faults.append(Fault("server_time", Unavailable("down")))
    assert not await skew.check()
    assert skew.held


async def test_a_clock_that_stepped_is_wrong_until_the_server_tells_its_time(clock) -> None:
    cluster = MemoryCluster(clock)
    skew = Skew(cluster, clock)
    await skew.check()
    cluster.faults.append(Fault("server_time", Unavailable("down")))
    assert not await skew.stepped()
    assert "stepped" in skew.held
    assert await skew.check()
    assert skew.held == ""


class SlowServer(MemoryCluster):
    """Its clock is right, and the first answer to the question for the time takes a while."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__(clock)
        self.right = clock.now()
        self.asked, self.answers = asyncio.Event(), asyncio.Event()

    async def server_time(self) -> datetime:
        if self.asked.is_set():
            raise Unavailable("down")
        self.asked.set()
        await self.answers.wait()
        return self.right


async def test_an_answer_to_what_was_asked_before_the_clock_stepped_frees_nothing(clock) -> None:
    cluster = SlowServer(clock)
    skew = Skew(cluster, clock)
    earlier = asyncio.create_task(skew.check())
    await cluster.asked.wait()
    clock.step(3650 * 86_400)
    assert not await skew.stepped()
    cluster.answers.set()
    assert not await earlier
    assert "stepped" in skew.held
    cluster.asked.clear()
    assert await skew.check()
    assert "ahead of" in skew.held
