"""Bodies: Jobs and their pods as the API server would give them out, and as records by the real parsers."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from contract import RunSummary, State
from controller.model import names
from controller.model.job import JobRecord, PodFacts
from controller.model.parse_job import parse_job, parse_pod
from controller.model.shards import merged
from tests.model.records import NAME, NAMESPACE, UID, Job, stamp

INDEX_LABEL = "batch.kubernetes.io/job-completion-index"

_EXITS: dict[str, tuple[int, str]] = {
    "ok": (0, RunSummary(state=State.SUCCEEDED, total_workspaces=1, succeeded_workspaces=1).to_json()),
    "partial": (
        0,
        RunSummary(
            state=State.PARTIALLY_SUCCEEDED, total_workspaces=2, succeeded_workspaces=1, failed_workspaces=1
        ).to_json(),
    ),
    "fail": (1, "boom"),
    "cancel": (78, ""),
    "snooze": (75, RunSummary(state=State.SNOOZED, snooze_seconds=300).to_json()),
    "continue": (75, RunSummary(state=State.CONTINUES).to_json()),
    "evict": (143, ""),
}


@lru_cache(maxsize=100_000)
def job_body(job: Job) -> dict[str, Any]:
    metadata: dict[str, Any] = {
        "name": job.name, "namespace": NAMESPACE, "uid": job.uid, "resourceVersion": str(job.version),
        "creationTimestamp": stamp(job.created),
    }  # fmt: skip
    if job.ours:
        metadata["ownerReferences"] = [{"kind": names.KIND, "name": NAME, "uid": UID, "controller": True}]
        metadata["labels"] = {
            names.LABEL_MANAGED_BY: names.MANAGED_BY,
            names.LABEL_RUN: job.run,
            names.LABEL_SLOT: str(job.slot),
            names.LABEL_ATTEMPT: str(job.attempt),
            names.LABEL_LAUNCH: str(job.launch),
            names.LABEL_TRIGGER: job.trigger,
        }
    if job.deleting:
        metadata["deletionTimestamp"] = stamp(max(job.created, job.ended))
    conditions = []
    if job.end:
        kind = "Complete" if job.end in ("ok", "partial") else "Failed"
        reason = "DeadlineExceeded" if job.end == "deadline" else "BackoffLimitExceeded"
        conditions = [
            {"type": kind, "status": "True", "reason": reason, "lastTransitionTime": stamp(job.ended)}
        ]
    spec = {"completionMode": "Indexed", "completions": job.shards} if job.shards > 1 else {}
    return {"metadata": metadata, "spec": spec, "status": {"conditions": conditions}}


@lru_cache(maxsize=100_000)
def pod_bodies(job: Job) -> tuple[dict[str, Any], ...]:
    """The pods of a Job of ours, those that there are."""
    if not job.ours:
        return ()
    bodies = (_pod_body(job, shard, what) for shard, what in enumerate(job.parts))
    return tuple(body for body in bodies if body is not None)


def _pod_body(job: Job, shard: int, what: str) -> dict[str, Any] | None:
    if what in ("", "unseen", "deadline"):
        return None
    metadata: dict[str, Any] = {
        "name": f"{job.name}-{shard}", "namespace": NAMESPACE, "uid": f"pod-{job.uid}-{shard}",
        "resourceVersion": "1" if what == "runs" else "2", "creationTimestamp": stamp(job.created),
        "labels": {names.LABEL_MANAGED_BY: names.MANAGED_BY, INDEX_LABEL: str(shard)},
        "ownerReferences": [{"kind": "Job", "name": job.name, "uid": job.uid, "controller": True}],
    }  # fmt: skip
    started = stamp(job.created if job.started < 0 else job.started)
    if what == "runs":
        return {"metadata": metadata, "status": _container({"running": {"startedAt": started}})}
    code, message = _EXITS[what]
    ended = {
        "exitCode": code,
        "message": message,
        "startedAt": started,
        "finishedAt": stamp(max(job.ended, job.created)),
    }
    status = _container({"terminated": ended})
    if what == "evict":
        status["conditions"] = [
            {"type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI"}
        ]
    return {"metadata": metadata, "status": status}


def _container(state: dict[str, Any]) -> dict[str, Any]:
    return {"containerStatuses": [{"name": "sync", "state": state}]}


@lru_cache(maxsize=100_000)
def job_record(job: Job) -> JobRecord:
    record = parse_job(job_body(job))
    assert record is not None
    return record


@lru_cache(maxsize=100_000)
def pod_facts(job: Job) -> tuple[tuple[str, PodFacts, str], ...]:
    """(UID of the Job, facts, resource version) of each of its pods."""
    parsed = [(parse_pod(body), body["metadata"]["resourceVersion"]) for body in pod_bodies(job)]
    return tuple((*facts, version) for facts, version in parsed if facts is not None)


@lru_cache(maxsize=100_000)
def launch_facts(job: Job) -> PodFacts | None:
    """What its pods say together."""
    return merged([facts for _, facts, _ in pod_facts(job)], job.shards)
