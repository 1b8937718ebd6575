"""Load as plans: ten kills each at instants drawn from the seed that is the plan's number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tests.fault.plan import Plan
from tests.fault.run import Result

KILLS = 10


def plans(_references: Mapping[str, Result], *, release: bool) -> Sequence[Plan]:
    return [
        Plan(
            f"load/{seed}",
            "load",
            settings={"SEED": str(seed), "KILLS": str(KILLS)},
            patience=400,
        )
        for seed in range(1, (100 if release else 5) + 1)
    ]
