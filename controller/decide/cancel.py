"""Cancel: the annotation `gscsync.io/cancel: <run id>` ends one unfinished run, whether it waits or runs.

A run that was opened again by hand is cancelled again by `<run id>/<token>`, or by its bare id when that was taken away
in between. Followed even while the schedule is suspended, since it starts nothing.
"""

from __future__ import annotations

from dataclasses import replace

from controller.decide import manual
from controller.decide.draft import Draft
from controller.decide.verdict import CANCELLED
from controller.model.decision import EventReason
from controller.model.status import Outcome
from controller.model.text import cut

_WHY = "by the annotation `gscsync.io/cancel`"


def cancel(draft: Draft) -> None:
    """End the run that is named: a launch on its way is doomed and deleted next, a waiting run is closed now."""
    hashed = manual.cancel_hash(draft.schedule.asks)
    if not hashed or hashed in draft.status.tokens:
        return
    run_id = cut(draft.schedule.asks.cancel.strip().partition("/")[0], 63)
    run = draft.status.run(run_id)
    if run is None:
        unfinished = ", ".join(item.run_id for item in draft.status.runs) or "none"
        why = f"run {run_id} is not under way; unfinished are: {unfinished}"
        manual.refuse(draft, "cancel", hashed, EventReason.CANCEL_REFUSED, why)
        return
    manual.remember(draft, hashed)
    draft.note("Cancelling", _WHY, run.slot)
    if not draft.status.launched(run_id):
        draft.close(run, Outcome.CANCELLED, CANCELLED, _WHY)
        return
    draft.change(
        active=tuple(
            replace(item, doomed=CANCELLED, doomed_message=_WHY) if item.run_id == run_id else item
            for item in draft.status.active
        )
    )
