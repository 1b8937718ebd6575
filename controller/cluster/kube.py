"""KubeCluster: the port over `kubernetes.aio`, and the only module that knows that client.

Bodies stay plain dicts and paths are written out: the generated models would cost more code and CPU than they save.
Every call has a time-out, no call is repeated here (whoever decided it decides again), and 401 makes the next call
read the token anew from its file.
"""

from __future__ import annotations

import contextlib
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote

import aiohttp
import msgspec
from kubernetes.aio.client import ApiClient, Configuration
from kubernetes.aio.config import ConfigException

from controller.cluster.access import configure
from controller.cluster.answers import error_of
from controller.cluster.port import NotFound, NotServed, Refused, Unauthorized, Unavailable
from controller.model import names

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence
    from datetime import datetime

    from controller.cluster.port import Body

CHUNK = 500
MERGE_PATCH = "application/merge-patch+json"
SELECTOR = f"{names.LABEL_MANAGED_BY}={names.MANAGED_BY}"
GROUP_PATH = f"/apis/{names.GROUP}/{names.VERSION}"

NEEDS: tuple[tuple[str, str, str, tuple[str, ...]], ...] = (
    (names.GROUP, names.PLURAL, "", ("get", "list", "watch")),
    (names.GROUP, names.PLURAL, "status", ("patch",)),
    ("batch", "jobs", "", ("get", "list", "watch", "create", "delete")),
    ("", "pods", "", ("get", "list", "watch")),
    ("events.k8s.io", "events", "", ("create", "patch")),
)
"""Group, resource, subresource, verbs: all that is asked for in each namespace served."""


class KubeCluster:
    """Made by `connect`."""

    def __init__(self, configuration: Configuration, kubeconfig: str | None, seconds: float) -> None:
        self._configuration = configuration
        self._kubeconfig = kubeconfig
        self._timeout = aiohttp.ClientTimeout(total=seconds, connect=min(5.0, seconds))
        # A chunk of a list is large, and a server that is slow with it is not helped by being asked again.
        self._list_timeout = aiohttp.ClientTimeout(total=3 * seconds, connect=min(5.0, seconds))
        # Two hops to other threads for each request, for ~/.netrc and proxies: the API server is reached directly, as by
        # the watch.
        configuration.client_session_kwargs = {"trust_env": False}
        self._client = ApiClient(configuration=configuration)
        self._client.user_agent = "gsc-sync-operator"

    @classmethod
    async def connect(cls, *, kubeconfig: str | None = None, seconds: float = 10.0) -> KubeCluster:
        """In the cluster by the service account, else by the kubeconfig. Raises Refused when there is neither."""
        configuration = Configuration()
        await configure(configuration, kubeconfig)
        return cls(configuration, kubeconfig, seconds)

    async def close(self) -> None:
        await self._client.close()  # type: ignore[no-untyped-call]  # the client has no types

    # -- reading ------------------------------------------------------------------------------------------------------

    async def list_schedules(self, namespace: str) -> AsyncIterator[Body]:
        async for body in self._list(_path(GROUP_PATH, namespace, names.PLURAL)):
            yield body

    async def list_jobs(self, namespace: str, schedules: Sequence[str] = ()) -> AsyncIterator[Body]:
        async for body in self._list_ours(_path("/apis/batch/v1", namespace, "jobs"), schedules):
            yield body

    async def list_pods(self, namespace: str, schedules: Sequence[str] = ()) -> AsyncIterator[Body]:
        async for body in self._list_ours(_path("/api/v1", namespace, "pods"), schedules):
            yield body

    async def get_schedule(self, namespace: str, name: str) -> Body:
        return await self._json("GET", _path(GROUP_PATH, namespace, names.PLURAL, name))

    async def get_job(self, namespace: str, name: str) -> Body:
        return await self._json("GET", _path("/apis/batch/v1", namespace, "jobs", name))

    def _list_ours(self, path: str, schedules: Sequence[str]) -> AsyncIterator[Body]:
        if not schedules:
            return self._list(path, SELECTOR)
        # Without a limit the API server answers from its memory, as fresh as from etcd (KEP-2340); with one it would read
        # and decode every Job of the namespace to find these.
        return self._list(path, f"{SELECTOR},{names.LABEL_SCHEDULE} in ({','.join(schedules)})", chunk=0)

    async def _list(self, path: str, selector: str = "", chunk: int = CHUNK) -> AsyncIterator[Body]:
        """No resourceVersion is given: the first chunk is a consistent read, the others continue its snapshot."""
        query: dict[str, str] = {"limit": str(chunk)} if chunk else {}
        if selector:
            query["labelSelector"] = selector
        while True:
            answer = await self._json("GET", path, query=query, timeout=self._list_timeout)
            for item in answer.get("items") or ():
                yield item
            token = (answer.get("metadata") or {}).get("continue")
            if not token:
                return
            query["continue"] = token

    # -- writing ------------------------------------------------------------------------------------------------------

    async def create_job(self, namespace: str, body: Body) -> Body:
        return await self._json("POST", _path("/apis/batch/v1", namespace, "jobs"), body=body)

    async def delete_job(self, namespace: str, name: str, uid: str) -> None:
        options = {
            "kind": "DeleteOptions",
            "apiVersion": "v1",
            "propagationPolicy": "Foreground",
            "preconditions": {"uid": uid},
        }
        await self._json("DELETE", _path("/apis/batch/v1", namespace, "jobs", name), body=options)

    async def patch_status(self, namespace: str, name: str, resource_version: str, status: Body) -> Body:
        patch = {"metadata": {"resourceVersion": resource_version}, "status": status}
        path = _path(GROUP_PATH, namespace, names.PLURAL, name) + "/status"
        return await self._json("PATCH", path, body=patch, content_type=MERGE_PATCH)

    async def create_event(self, namespace: str, body: Body) -> Body:
        return await self._json("POST", _path("/apis/events.k8s.io/v1", namespace, "events"), body=body)

    async def patch_event(self, namespace: str, name: str, body: Body) -> Body:
        path = _path("/apis/events.k8s.io/v1", namespace, "events", name)
        return await self._json("PATCH", path, body=body, content_type=MERGE_PATCH)

    async def get_lease(self, namespace: str, name: str) -> Body:
        return await self._json("GET", _path("/apis/coordination.k8s.io/v1", namespace, "leases", name))

    async def create_lease(self, namespace: str, body: Body) -> Body:
        return await self._json("POST", _path("/apis/coordination.k8s.io/v1", namespace, "leases"), body=body)

    async def replace_lease(self, namespace: str, name: str, body: Body) -> Body:
        path = _path("/apis/coordination.k8s.io/v1", namespace, "leases", name)
        return await self._json("PUT", path, body=body)

    async def get_config(self, namespace: str, name: str) -> Body:
        return await self._json("GET", _path("/api/v1", namespace, "configmaps", name))

    # -- about the server ---------------------------------------------------------------------------------------------

    async def server_time(self) -> datetime:
        _, headers = await self._call("GET", "/version")
        try:
            return parsedate_to_datetime(headers["Date"])
        except (KeyError, ValueError) as error:
            raise Unavailable("the API server's answer has no Date header") from error

    async def problems(self, namespaces: Sequence[str] = ("",)) -> list[str]:
        found = []
        if not await self._served():
            found.append(
                f"the API server does not serve {names.PLURAL}.{names.GROUP}/{names.VERSION}: "
                "apply crds/gscsyncschedule.yaml (or install the chart with its CRD)"
            )
        for namespace in namespaces:
            where = f"namespace {namespace}" if namespace else "all namespaces"
            for group, resource, subresource, verbs in NEEDS:
                for verb in verbs:
                    if not await self._may(namespace, group, resource, subresource, verb):
                        full = f"{resource}/{subresource}" if subresource else resource
                        found.append(
                            f"the operator may not {verb} {full} in {where}: "
                            "let the Role of its service account allow it, or watch fewer namespaces"
                        )
        return found

    async def _served(self) -> bool:
        try:
            answer = await self._json("GET", GROUP_PATH)
        except (NotFound, NotServed):
            return False
        return any(resource.get("name") == names.PLURAL for resource in answer.get("resources") or ())

    async def _may(self, namespace: str, group: str, resource: str, subresource: str, verb: str) -> bool:
        attributes = {
            "namespace": namespace,
            "group": group,
            "resource": resource,
            "subresource": subresource,
            "verb": verb,
        }
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": attributes},
        }
        answer = await self._json(
            "POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", body=review
        )
        return bool((answer.get("status") or {}).get("allowed"))

    # -- the one door -------------------------------------------------------------------------------------------------

    async def _json(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Body | None = None,
        content_type: str = "application/json",
        timeout: aiohttp.ClientTimeout | None = None,  # noqa: ASYNC109 - handed to the library
    ) -> dict[str, Any]:
        data, _ = await self._call(
            method, path, query=query, body=body, content_type=content_type, timeout=timeout
        )
        try:
            # Ten thousand schedules are 60 MB: the standard library holds all else up for a second and a half.
            answer = msgspec.json.decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise Unavailable("the API server's answer is no JSON") from error
        if not isinstance(answer, dict):
            raise Unavailable("the API server's answer is no object")
        return answer

    async def _call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Body | None = None,
        content_type: str = "application/json",
        timeout: aiohttp.ClientTimeout | None = None,  # noqa: ASYNC109 - handed to the library
    ) -> tuple[bytes, Mapping[str, str]]:
        try:
            # Without the body: the client would copy it value by value, looking for models that we do not use.
            verb, url, headers, _, _ = await self._client.param_serialize(
                method,
                path,
                query_params=list((query or {}).items()),
                header_params={"Accept": "application/json", "Content-Type": content_type},
                auth_settings=["BearerToken"],
            )
            answer = await self._client.call_api(
                verb, url, header_params=headers, body=body, _request_timeout=timeout or self._timeout
            )
            data = cast("bytes", await answer.read())  # type: ignore[no-untyped-call]  # the client has no types
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Unavailable(f"{method} {path}: {type(error).__name__}: {error}"[:512]) from error
        except ConfigException as error:
            raise Unauthorized(f"the service account's token cannot be read: {error}") from error
        failure = error_of(answer.status, data, answer.headers.get("Retry-After"))
        if isinstance(failure, Unauthorized):
            await self._reload()
        if failure is not None:
            raise failure
        return data, answer.headers

    async def _reload(self) -> None:
        """Read the token again: projected tokens are renewed in place, a kubeconfig may have been written anew."""
        with contextlib.suppress(Refused):  # the next call finds out, and says so
            await configure(self._configuration, self._kubeconfig)


def _path(base: str, namespace: str, plural: str, name: str = "") -> str:
    path = f"{base}/namespaces/{quote(namespace, safe='')}/{plural}" if namespace else f"{base}/{plural}"
    return f"{path}/{quote(name, safe='')}" if name else path
