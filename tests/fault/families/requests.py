"""Requests: thirteen types of request, each with sixteen faults, three times in a row; and 410 in all its forms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tests.fault.plan import Fault, Plan
from tests.fault.run import Result

TYPES = (
    "list schedules", "list jobs", "list pods", "watch schedules", "watch jobs", "watch pods", "create jobs",
    "delete jobs", "patch status", "create events", "update leases", "get version", "get configmaps",
)  # fmt: skip

Answer = tuple[str, str, object]


def code(number: int, **more: object) -> dict[str, object]:
    return {"code": number, **more}


FAULTS: tuple[Answer, ...] = (
    ("401", "status", code(401)),
    ("403", "status", code(403)),
    ("404-no-path", "not-served", None),
    ("409", "status", code(409)),
    ("410", "status", code(410)),
    ("429-seconds", "status", code(429, headers={"Retry-After": "1"})),
    ("429-date", "status", code(429, headers={"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"})),
    ("429-text", "status", code(429, headers={"Retry-After": "soon"})),
    ("500", "status", code(500)),
    ("503", "status", code(503)),
    ("504-committed", "status-after", code(504)),
    ("reset", "reset", None),
    ("answer-lost", "lose", None),
    ("hang", "hang", 12),
    ("garbage", "body", "}garbage{"),
    ("half-a-body", "half", None),
)
TIMES = 3

ODD: tuple[tuple[str, str, object], ...] = (
    ("null", "body", "null"),
    ("empty", "body", ""),
    ("html", "body", "<html>502</html>"),
    ("list", "body", "[]"),
)


def workload_of(on: str) -> str:
    """One in whose course such requests are made."""
    return "prune" if on == "delete jobs" else "retry"


def plans(references: Mapping[str, Result], *, release: bool) -> Sequence[Plan]:
    made = [
        Plan(f"request/{on.replace(' ', '-')}/{name}", workload_of(on), (Fault(on, do, 1, TIMES, value),),
             patience=240.0)
        for on in TYPES
        for name, do, value in FAULTS
    ]  # fmt: skip
    made += [
        Plan(f"request/{on.replace(' ', '-')}/later-{name}", workload_of(on), (Fault(on, do, 2, 1, value),))
        for on in TYPES
        for name, do, value in ((*FAULTS, *ODD) if release else ())
    ]  # fmt: skip
    made += [
        Plan("gone/as-status", "overlap", tuple(
            Fault(f"watch {kind}", "status", 2, 2, code(410)) for kind in ("schedules", "jobs", "pods")) + tuple(
            Fault(f"event {kind}", "cut", 2) for kind in ("schedules", "jobs", "pods"))),
        Plan("gone/in-the-middle-of-a-list", "overlap", (
            Fault("list jobs", "limit", 1, 1000, 1), Fault("continue jobs", "status", 1, 3, code(410)))),
        Plan("conflict/twenty-in-a-row", "retry", (Fault("patch status", "status", 2, 20, code(409)),)),
        Plan("conflict/another-writer", "retry", (Fault("patch status", "compete", 1, value=10),)),
        Plan("conflict/another-writer-with-slots", "overlap", (Fault("create jobs", "compete", 1, value=10),)),
        Plan("storm/503-for-everything", "overlap", tuple(
            Fault(on, "status", 2, 6, code(503)) for on in TYPES if not on.startswith("watch"))),
    ]  # fmt: skip
    assert all(plan.workload in references for plan in made)
    return made
