"""Cluster: what the operator asks of a Kubernetes API server, as a small Protocol.

Two adapters of equal standing: `kube.KubeCluster` over `kubernetes.aio`, and `memory.MemoryCluster`, which keeps
objects in a dict, numbers resource versions, refuses stale writes and doubled names, and can crash or lose answers
at any call. Bodies are plain dicts; `watch.read` makes records of them. Every call has a time-out.

Errors, the only ones that pass this door:

ClusterError
├── Conflict        409 on a write: somebody wrote in between; read again and decide again
├── AlreadyExists   409 on a create: the name is taken
├── NotFound        404
├── Refused         400, 403 (quota, permission, admission), 422: repeating the same request cannot help now
├── Unauthorized    401: the token is no good; a new one is read from its file at the next call
├── Throttled       429: `retry_after` in seconds
├── NotLeader       a write of ours that the gate stopped before it left: another replica may lead
└── Unavailable     5xx, time-out, connection lost: the write may or may not have happened
    └── NotServed   404 for the path itself: the resource's definition is not there at this moment
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from datetime import datetime

Body = Mapping[str, Any]


class ClusterError(Exception):
    """The API server did not do what was asked."""


class Conflict(ClusterError):  # noqa: N818 - named as the API names them
    """The resource version or UID given is not the present one."""


class AlreadyExists(ClusterError):  # noqa: N818
    """The name is taken."""


class NotFound(ClusterError):  # noqa: N818
    """There is no such object (any more)."""


class Refused(ClusterError):  # noqa: N818
    """The API server understood and said no; the message is its own, cut to 512 characters."""


class Unauthorized(ClusterError):  # noqa: N818
    """The token was not accepted."""


class Throttled(ClusterError):  # noqa: N818
    """Too many requests."""

    def __init__(self, message: str, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Unavailable(ClusterError):  # noqa: N818
    """No answer, or a 5xx: what was asked may or may not have happened."""


class NotServed(Unavailable):
    """The path is not served now; it says nothing about the object."""


class NotLeader(ClusterError):  # noqa: N818
    """We do not hold the Lease (any more); nothing was sent."""


class Cluster(Protocol):
    """About a dozen calls. `namespace` '' in a list means all namespaces (only with cluster-wide rights)."""

    def list_schedules(self, namespace: str) -> AsyncIterator[Body]:
        """List all schedules, in chunks of 500, from a consistent read."""

    def list_jobs(self, namespace: str, schedules: Sequence[str] = ()) -> AsyncIterator[Body]:
        """List the Jobs with our managed-by label, in chunks of 500, from a consistent read.

        `schedules` leaves only those labelled with one of these, some fifty at most; the API server's memory answers that,
        however many others there are.
        """

    def list_pods(self, namespace: str, schedules: Sequence[str] = ()) -> AsyncIterator[Body]:
        """List the pods with our managed-by label, in the same way."""

    async def get_schedule(self, namespace: str, name: str) -> Body: ...

    async def get_job(self, namespace: str, name: str) -> Body: ...

    async def create_job(self, namespace: str, body: Body) -> Body:
        """Create it; raises AlreadyExists, Refused, Unavailable ..."""

    async def delete_job(self, namespace: str, name: str, uid: str) -> None:
        """Foreground, with the UID as precondition. NotFound when it is gone already."""

    async def patch_status(self, namespace: str, name: str, resource_version: str, status: Body) -> Body:
        """Merge-patch `.status` with the resource version as precondition; returns the new object."""

    async def create_event(self, namespace: str, body: Body) -> Body: ...

    async def patch_event(self, namespace: str, name: str, body: Body) -> Body: ...

    async def get_lease(self, namespace: str, name: str) -> Body: ...

    async def create_lease(self, namespace: str, body: Body) -> Body: ...

    async def replace_lease(self, namespace: str, name: str, body: Body) -> Body:
        """PUT with the resource version in the body as precondition."""

    async def get_config(self, namespace: str, name: str) -> Body:
        """Read a ConfigMap."""

    async def server_time(self) -> datetime:
        """Read the API server's clock, from the `Date` header of a cheap request; one second of resolution."""

    async def problems(self, namespaces: Sequence[str] = ("",)) -> list[str]:
        """Say what is missing for us to serve: CRD not served, verbs not allowed; sentences with the next step."""

    async def close(self) -> None: ...


async def find_job(cluster: Cluster, namespace: str, name: str, uid: str) -> Body | None:
    """Find this very Job, and not another one of its name; None when it is gone. Raises ClusterError when nobody can say."""
    try:
        body = await cluster.get_job(namespace, name)
    except NotFound:
        return None
    return body if str((body.get("metadata") or {}).get("uid")) == uid else None
