"""What thousands of schedules cost when nothing is due, and how soon somebody is at work again: memory, idle calls,
edits, restart, take-over. Two replicas are told apart in the audit log by their tokens."""

from __future__ import annotations

import asyncio
import os
import time
from collections import Counter
from collections.abc import Callable

from benchmarks.schedule import bodies
from benchmarks.schedule.figures import Figures, spread
from benchmarks.schedule.lag import WRITES_PER_SECOND
from benchmarks.schedule.operator import NAMESPACE, Operator
from benchmarks.schedule.rig import Rig, rig
from benchmarks.schedule.trail import Call

STATUS = "gscsyncschedules/status"
EDITS = 100
WARM_SECONDS = 12.0
"""Without a list: a replica that stands by has listed everything, and watches."""
PATIENCE = 90.0


async def idle(schedules: int, seconds: float) -> Figures:
    """Calls a minute when nothing is due; lists, which come with each resync, apart."""
    async with rig("200") as made:
        with made.running() as operator:
            await _fill(made, schedules)
            return await _idle(made, operator, seconds)


async def at(schedules: int, idle_seconds: float) -> Figures:
    async with rig("200", bodies_of=[STATUS]) as made:
        with made.running("first") as first:
            filled = time.time()
            await _fill(made, schedules)
            found: Figures = {
                "schedules": schedules,
                "load_before": round(os.getloadavg()[0], 2),
                "all_seen_first_time_s": round(time.time() - filled, 1),
            }
            found["rss_mb"], found["peak_rss_mb"] = first.memory_mb()
            found["idle"] = await _idle(made, first, idle_seconds)
            found["edit"] = await _edits(made, schedules)
            found |= await _restart(made, first)
            with made.running("second") as second:
                found |= await _take_over(made, first, second)
            found["load_after"] = round(os.getloadavg()[0], 2)
            return found


async def _fill(made: Rig, schedules: int) -> None:
    names = [_name(number) for number in range(schedules)]
    await made.api.make(
        "gscsyncschedules", (bodies.schedule(name, NAMESPACE, bodies.NEVER) for name in names)
    )
    settled = await made.settled(names, 60 + 4 * schedules / WRITES_PER_SECOND)
    assert settled, "the operator did not come to rest"


async def _idle(made: Rig, operator: Operator, seconds: float) -> Figures:
    made.trail.read()
    cpu, begin = operator.cpu_seconds(), time.time()
    await asyncio.sleep(seconds)
    cpu = operator.cpu_seconds() - cpu
    calls = [
        call for call in made.trail.read() if call.user.endswith("-sync-operator") and call.received >= begin
    ]
    lists = [call for call in calls if call.verb == "list"]
    count = Counter(f"{call.verb} {call.resource or call.uri}" for call in calls if call.verb != "list")
    return {
        "requests_per_minute": round(60 * (len(calls) - len(lists)) / seconds, 1),
        "lists_in_window": len(lists),
        "window_s": seconds,
        "cpu_s_per_minute": round(60 * cpu / seconds, 2),
        "calls": dict(sorted(count.items())),
    }


async def _edits(made: Rig, schedules: int) -> Figures:
    """From the answer to a person's edit to the status that has its generation."""
    waits = []
    for number in range(EDITS):
        name = _name(number * 97 % schedules)
        edited = time.time()
        generation = await _edit(made, name, number)

        def shown(call: Call, name: str = name, generation: int = generation) -> bool:
            return call.name == name and _observed(call) >= generation

        done = await _seen(made, shown, edited)
        asked = [
            c
            for c in made.trail.calls
            if c.verb == "patch" and c.resource == "gscsyncschedules" and c.name == name
        ]
        if done is not None:
            waits.append(done.answered - asked[-1].answered)
    return spread(waits, EDITS)


async def _restart(made: Rig, operator: Operator) -> Figures:
    """Stopped, something edited meanwhile, started: until the first and the last of it is decided."""
    await operator.stop()
    names = [_name(number) for number in range(20)]
    generations = {name: await _edit(made, name, 1000) for name in names}
    operator.start()
    done: dict[str, float] = {}
    while len(done) < len(names):
        call = await _seen(
            made,
            lambda call: call.name not in done and _observed(call) >= generations.get(call.name, 1 << 60),
            operator.started_at,
        )
        if call is None:
            break
        done[call.name] = call.answered - operator.started_at
    times = sorted(done.values())
    return {
        "first_decision_s": round(times[0], 2) if times else None,
        "all_decided_s": round(times[-1], 2) if len(times) == len(names) else None,
    }


async def _take_over(made: Rig, first: Operator, second: Operator) -> Figures:
    warm = await _warm(made, second)
    killed = first.kill()
    by_second = await _served_by(made, second, killed, 2000)
    first.start()
    await _warm(made, first)
    stopped = time.time()
    stopping = asyncio.create_task(second.stop())
    by_first = await _served_by(made, first, stopped, 3000)
    await stopping
    return {
        "standby_warm_s": warm,
        "takeover_kill_s": by_second and round(by_second.answered - killed, 2),
        "takeover_graceful_s": by_first and round(by_first.answered - stopped, 2),
    }


async def _warm(made: Rig, operator: Operator) -> float:
    """Wait until it stands by; seconds from its start to the end of its last list."""
    while True:
        made.trail.read()
        last = max(
            (
                call.answered
                for call in made.trail.calls
                if call.verb == "list"
                and call.credential == operator.credential
                and call.answered > operator.started_at
            ),
            default=operator.started_at,
        )
        if time.time() - last > WARM_SECONDS and last > operator.started_at:
            return round(last - operator.started_at, 1)
        await asyncio.sleep(0.5)


async def _served_by(made: Rig, operator: Operator, since: float, salt: int) -> Call | None:
    """The first status that this replica writes for an edit made after that moment."""
    generation = await _edit(made, _name(7), salt)
    return await _seen(
        made,
        lambda call: (
            call.credential == operator.credential and call.name == _name(7) and _observed(call) >= generation
        ),
        since,
    )


async def _edit(made: Rig, name: str, salt: int) -> int:
    patch = {"spec": {"freshnessSeconds": 200_000 + salt}}
    return int((await made.api.change("gscsyncschedules", NAMESPACE, name, patch))["metadata"]["generation"])


async def _seen(made: Rig, wanted: Callable[[Call], bool], since: float) -> Call | None:
    end = time.time() + PATIENCE
    while time.time() < end:
        made.trail.read()
        for call in reversed(made.trail.calls):
            if call.answered < since - 1:
                break
            if call.resource == STATUS and call.good and call.answered >= since and wanted(call):
                return call
        await asyncio.sleep(0.05)
    return None


def _observed(call: Call) -> int:
    return int(((call.response or {}).get("status") or {}).get("observedGeneration") or 0)


def _name(number: int) -> str:
    return f"s-{number:05}"
