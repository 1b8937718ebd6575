"""The second API server of the fault plans is behind when it is told to be: else those plans would prove nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from devcluster.api import ControlPlane
from tests.fault.admin import Admin, until
from tests.fault.relay import Relay

pytestmark = [pytest.mark.needs_cluster, pytest.mark.timeout(300)]

MAPS = "/api/v1/namespaces/default/configmaps"


@dataclass
class Pair:
    first: Admin
    second: Admin
    relay: Relay

    async def make(self, name: str) -> None:
        await self.first.call("POST", MAPS, {"metadata": {"name": name}})

    async def remembers(self, name: str) -> bool:
        """Whether the second has it in what it answers from memory."""
        items = (await self.second.call("GET", f"{MAPS}?resourceVersion=0"))["items"]
        return any(it["metadata"]["name"] == name for it in items)


@pytest.fixture
async def pair() -> AsyncIterator[Pair]:
    with await asyncio.to_thread(ControlPlane.start) as plane:
        relay = Relay(plane.etcd_port)
        await relay.start()
        url, _ = await asyncio.to_thread(plane.start_second_apiserver, relay.port)
        made = Pair(Admin(plane), Admin(plane, url), relay)
        await until(lambda: made.second.call("GET", f"{MAPS}?resourceVersion=0"), 40)
        yield made
        await made.first.close()
        await made.second.close()
        await relay.close()


async def test_it_shows_the_past_while_it_hears_nothing_and_catches_up(pair: Pair) -> None:
    await pair.make("before")
    await until(lambda: pair.remembers("before"), 20)
    pair.relay.hold()
    await pair.make("meanwhile")
    assert not await pair.remembers("meanwhile")
    assert await pair.remembers("before")
    pair.relay.release()
    await until(lambda: pair.remembers("meanwhile"), 20)


async def test_it_shows_the_past_for_as_long_as_its_wire_is_late(pair: Pair) -> None:
    pair.relay.lag = 2.0
    await pair.make("late")
    assert not await pair.remembers("late")
    await until(lambda: pair.remembers("late"), 20)
