"""Events: told once, counted when repeated, bounded in number, and never in anybody's way."""

import asyncio

import pytest
from prometheus_client import CollectorRegistry

from controller.act.recorder import BURST, Recorder
from controller.cluster.memory import EVENT, Fault
from controller.cluster.port import Refused, Unavailable
from controller.model.decision import EventReason, Notice
from controller.model.parse import parse_schedule
from controller.observe.metrics import Metrics
from tests.unit.controller.conftest import schedule_body

FAILED = Notice(EventReason.FAILED, "Google refused", warning=True)


def schedule(uid: str = "s1"):
    body = schedule_body()
    body["metadata"] |= {
        "uid": uid,
        "resourceVersion": "1",
        "generation": 1,
        "creationTimestamp": "2026-11-01T00:00:00Z",
    }
    return parse_schedule(body)


@pytest.fixture
async def recorder(cluster, clock):
    recorder = Recorder(cluster, clock, "pod-1")
    task = asyncio.create_task(recorder.run())
    yield recorder
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_an_event_says_what_happened_to_which_schedule(recorder, cluster) -> None:
    recorder.record(schedule(), FAILED)
    await recorder.flush()
    (event,) = cluster.all(EVENT)
    assert event["regarding"] == {
        "apiVersion": "gscsync.io/v1beta1",
        "kind": "GscSyncSchedule",
        "name": "marketing",
        "namespace": "team",
        "uid": "s1",
    }
    assert (event["reason"], event["type"], event["note"]) == ("SyncFailed", "Warning", "Google refused")
    assert event["reportingInstance"] == "pod-1"
    assert "series" not in event


async def test_the_same_again_is_counted_and_its_note_left_alone(recorder, cluster, clock) -> None:
    # The API server answers 422 to a patch that changes a note, and the count would be lost with it.
    for message in ("first", "second"):
        recorder.record(schedule(), Notice(EventReason.FAILED, message, warning=True))
        await recorder.flush()
        await clock.advance(60)
    (event,) = cluster.all(EVENT)
    assert event["series"]["count"] == 2
    assert event["note"] == "first"


async def test_a_long_series_is_written_every_half_hour(recorder, cluster, clock) -> None:
    counts = []
    for _ in range(65):
        recorder.record(schedule(), FAILED)
        await recorder.flush()
        counts.append(cluster.all(EVENT)[0].get("series", {}).get("count", 1))
        await clock.advance(60)
    assert counts == [1] + [2] * 30 + [32] * 30 + [62] * 4


async def test_after_ten_minutes_it_is_news_again(recorder, cluster, clock) -> None:
    for _ in range(2):
        recorder.record(schedule(), FAILED)
        await recorder.flush()
        await clock.advance(601)
    assert len(cluster.all(EVENT)) == 2


async def test_other_reasons_and_other_schedules_have_their_own(recorder, cluster) -> None:
    recorder.record(schedule("s1"), FAILED)
    recorder.record(schedule("s2"), FAILED)
    recorder.record(schedule("s1"), Notice(EventReason.SUCCEEDED, "ok"))
    await recorder.flush()
    assert sorted(event["type"] for event in cluster.all(EVENT)) == ["Normal", "Warning", "Warning"]
    assert len({event["metadata"]["name"] for event in cluster.all(EVENT)}) == 3


async def test_one_schedule_cannot_flood(recorder, cluster, clock) -> None:
    reasons = list(EventReason)
    assert len(reasons) * 2 > BURST
    for warning in (True, False):
        for reason in reasons:
            recorder.record(schedule(), Notice(reason, "as often as it can", warning=warning))
    await recorder.flush()
    assert len(cluster.all(EVENT)) == BURST
    assert recorder.dropped == len(reasons) * 2 - BURST
    await clock.advance(300)
    for reason in reasons[-2:]:
        recorder.record(schedule(), Notice(reason, "more"))
    await recorder.flush()
    assert len(cluster.all(EVENT)) == BURST + 1


@pytest.mark.parametrize("error", [Refused("no"), Unavailable("down")], ids=["refused", "down"])
async def test_a_failing_write_harms_nobody(recorder, cluster, error) -> None:
    cluster.faults.append(Fault("create_event", error))
    recorder.record(schedule(), FAILED)
    recorder.record(schedule(), FAILED)
    await recorder.flush()
    assert len(cluster.all(EVENT)) == 1
    assert recorder.dropped == 1


async def test_an_event_that_expired_meanwhile_is_written_anew(recorder, cluster) -> None:
    recorder.record(schedule(), FAILED)
    await recorder.flush()
    cluster.remove(EVENT, "team", cluster.all(EVENT)[0]["metadata"]["name"])
    recorder.record(schedule(), FAILED)
    await recorder.flush()
    assert len(cluster.all(EVENT)) == 1


async def test_a_long_message_is_cut_at_a_character(recorder, cluster) -> None:
    recorder.record(schedule(), Notice(EventReason.FAILED, "ü" * 2000))
    await recorder.flush()
    assert cluster.all(EVENT)[0]["note"] == "ü" * 512


async def test_when_too_many_wait_the_rest_is_dropped(cluster, clock) -> None:
    recorder = Recorder(cluster, clock, "pod-1")
    for _ in range(1100):
        recorder.record(schedule(), FAILED)
    assert recorder.dropped == 100


async def test_what_nobody_will_see_is_counted_for_all_to_see(cluster, clock) -> None:
    registry = CollectorRegistry()
    recorder = Recorder(cluster, clock, "pod-1", Metrics(registry).events_dropped.inc)
    for _ in range(1003):
        recorder.record(schedule(), FAILED)
    assert registry.get_sample_value("gsc_sync_operator_events_dropped_total") == 3
