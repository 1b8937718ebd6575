"""Health: what a restart can cure is unhealthy; what only time or a person can is not."""

from dataclasses import replace

import aiohttp
import pytest
from prometheus_client import CollectorRegistry

from controller.observe.health import Facts, Server, health_routes, metrics_routes, unhealthy, unready
from controller.observe.metrics import Metrics

WELL = Facts(turn_age=1, resync_age=10, resync_seconds=300, since_start=1000, clock_bad_for=0, held="")


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        pytest.param({}, None, id="all well"),
        pytest.param({"turn_age": 121}, "turn", id="stuck scheduler"),
        pytest.param({"resync_age": 1201}, "resync", id="no resync"),
        pytest.param({"resync_age": None, "since_start": 100}, None, id="just started"),
        pytest.param({"resync_age": None, "since_start": 1201}, "resync", id="never resynced"),
        pytest.param({"clock_bad_for": 299, "held": "clock"}, None, id="clock bad for a while"),
        pytest.param({"clock_bad_for": 301, "held": "the clock is off"}, "clock", id="clock bad for long"),
        pytest.param({"problems": ("no rights",)}, None, id="a restart gives no rights"),
    ],
)
def test_healthy(changes: dict, word: str | None) -> None:
    reasons = unhealthy(replace(WELL, **changes))
    assert (word in reasons[0]) if word else reasons == []


@pytest.mark.parametrize(
    ("changes", "reasons"),
    [
        ({}, []),
        ({"resync_age": None}, ["the first resync is not done"]),
        ({"problems": ("no rights",)}, ["no rights"]),
    ],
)
def test_ready(changes: dict, reasons: list[str]) -> None:
    assert unready(replace(WELL, **changes)) == reasons


async def test_the_servers_answer() -> None:
    facts = WELL
    registry = CollectorRegistry()
    metrics = Metrics(registry, "prod")
    refreshed = []
    health = Server("127.0.0.1", 0, health_routes(lambda: facts))
    numbers = Server(
        "127.0.0.1", 0, metrics_routes(registry, lambda: refreshed.append(metrics.leader.set(1)))
    )
    ports = await health.start(), await numbers.start()
    async with aiohttp.ClientSession() as session:

        async def get(port: int, path: str) -> tuple[int, str]:
            async with session.get(f"http://127.0.0.1:{port}{path}") as answer:
                return answer.status, await answer.text()

        assert await get(ports[0], "/healthz") == (200, "ok\n")
        facts = replace(WELL, turn_age=500)
        assert (await get(ports[0], "/healthz"))[0] == 503
        assert (await get(ports[0], "/readyz"))[0] == 200
        assert (await get(ports[0], "/metrics"))[0] == 404
        status, text = await get(ports[1], "/metrics")
        assert status == 200
        assert "gsc_sync_operator_leader 1.0" in text
        assert 'gsc_sync_operator_info{environment="prod"} 1.0' in text
    await health.stop()
    await numbers.stop()
    await numbers.stop()
