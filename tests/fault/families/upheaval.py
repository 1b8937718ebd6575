"""Upheavals as plans: each story once, and with the operator killed in the middle of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tests.fault.plan import CRASHES, Fault, Plan
from tests.fault.run import Result
from tests.fault.upheavals import ALONE, UPHEAVALS

SLOW = frozenset({"server-2-min", "compacted"})


def plans(references: Mapping[str, Result], *, release: bool) -> Sequence[Plan]:
    made = []
    for story in UPHEAVALS:
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
