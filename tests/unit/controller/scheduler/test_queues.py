"""Stories of queues: the order of launches, limits in the whole cluster, pause and scaling while everything runs."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from math import inf
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from controller.act.pace import Pace
from controller.cluster.memory import CONFIG, SCHEDULE, Fault, MemoryCluster
from controller.cluster.port import Refused, Unavailable
from controller.decide.queue import AGEING, Candidate, in_order, refuse, turn
from controller.model.policy import Mode, Policy, Queue
from controller.model.status import RunState
from controller.observe.metrics import Metrics
from controller.watch.switch import NAME, Switch
from tests.unit.controller.conftest import schedule_body
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
}  # fmt: skip


@pytest.mark.parametrize(("given", "order"), ORDERS.values(), ids=ORDERS.keys())
def test_who_goes_first(given: list[Candidate], order: list[str]) -> None:
    assert [item.name for item in in_order(given, NOW)] == order
    assert [item.name for item in in_order(reversed(given), NOW)] == order


def test_the_names_of_equal_ones_decide_nothing_and_each_is_first_as_often() -> None:
    firsts = []
    for slot in range(400):
        equal = [
            replace(candidate(name, namespace=namespace), due=NOW + slot * AGEING)
            for name, namespace in (("aaa", "a"), ("zzz", "z"))
        ]
        order = in_order(equal, NOW + slot * AGEING)
        assert order == in_order(reversed(equal), NOW + slot * AGEING), (
            "however they come, and after a restart"
        )
        firsts.append(order[0].name)
    assert 160 <= firsts.count("aaa") <= 240, "by chance alone nearly never fewer"


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


def uid(house: House, name: str) -> str:
    return str(house.cluster.get(SCHEDULE, "team", name)["metadata"]["uid"])


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


# -- Replace -----------------------------------------------------------------------------------------------------------


async def replacing(house: House, *others: tuple[str, int], slot: int = 4) -> None:
    """`busy` runs in the one place there is, its next slot is due; the others wait for that place."""
    house.policy = Policy(queues={"gsc-sync": Queue(1)})
    spec = {"schedule": "*/5 * * * *", "concurrencyPolicy": "Replace", "pendingDeadlineSeconds": 900}
    house.apply("busy", **spec, priority=5)
    await house.settle()
    await house.at(4)
    for name, priority in others:
        house.apply(name, schedule=f"{slot} 4 * * *", priority=priority)
    await house.settle()
    await house.at(4, 4)
    assert launched(house) == ["busy"]


def ended(house: House) -> list[str]:
    """Jobs that are being deleted, or are gone."""
    return [job["metadata"]["name"] for job in house.jobs() if "deletionTimestamp" in job["metadata"]]


GATES = {
    "paused": Queue(1, paused=True),
    "scaled down": Queue(0),
}


@pytest.mark.parametrize("queue", GATES.values(), ids=GATES.keys())
async def test_replace_ends_nothing_while_nothing_may_take_its_place(house, queue) -> None:
    await replacing(house)
    house.policy = Policy(queues={"gsc-sync": queue})
    await house.at(4, 10)
    assert ended(house) == []
    assert house.scheduler.queues.waiting() == {"gsc-sync": 1}
    writes = house.cluster.calls.count("patch_status")
    house.scheduler.look_at_everything()
    await house.settle()
    assert house.cluster.calls.count("patch_status") == writes, "it is told once"

    house.policy = Policy(queues={"gsc-sync": Queue(1)})
    house.scheduler.look_at_everything()
    await house.settle()
    assert len(ended(house)) == 1
    house.cluster.sweep()
    await house.settle()
    assert launched(house) == ["busy"], "the next one has its place"
    assert house.scheduler.queues.waiting() == {}


async def test_replace_takes_the_place_of_what_it_ends_in_a_full_queue(house) -> None:
    await replacing(house, ("patient", 9))
    await house.at(4, 5)
    assert len(ended(house)) == 1
    house.cluster.sweep()
    await house.settle()
    assert launched(house) == ["busy"], "no other is before it"


async def test_replace_ends_nothing_when_another_would_get_the_place(house) -> None:
    await replacing(house, ("urgent", 0))
    await house.at(4, 5)
    assert ended(house) == [], "urgent would be launched, and busy wait"
    house.finish(house.jobs()[0], 0)
    await house.settle()
    assert launched(house) == ["busy", "urgent"]
    house.finish(house.jobs()[1], 0)
    await house.settle()
    assert launched(house) == ["busy", "urgent", "busy"]


async def test_with_a_place_to_spare_replace_ends_what_runs(house) -> None:
    await replacing(house, ("urgent", 0))
    house.policy = Policy(queues={"gsc-sync": Queue(3)})
    house.scheduler.look_at_everything()
    await house.settle()
    assert launched(house) == ["busy", "urgent"]
    await house.at(4, 5)
    assert len(ended(house)) == 1


# -- nobody starves ----------------------------------------------------------------------------------------------------

EVERY_FIVE = {"schedule": "*/5 * * * *"}


async def two_hours_with_one_place(
    house: House, *, job_minutes: int, **priorities: int
) -> dict[str, list[float]]:
    """Every five minutes all of them want the one place there is; the minutes from four o'clock at which each got it."""
    house.policy = Policy(queues={"gsc-sync": Queue(1)})
    for name, priority in priorities.items():
        house.apply(name, **EVERY_FIVE, priority=priority)
    await house.settle()
    began: dict[str, list[float]] = {name: [] for name in priorities}
    running: tuple[dict[str, Any], float] | None = None
    seen: set[str] = set()
    await house.at(4)
    for _ in range(120):
        now = (house.clock.now() - NOW).total_seconds() // 60
        if running is not None and now - running[1] >= job_minutes:
            house.finish(running[0], 0)
            running = None
            await house.settle()
        fresh = [job for job in house.jobs() if job["metadata"]["uid"] not in seen]
        for job in fresh:
            assert running is None, "there is one place"
            running = job, now
            seen.add(job["metadata"]["uid"])
            began[job["metadata"]["labels"]["gscsync.io/schedule"]].append(now)
        await house.wait(60)
    return began


def longest_wait(began: list[float]) -> float:
    """In minutes, from four o'clock to six; its own Jobs count as waiting."""
    return max(after - before for before, after in pairwise((0.0, *began, 120.0)))


def in_turn(began: dict[str, list[float]]) -> list[str]:
    return [name for _, name in sorted((at, name) for name, times in began.items() for at in times)]


@pytest.mark.parametrize("job_minutes", [3, 5])
async def test_who_waits_grows_no_younger_with_each_slot_and_nobody_starves(house, job_minutes) -> None:
    """After five minutes for each step of its priority it is among the first, and each other goes before it once more."""
    priorities = {"a": 5, "b": 1, "c": 1}
    began = await two_hours_with_one_place(house, job_minutes=job_minutes, **priorities)
    for name, priority in priorities.items():
        bound = priority * AGEING.total_seconds() / 60 + len(priorities) * job_minutes
        assert longest_wait(began[name]) <= bound, (name, began)
    assert len(began["a"]) < len(began["b"]), "priority still counts"


async def test_those_of_one_priority_take_turns(house) -> None:
    began = await two_hours_with_one_place(house, job_minutes=5, a=1, b=1, c=1)
    order = "".join(in_turn(began))
    assert set(order[:3]) == {"a", "b", "c"}
    assert order == order[:3] * 8


@pytest.mark.parametrize("job_minutes", [3, 4])
async def test_nobody_waits_for_a_third_turn_of_another(house, job_minutes) -> None:
    """Of those that begin to wait with one slot chance decides, but never against one that waited longer."""
    began = await two_hours_with_one_place(house, job_minutes=job_minutes, a=1, b=1, c=1)
    order = "".join(in_turn(began))
    for name in began:
        for others in order.strip(name).split(name):
            assert max(map(others.count, began)) <= 2, order


async def test_after_a_restart_waiting_begins_from_the_slot(house) -> None:
    house.policy = Policy(queues={"gsc-sync": Queue(1)})
    for name in ("a", "b"):
        house.apply(name, **EVERY_FIVE)
    await house.settle()
    await house.at(4)
    await house.at(4, 5)
    [first] = launched(house)
    [other] = {"a", "b"} - {first}
    await house.restart()
    await house.settle()
    house.finish(house.jobs()[0], 0)
    await house.settle()
    house.finish(house.jobs()[1], 0)
    await house.settle()
    of_slot = sorted((first, other), key=lambda name: turn(uid(house, name), NOW + AGEING))
    assert launched(house)[1:3] == of_slot, "both have slot 04:05, and chance decides, not who waited longer"


async def test_what_is_remembered_of_who_waits_goes_when_it_waits_no_more(house) -> None:
    house.policy = Policy(queues={"gsc-sync": Queue(1)})
    for name in ("a", "b", "c", "d"):
        house.apply(name)
    await house.settle()
    await house.at(4)
    since = house.scheduler.queues._since
    assert len(since) == 3
    [first] = launched(house)
    suspended, deleted, last = sorted({"a", "b", "c", "d"} - {first})
    house.apply(suspended, suspend=True)
    house.cluster.remove(SCHEDULE, "team", deleted)
    await house.settle()
    assert len(since) == 1, "neither the suspended waits nor the deleted"
    house.finish(house.jobs()[0], 0)
    await house.settle()
    assert launched(house) == [first, last]
    assert since == {}


async def test_who_did_not_get_its_place_after_all_has_waited_as_long_as_before(house) -> None:
    """Its turn has come, and the API server does not answer its create until the next slot."""
    house.policy = Policy(queues={"gsc-sync": Queue(1)})
    for name in ("a", "b"):
        house.apply(name, **EVERY_FIVE)
    await house.settle()
    await house.at(4)
    await house.at(4, 4)
    [first] = launched(house)
    [other] = {"a", "b"} - {first}
    house.cluster.faults = [Fault("create_job", Unavailable("down"), times=10)]
    house.finish(house.jobs()[0], 0)
    await house.settle()
    assert launched(house) == [first]
    house.cluster.faults = []
    await house.at(4, 5)
    assert launched(house) == [first, other]


class ShutCluster(MemoryCluster):
    """Some namespaces' Jobs may not be listed."""

    shut = ""

    async def list_jobs(self, namespace: str, schedules: Any = ()) -> Any:
        if namespace == self.shut:
            raise Refused("forbidden")
        async for body in super().list_jobs(namespace, schedules):
            yield body


async def test_who_cannot_be_read_keeps_no_place_free(clock) -> None:
    cluster = ShutCluster(clock)
    house = House(cluster, clock)
    house.policy = Policy(queues={"gsc-sync": Queue(1)})
    house.apply("first", priority=0)
    house.cluster.apply(SCHEDULE, schedule_body("shut", namespace="dark", priority=1))
    house.apply("last", priority=9)
    await house.settle()
    await house.at(4)
    cluster.shut = "dark"
    house.finish(house.jobs()[0], 0)
    await house.settle()
    await house.wait(2)
    assert launched(house) == ["first", "last"]
    cluster.shut = ""
    house.finish(house.jobs()[1], 0)
    await house.wait(30)
    assert launched(house) == ["first", "last", "shut"]


# -- the metrics -------------------------------------------------------------------------------------------------------


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
