"""Pods: what is known of the pods of each Job, by shard; a part of the table.

Only the newest pod of a shard is kept, and of one pod the facts only get newer. Facts outlive the pod until its Job
goes: deadlines and evictions delete pods before their Job says why.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from controller.model.shards import merged

if TYPE_CHECKING:
    from controller.model.job import PodFacts


@dataclass(frozen=True, slots=True)
class Pod:
    """The facts of one pod, and the resource version they are of."""

    facts: PodFacts
    version: int


class Pods:
    def __init__(self) -> None:
        self._of: dict[str, tuple[Pod, ...]] = {}
        """By Job UID; nearly all have one pod, and a tuple is the smallest there is."""

    def facts(self, job_uid: str, shards: int) -> PodFacts | None:
        """What its pods say together; None when no pod was seen."""
        pods = self._of.get(job_uid)
        return merged([pod.facts for pod in pods], shards) if pods else None

    def put(self, job_uid: str, facts: PodFacts, version: int) -> bool:
        """Keep a newer pod of the same shard instead of an older one; True when it is news."""
        pods = self._of.get(job_uid, ())
        known = next((pod for pod in pods if pod.facts.shard == facts.shard), None)
        if known is None:
            newest = facts
        elif known.facts.uid == facts.uid and known.version >= version:
            return False
        else:
            newest = known.facts.updated(facts)
            if newest == known.facts:
                if newest.uid == facts.uid:
                    self._put(job_uid, Pod(newest, version))
                return False
        self._put(job_uid, Pod(newest, version))
        return True

    def lose(self, job_uid: str, pod_uid: str) -> bool:
        """Note that the pod object is gone; what it told stays. True when it is news."""
        for known in self._of.get(job_uid, ()):
            if known.facts.uid == pod_uid and not known.facts.gone:
                self._put(job_uid, replace(known, facts=replace(known.facts, gone=True)))
                return True
        return False

    def drop(self, job_uid: str) -> None:
        self._of.pop(job_uid, None)

    def jobs(self) -> frozenset[str]:
        """UIDs of the Jobs of which a pod was seen."""
        return frozenset(self._of)

    def standing(self) -> Iterator[tuple[str, str]]:
        """(Job UID, pod UID) of pods not known to be gone."""
        for uid, pods in self._of.items():
            for pod in pods:
                if not pod.facts.gone:
                    yield uid, pod.facts.uid

    def _put(self, job_uid: str, pod: Pod) -> None:
        others = (other for other in self._of.get(job_uid, ()) if other.facts.shard != pod.facts.shard)
        self._of[job_uid] = (*others, pod)
