"""Parsing Jobs and pods: the few facts that verdicts rest on, taken from bodies that are hostile or half written.

Labels come from whoever made the Job, texts out of pods from whoever made the image: everything is bounded here, and
nothing missing is invented. A Job without our labels still gets a record (with an empty run id): it may stand where one
of ours should.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from contract.run_spec import MAX_SHARDS, Trigger
from controller.model import names
from controller.model.job import (
    MAX_REASON_TEXT,
    MAX_TERMINATION_MESSAGE,
    Disruption,
    JobRecord,
    JobState,
    PodFacts,
    Trouble,
)
from controller.model.parameters import read_parameters
from controller.model.raw import mapping, moment, text, whole
from controller.model.text import cut

_INDEX_LABEL = "batch.kubernetes.io/job-completion-index"
_IMAGE_REASONS = frozenset(
    {
        "ErrImagePull",
        "ImagePullBackOff",
        "InvalidImageName",
        "ErrImageNeverPull",
        "RegistryUnavailable",
        "ImageInspectError",
    }
)
_CONFIG_REASONS = frozenset(
    {"CreateContainerConfigError", "CreateContainerError", "RunContainerError", "CreatePodSandboxError"}
)
_DISRUPTIONS = {
    "PreemptionByScheduler": Disruption.PREEMPTED,
    "DeletionByTaintManager": Disruption.NODE_LOST,
    "DeletionByPodGC": Disruption.NODE_LOST,
    "EvictionByEvictionAPI": Disruption.EVICTED,
    "TerminationByKubelet": Disruption.EVICTED,
    # reasons of a pod's status, where no condition was left
    "Evicted": Disruption.EVICTED,
    "Preempting": Disruption.PREEMPTED,
    "NodeLost": Disruption.NODE_LOST,
    "NodeShutdown": Disruption.NODE_LOST,
    "Shutdown": Disruption.NODE_LOST,
    "Terminated": Disruption.NODE_LOST,
    "NodeAffinity": Disruption.REJECTED,
    "UnexpectedAdmissionError": Disruption.REJECTED,
    "PodOSNotSupported": Disruption.REJECTED,
}


def parse_job(body: Mapping[str, Any]) -> JobRecord | None:
    """A Job from its body; None when it has no name or UID."""
    metadata, status = mapping(body.get("metadata")), mapping(body.get("status"))
    name, uid, created_at = (
        text(metadata.get("name")),
        text(metadata.get("uid")),
        moment(metadata.get("creationTimestamp")),
    )
    if not name or not uid or created_at is None:
        return None
    labels, spec = mapping(metadata.get("labels")), mapping(body.get("spec"))
    annotations = mapping(metadata.get("annotations"))
    conditions = _conditions(status)
    state = JobState.ACTIVE
    finished: Mapping[str, Any] | None = None
    if "Complete" in conditions:
        state, finished = JobState.COMPLETE, conditions["Complete"]
    elif "Failed" in conditions:
        state, finished = JobState.FAILED, conditions["Failed"]
    failure = conditions.get("Failed") or conditions.get("FailureTarget") or {}
    trigger = text(labels.get(names.LABEL_TRIGGER))
    return JobRecord(
        namespace=text(metadata.get("namespace")),
        name=name,
        uid=uid,
        resource_version=text(metadata.get("resourceVersion")),
        owner_uid=_controller(metadata)[1],
        run_id=text(labels.get(names.LABEL_RUN))[:63],
        slot_minutes=_digits(labels.get(names.LABEL_SLOT)),
        attempt=_digits(labels.get(names.LABEL_ATTEMPT)),
        launch=_digits(labels.get(names.LABEL_LAUNCH)),
        trigger=trigger if trigger in set(Trigger) else "",
        created_at=created_at,
        state=state,
        failure_reason=cut(text(failure.get("reason")), 64),
        finished_at=None if finished is None else moment(finished.get("lastTransitionTime")),
        deleting=metadata.get("deletionTimestamp") is not None,
        deleting_since=moment(metadata.get("deletionTimestamp")),
        suspended=spec.get("suspend") is True,
        admitted_at=moment(status.get("startTime")),
        shards=_shards(spec),
        generation=_digits(annotations.get(names.ANNOTATION_GENERATION)),
        timeout_seconds=_digits(annotations.get(names.ANNOTATION_TIMEOUT)),
        pending_deadline_seconds=_digits(annotations.get(names.ANNOTATION_PENDING)),
        unlabelled=labels.get(names.LABEL_MANAGED_BY) != names.MANAGED_BY,
        parameters=read_parameters(text(annotations.get(names.ANNOTATION_PARAMETERS))),
    )


def parse_pod(body: Mapping[str, Any]) -> tuple[str, PodFacts] | None:
    """(UID of its Job, facts) of a pod; None when no Job controls it."""
    metadata, status = mapping(body.get("metadata")), mapping(body.get("status"))
    kind, job_uid = _controller(metadata)
    created_at = moment(metadata.get("creationTimestamp"))
    if kind != "Job" or not job_uid or created_at is None:
        return None
    container = _container(status)
    last = mapping(mapping(container.get("lastState")).get("terminated"))
    state = mapping(container.get("state"))
    ended = mapping(state.get("terminated")) or last
    running = mapping(state.get("running"))
    trouble, why = (
        _trouble(status, mapping(state.get("waiting"))) if not ended and not running else (Trouble.NONE, "")
    )
    return job_uid, PodFacts(
        uid=text(metadata.get("uid")),
        created_at=created_at,
        started_at=moment(running.get("startedAt")) or moment(ended.get("startedAt")),
        finished_at=moment(ended.get("finishedAt")),
        exit_code=whole(ended.get("exitCode")),
        termination_reason=cut(text(ended.get("reason")), 64),
        # Kept raw for strict parsing, but never more than the kubelet would keep.
        termination_message=text(ended.get("message"))[:MAX_TERMINATION_MESSAGE],
        trouble=trouble,
        trouble_message=cut(why, MAX_REASON_TEXT),
        disruption=_disruption(metadata, status),
        shard=min(_digits(mapping(metadata.get("labels")).get(_INDEX_LABEL)), MAX_SHARDS),
        node=text(mapping(body.get("spec")).get("nodeName"))[:MAX_REASON_TEXT],
    )


def _shards(spec: Mapping[str, Any]) -> int:
    """How many pods share the Job's work; a Job that is not indexed has one."""
    if spec.get("completionMode") != "Indexed":
        return 1
    return max(1, min(whole(spec.get("completions")) or 1, MAX_SHARDS))


def _conditions(status: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    found = status.get("conditions")
    items = [mapping(item) for item in found] if isinstance(found, list | tuple) else []
    return {text(item.get("type")): item for item in items if item.get("status") == "True"}


def _controller(metadata: Mapping[str, Any]) -> tuple[str, str]:
    """(kind, UID) of the controlling owner."""
    references = metadata.get("ownerReferences")
    for item in references if isinstance(references, list | tuple) else ():
        reference = mapping(item)
        if reference.get("controller") is True:
            return text(reference.get("kind")), text(reference.get("uid"))
    return "", ""


def _container(status: Mapping[str, Any]) -> Mapping[str, Any]:
    statuses = status.get("containerStatuses")
    return mapping(statuses[0]) if isinstance(statuses, list | tuple) and statuses else {}


def _digits(value: object) -> int:
    """A whole number of at most nine digits, as our labels have it; 0 for anything else."""
    return int(value) if isinstance(value, str) and re.fullmatch(r"[0-9]{1,9}", value) else 0


def _trouble(status: Mapping[str, Any], waiting: Mapping[str, Any]) -> tuple[Trouble, str]:
    """Why the container does not start."""
    reason, message = text(waiting.get("reason")), text(waiting.get("message"))
    if reason in _IMAGE_REASONS:
        return Trouble.IMAGE, message or reason
    if reason in _CONFIG_REASONS:
        return Trouble.CONFIG, message or reason
    conditions = status.get("conditions")
    for item in conditions if isinstance(conditions, list | tuple) else ():
        condition = mapping(item)
        if condition.get("status") != "False":
            continue
        if condition.get("type") == "PodScheduled" and condition.get("reason") == "Unschedulable":
            return Trouble.UNSCHEDULABLE, text(condition.get("message"))
        if condition.get("type") == "PodReadyToStartContainers" and reason == "ContainerCreating":
            # No sandbox yet although a node has the pod: it waits for its volumes or its network.
            return Trouble.VOLUME, message or "the pod's volumes or network are not ready on its node"
    return Trouble.NONE, ""


def _disruption(metadata: Mapping[str, Any], status: Mapping[str, Any]) -> Disruption:
    target = _conditions(status).get("DisruptionTarget")
    if target is not None:
        return _DISRUPTIONS.get(text(target.get("reason")), Disruption.EVICTED)
    reason = text(status.get("reason"))
    if reason in _DISRUPTIONS:
        return _DISRUPTIONS[reason]
    if reason.startswith("OutOf"):
        return Disruption.REJECTED
    return Disruption.DELETED if metadata.get("deletionTimestamp") is not None else Disruption.NONE
