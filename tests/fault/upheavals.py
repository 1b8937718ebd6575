"""Upheavals: stories in which the world itself is taken apart: the CRD, stored nonsense, namespaces, etcd's memory.

Those that touch what all namespaces share run alone. They have no undisturbed reference: what must come of them
stands in each.
"""

from __future__ import annotations

import asyncio
import json
import random
import ssl
from collections.abc import Mapping
from datetime import timedelta
from functools import partial
from typing import Any

import aiohttp
import yaml

from devcluster.record import read
from tests.fault.admin import JSON_PATCH, MERGE, ApiError, until
from tests.fault.process import ROOT
from tests.fault.rig import CRD
from tests.fault.scene import Scene
from tests.fault.workloads import Expected, Holds, Run, Story, daily, done, either, past_minute

OURS = f"{CRD}/gscsyncschedules.gscsync.io"
SEED = 20261130
REVISIONS = 1100

Object = dict[str, Any]


def definition() -> Object:
    found: Object = yaml.safe_load((ROOT / "crds" / "gscsyncschedule.yaml").read_text())
    return found


async def until_served(scene: Scene) -> None:
    await until(lambda: scene.rig.admin.call("GET", scene.path("gscsyncschedules")), 60)


# -- the definition ---------------------------------------------------------------------------------------------------


async def crd_away(scene: Scene) -> dict[str, Expected]:
    """The CRD is deleted, and every schedule with it; it comes back, and so do users."""
    await scene.apply("ok", mark="first", runOnCreate=True)
    await scene.until("ok", done())
    await scene.rig.admin.call("DELETE", OURS)
    await until(lambda: scene.rig.admin.gone(OURS), 60)
    await asyncio.sleep(4)
    await scene.rig.admin.call("POST", CRD, definition())
    await until_served(scene)
    await scene.apply("ok", mark="second", runOnCreate=True)
    await scene.until("ok", done())
    return {"first": Expected((Run("Create"),), gone=True), "second": Expected((Run("Create"),))}


async def crd_changed(scene: Scene) -> dict[str, Expected]:
    """A field is added to the CRD while a run goes on, and taken away again."""
    slot = past_minute()
    await scene.apply("slow", schedule=daily(slot), runOnCreate=True)
    await scene.until("slow", either(lambda status: bool(status.get("active")), done()))
    field = "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/later"
    await scene.rig.admin.call(
        "PATCH", OURS, [{"op": "add", "path": field, "value": {"type": "string", "maxLength": 8}}], JSON_PATCH
    )
    await scene.backdate("slow", slot - timedelta(minutes=1))
    await scene.rig.admin.call("PATCH", OURS, [{"op": "remove", "path": field}], JSON_PATCH)
    await scene.until("slow", done(2))
    return {"slow": Expected((Run("Create"), Run("Cron", slot=slot)))}


async def crd_missing_at_start(scene: Scene) -> dict[str, Expected]:
    """The operator starts before the CRD is there."""
    await scene.operators[0].kill()
    await scene.rig.admin.call("DELETE", OURS)
    await until(lambda: scene.rig.admin.gone(OURS), 60)
    await scene.operators[0].kill()
    await asyncio.sleep(6)
    await scene.rig.admin.call("POST", CRD, definition())
    await until_served(scene)
    await scene.apply("ok", runOnCreate=True)
    await scene.until("ok", done())
    return {"ok": Expected((Run("Create"),))}


# -- stored nonsense --------------------------------------------------------------------------------------------------

ODD_VALUES: tuple[Any, ...] = (
    None, "", "x" * 300, -1, 0, 10**18, 1.5, True, [], [1], {}, {"x": 1}, "*", "\u0000\u202e", "99 99 99 99 99",
)  # fmt: skip


def poisons(number: int) -> list[Object]:
    """Specs that the schema refuses, stored when it was laxer: each field with odd values, and some of all."""
    chance = random.Random(SEED)
    good = {
        "schedule": "0 4 1 1 *",
        "timeZone": "Etc/UTC",
        "workspaces": [{"name": "acme", "credentialsSecretRef": {"name": "a", "key": "k"}}],
        "destination": {"secretRef": {"name": "warehouse"}},
    }
    fields = (*good, "suspend", "runOnCreate", "concurrencyPolicy", "catchUp", "timeoutSeconds",
              "pendingDeadlineSeconds", "retry", "minSuccessRatio", "window", "searchTypes", "dimensionSets",
              "freshnessSeconds", "resources", "history", "queue", "priority", "environments", "rollout", "splitRequestsPerCell", "inventory",
              "inspectionsPerProperty")  # fmt: skip
    made: list[Object] = [
        {},
        {"schedule": None},
        {**good, "schedule": "0 4 31 2 *"},
        {**good, "timeZone": "Mars/Olympus"},
    ]
    while len(made) < number:
        field = fields[len(made) % len(fields)]
        spec = {**good, field: chance.choice(ODD_VALUES)}
        if spec.get("runOnCreate"):
            spec["suspend"] = True
        made.append(spec)
    return made


async def poisoned(scene: Scene) -> dict[str, Expected]:
    """Objects that no schema would admit lie in etcd: they are told about, and disturb nobody."""
    lax = definition()
    schema = lax["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    schema["properties"]["spec"] = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    schema.pop("x-kubernetes-validations", None)
    lax["spec"]["versions"][0].pop("selectableFields", None)
    await scene.rig.admin.call("PATCH", OURS, _replacing(lax), JSON_PATCH)
    names = []
    for number, spec in enumerate(poisons(int(scene.plan.settings.get("POISONS", "20")))):
        body = {"apiVersion": "gscsync.io/v1beta1", "kind": "GscSyncSchedule",
                "metadata": {"name": f"bad-{number}", "namespace": scene.namespace}, "spec": spec}  # fmt: skip
        await until(partial(_stored, scene, body), 30)
        names.append(f"bad-{number}")
    await scene.rig.admin.call("PATCH", OURS, _replacing(definition()), JSON_PATCH)
    await until_served(scene)
    made = await until(lambda: scene.apply("ok", runOnCreate=True), 30)
    assert made
    await scene.until("ok", done())
    for name in names:
        try:
            await scene.until(
                name, lambda status: any(it["type"] == "Ready" for it in status.get("conditions") or ())
            )
        except TimeoutError:
            stored = scene.rig.mirror.views[scene.namespace].schedules[name].get("spec")
            scene.problems.append(f"O4: {name} has no condition: {json.dumps(stored)[:300]}")
    return {"ok": Expected((Run("Create"),))}


def _replacing(crd: Object) -> list[Object]:
    return [{"op": "replace", "path": "/spec/versions/0", "value": crd["spec"]["versions"][0]}]


async def _stored(scene: Scene, body: Object) -> bool:
    """The API server takes a moment until it admits by the new schema."""
    try:
        await scene.rig.admin.call("POST", scene.path("gscsyncschedules"), body)
    except ApiError as error:
        return error.code == 409
    return True


# -- a status written by hand --------------------------------------------------------------------------------------------


async def status_lost(scene: Scene) -> dict[str, Expected]:
    """A run by creation and one of a slot are over, or the second goes on, when parts of the status are taken away."""
    slot = past_minute()
    await scene.apply("slow", schedule=daily(slot), runOnCreate=True)
    await scene.until("slow", either(lambda status: bool(status.get("active")), done()))
    await scene.backdate("slow", slot - timedelta(minutes=1))
    after = scene.plan.settings["WHEN"]
    runs_second = str(int(slot.timestamp()) // 60)
    await scene.until("slow", done(2) if after == "over" else _runs(runs_second))
    taken = json.loads(scene.plan.settings["STATUS"])
    path = scene.path("gscsyncschedules", "slow") + "/status"
    for _ in range(3):
        await scene.rig.admin.call("PATCH", path, {"status": taken}, MERGE)
        await scene.until("slow", lambda status: status.get("scheduleHash") and not status.get("active"))
        await asyncio.sleep(2)
    expected = (Run("Create"), Run("Cron", slot=slot))
    return {"slow": Expected(expected, forgotten=True)}


def _runs(run_id: str) -> Holds:
    return lambda status: any(it["id"] == run_id for it in status.get("activeLaunches") or ())


# -- what is deleted, and in which order -------------------------------------------------------------------------------


async def namespace_away(scene: Scene) -> dict[str, Expected]:
    """The namespace goes while a Job runs and the operator looks on."""
    await scene.apply("slow", runOnCreate=True)
    await scene.until("slow", either(lambda status: bool(status.get("active")), done()))
    await _without_namespace(scene)
    return {"slow": Expected((Run("Create"),), gone=True)}


async def namespace_away_alone(scene: Scene) -> dict[str, Expected]:
    """The same with no operator there: nothing of ours may hold it up."""
    await scene.apply("slow", runOnCreate=True)
    await scene.until("slow", either(lambda status: bool(status.get("active")), done()))
    await scene.operators[0].stop()
    await _without_namespace(scene)
    return {"slow": Expected((Run("Create"),), gone=True)}


async def schedule_away_alone(scene: Scene) -> dict[str, Expected]:
    """A schedule is deleted while no operator is there; when one comes it finds nothing to do."""
    made = await scene.apply("slow", runOnCreate=True)
    await scene.until("slow", either(lambda status: bool(status.get("active")), done()))
    scene.operators[0].freeze()
    await scene.delete("slow")
    await scene.gone(scene.path("gscsyncschedules", "slow"))

    def no_orphans(view: Any) -> bool:
        return not any(
            owner["uid"] == made["metadata"]["uid"]
            for job in view.jobs.values()
            for owner in job["metadata"].get("ownerReferences") or ()
        )

    await scene.rig.mirror.until(scene.namespace, no_orphans, 60)
    scene.operators[0].thaw()
    await scene.operators[0].kill()
    return {"slow": Expected((Run("Create"),), gone=True)}


async def _without_namespace(scene: Scene) -> None:
    path = f"/api/v1/namespaces/{scene.namespace}"
    await scene.rig.admin.call("DELETE", path)
    await scene.gone(path, 60)


# -- the API server itself --------------------------------------------------------------------------------------------


async def with_the_server(scene: Scene, seconds: float, *, kill: bool) -> dict[str, Expected]:
    slot = past_minute()
    await scene.apply("slow", schedule=daily(slot), runOnCreate=True)
    await scene.until("slow", either(lambda status: bool(status.get("active")), done()))
    plane = scene.rig.plane
    await asyncio.to_thread(plane.stop_apiserver, kill=kill)
    await asyncio.sleep(seconds)
    await asyncio.to_thread(plane.start_apiserver)
    await until(lambda: scene.backdate_or_none("slow", slot - timedelta(minutes=1)), 30)
    await scene.until("slow", done(2))
    return {"slow": Expected((Run("Create"), Run("Cron", slot=slot)))}


async def server_crash(scene: Scene) -> dict[str, Expected]:
    return await with_the_server(scene, 0, kill=True)


async def server_10_s(scene: Scene) -> dict[str, Expected]:
    return await with_the_server(scene, 10, kill=False)


async def server_2_min(scene: Scene) -> dict[str, Expected]:
    return await with_the_server(scene, 120, kill=False)


async def compacted(scene: Scene) -> dict[str, Expected]:
    """The watch is away for 1,100 revisions, etcd forgets them, the API server restarts: a 410 that nobody injects."""
    slot = past_minute()
    await scene.apply("slow", schedule=daily(slot), runOnCreate=True)
    await scene.until("slow", either(lambda status: bool(status.get("active")), done()))
    scene.proxy.down = True
    await asyncio.sleep(0.5)
    path = f"/api/v1/namespaces/{scene.namespace}/configmaps"
    await scene.rig.admin.call("POST", path, {"metadata": {"name": "noise"}, "data": {}})
    for number in range(REVISIONS):
        await scene.rig.admin.call("PATCH", f"{path}/noise", {"data": {"n": str(number)}}, MERGE)
    await _compact_etcd(scene)
    await asyncio.to_thread(scene.rig.plane.restart_apiserver, kill=True)
    await until(lambda: scene.backdate_or_none("slow", slot - timedelta(minutes=1)), 30)
    scene.proxy.down = False
    await scene.until("slow", done(2))
    return {"slow": Expected((Run("Create"), Run("Cron", slot=slot)))}


async def _compact_etcd(scene: Scene) -> None:
    plane = scene.rig.plane
    record = read(plane.folder)
    assert record is not None
    started = record.find("etcd")
    assert started is not None
    url = next(word.split("=", 1)[1] for word in started.program.argv if "listen-client-urls" in word)
    pki = plane.folder / "pki"
    tls = ssl.create_default_context(cafile=str(plane.ca_file))
    tls.load_cert_chain(str(pki / "etcd-client.crt"), str(pki / "etcd-client.key"))
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=tls)) as session:
        async with session.post(f"{url}/v3/kv/range", json={"key": "AA=="}) as answer:
            revision = (await answer.json())["header"]["revision"]
        async with session.post(
            f"{url}/v3/kv/compaction", json={"revision": revision, "physical": True}
        ) as answer:
            answer.raise_for_status()


UPHEAVALS: Mapping[str, Story] = {
    "crd-away": crd_away,
    "crd-changed": crd_changed,
    "crd-missing-at-start": crd_missing_at_start,
    "poisoned": poisoned,
    "status-lost": status_lost,
    "namespace-away": namespace_away,
    "namespace-away-alone": namespace_away_alone,
    "schedule-away-alone": schedule_away_alone,
    "server-crash": server_crash,
    "server-10-s": server_10_s,
    "server-2-min": server_2_min,
    "compacted": compacted,
}
"""Stories beside the workloads."""

ALONE = frozenset(UPHEAVALS) - {
    "status-lost",
    "namespace-away",
    "namespace-away-alone",
    "schedule-away-alone",
}
