"""Workloads: what users do while faults strike, each a short story with the runs that must come of it.

Time on a real API server is real, so slots are made due by setting `effectiveSince` back through the status
subresource, and waits are ended in the same way. A story waits for states, never for time, and holds however
often the operator dies in between. It returns what must have been run: slots by the model of tests/oracle, the rest
counted by hand.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from tests.fault.mirror import View
from tests.fault.scene import Scene
from tests.oracle.slots import Almanac, Outcome, Rule, slots
from tests.oracle.slots import catch_up as model_of_catch_up


@dataclass(frozen=True, slots=True)
class Run:
    """A run that must have been: of a slot, or by a trigger without one; with so many launches."""

    trigger: str
    launches: int = 1
    slot: datetime | None = None


@dataclass(frozen=True, slots=True)
class Expected:
    """Of one schedule: its runs, and its counters where they do not follow from the runs."""

    runs: tuple[Run, ...]
    counters: Mapping[str, int] = field(default_factory=dict)
    policy: str = "Forbid"
    gone: bool = False
    """Deleted before its run could end."""
    by_deadline: bool = False
    """A Job that we would delete may also be ended by its own deadline, when we come late: both are right."""
    forgotten: bool = False
    """Somebody took its counters away; they begin anew."""


UTC_ZONE = ZoneInfo("Etc/UTC")
Holds = Callable[[Mapping[str, Any]], bool]
Story = Callable[[Scene], Awaitable[dict[str, Expected]]]


def past_minute(minutes: int = 2) -> datetime:
    return datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(minutes=minutes)


def daily(slot: datetime) -> str:
    return f"{slot.minute} {slot.hour} * * *"


def by_the_model(expression: str, since: datetime, policy: str = "Latest", max_runs: int = 10) -> Outcome:
    """What must come of the slots since then, by the model that looks at a clock every minute."""
    now = datetime.now(UTC)
    almanac = Almanac.of(UTC_ZONE, since + timedelta(minutes=1), now.replace(second=0, microsecond=0))
    due = slots(Rule.read(expression), almanac)
    return model_of_catch_up(due, now, policy, max_runs=max_runs)


def of_slots(outcome: Outcome) -> tuple[Run, ...]:
    return tuple(Run("Cron", slot=slot) for slot in outcome.run)


def done(runs: int = 1) -> Holds:
    """So many runs are over, and nothing is on its way."""
    return lambda status: (
        (status.get("counters") or {}).get("runs") == runs
        and not status.get("active")
        and not status.get("currentRun")
        and len(status.get("history") or ()) == runs
    )


def waits(state: str, attempt: int = 0) -> Holds:
    def holds(status: Mapping[str, Any]) -> bool:
        run = status.get("currentRun") or {}
        return run.get("state") == state and (not attempt or run.get("attempt") == attempt)

    return holds


def either(*holds: Holds) -> Holds:
    return lambda status: any(it(status) for it in holds)


async def first_slot(scene: Scene) -> dict[str, Expected]:
    slot = past_minute()
    since = slot - timedelta(minutes=1)
    await scene.apply("ok", schedule=daily(slot))
    await scene.known("ok")
    expected = by_the_model(daily(slot), since)
    await scene.backdate("ok", since)
    await scene.until("ok", done())
    return {"ok": Expected(of_slots(expected))}


async def retry(scene: Scene) -> dict[str, Expected]:
    await scene.apply("fail-twice", runOnCreate=True)
    for attempt in (2, 3):
        await scene.until("fail-twice", either(done(), waits("Retrying", attempt)))
        await scene.hasten("fail-twice")
    await scene.until("fail-twice", done())
    return {"fail-twice": Expected((Run("Create", launches=3),), {"retries": 2})}


async def snooze(scene: Scene) -> dict[str, Expected]:
    await scene.apply("snooze-once", runOnCreate=True)
    await scene.until("snooze-once", done())
    return {"snooze-once": Expected((Run("Create", launches=2),), {"snoozes": 1})}


async def timeout(scene: Scene) -> dict[str, Expected]:
    """The image is missing at first, then the program runs for ever, then all is well."""
    backoff = {"type": "Fixed", "baseSeconds": 1}
    await scene.apply(
        "stuck", runOnCreate=True, pendingDeadlineSeconds=15, timeoutSeconds=1, retry={"backoff": backoff}
    )
    await scene.until("stuck", done())
    return {"stuck": Expected((Run("Create", launches=3),), {"retries": 2, "timeouts": 1}, by_deadline=True)}


async def overlap(scene: Scene) -> dict[str, Expected]:
    """A slot comes due while another run goes on: it waits, and runs after it."""
    slot = past_minute()
    await scene.apply("slow", schedule=daily(slot), runOnCreate=True)
    await scene.until("slow", either(lambda status: bool(status.get("active")), done()))
    await scene.backdate("slow", slot - timedelta(minutes=1))
    await scene.until("slow", done(2))
    return {"slow": Expected((Run("Create"), Run("Cron", slot=slot)))}


async def catch_up(scene: Scene) -> dict[str, Expected]:
    """Six slots were missed: the newest runs, and stands for the others."""
    slot = past_minute()
    hourly, since = f"{slot.minute} * * * *", slot - timedelta(hours=5, minutes=1)
    await scene.apply("ok", schedule=hourly)
    await scene.known("ok")
    expected = by_the_model(hourly, since)
    await scene.backdate("ok", since)
    await scene.until("ok", done())
    return {"ok": Expected(of_slots(expected), {"slotsCoalesced": expected.coalesced})}


async def run_now(scene: Scene) -> dict[str, Expected]:
    """The same token never runs twice, and another one too soon is refused."""
    await scene.apply("ok")
    await scene.known("ok")
    await scene.run_now("ok", "first")
    await scene.until("ok", done())
    await scene.run_now("ok", "second")
    await scene.until("ok", lambda status: len(status.get("handledTokens") or ()) == 2)
    await scene.run_now("ok", "first")
    return {"ok": Expected((Run("Manual"),))}


async def suspend(scene: Scene) -> dict[str, Expected]:
    """What came due while it was suspended never runs; after resuming it serves again."""
    slot = past_minute()
    await scene.apply("ok", schedule=daily(slot))
    await scene.known("ok")
    await scene.edit("ok", suspend=True)
    await scene.backdate("ok", slot - timedelta(minutes=1))
    await scene.edit("ok", suspend=False)
    await scene.run_now("ok", "again")
    await scene.until("ok", done())
    return {"ok": Expected((Run("Manual"),))}


async def edit(scene: Scene) -> dict[str, Expected]:
    """After an edit only slots of the new schedule fire, and none from before the edit."""
    old, new = past_minute(4), past_minute(2)
    await scene.apply("ok", schedule=daily(old))
    await scene.known("ok")
    await scene.edit("ok", schedule=daily(new))
    await scene.backdate("ok", old - timedelta(minutes=1))
    await scene.until("ok", done())
    await scene.edit("ok", schedule=daily(old - timedelta(minutes=10)))
    await scene.edit("ok", timeoutSeconds=300)
    return {"ok": Expected((Run("Cron", slot=new),))}


async def deletion(scene: Scene) -> dict[str, Expected]:
    """Deleted while its Job runs, and made anew under the same name: another schedule, with a run of its own."""
    first = await scene.apply("slow", mark="first", runOnCreate=True)
    uid = first["metadata"]["uid"]
    await scene.until("slow", either(lambda status: bool(status.get("active")), done()))
    await scene.delete("slow")
    await scene.apply("slow", mark="second", runOnCreate=True)
    await scene.until("slow", done())

    def no_orphans(view: View) -> bool:
        return not any(
            owner["uid"] == uid
            for job in view.jobs.values()
            for owner in job["metadata"].get("ownerReferences") or ()
        )

    await scene.rig.mirror.until(scene.namespace, no_orphans, 60)
    return {
        "first": Expected((Run("Create"),), gone=True),
        "second": Expected((Run("Create"),)),
    }


async def replace(scene: Scene) -> dict[str, Expected]:
    """A slot comes due while another run goes on, and takes its place."""
    slot = past_minute()
    await scene.apply("endless-first", schedule=daily(slot), runOnCreate=True, concurrencyPolicy="Replace")
    await scene.until(
        "endless-first", lambda status: any(it.get("startTime") for it in status.get("activeLaunches") or ())
    )
    await scene.backdate("endless-first", slot - timedelta(minutes=1))
    await scene.until("endless-first", done(2))
    return {"endless-first": Expected((Run("Create"), Run("Cron", slot=slot)), policy="Replace")}


async def catch_up_all(scene: Scene) -> dict[str, Expected]:
    """Four slots were missed: the newest three run, oldest first, one after the other."""
    slot = past_minute()
    hourly, since = f"{slot.minute} * * * *", slot - timedelta(hours=3, minutes=1)
    await scene.apply("ok", schedule=hourly, catchUp={"policy": "All", "maxRuns": 3})
    await scene.known("ok")
    expected = by_the_model(hourly, since, "All", 3)
    await scene.backdate("ok", since)
    await scene.until("ok", done(len(expected.run)))
    return {"ok": Expected(of_slots(expected), {"slotsCoalesced": expected.coalesced})}


async def prune(scene: Scene) -> dict[str, Expected]:
    """Of four finished Jobs two may stay; what they did stays in the status."""
    slot = past_minute()
    hourly, since = f"{slot.minute} * * * *", slot - timedelta(hours=3, minutes=1)
    history = {"successfulLimit": 2, "failedLimit": 1}
    await scene.apply("ok", schedule=hourly, catchUp={"policy": "All", "maxRuns": 4}, history=history)
    await scene.known("ok")
    expected = by_the_model(hourly, since, "All", 4)
    await scene.backdate("ok", since)
    await scene.until("ok", done(len(expected.run)))
    await scene.rig.mirror.until(scene.namespace, lambda view: len(view.jobs) == 2, scene.plan.patience)
    return {"ok": Expected(of_slots(expected))}


WORKLOADS: Mapping[str, Story] = {
    "first-slot": first_slot,
    "retry": retry,
    "snooze": snooze,
    "timeout": timeout,
    "overlap": overlap,
    "catch-up": catch_up,
    "run-now": run_now,
    "suspend": suspend,
    "edit": edit,
    "deletion": deletion,
    "replace": replace,
    "catch-up-all": catch_up_all,
    "prune": prune,
}
