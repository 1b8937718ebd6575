"""Soak: an operator serves a house of schedules through weeks, in memory, while things go wrong by chance.

Real: everything of the controller but its process and watch thread. Simulated: the API server, the Job controller and
time, so a week takes a minute. By chance, from one seed: calls that fail, before or after they took effect; conflicts;
deaths of the operator at any call; stretches in which the watch shows nothing; launches that fail, snooze, continue, are
evicted or vanish; edits and runs by hand. In the end faults stop, and every slot and every launch must be accounted for.
"""

from __future__ import annotations

import random
import resource
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from controller.clock import ManualClock
from controller.cluster.memory import EVENT, JOB, POD, SCHEDULE, MemoryCluster
from controller.cluster.port import Conflict, NotFound, Refused, Unavailable
from controller.model import bounds
from controller.model.names import GROUP
from controller.model.status import Status
from controller.model.text import json_bytes
from controller.testkit import Crash, Kit
from tests.oracle.slots import Almanac, Rule, slots

BORN = datetime(2026, 6, 1, 0, 0, 30, tzinfo=UTC)
EVERY = 10
"""Minutes between the slots of a schedule; each has a minute of its own."""
STEP = 20.0
"""Seconds by which the clock goes on while something runs or waits."""
FAILS, DIES, BLINKS = 0.01, 0.0003, 0.01
"""Chance of a call to fail, of the operator to die in it, and of the watch to go blind at a step."""
BLIND_STEPS = 15
ENDS = (
    *("ok",) * 80,
    *("fail",) * 9,
    *("snooze",) * 4,
    *("continue",) * 3,
    "evict",
    "evict",
    "vanish",
    "cancel",
)
POLICIES = ("Forbid", "Forbid", "Replace", "Allow")
MOST_TURNS = 200
TTL = timedelta(days=1)
WRITES = frozenset({"create_job", "patch_status", "delete_job"})


class FlakyCluster(MemoryCluster):
    """Calls fail by chance until it is calm."""

    def __init__(self, clock: ManualClock, chance: random.Random) -> None:
        super().__init__(clock)
        self._chance = chance
        self.calm = True
        self.struck: Counter[str] = Counter()

    def _fail(self, call: str, *, after: bool) -> None:
        super()._fail(call, after=after)
        self.calls.clear()
        if self.calm:
            return
        drawn = self._chance.random()
        if drawn < DIES and call in WRITES:
            self.struck["died"] += 1
            raise Crash
        if drawn < FAILS:
            error = self._error(call, after=after)
            self.struck[f"{call}: {type(error).__name__}{', done' if after else ''}"] += 1
            raise error

    def _error(self, call: str, *, after: bool) -> Exception:
        if not after and call == "patch_status" and self._chance.random() < 0.3:
            return Conflict("by chance")
        if not after and call == "create_job" and self._chance.random() < 0.2:
            return Refused("quota exceeded, by chance")
        return Unavailable("by chance")


@dataclass
class Soak:
    """One house; `run` lives through the days, `judge` says what does not hold."""

    schedules: int
    days: float
    seed: int
    made: Counter[tuple[str, str, int]] = field(default_factory=Counter)
    """How many Jobs were ever created, by schedule, run and launch."""
    vanished: int = 0
    restarts: int = 0
    peak_objects: int = 0
    memory_mb: list[int] = field(default_factory=list)
    """Resident, day by day."""

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)
        self.clock = ManualClock(BORN)
        self.cluster = FlakyCluster(self.clock, self.chance)
        self.kit = Kit(clock=self.clock, cluster=self.cluster)
        self._watch_again()
        self._blind = 0
        self._runs: dict[str, datetime] = {}
        """Jobs that have not ended, by name, with the time from which they may."""
        self._over: dict[str, datetime] = {}

    # -- the days -------------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        for number in range(self.schedules):
            self.kit.apply(_body(number))
        await self._work()
        self.cluster.calm = False
        end = BORN + timedelta(days=self.days)
        day = 0
        while self.clock.now() < end:
            await self._advance()
            if (self.clock.now() - BORN).days > day:
                day += 1
                self._end_of_day()
        await self._rest()

    async def _advance(self) -> None:
        self.peak_objects = max(self.peak_objects, len(self.cluster._objects))
        busy = self._runs or any(entry.status.runs for entry in self.kit.table.entries())
        second = self.clock.now().second
        await self.clock.advance(STEP if busy else 60 - second + 0.5)
        self._world()
        if self._blind:
            self._blind -= 1
            if not self._blind:
                self._watch_again()
                await self._compare()
        elif self.chance.random() < BLINKS and not self.cluster.calm:
            self._blind = self.chance.randrange(1, BLIND_STEPS)
            self.cluster.subscribers[:] = [self._count]
        await self._work()

    def _world(self) -> None:
        """What the Job controller, the garbage collector and people do."""
        self.cluster.sweep()
        now = self.clock.now()
        for name in [name for name, at in self._runs.items() if at <= now]:
            del self._runs[name]
            job = self._find(name)
            if job is not None:
                self._end(job)
                self._over[name] = now + TTL
        for name in [name for name, at in self._over.items() if at <= now]:
            del self._over[name]
            if self._find(name) is not None:
                self.cluster.remove(JOB, "default", name)
        for event in self.cluster.all(EVENT):
            self.cluster.remove(EVENT, event["metadata"]["namespace"], event["metadata"]["name"])
        if not self.cluster.calm and self.chance.random() < 0.002:
            name = f"s{self.chance.randrange(self.schedules):03}"
            note = {"metadata": {"annotations": {"users/note": str(self.chance.random())}}}
            self.cluster.change(SCHEDULE, "default", name, note)

    def _find(self, name: str) -> dict[str, Any] | None:
        try:
            return self.cluster.get(JOB, "default", name)
        except NotFound:
            return None

    def _end(self, job: dict[str, Any]) -> None:
        end = "ok" if self.cluster.calm else self.chance.choice(ENDS)
        match end:
            case "ok":
                self.kit.finish(job, 0)
            case "fail":
                self.kit.finish(job, 1)
            case "cancel":
                self.kit.finish(job, 2)
            case "snooze":
                self.kit.finish(job, 75, state="Snoozed", snoozeSeconds=60)
            case "continue":
                self.kit.finish(job, 75, state="Continues")
            case "vanish":
                self.vanished += 1
                self.cluster.remove(JOB, "default", job["metadata"]["name"])
            case "evict":
                self.kit.finish(job, 1)
                pod = {"status": {"phase": "Failed", "reason": "Evicted", "containerStatuses": None}}
                self.cluster.change(POD, "default", f"{job['metadata']['name']}-x", pod)

    async def _work(self) -> None:
        """The operator's turns, until it has nothing to do at this moment."""
        for _ in range(MOST_TURNS):
            try:
                await self.kit.run_once()
            except Crash:
                await self._restart()
                continue
            if not self.kit.table.wake.is_set() and self.kit.scheduler.rests():
                await self.kit._record_events()
                return
        raise AssertionError("the scheduler does not come to rest")

    async def _restart(self) -> None:
        self.restarts += 1
        self.kit.build()
        self._watch_again()
        self._blind = 0
        await self._compare()
        self.kit.scheduler.look_at_everything()

    async def _compare(self) -> None:
        while not await self.kit.resync.round():
            await self.clock.advance(5)

    def _watch_again(self) -> None:
        self.cluster.subscribers[:] = [self.kit._see, self._count]

    def _count(self, kind: str, what: str, body: Any) -> None:
        if (kind, what) == (JOB, "ADDED"):
            labels = body["metadata"]["labels"]
            key = (labels[f"{GROUP}/schedule"], labels[f"{GROUP}/run"], int(labels[f"{GROUP}/launch"]))
            self.made[key] += 1
            self._runs[body["metadata"]["name"]] = self.clock.now() + timedelta(seconds=STEP)
        elif (kind, what) == (JOB, "DELETED"):
            self._runs.pop(body["metadata"]["name"], None)

    def _end_of_day(self) -> None:
        self.memory_mb.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)

    async def _rest(self) -> None:
        """Faults stop; what is under way comes to its end."""
        self.cluster.calm = True
        self._watch_again()
        await self._compare()
        await self._work()
        for _ in range(MOST_TURNS):
            await self._advance()
            if not self._runs and not any(entry.status.runs for entry in self.kit.table.entries()):
                return
        raise AssertionError("what is under way does not come to its end")

    # -- the judgement --------------------------------------------------------------------------------------------------

    def judge(self) -> list[str]:
        found = [f"{number} Jobs for {key}" for key, number in self.made.items() if number > 1]
        for number in range(self.schedules):
            name = f"s{number:03}"
            found += [f"{name}: {what}" for what in self._judge(name, number)]
        most = self.schedules * 12
        held = {
            "Jobs in the table": len(tuple(self.kit.table.jobs())),
            "schedules with writes counted": len(self.kit.scheduler._carrier._writes),
            "schedules with conflicts counted": len(self.kit.scheduler._carrier._contests),
            "alarms": self.kit.scheduler._alarms.kept(),
            "debts": len(self.kit.scheduler._carrier.owed),
        }
        return found + [f"{what}: {number} are kept" for what, number in held.items() if number > most]

    def _judge(self, name: str, number: int) -> list[str]:
        body = self.cluster.get(SCHEDULE, "default", name)
        status = self.kit.status(name)
        mine = [(run, launch) for (schedule, run, launch) in self.made if schedule == name]
        counters = status.counters
        found = []
        if counters.launches != len(mine):
            found.append(f"{len(mine)} launches were made, the status counts {counters.launches}")
        if counters.runs < len({run for run, _ in mine}):
            found.append(f"{len({run for run, _ in mine})} runs were made, the status counts {counters.runs}")
        due, told = _due(number, self.clock.now()), _accounted(status)
        if told != due:
            found.append(f"{due} slots came due, the status accounts for {told}: {counters}")
        size = json_bytes(body["status"])
        if size > bounds.MAX_STATUS:
            found.append(f"its status has {size} bytes")
        return found


def _body(number: int) -> dict[str, Any]:
    return {
        "apiVersion": f"{GROUP}/v1beta1",
        "kind": SCHEDULE,
        "metadata": {"name": f"s{number:03}", "namespace": "default"},
        "spec": {
            "schedule": _expression(number),
            "concurrencyPolicy": POLICIES[number % len(POLICIES)],
            "catchUp": {"policy": ("Latest", "Latest", "None")[number % 3]},
            "workspaces": [{"name": "acme", "credentialsSecretRef": {"name": "acme-google"}}],
            "destination": {"secretRef": {"name": "warehouse"}},
        },
    }


def _expression(number: int) -> str:
    return f"{number % EVERY}-59/{EVERY} * * * *"


def _due(number: int, now: datetime) -> int:
    """How many slots came due since the house was built, by the model that looks at a clock every minute."""
    first = BORN.replace(second=0) + timedelta(minutes=1)
    almanac = Almanac.of(ZoneInfo("Etc/UTC"), first, now.replace(second=0, microsecond=0))
    return sum(1 for _ in slots(Rule.read(_expression(number)), almanac))


def _accounted(status: Status) -> int:
    counters = status.counters
    return counters.runs + counters.slots_coalesced + counters.slots_missed + counters.slots_skipped
