"""The whole operator around a cluster in memory: it starts, leads, launches, and ends when asked, or by a bug."""

import asyncio

import pytest

from controller.app import App
from controller.clock import SystemClock
from controller.cluster.memory import CONFIG, JOB, LEASE, SCHEDULE, Fault, MemoryCluster
from controller.cluster.port import Unavailable
from controller.settings import Settings
from tests.unit.controller.conftest import schedule_body


@pytest.fixture
def cluster() -> MemoryCluster:
    return MemoryCluster(SystemClock())


def settings(tmp_path, **changes) -> Settings:
    base = {
        "bind": "127.0.0.1",
        "health_port": 0,
        "metrics_port": 0,
        "namespaces": ("team",),
        "kubeconfig": str(tmp_path / "none"),
        "lease_seconds": 3,
        "lease_renew_seconds": 2,
        "lease_retry_seconds": 0.2,
        "identity": "me",
    }
    return Settings(**(base | changes))


async def until(holds, seconds: float = 15) -> None:
    async with asyncio.timeout(seconds):
        while not holds():  # noqa: ASYNC110 - what is waited for tells nobody
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("election", [True, False], ids=["elected", "alone"])
async def test_it_starts_launches_and_stops(cluster, tmp_path, election) -> None:
    cluster.apply(SCHEDULE, schedule_body(runOnCreate=True))
    stop = asyncio.Event()
    app = App(settings(tmp_path, leader_election=election), cluster, SystemClock())
    running = asyncio.create_task(app.run(stop))
    await until(lambda: cluster.all(JOB))
    await until(lambda: cluster.all("Event"))
    facts = app.facts()
    assert facts.leading
    assert facts.problems == ()
    assert facts.resync_age is not None
    app._refresh()
    assert app.registry.get_sample_value("gsc_sync_operator_leader") == 1
    assert app.registry.get_sample_value("process_resident_memory_bytes") > 0
    assert bool(cluster.all(LEASE)) is election
    stop.set()
    async with asyncio.timeout(8):
        await running
    if election:
        assert cluster.all(LEASE)[0]["spec"]["holderIdentity"] == ""
    assert len(cluster.all(JOB)) == 1


async def test_the_figures_of_the_operator_itself_are_those_of_the_moment(cluster, tmp_path) -> None:
    cluster.apply(SCHEDULE, schedule_body(runOnCreate=True))
    cluster.faults = [Fault("create_event", Unavailable("down"))]
    stop = asyncio.Event()
    app = App(settings(tmp_path, leader_election=False), cluster, SystemClock())
    running = asyncio.create_task(app.run(stop))
    await until(lambda: cluster.all(JOB))
    app._refresh()

    def value(name: str, **labels: str) -> float:
        found = app.registry.get_sample_value(f"gsc_sync_{name}", labels)
        assert found is not None, name
        return found

    assert 0 <= value("operator_resync_age_seconds") < 15
    assert 0 <= value("operator_turn_age_seconds") < 15
    assert abs(value("operator_clock_skew_seconds")) < 2

    def rests() -> bool:
        app._refresh()
        return value("operator_queue_depth") == 0

    await until(rests)
    assert value("launches_total", result="Created") == 1
    await until(lambda: value("operator_events_dropped_total") == 1)
    app._found_gone("jobs", 2)
    assert value("operator_ghosts_total", kind="jobs") == 2
    before = value("operator_watch_restarts_total")
    app._watch_restarted()
    assert value("operator_watch_restarts_total") == before + 1
    stop.set()
    await running


async def test_what_is_missing_is_shown_and_served_around(cluster, tmp_path) -> None:
    cluster.missing = ["the operator may not list pods"]
    cluster.faults = [Fault("problems", Unavailable("down"))]
    stop = asyncio.Event()
    app = App(settings(tmp_path), cluster, SystemClock())
    running = asyncio.create_task(app.run(stop))
    await until(lambda: app.facts().problems)
    assert "does not answer" in app.facts().problems[0]
    stop.set()
    await running


async def test_a_lost_lease_stops_it_and_a_new_term_begins_with_a_resync(cluster, tmp_path) -> None:
    stop = asyncio.Event()
    app = App(settings(tmp_path, lease_seconds=1, lease_renew_seconds=0.6), cluster, SystemClock())
    running = asyncio.create_task(app.run(stop))
    await until(app.term.serves)
    cluster.change(
        LEASE, "default", "gsc-sync-operator", {"spec": {"holderIdentity": "other", "renewTime": "x"}}
    )
    await until(lambda: not app.term.serves())
    assert not app.term.is_leading()
    before = cluster.calls.count("list_schedules")
    await until(app.term.serves)
    await until(lambda: cluster.calls.count("list_schedules") > before)
    stop.set()
    await running


async def test_whoever_lost_the_lease_shows_no_schedule_until_it_serves_again(cluster, tmp_path) -> None:
    cluster.apply(SCHEDULE, schedule_body())
    stop = asyncio.Event()
    app = App(settings(tmp_path, lease_seconds=1, lease_renew_seconds=0.6), cluster, SystemClock())
    running = asyncio.create_task(app.run(stop))

    def failures() -> float | None:
        where = {"namespace": "team", "schedule": "marketing"}
        return app.registry.get_sample_value("gsc_sync_schedule_consecutive_failures", where)

    await until(lambda: failures() == 0)
    cluster.change(
        LEASE, "default", "gsc-sync-operator", {"spec": {"holderIdentity": "other", "renewTime": "x"}}
    )
    await until(lambda: not app.term.serves())
    assert failures() is None
    app._refresh()
    assert app.registry.get_sample_value("gsc_sync_operator_leader") == 0
    await until(lambda: failures() == 0)
    stop.set()
    await running


async def test_whoever_lost_the_lease_shows_nobody_that_waits_for_a_queue(cluster, tmp_path) -> None:
    """It hears no more of who got a place: what it knew would stand, and an alert believe it."""
    cluster.apply(SCHEDULE, schedule_body(runOnCreate=True))
    cluster.apply(
        CONFIG,
        {
            "metadata": {"name": "gsc-sync-switch", "namespace": "default"},
            "data": {"queue.gsc-sync.limit": "0"},
        },
    )
    stop = asyncio.Event()
    app = App(settings(tmp_path, lease_seconds=1, lease_renew_seconds=0.6), cluster, SystemClock())
    running = asyncio.create_task(app.run(stop))

    def waiting() -> float | None:
        app._refresh()
        return app.registry.get_sample_value("gsc_sync_queue_waiting", {"queue": "gsc-sync"})

    await until(lambda: waiting() == 1)
    cluster.change(
        LEASE, "default", "gsc-sync-operator", {"spec": {"holderIdentity": "other", "renewTime": "x"}}
    )
    await until(lambda: not app.term.serves())
    assert waiting() == 0
    stop.set()
    await running


async def test_a_bug_ends_the_process(cluster, tmp_path) -> None:
    cluster.faults = [Fault("list_jobs", RuntimeError("a bug"))]
    app = App(settings(tmp_path), cluster, SystemClock())
    with pytest.raises(ExceptionGroup):
        await app.run(asyncio.Event())
