"""Shards: what the pods of one launch say together. Pure.

A schedule with `spec.shards` runs as an Indexed Job, one pod a shard, each doing the properties that are its own. To
everybody else a launch has one pod still: this makes its facts out of theirs. A launch has ended when every shard has,
and came out as its worst shard did; the summaries of all are merged.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from contract import ExitCode, merge
from controller.model.bounds import read_summary
from controller.model.job import PodFacts, Trouble

_MARGIN = 24
"""Characters that a message may lose to the words that name its shard."""


def merged(pods: Sequence[PodFacts], shards: int) -> PodFacts | None:
    """The facts of a launch of `shards` pods, of which those given were seen."""
    pods = [pod for pod in pods if pod.shard < max(shards, 1)]
    if not pods:
        return None
    if shards <= 1:
        return pods[0]
    whole = len(pods) == shards and all(_ended(pod) for pod in pods)
    worst = max(pods, key=_badness)
    starts = [pod.started_at for pod in pods if pod.started_at is not None]
    ends = [pod.finished_at for pod in pods if pod.finished_at is not None]
    troubled = next((pod for pod in pods if pod.trouble is not Trouble.NONE and not starts), worst)
    return replace(
        worst,
        shard=0,
        created_at=max(pod.created_at for pod in pods),
        # One that waits for a node does not make the launch pending: the others work, and the Job's deadline holds.
        started_at=max(starts, default=None),
        finished_at=max(ends) if whole and ends else None,
        exit_code=worst.exit_code if whole else None,
        termination_reason=worst.termination_reason if whole else "",
        termination_message=_said(pods, worst) if whole else "",
        trouble=troubled.trouble,
        trouble_message=troubled.trouble_message,
        gone=len(pods) == shards and all(pod.gone for pod in pods),
        node=next((pod.node for pod in pods if not pod.gone), worst.node),
    )


def _ended(pod: PodFacts) -> bool:
    return pod.exit_code is not None or bool(pod.disruption)


def _badness(pod: PodFacts) -> tuple[int, int]:
    """Which shard speaks for the launch: the higher, the sooner; among equals the lowest shard."""
    summary = read_summary(pod.termination_message) if pod.exit_code == ExitCode.SNOOZED else None
    if pod.exit_code == ExitCode.CANCELLED:
        rank = 6
    elif pod.exit_code == ExitCode.SUCCESS:
        rank = 0
    elif pod.exit_code == ExitCode.SNOOZED:
        rank = 2 if summary is None or summary.snooze_seconds else 1
    elif pod.disruption or pod.termination_reason == "ContainerStatusUnknown":
        rank = 4
    elif pod.exit_code is None:
        rank = 3
    else:
        rank = 5
    return rank, -pod.shard


def _said(pods: Sequence[PodFacts], worst: PodFacts) -> str:
    """The summaries of all as one; a shard that ended in a failure without a summary is quoted as it is."""
    summaries = {pod.shard: read_summary(pod.termination_message) for pod in pods}
    own = summaries[worst.shard]
    known = [summaries[shard] for shard in sorted(summaries)]
    if own is None and worst.exit_code != ExitCode.SUCCESS:
        return worst.termination_message
    together = merge([summary for summary in known if summary is not None])
    if together is None:
        return worst.termination_message
    if worst.exit_code != ExitCode.SUCCESS and own is not None:
        text = f"shard {worst.shard} of {len(pods)}: {own.message}"[: 512 - _MARGIN] if own.message else ""
        together = together.model_copy(
            update={"state": own.state, "error_class": own.error_class, "message": text}
        )
    return together.fit().to_json()
