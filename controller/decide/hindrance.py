"""Hindrance: what is wrong with a Job itself, so that a person has to act. Told once as an event, and by conditions.

Stuck: a Job was deleted and does not go, because its pod cannot be removed: its node is out of reach. The next launch waits
for it, since its program may still run; without a word the schedule would stand still and look well. Unlabelled: somebody
takes our labels off our Jobs, so no watch shows them.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from controller.decide.conditions import STUCK, UNLABELLED, Hindrance
from controller.decide.draft import Draft
from controller.model.codec import format_moment
from controller.model.decision import EventReason
from controller.model.job import GRACE_SECONDS, JobRecord, JobState
from controller.model.names import LABEL_MANAGED_BY, MANAGED_BY
from controller.model.status import ConditionType, Status
from controller.model.text import cut

STUCK_AFTER = timedelta(seconds=GRACE_SECONDS + 300)
"""From the deletion: what its pod has to end, and as long as Kubernetes itself waits by default for a node that does not answer."""
_NODE_LENGTH = 63
_EVENTS = {STUCK: EventReason.STUCK, UNLABELLED: EventReason.UNLABELLED}


def stuck_at(job: JobRecord) -> datetime | None:
    """When a Job that is being deleted counts as stuck; None for one that nothing waits for."""
    ended = job.state is not JobState.ACTIVE or (job.pod is not None and job.pod.exit_code is not None)
    return None if ended or job.deleting_since is None else job.deleting_since + STUCK_AFTER


def find(draft: Draft, mine: Iterable[JobRecord]) -> Hindrance | None:
    """What hinders the schedule now: the oldest stuck Job that others wait for, else one without labels."""
    going_on = {*draft.strangers, *(item.job_name for item in draft.status.active)}
    jobs = [job for job in mine if job.name in going_on]
    for job in jobs:
        at = stuck_at(job)
        if at is not None and at <= draft.now:
            return say(draft, Hindrance(STUCK, _stuck(job)))
    for job in jobs:
        if job.unlabelled:
            return say(draft, unlabelled(job))
    return None


def say(draft: Draft, found: Hindrance) -> Hindrance:
    """Tell of it, unless the status does."""
    if found != told(draft.status):
        draft.note("Hindered", found.message)
        draft.notice(_EVENTS[found.reason], found.message, warning=True)
    return found


def told(status: Status) -> Hindrance | None:
    """What the status says hinders the schedule."""
    condition = status.condition(ConditionType.RECONCILING)
    if condition is None or condition.reason not in _EVENTS:
        return None
    return Hindrance(condition.reason, condition.message)


def unlabelled(job: JobRecord) -> Hindrance:
    return Hindrance(
        UNLABELLED,
        f"Job {job.name} has lost our labels, so no watch shows it and it is looked at once a minute: most likely a mutating"
        f" admission webhook (MutatingWebhookConfiguration) removes them; let it leave Jobs with"
        f" {LABEL_MANAGED_BY}={MANAGED_BY} alone.",
    )


def _stuck(job: JobRecord) -> str:
    node = job.pod.node if job.pod is not None else ""
    where = f"node {cut(node, _NODE_LENGTH)}" if node else "a node that is not known"
    since = format_moment(job.deleting_since) if job.deleting_since else ""
    return (
        f"Job {job.name} is terminating since {since} on {where}; nothing takes its place before it is gone."
        " Look at the node; only when that is gone for good, `kubectl delete pod --force`:"
        " else two syncs may run at once, which the store fences."
    )
