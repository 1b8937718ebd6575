"""MemoryCluster: the port over a dict, of equal standing with `KubeCluster` (the same contract tests run on both).

It numbers resource versions over all objects, refuses stale writes and doubled names, deletes in the foreground
(a Job stands with its deletion time until `sweep`), and can fail at any call: a `Fault` raises before the call or
after it has taken effect, which is how a lost answer or a crash looks from outside.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from controller.cluster.objects import Object, Objects, copied
from controller.cluster.port import AlreadyExists, Conflict, NotFound
from controller.model import names

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from datetime import datetime

    from controller.clock import Clock
    from controller.cluster.port import Body

Subscriber = Callable[[str, str, Object], None]
"""Kind, ADDED/MODIFIED/DELETED, object."""

SCHEDULE, JOB, POD, EVENT, LEASE, CONFIG = "GscSyncSchedule", "Job", "Pod", "Event", "Lease", "ConfigMap"


@dataclass(slots=True)
class Fault:
    """Raise `error` at the next `times` calls of `call`; `after` means once the call has taken effect."""

    call: str
    error: BaseException
    after: bool = False
    times: int = 1


class MemoryCluster:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._objects = Objects()
        self._version = 100
        self._uids = 0
        self.faults: list[Fault] = []
        self.calls: list[str] = []
        self.subscribers: list[Subscriber] = []
        self.skew_seconds = 0.0
        self.missing: list[str] = []

    # -- for tests: what users and the cluster's own controllers do -----------------------------------------------------

    def apply(self, kind: str, body: Body) -> Object:
        """Create or replace as a user or controller would, spec and all; status is kept unless given."""
        fresh = copied(dict(body))
        meta = fresh["metadata"]
        meta.setdefault("namespace", "default")
        key = (kind, meta["namespace"], meta["name"])
        old = self._objects.get(key)
        if old is None:
            return self._insert(kind, meta["namespace"], fresh)
        if "spec" in fresh and fresh["spec"] != old.get("spec"):
            meta["generation"] = old["metadata"].get("generation", 1) + 1
        merged = {**old, **fresh, "metadata": {**old["metadata"], **meta}}
        return self._store(kind, merged, "MODIFIED")

    def change(self, kind: str, namespace: str, name: str, patch: Body) -> Object:
        """Merge-patch anything, status too."""
        merged = _merge(self._get(kind, namespace, name), patch)
        return self._store(kind, merged, "MODIFIED")

    def remove(self, kind: str, namespace: str, name: str) -> None:
        """Delete at once, and what it owns with it."""
        gone = self._objects.pop((kind, namespace, name))
        self._version += 1
        gone["metadata"]["resourceVersion"] = str(self._version)
        self._tell(kind, "DELETED", gone)
        for owned in self._objects.owned_by(gone["metadata"]["uid"]):
            if self._objects.get(owned):
                self.remove(*owned)

    def sweep(self) -> None:
        """Finish deletions, as the garbage collector does."""
        for leaving in self._objects.leaving():
            if self._objects.get(leaving):
                self.remove(*leaving)

    def all(self, kind: str) -> list[Object]:
        return [copied(body) for body in self._objects.of(kind)]

    def get(self, kind: str, namespace: str, name: str) -> Object:
        """Raises NotFound."""
        return self._get(kind, namespace, name)

    # -- the port -----------------------------------------------------------------------------------------------------

    async def list_schedules(self, namespace: str) -> AsyncIterator[Body]:
        for body in self._list("list_schedules", SCHEDULE, namespace):
            yield body

    async def list_jobs(self, namespace: str, schedules: Sequence[str] = ()) -> AsyncIterator[Body]:
        for body in self._list("list_jobs", JOB, namespace, lambda body: _ours(body, schedules)):
            yield body

    async def list_pods(self, namespace: str, schedules: Sequence[str] = ()) -> AsyncIterator[Body]:
        for body in self._list("list_pods", POD, namespace, lambda body: _ours(body, schedules)):
            yield body

    async def get_schedule(self, namespace: str, name: str) -> Body:
        self._before("get_schedule")
        return self._get(SCHEDULE, namespace, name)

    async def get_job(self, namespace: str, name: str) -> Body:
        self._before("get_job")
        return self._get(JOB, namespace, name)

    async def create_job(self, namespace: str, body: Body) -> Body:
        return self._create("create_job", JOB, namespace, body)

    async def delete_job(self, namespace: str, name: str, uid: str) -> None:
        self._before("delete_job")
        body = self._get(JOB, namespace, name)
        if body["metadata"]["uid"] != uid:
            raise Conflict(f"Job {name}: the UID in the precondition is {uid}, in the object another")
        if not body["metadata"].get("deletionTimestamp"):
            body["metadata"]["deletionTimestamp"] = self._stamp()
            body["metadata"]["finalizers"] = ["foregroundDeletion"]
            self._store(JOB, body, "MODIFIED")
        self._after("delete_job")

    async def patch_status(self, namespace: str, name: str, resource_version: str, status: Body) -> Body:
        self._before("patch_status")
        old = self._get(SCHEDULE, namespace, name)
        if old["metadata"]["resourceVersion"] != resource_version:
            raise Conflict(f"{name}: resource version {resource_version} is not the present one")
        new = _merge(old, {"status": status})
        stored = new if new == old else self._store(SCHEDULE, new, "MODIFIED")
        self._after("patch_status")
        return stored

    async def create_event(self, namespace: str, body: Body) -> Body:
        return self._create("create_event", EVENT, namespace, body)

    async def patch_event(self, namespace: str, name: str, body: Body) -> Body:
        self._before("patch_event")
        stored = self.change(EVENT, namespace, name, body)
        self._after("patch_event")
        return stored

    async def get_lease(self, namespace: str, name: str) -> Body:
        self._before("get_lease")
        return self._get(LEASE, namespace, name)

    async def get_config(self, namespace: str, name: str) -> Body:
        self._before("get_config")
        return self._get(CONFIG, namespace, name)

    async def create_lease(self, namespace: str, body: Body) -> Body:
        return self._create("create_lease", LEASE, namespace, body)

    async def replace_lease(self, namespace: str, name: str, body: Body) -> Body:
        self._before("replace_lease")
        old = self._get(LEASE, namespace, name)
        if old["metadata"]["resourceVersion"] != body["metadata"].get("resourceVersion"):
            raise Conflict(f"Lease {name} changed in between")
        stored = self._store(LEASE, {**copied(dict(body)), "metadata": old["metadata"]}, "MODIFIED")
        self._after("replace_lease")
        return stored

    async def server_time(self) -> datetime:
        self._before("server_time")
        moment = self._clock.now().timestamp() + self.skew_seconds
        return self._clock.now().fromtimestamp(int(moment), tz=self._clock.now().tzinfo)

    async def problems(self, namespaces: Sequence[str] = ("",)) -> list[str]:
        self._before("problems")
        return [
            f"{problem} in {namespace or 'all namespaces'}"
            for namespace in namespaces
            for problem in self.missing
        ]

    async def close(self) -> None:
        self.calls.append("close")

    # -- inside -------------------------------------------------------------------------------------------------------

    def _before(self, call: str) -> None:
        self.calls.append(call)
        self._fail(call, after=False)

    def _after(self, call: str) -> None:
        self._fail(call, after=True)

    def _fail(self, call: str, *, after: bool) -> None:
        for fault in self.faults:
            if fault.call == call and fault.after is after and fault.times > 0:
                fault.times -= 1
                raise fault.error

    def _list(
        self, call: str, kind: str, namespace: str, wanted: Callable[[Body], bool] = lambda _: True
    ) -> list[Object]:
        self._before(call)
        found = (body for body in self._objects.of(kind) if namespace in {"", body["metadata"]["namespace"]})
        return [copied(body) for body in found if wanted(body)]

    def _get(self, kind: str, namespace: str, name: str) -> Object:
        """A copy."""
        body = self._objects.get((kind, namespace, name))
        if body is None:
            raise NotFound(f"{kind} {namespace}/{name} does not exist")
        return copied(body)

    def _create(self, call: str, kind: str, namespace: str, body: Body) -> Object:
        self._before(call)
        if self._objects.get((kind, namespace, body["metadata"]["name"])):
            raise AlreadyExists(f"{kind} {namespace}/{body['metadata']['name']} exists already")
        fresh = copied(dict(body))
        stored = self._insert(kind, namespace, fresh)
        self._after(call)
        return stored

    def _insert(self, kind: str, namespace: str, body: Object) -> Object:
        self._uids += 1
        meta = body["metadata"]
        meta["namespace"] = namespace
        meta.setdefault("uid", f"00000000-0000-4000-8000-{self._uids:012d}")
        meta.setdefault("creationTimestamp", self._stamp())
        meta.setdefault("generation", 1)
        return self._store(kind, body, "ADDED")

    def _store(self, kind: str, body: Object, what: str) -> Object:
        """Keep `body` itself; a copy comes back."""
        self._version += 1
        meta = body["metadata"]
        meta["resourceVersion"] = str(self._version)
        self._objects.put((kind, meta["namespace"], meta["name"]), body)
        self._tell(kind, what, body)
        return copied(body)

    def _tell(self, kind: str, what: str, body: Object) -> None:
        for subscriber in self.subscribers:
            subscriber(kind, what, copied(body))

    def _stamp(self) -> str:
        return self._clock.now().strftime("%Y-%m-%dT%H:%M:%SZ")


def _ours(body: Body, schedules: Sequence[str]) -> bool:
    labels = body["metadata"].get("labels") or {}
    return labels.get(names.LABEL_MANAGED_BY) == names.MANAGED_BY and (
        not schedules or labels.get(names.LABEL_SCHEDULE) in schedules
    )


def _merge(old: Any, patch: Any) -> Any:
    """RFC 7396."""
    if not _is_mapping(patch):
        return copied(patch)
    merged = dict(old) if _is_mapping(old) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = _merge(merged.get(key), value)
    return merged


def _is_mapping(value: Any) -> bool:
    return isinstance(value, dict)


__all__ = ["EVENT", "JOB", "LEASE", "POD", "SCHEDULE", "Fault", "MemoryCluster", "Object"]
