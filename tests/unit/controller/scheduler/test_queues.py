"""Stories of queues: the order of launches, limits in the whole cluster, pause and scaling while everything runs."""

from datetime import UTC, datetime, timedelta
from math import inf

import pytest
from prometheus_client import CollectorRegistry

from controller.act.pace import Pace
from controller.cluster.memory import CONFIG, Fault
from controller.cluster.port import Refused, Unavailable
from controller.decide.queue import AGEING, Candidate, in_order, refuse
from controller.model.policy import Mode, Policy, Queue
from controller.model.status import RunState
from controller.observe.metrics import Metrics
from controller.watch.switch import NAME, Switch
from tests.unit.controller.house import House

NOW = datetime(2026, 11, 26, 4, 0, tzinfo=UTC)


@pytest.fixture
def house(cluster, clock) -> House:
    return House(cluster, clock)


def candidate(
    name: str, *, namespace: str = "a", priority: int = 1, late: float = 0, queue: str = "q"
) -> Candidate:
    return Candidate(f"uid-{name}", namespace, name, queue, priority, NOW - timedelta(seconds=late))


ORDERS: dict[str, tuple[list[Candidate], list[str]]] = {
    "by priority": ([candidate("low", priority=5), candidate("high", priority=0)], ["high", "low"]),
    "then by lateness": ([candidate("new"), candidate("old", late=60)], ["old", "new"]),
    "waiting makes up for priority": (
        [candidate("high", priority=1), candidate("old", priority=3, late=3 * AGEING.total_seconds())], ["old", "high"],
    ),
    "one namespace with many does not go before another with one": (
        [candidate("a1", late=30), candidate("a2", late=29), candidate("a3", late=28), candidate("b1", namespace="b")],
        ["a1", "b1", "a2", "a3"],
    ),
    "priority comes before fairness": (
        [candidate("a1", priority=0), candidate("a2", priority=0), candidate("b1", namespace="b")], ["a1", "a2", "b1"],
    ),
    "equal ones by name, so that the order is always the same": ([candidate("y"), candidate("x")], ["x", "y"]),
}  # fmt: skip


@pytest.mark.parametrize(("given", "order"), ORDERS.values(), ids=ORDERS.keys())
def test_who_goes_first(given: list[Candidate], order: list[str]) -> None:
    assert [item.name for item in in_order(given, NOW)] == order
    assert [item.name for item in in_order(reversed(given), NOW)] == order


def test_limits_count_what_runs_and_what_is_about_to() -> None:
    ordered = [candidate("a"), candidate("b"), candidate("c"), candidate("other", queue="p")]
    waiting = refuse(ordered, {"q": 1}, Policy(queues={"q": Queue(2), "p": Queue(paused=True)}))
    assert waiting == {
        "uid-b": "queue 'q' is full", "uid-c": "queue 'q' is full", "uid-other": "queue 'p' is paused",
    }  # fmt: skip


async def three_due(house: House) -> None:
    for name, priority in (("low", 9), ("high", 0), ("mid", 5)):
        house.apply(name, priority=priority)
    await house.settle()
    await house.at(4)


def launched(house: House) -> list[str]:
    return [job["metadata"]["labels"]["gscsync.io/schedule"] for job in house.jobs()]


async def test_launches_go_by_priority(house) -> None:
    await three_due(house)
    assert launched(house) == ["high", "mid", "low"]


async def test_a_full_queue_launches_the_next_when_a_job_ends(house) -> None:
    house.policy = Policy(queues={"gsc-sync": Queue(1)})
    await three_due(house)
    assert launched(house) == ["high"]
    assert house.status("mid").current.state is RunState.QUEUED
    assert house.scheduler.queues.waiting() == {"gsc-sync": 2}
    for number, so_far in enumerate((["high", "mid"], ["high", "mid", "low"])):
        house.finish(house.jobs()[number], 0)
        await house.settle()
        assert launched(house) == so_far
    assert house.scheduler.queues.waiting() == {}


async def test_scaling_up_launches_at_once(house) -> None:
    house.policy = Policy(queues={"gsc-sync": Queue(0)})
    await three_due(house)
    assert launched(house) == []
    house.policy = Policy(queues={"gsc-sync": Queue(2)})
    house.scheduler.look_at_everything()
    await house.settle()
    assert launched(house) == ["high", "mid"]


async def test_pause_and_resume(house) -> None:
    house.policy = Policy(queues={"gsc-sync": Queue(paused=True)})
    await three_due(house)
    assert launched(house) == []
    house.policy = Policy()
    house.scheduler.look_at_everything()
    await house.settle()
    assert launched(house) == ["high", "mid", "low"]


async def test_after_a_restart_what_was_queued_is_launched_when_it_may_and_the_limit_holds(house) -> None:
    house.policy = Policy(queues={"gsc-sync": Queue(1)})
    await three_due(house)
    await house.restart()
    await house.settle()
    assert launched(house) == ["high"]
    house.finish(house.jobs()[0], 0)
    await house.settle()
    assert launched(house) == ["high", "mid"]


async def test_a_queued_schedule_that_is_suspended_leaves_the_queue(house) -> None:
    house.policy = Policy(queues={"gsc-sync": Queue(1)})
    await three_due(house)
    house.apply("mid", priority=5, suspend=True)
    await house.settle()
    house.finish(house.jobs()[0], 0)
    await house.settle()
    assert launched(house) == ["high", "low"]


async def test_waiting_in_a_queue_costs_one_status_write(house) -> None:
    house.policy = Policy(queues={"gsc-sync": Queue(1)})
    await three_due(house)
    before = house.cluster.calls.count("patch_status")
    for _ in range(5):
        await house.wait(30)
        house.scheduler.look_at_everything()
        await house.settle()
    assert house.cluster.calls.count("patch_status") == before


def test_what_the_metrics_show_of_switch_and_queues() -> None:
    registry = CollectorRegistry()
    policy = Policy(Mode.DRAIN, {"big": Queue(3), "off": Queue(paused=True)})
    Metrics(registry).policy(policy, {"big": 2, "gsc-sync": 5}, {"big": 1})

    def value(name: str, **labels: str) -> float | None:
        return registry.get_sample_value(f"gsc_sync_{name}", labels)

    assert [value("switch_mode", mode=mode.value) for mode in Mode] == [0, 1, 0, 0]
    assert (value("queue_limit", queue="big"), value("queue_limit", queue="gsc-sync")) == (3, inf)
    assert (value("queue_running", queue="big"), value("queue_waiting", queue="big")) == (2, 1)
    assert (value("queue_paused", queue="off"), value("queue_running", queue="off")) == (1, 0)


# -- the pace ----------------------------------------------------------------------------------------------------------


async def test_a_seconds_worth_goes_at_once_then_the_pace_holds(clock) -> None:
    pace = Pace(100, clock)
    for _ in range(100):
        await pace.wait()
    assert clock.sleepers == 0


# -- the switch --------------------------------------------------------------------------------------------------------


async def test_the_switch_is_read_and_says_when_it_is_another(cluster, clock) -> None:
    said: list[Mode] = []
    switch = Switch(cluster, clock, "ops", 10, lambda: said.append(switch.policy.mode))
    assert await switch.read()
    assert switch.policy == Policy()
    for mode in ("hold", "hold", "run"):
        cluster.apply(CONFIG, {"metadata": {"name": NAME, "namespace": "ops"}, "data": {"mode": mode}})
        assert await switch.read()
    assert said == [Mode.HOLD, Mode.RUN]


async def test_while_it_cannot_be_read_what_was_read_last_holds(cluster, clock) -> None:
    switch = Switch(cluster, clock, "ops", 10, lambda: None)
    cluster.apply(CONFIG, {"metadata": {"name": NAME, "namespace": "ops"}, "data": {"mode": "stop"}})
    await switch.read()
    cluster.faults = [Fault("get_config", Unavailable("down"))]
    assert not await switch.read()
    assert switch.policy.mode is Mode.STOP


async def test_without_the_right_to_read_it_the_operator_serves_and_says_so(cluster, clock) -> None:
    switch = Switch(cluster, clock, "ops", 10, lambda: None)
    cluster.faults = [Fault("get_config", Refused("forbidden"))]
    assert await switch.read()
    assert "gsc-sync-switch" in switch.refused
    assert await switch.read()
    assert switch.refused == ""
