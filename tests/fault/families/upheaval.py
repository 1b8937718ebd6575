"""Upheavals as plans: each story once, and with the operator killed in the middle of it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from tests.fault.plan import CRASHES, Fault, Plan
from tests.fault.run import Result
from tests.fault.upheavals import ALONE, UPHEAVALS

SLOW = frozenset({"server-2-min", "server-10-s", "compacted"})


STATUSES: tuple[tuple[str, object], ...] = (
    ("all", None),
    ("counters", {"counters": None}),
    ("launches", {"activeLaunches": None}),
    ("run", {"currentRun": None}),
    ("run-and-launches", {"currentRun": None, "activeLaunches": None}),
    ("watermark", {"lastScheduleTime": None}),
    ("epoch", {"effectiveSince": None, "scheduleHash": None}),
    ("first-visit", {"firstVisitDone": None}),
    ("history", {"history": None, "lastRun": None}),
    ("all-but-conditions", {"scheduleHash": None, "effectiveSince": None, "lastScheduleTime": None, "currentRun": None,
                            "activeLaunches": None, "counters": None, "history": None, "firstVisitDone": None}),
)  # fmt: skip
"""Parts of the status that somebody with the right takes away."""


def plans(references: Mapping[str, Result], *, release: bool) -> Sequence[Plan]:
    made: list[Plan] = []
    made += [
        Plan(
            f"upheaval/status-lost/{name}-{when}",
            "status-lost",
            settings={"STATUS": json.dumps(taken), "WHEN": when},
        )
        for name, taken in STATUSES
        for when in ("over", "running")
    ]
    for story in UPHEAVALS:
        if story == "status-lost":
            continue
        if not release and story in SLOW:
            continue
        settings = {"POISONS": "120" if release else "20"} if story == "poisoned" else {}
        alone = story in ALONE
        made.append(Plan(f"upheaval/{story}", story, settings=settings, patience=400, alone=alone))
        if release and story != "poisoned":
            made += [
                Plan(f"upheaval/{story}/{do}-{on.replace(' ', '-')}", story, (Fault(on, do),), patience=400, alone=alone)
                for on in ("create jobs", "patch status")
                for do in CRASHES[1:]
            ]  # fmt: skip
    return made
