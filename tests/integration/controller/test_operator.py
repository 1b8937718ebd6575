"""The operator as users run it: a process with its narrow rights, a real API server, real Job controller, fake pods."""

import asyncio
import json

from controller.model.names import job_name, run_id_of_token
from tests.integration.controller.conftest import Operator
from tests.integration.controller.proxy import Proxy, summary


def succeeded(status: dict) -> bool:
    return status.get("lastResult") == "Succeeded"


async def test_a_schedule_runs_and_says_so(team, operator) -> None:
    await team.pods_do(exit_code=0, message=summary(rowsWritten=42))
    operator.start()
    await team.apply(runOnCreate=True)
    status = await team.until("marketing", succeeded)
    assert status["history"][0]["rowsWritten"] == 42
    assert status["counters"]["launches"] == status["counters"]["succeeded"] == 1
    (job,) = await team.jobs()
    assert job["metadata"]["ownerReferences"][0]["kind"] == "GscSyncSchedule"

    async def told() -> bool:
        return {"SyncJobCreated", "SyncSucceeded"} <= set(await team.reasons())

    await team.api.wait_for(told)
    assert await operator.get("/healthz") == (200, "ok\n")
    assert await operator.get("/readyz") == (200, "ok\n")
    assert await operator.metric('gsc_sync_launches_total{result="Created"}') == 1
    assert await operator.metric("gsc_sync_operator_leader") == 1
    assert await operator.stop() == 0
    lines = operator.log()
    assert [line["what"] for line in lines if line.get("event") == "decision"] == ["Launched", "Finished"]
    assert not [line for line in lines if line["level"] in {"ERROR", "CRITICAL"}], "its rights are enough"
    lease = await team.api.call("GET", team.path("leases", "gsc-sync-operator"))
    assert not lease["spec"].get("holderIdentity"), "given back at the end"


async def test_the_operator_touches_nothing_of_the_schedule_but_its_status(team, operator) -> None:
    await team.pods_do(exit_code=0, message=summary())
    before = await team.apply(runOnCreate=True)
    operator.start()
    await team.until("marketing", succeeded)
    after = await team.api.call("GET", team.path("gscsyncschedules", "marketing"))
    assert after["spec"] == before["spec"]
    for part in ("labels", "annotations", "finalizers"):
        assert after["metadata"].get(part) == before["metadata"].get(part)


async def test_a_failure_is_retried_with_a_second_job(team, operator) -> None:
    await team.pods_do(
        {"gscsync.io/launch": "1"}, exit_code=1, message=summary("Failed", message="database down")
    )
    await team.pods_do({"gscsync.io/launch": "2"}, exit_code=0, message=summary())
    operator.start()
    await team.apply(runOnCreate=True)
    waiting = await team.until(
        "marketing", lambda status: status.get("currentRun", {}).get("state") == "Retrying"
    )
    assert "database down" in json.dumps(waiting["currentRun"]["errors"])
    status = await team.until("marketing", succeeded)
    assert (status["history"][0]["attempts"], status["history"][0]["launches"]) == (2, 2)
    assert status["counters"]["retries"] == 1
    first, second = await team.jobs()
    assert first["metadata"]["labels"]["gscsync.io/run"] == second["metadata"]["labels"]["gscsync.io/run"]


async def test_a_launch_in_shards_ends_with_the_last_and_is_retried_when_one_fails(team, operator) -> None:
    index = "batch.kubernetes.io/job-completion-index"
    well = summary(rowsWritten=10, properties=1)
    await team.pods_do({"gscsync.io/launch": "1", index: "0"}, exit_code=0, run_for="3s", message=well)
    await team.pods_do(
        {"gscsync.io/launch": "1", index: "1"}, exit_code=1, message=summary("Failed", message="no route")
    )
    await team.pods_do({"gscsync.io/launch": "2"}, exit_code=0, message=well)
    operator.start()
    await team.apply(runOnCreate=True, shards=2)
    waiting = await team.until(
        "marketing", lambda status: status.get("currentRun", {}).get("state") == "Retrying"
    )
    assert "shard 1 of 2: no route" in json.dumps(waiting["currentRun"]["errors"])
    status = await team.until("marketing", succeeded)
    assert (status["history"][0]["attempts"], status["history"][0]["launches"]) == (2, 2)
    assert status["lastRun"]["summary"]["rowsWritten"] == 20
    for job in await team.jobs():
        assert (job["spec"]["completionMode"], job["spec"]["completions"]) == ("Indexed", 2)


async def test_killed_between_job_and_status_it_finds_one_job_and_a_right_status(
    control_plane, team, operator, tmp_path
) -> None:
    await team.pods_do(exit_code=0, run_for="2s", message=summary())
    token = control_plane.service_account_token(team.namespace, "operator")
    async with Proxy(team.api, token, tmp_path) as proxy:
        proxy.once("POST", "/jobs", then=operator.kill)
        operator.kubeconfig = proxy.kubeconfig
        operator.start()
        await team.apply(runOnCreate=True)

        async def dead() -> bool:
            return operator.process.poll() is not None

        await team.api.wait_for(dead)
        assert len(await team.jobs()) == 1
        assert not (await team.status()).get("activeLaunches"), "it died before it could say so"
        operator.start()
        status = await team.until("marketing", succeeded)
        await operator.stop()
    assert len(await team.jobs()) == 1
    assert (status["counters"]["launches"], status["counters"]["runs"]) == (1, 1)
    assert "Adopted" in [note["what"] for note in status["decisions"]]


async def test_killed_after_the_status_write_it_goes_on(control_plane, team, operator, tmp_path) -> None:
    await team.pods_do(exit_code=0, run_for="1s", message=summary())
    token = control_plane.service_account_token(team.namespace, "operator")
    async with Proxy(team.api, token, tmp_path) as proxy:
        operator.kubeconfig = proxy.kubeconfig
        operator.start()
        await team.apply(runOnCreate=True)
        await team.until("marketing", lambda status: bool(status.get("activeLaunches")))
        proxy.once("PATCH", "/status", then=operator.kill)  # the next write is the result

        async def dead() -> bool:
            return operator.process.poll() is not None

        await team.api.wait_for(dead)
        operator.start()
        status = await team.until("marketing", succeeded)
        await operator.stop()
    assert len(await team.jobs()) == 1
    assert (status["counters"]["launches"], status["counters"]["runs"], status["counters"]["succeeded"]) == (
        1,
        1,
        1,
    )


async def test_a_lost_answer_makes_no_second_job(control_plane, team, operator, tmp_path) -> None:
    await team.pods_do(exit_code=0, message=summary())
    token = control_plane.service_account_token(team.namespace, "operator")
    async with Proxy(team.api, token, tmp_path) as proxy:
        proxy.once("POST", "/jobs")
        operator.kubeconfig = proxy.kubeconfig
        operator.start()
        await team.apply(runOnCreate=True)
        status = await team.until("marketing", succeeded)
        await operator.stop()
        creates = [path for method, path in proxy.seen if method == "POST" and path.endswith("/jobs")]
    assert len(await team.jobs()) == 1
    assert len(creates) == 1, "it asked what had become of it instead of asking again"
    assert (status["counters"]["launches"], status["counters"]["runs"]) == (1, 1)


async def test_a_foreign_job_is_left_alone_and_others_go_on(team, operator) -> None:
    await team.pods_do(exit_code=0, message=summary())
    body = await team.apply(suspend=True)
    operator.start()
    await team.until("marketing", lambda status: status.get("observedGeneration") == 1)
    await operator.stop()
    name = job_name("marketing", body["metadata"]["uid"], run_id_of_token("please"), 1)
    foreign = {
        "metadata": {"name": name, "labels": {"whose": "theirs"}},
        "spec": {
            "suspend": True,
            "template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "x", "image": "x"}]}},
        },
    }
    made = await team.api.call("POST", team.path("jobs"), foreign)
    operator.start()
    await team.change(
        "marketing",
        {"spec": {"suspend": False}, "metadata": {"annotations": {"gscsync.io/run-now": "please"}}},
    )
    status = await team.until("marketing", lambda status: bool(status.get("history")))
    assert status["history"][0]["reason"] == "NameConflict"
    assert name in json.dumps(status["history"][0]) or "NameConflict" in json.dumps(status)
    left = await team.api.call("GET", team.path("jobs", name))
    assert left["metadata"]["uid"] == made["metadata"]["uid"]
    assert not left["metadata"].get("ownerReferences")
    await team.apply("other", runOnCreate=True)
    await team.until("other", succeeded)


async def test_an_unknown_time_zone_is_told_and_leaves_others_alone(team, operator) -> None:
    await team.pods_do(exit_code=0, message=summary())
    operator.start()
    await team.apply("odd", timeZone="Mars/Olympus", runOnCreate=True)
    await team.apply("fine", runOnCreate=True)
    await team.until("fine", succeeded)
    status = await team.until("odd", lambda status: bool(status.get("conditions")))
    ready = next(it for it in status["conditions"] if it["type"] == "Ready")
    assert ready["status"] == "False"
    assert "Mars/Olympus" in ready["message"]
    assert len(await team.jobs()) == 1


async def test_a_quota_refuses_the_job_and_it_is_tried_again_when_lifted(team, operator) -> None:
    await team.pods_do(exit_code=0, message=summary())
    quota = f"/api/v1/namespaces/{team.namespace}/resourcequotas"
    await team.api.call(
        "POST", quota, {"metadata": {"name": "none"}, "spec": {"hard": {"count/jobs.batch": "0"}}}
    )

    async def enforced() -> bool:
        return bool((await team.api.call("GET", f"{quota}/none")).get("status", {}).get("hard"))

    await team.api.wait_for(enforced)
    operator.start()
    await team.apply(runOnCreate=True)
    status = await team.until("marketing", lambda status: "exceeded quota" in json.dumps(status))
    assert status["counters"]["launches"] == 0
    await team.api.call("DELETE", f"{quota}/none")
    status = await team.until("marketing", succeeded)
    assert status["history"][0]["attempts"] == 1


async def test_a_deleted_schedule_takes_its_job_along_and_is_forgotten(team, operator) -> None:
    operator.start()
    await team.apply(runOnCreate=True)
    await team.until("marketing", lambda status: bool(status.get("activeLaunches")))
    await team.api.call("DELETE", team.path("gscsyncschedules", "marketing"))

    async def gone() -> bool:
        return not await team.jobs() and await operator.metric("gsc_sync_schedule_info{") == 0

    await team.api.wait_for(gone)


async def test_the_api_server_restarts_and_nothing_is_lost(control_plane, team, operator) -> None:
    await team.pods_do(exit_code=0, message=summary())
    operator.start()
    await team.apply("before", runOnCreate=True)
    await team.until("before", succeeded)
    await asyncio.to_thread(control_plane.restart_apiserver)
    await team.api.close()
    await team.apply("after", runOnCreate=True)
    status = await team.until("after", succeeded)
    assert status["counters"]["launches"] == 1
    assert operator.process.poll() is None


async def test_d9_two_replicas_make_one_job_and_the_second_takes_over(team, operator, tmp_path) -> None:
    await team.pods_do(exit_code=0, message=summary())
    second = Operator(operator.kubeconfig, team.namespace, tmp_path / "second")
    second.folder.mkdir()
    operator.start(GSC_OPERATOR_IDENTITY="first")
    second.start(GSC_OPERATOR_IDENTITY="second")
    try:
        await team.apply("one", runOnCreate=True)
        await team.until("one", succeeded)
        leaders = [who for who in (operator, second) if await who.metric("gsc_sync_operator_leader") == 1]
        assert len(leaders) == 1
        leaders[0].kill()
        await team.apply("two", runOnCreate=True)
        await team.until("two", succeeded)
        assert len(await team.jobs()) == 2
    finally:
        for who in (operator, second):
            if who.process.poll() is None:
                assert await who.stop() == 0
