"""Prune: finished Jobs beyond the history limits are deleted; what they did stays in the status.

By age the Job's own `ttlSecondsAfterFinished` sees to it. Only Jobs that are counted are pruned, and always after the
status that counts them is written.
"""

from __future__ import annotations

from controller.decide.adopt import genuine
from controller.decide.draft import Draft
from controller.model.decision import JobDeletion
from controller.model.job import JobRecord, JobState


def prune(draft: Draft, mine: list[JobRecord]) -> None:
    """Order the deletion of the oldest finished Jobs, successful and failed ones apart."""
    spec = draft.schedule.spec
    if spec is None:
        return
    going_on = {launch.job_name for launch in draft.status.active}
    for state, limit in (
        (JobState.COMPLETE, spec.history.successful),
        (JobState.FAILED, spec.history.failed),
    ):
        finished = [
            job for job in mine if job.state is state and job.name not in going_on and not job.deleting
        ]
        for job in finished[: max(0, len(finished) - limit)]:
            if genuine(draft.schedule, job):
                draft.deletions.append(JobDeletion(job.name, job.uid, "History"))
