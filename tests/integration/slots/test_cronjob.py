"""The same schedules, given to the built-in CronJob controller: the same slots, but for the differences that are meant.

No pod runs: the Jobs are suspended, and the first of each CronJob keeps further ones away (Forbid).
"""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from controller.decide.cron import Cron
from devcluster.api import ControlPlane
from tests.integration.controller.conftest import Api
from tests.integration.slots import cases
from tests.integration.slots.cases import Case

pytestmark = pytest.mark.needs_cluster

AGREEING = int(os.environ.get("SLOTS_CRONJOBS", "200"))
SEED = 20261125
SLOT = "batch.kubernetes.io/cronjob-scheduled-timestamp"
BASE = "/apis/batch/v1/namespaces/default"
AT_ONCE = 8


@pytest.fixture(scope="module")
def plane() -> Iterator[ControlPlane]:
    with ControlPlane.start() as started:
        yield started


@pytest.fixture
async def api(plane: ControlPlane) -> Any:
    made = Api(plane)
    yield made
    await made.close()


def cronjob(case: Case) -> dict[str, Any]:
    pod = {"restartPolicy": "Never", "containers": [{"name": "x", "image": "localhost/none"}]}
    return {
        "metadata": {"name": case.name},
        "spec": {
            "schedule": case.expression,
            "timeZone": case.zone,
            "concurrencyPolicy": "Forbid",
            "jobTemplate": {"spec": {"suspend": True, "template": {"spec": pod}}},
        },
    }


def spell(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


async def hand_over(api: Api, batch: Sequence[Case]) -> None:
    """Make the CronJobs and tell each when it last ran."""
    turn = asyncio.Semaphore(AT_ONCE)

    async def one(case: Case) -> None:
        async with turn:
            await api.call("POST", f"{BASE}/cronjobs", cronjob(case))
            await api.call(
                "PATCH",
                f"{BASE}/cronjobs/{case.name}/status",
                {"status": {"lastScheduleTime": spell(case.last)}},
                "application/merge-patch+json",
            )

    await asyncio.gather(*(one(case) for case in batch))


async def started(api: Api) -> dict[str, tuple[datetime, datetime]]:
    """For each CronJob with a Job: the slot of that Job, and when it was created."""
    found: dict[str, tuple[datetime, datetime]] = {}
    for job in (await api.call("GET", f"{BASE}/jobs"))["items"]:
        (owner,) = job["metadata"]["ownerReferences"]
        slot = datetime.fromisoformat(job["metadata"]["annotations"][SLOT]).astimezone(UTC)
        assert job["metadata"]["name"] == f"{owner['name']}-{int(slot.timestamp()) // 60}"
        assert owner["name"] not in found, "one Job each"
        found[owner["name"]] = (slot, datetime.fromisoformat(job["metadata"]["creationTimestamp"]))
    return found


async def what_they_start(api: Api, batch: Sequence[Case]) -> Mapping[str, tuple[datetime, datetime]]:
    """Once all have started that should, and one more that was handed over after them has."""
    await hand_over(api, batch)
    waiting = {case.name: case for case in batch if case.theirs is not None}

    async def all_started() -> bool:
        for name in await started(api):
            waiting.pop(name, None)
        return not waiting

    try:
        await api.wait_for(all_started, 120)
    except AssertionError as error:
        raise AssertionError(
            f"{error}: {len(waiting)} started nothing, such as {[*waiting.values()][:3]}"
        ) from None
    slot = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(hours=1)
    last_of_all = f"last-after-{batch[-1].name}"
    once = f"{slot.minute} {slot.hour} {slot.day} {slot.month} *"
    await hand_over(api, [Case(last_of_all, once, "Etc/UTC", slot - timedelta(days=1), slot)])

    async def the_last_has_started() -> bool:
        return last_of_all in await started(api)

    await api.wait_for(the_last_has_started, 120)
    return await started(api)


async def test_they_start_the_slots_that_we_find(api: Api) -> None:
    now, chance = datetime.now(UTC), random.Random(SEED)
    _, _, wild_gaps, wild_overlaps = cases.clock_changes(now)
    recurring = cases.recurring(now, AGREEING // 3, chance)
    batch = [*cases.dated(now, AGREEING - AGREEING // 3, chance), *recurring, *wild_overlaps, *wild_gaps]
    found = await what_they_start(api, batch)
    for case in batch:
        cron = Cron.parse(case.expression, case.zone)
        if case.theirs is None:
            assert case.name not in found, f"{case} started {found[case.name]}"
            assert cron.next_after(case.last) > now, case
            continue
        slot, created = found[case.name]
        # A creation time has whole seconds; when a minute began just then, either answer is right.
        moments = (created - timedelta(seconds=2), created + timedelta(seconds=1))
        assert slot in {case.ours(moment) for moment in moments}, f"the model: {case}"
        assert slot in {cron.last_at_or_before(moment) for moment in moments}, f"ours: {case}"
    assert len(batch) >= AGREEING >= 50


async def test_a_fixed_time_in_a_gap_they_skip_and_we_run_at_its_end(api: Api) -> None:
    now = datetime.now(UTC)
    gaps, _, _, _ = cases.clock_changes(now)
    assert len(gaps) > 10
    found = await what_they_start(api, gaps)
    for case in gaps:
        assert case.name not in found, f"{case} started {found[case.name]}"
        ours = Cron.parse(case.expression, case.zone).last_at_or_before(now)
        assert ours == case.ours(now)
        assert ours is not None
        assert case.last < ours < now


async def test_a_fixed_time_in_an_overlap_they_run_again_and_we_do_not(api: Api) -> None:
    now = datetime.now(UTC)
    _, overlaps, _, _ = cases.clock_changes(now)
    assert len(overlaps) > 10
    found = await what_they_start(api, overlaps)
    for case in overlaps:
        assert found[case.name][0] == case.theirs, "told of the first, they run the second"
        cron = Cron.parse(case.expression, case.zone)
        assert cron.last_at_or_before(now) == case.ours(now) == case.last, "to us the first was the one"
        assert cron.next_after(case.last) > now


async def test_uneven_schedules_they_forget_after_downtime_and_we_do_not(api: Api) -> None:
    now = datetime.now(UTC)
    batch = cases.forgotten(now)
    found = await what_they_start(api, batch)
    for case in batch:
        assert case.name not in found, f"{case} started {found[case.name]}"
        ours = Cron.parse(case.expression, case.zone).last_at_or_before(now)
        assert ours == case.ours(now)
        assert ours is not None
        assert case.last < ours


async def test_a_stepped_star_beside_a_weekday_is_either_to_them_and_both_to_us(api: Api) -> None:
    now = datetime.now(UTC)
    case = cases.starred_day(now)
    found = await what_they_start(api, [case])
    assert found[case.name][0] == case.theirs
    assert Cron.parse(case.expression, case.zone).last_at_or_before(now) == case.ours(now) != case.theirs


async def test_at_chatham_they_run_late_and_we_at_the_end_of_the_gap(api: Api) -> None:
    now = datetime.now(UTC)
    case = cases.chatham(now)
    found = await what_they_start(api, [case])
    assert found[case.name][0] == case.theirs
    ours = Cron.parse(case.expression, case.zone).last_at_or_before(now)
    assert ours == case.ours(now) == case.theirs - timedelta(minutes=10)
