"""Stories: which things may happen together. Each leaves out what the others hold, so that each can go deep."""

from __future__ import annotations

from typing import Any

from tests.model.records import ENDS, Switch
from tests.model.story import Story

WAITS = {"type": "Fixed", "baseSeconds": 300}
"""All waits end on the five minutes by which the clock ticks: fewer moments, more states."""


def spec(attempts: int = 2, **values: Any) -> dict[str, Any]:
    return {"retry": {"maxAttempts": attempts, "maxSnoozes": 1, "backoff": WAITS}, **values}


LIMITED, PAUSED = Switch(limit=1), Switch(paused=True)
MODES = (Switch("drain"), Switch("hold"), Switch("stop"))
SHARDS_END = ("ok", "partial", "fail", "cancel", "snooze", "continue", "evict", "unseen")

STORIES = (
    # Nothing goes wrong but the launches themselves: every history of outcomes.
    Story("outcomes", (spec(),), faults=0, ends=ENDS, minutes=35, share=14),
    Story("outcomes, broken", (spec(),), faults=1, ends=ENDS),
    Story("crashes", (spec(),), faults=2, vanish=True),
    Story("overdue", (spec(),), faults=2, ends=("ok",), starts=True, vanish=True, squats=True, withholds=True),
    Story("stale", (spec(),), faults=2, vanish=True, withholds=True),
    Story("leaders", (spec(),), faults=2, freezes=True, vanish=True),
    Story("stale leaders", (spec(),), faults=2, freezes=True, withholds=True),
    Story("crowded", (spec(),), faults=2, edits=1, ends=("ok", "fail", "evict"), suspends=True, tokens=1, vanish=True, crowded=True),
    Story("crowded leaders", (spec(concurrencyPolicy="Allow"),), faults=2, ends=("ok", "fail"), freezes=True, crowded=True),
    Story("standing by", (spec(1, history={"successfulLimit": 0, "failedLimit": 0}),), faults=2, stands_by=True, edits=1, suspends=True),
    Story("users", (spec(), spec(1, schedule="*/15 * * * *")), faults=1, edits=3, suspends=True, tokens=2),
    Story("wiped", (spec(),), faults=2, edits=1, tokens=1, vanish=True, wipes=True),
    Story("clocks", (spec(),), faults=2, steps_clock=True),
    Story("born", (spec(runOnCreate=True),), faults=2, edits=1, tokens=1),
    Story("replace", (spec(concurrencyPolicy="Replace"),), faults=2, edits=1, tokens=1, vanish=True),
    Story("allow", (spec(concurrencyPolicy="Allow"),), faults=1, edits=1, tokens=1, ends=("ok", "fail", "evict")),
    Story("catch up on all", (spec(catchUp={"policy": "All", "maxRuns": 2}),), faults=2, steps_clock=True),
    Story("catch up on none", (spec(catchUp={"policy": "None"}),), faults=2, steps_clock=True),
    Story("pruned", (spec(1, history={"successfulLimit": 1, "failedLimit": 0}),), faults=2, vanish=True, freezes=True),
    Story("cancelled", (spec(),), faults=1, edits=3, cancels=True, retries=True, tokens=1),
    Story("cancelled while replaced", (spec(concurrencyPolicy="Replace"),), faults=2, edits=1, cancels=True, vanish=True),
    Story("once more", (spec(1),), faults=1, edits=3, ends=("fail",), retries=True, freezes=True, minutes=15),
    Story("asked twice", (spec(1),), faults=1, edits=4, tokens=2, repeats=True, minutes=15),
    Story("queued", (spec(concurrencyPolicy="Allow"),), faults=1, edits=2, switches=(LIMITED, PAUSED), neighbours=True, vanish=True),
    Story("replaced in a queue", (spec(concurrencyPolicy="Replace", runOnCreate=True),), faults=1, edits=2, ends=("ok",), switches=(LIMITED, PAUSED), neighbours=True),
    Story("switched", (spec(),), faults=1, edits=3, ends=("ok", "fail", "snooze"), retries=True, switches=MODES),
    Story("switched off", (spec(concurrencyPolicy="Replace", runOnCreate=True),), faults=1, edits=2, tokens=1, switches=MODES),
    Story("elsewhere", (spec(), {"environments": ["there"]}, {"environments": ["here"]}), faults=1, edits=3, tokens=1, vanish=True),
    Story("divided", (spec(shards=2),), faults=1, ends=SHARDS_END, overruns=True, vanish=True),
)  # fmt: skip
