"""JobRecord and PodFacts: what the operator remembers of a Job of ours and of its pod. Slim, frozen, never a body.

Facts of a pod are kept when seen, since deadlines and evictions delete pods before their Job says why. Text out of
pods is hostile: it is cut to the sizes below while parsing.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from contract.run_spec import unix_minutes
from controller.model.parameters import Parameters

MAX_TERMINATION_MESSAGE = 4096
MAX_REASON_TEXT = 256
GRACE_SECONDS = 30
"""Between SIGTERM and SIGKILL of a pod; also the slack given to the program's timeout."""


class JobState(StrEnum):
    ACTIVE = "Active"
    """Not finished; pods may be pending or running, or being removed after FailureTarget."""
    COMPLETE = "Complete"
    FAILED = "Failed"


class Trouble(StrEnum):
    """Why a container does not start, from the pod's waiting reason or conditions."""

    NONE = ""
    IMAGE = "ImageUnavailable"
    UNSCHEDULABLE = "Unschedulable"
    VOLUME = "VolumeUnavailable"
    CONFIG = "ContainerConfigError"


class Disruption(StrEnum):
    """Why the cluster took the pod away: not the program's fault, so no attempt is used."""

    NONE = ""
    EVICTED = "Evicted"
    PREEMPTED = "Preempted"
    NODE_LOST = "NodeLost"
    DELETED = "PodDeleted"
    REJECTED = "NodeRejected"
    """The kubelet took the pod and refused it (OutOfcpu, NodeAffinity ...)."""


@dataclass(frozen=True, slots=True)
class PodFacts:
    """The newest facts of the one pod of a Job. `exit_code` is None until the container terminated."""

    uid: str
    created_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    exit_code: int | None = None
    termination_reason: str = ""
    """Completed, Error, OOMKilled, DeadlineExceeded, ContainerStatusUnknown ..."""
    termination_message: str = ""
    trouble: Trouble = Trouble.NONE
    trouble_message: str = ""
    disruption: Disruption = Disruption.NONE
    gone: bool = False
    """The pod object has been deleted since."""
    shard: int = 0
    """Its completion index, in an Indexed Job."""
    node: str = field(default="", compare=False)
    """Where it is, for people. That it got a node is no news: each launch would be decided once more for it."""

    def updated(self, newer: PodFacts) -> PodFacts:
        """The newer facts, without forgetting what only the older ones knew; another pod replaces them whole."""
        if newer.uid != self.uid:
            return newer if newer.created_at >= self.created_at else self
        if newer.exit_code is None and self.exit_code is not None:
            return replace(self, gone=self.gone or newer.gone)
        return replace(
            newer,
            started_at=newer.started_at or self.started_at,
            disruption=newer.disruption or self.disruption,
            gone=self.gone or newer.gone,
        )


@dataclass(frozen=True, slots=True)
class JobRecord:
    """A Job that carries our labels, or stands where one of ours should (then `ours` of `decide` says no)."""

    namespace: str
    name: str
    uid: str
    resource_version: str
    owner_uid: str
    """UID of the controlling owner reference; '' when there is none."""
    run_id: str
    slot_minutes: int
    attempt: int
    launch: int
    trigger: str
    created_at: datetime
    state: JobState
    failure_reason: str = ""
    """Of the Failed or FailureTarget condition: DeadlineExceeded, BackoffLimitExceeded ..."""
    finished_at: datetime | None = None
    deleting: bool = False
    deleting_since: datetime | None = None
    """By the API server's clock; None while it was only asked for, or is not being deleted."""
    suspended: bool = False
    """Somebody else lets it start: Kueue."""
    admitted_at: datetime | None = None
    """When the Job controller began with it, again after each suspension."""
    shards: int = 1
    """Pods that share the launch."""
    generation: int = 0
    """Of the schedule's spec that it began with; 0 when it does not say."""
    timeout_seconds: int = 0
    pending_deadline_seconds: int = 0
    """The limits that it began with; 0 when it does not say."""
    parameters: Parameters | None = None
    """Of a run by hand; None when it does not say."""
    unlabelled: bool = False
    """It lacks our labels: no list and no watch of ours shows it, so it is asked for by its name."""
    pod: PodFacts | None = None
    """What its pod said, or its pods together (`shards.merged`)."""

    @property
    def pending_since(self) -> datetime:
        """Since when its container could have started."""
        return max(self.created_at, self.admitted_at or self.created_at)

    def is_launch(self, uid: str, run_id: str, launch: int) -> bool:
        """Whether this is that launch of the schedule with that UID, and not somebody else's Job of the same name.

        Where its labels were taken off, owner and name say so: the name holds a hash of the UID.
        """
        return self.owner_uid == uid and (not self.run_id or (self.run_id, self.launch) == (run_id, launch))

    def known_as(self, run_id: str, slot: datetime, trigger: str, attempt: int, launch: int) -> JobRecord:
        """The record of a Job without labels, with what they said."""
        return replace(
            self,
            run_id=run_id,
            slot_minutes=unix_minutes(slot),
            trigger=trigger,
            attempt=attempt,
            launch=launch,
            unlabelled=True,
        )
