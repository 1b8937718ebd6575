"""In which order Jobs and pods appear when many are due: by priority, fair between namespaces, the later ones first.

One team has eleven times as many schedules due as each of nine others, half of everybody's are urgent. Then, apart,
the operator comes back after two slots have passed: those that are longer overdue should go first.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import timedelta

from benchmarks.schedule import bodies
from benchmarks.schedule.figures import Figures, best_first_half, in_first_half
from benchmarks.schedule.lag import WRITES_PER_SECOND, creations
from benchmarks.schedule.operator import Operator
from benchmarks.schedule.rig import Rig, next_minute, rig, sleep_until

TEAMS = 10
URGENT, PATIENT = 0, 9
CLUSTER_WIDE = ("--set", "clusterWide=true")


async def of(due: int) -> Figures:
    teams = [f"team-{number}" for number in range(TEAMS)]
    async with rig("200", *CLUSTER_WIDE, namespaces=teams) as made:
        with made.running() as operator:
            large, made_for = due * 11 // 20, due // 20
            who = [teams[0]] * large + [team for team in teams[1:] for _ in range(made_for)]
            # The small ones are made last, so that an order by age or by name would favour the large one.
            items = [
                (f"s-{number:05}", team, URGENT if number % 2 else PATIENT) for number, team in enumerate(who)
            ]
            slot = next_minute(8 + due / WRITES_PER_SECOND)
            await made.api.make(
                "gscsyncschedules",
                (bodies.schedule(name, team, bodies.once(slot), priority=rank) for name, team, rank in items),
            )
            settled = await made.settled([name for name, _, _ in items], slot.timestamp() - time.time() - 1)
            await sleep_until(slot.timestamp())
            await made.arrived("pods", len(items), slot.timestamp() + 120)
            found: Figures = {"due": len(items), "settled_before": settled}
            rank = {name: level == URGENT for name, _, level in items}
            small = {name: team != teams[0] for name, team, _ in items}
            for what, order in (("jobs", _order(made, "jobs")), ("pods", _order(made, "pods"))):
                found[what] = {
                    "urgent_in_first_half": _share([rank[name] for name in order]),
                    "small_teams_in_first_half_of_urgent": _share(
                        [small[name] for name in order if rank[name]]
                    ),
                }
            found["lateness"] = await _lateness(made, operator, due)
            return found


async def _lateness(made: Rig, operator: Operator, due: int) -> Figures:
    """Two slots a minute apart pass while nobody serves; the younger slot's schedules were made first."""
    count = due // 10
    first = next_minute(8 + 2 * count / WRITES_PER_SECOND)
    slots = (first, first + timedelta(minutes=1))
    names: dict[str, int] = {f"late-{number:05}": number % 2 for number in range(2 * count)}
    await made.api.make(
        "gscsyncschedules",
        (bodies.schedule(name, "team-1", bodies.once(slots[1 - late])) for name, late in names.items()),
    )
    await made.settled(names, first.timestamp() - time.time() - 2)
    await operator.stop()
    await sleep_until(slots[1].timestamp() + 1)
    made.trail.read()
    before = len(creations(made.trail, "jobs"))
    operator.start()

    async def all_there() -> bool:
        made.trail.read()
        return len(creations(made.trail, "jobs")) >= before + 2 * count

    await made.api.until(all_there, 90, 1)
    order = [name for name in _order(made, "jobs") if name in names]
    return {"late": 2 * count, "later_in_first_half": _share([bool(names[name]) for name in order])}


def _share(marks: Sequence[bool]) -> Figures:
    return {"measured": in_first_half(marks), "blind": 0.5, "best": best_first_half(marks)}


def _order(made: Rig, resource: str) -> list[str]:
    """Schedules in the order in which the API server made their Jobs, or bound their pods to a node.

    The audit log does not tell the generated name of a pod that is made; its binding follows at once, and tells it.
    """
    made.trail.read()
    found = (
        [call for call in made.trail.calls if call.resource == "pods/binding" and call.good]
        if resource == "pods"
        else creations(made.trail, resource)
    )
    calls = sorted(found, key=lambda call: call.answered)
    return [_schedule_of(call.name) for call in calls]


def _schedule_of(job: str) -> str:
    """A Job is named after its schedule, a pod after its Job."""
    return "-".join(job.split("-")[:2])
