"""How a schedule goes: by every way to delete it, with the operator there or away."""

import pytest

POLICIES = {
    "L8 background": ("Background", False),
    "L8 foreground": ("Foreground", False),
    "L8 orphan": ("Orphan", True),
}


@pytest.mark.parametrize(("policy", "stays"), POLICIES.values(), ids=POLICIES.keys())
@pytest.mark.parametrize("away", [False, True], ids=["the operator is there", "the operator is away"])
async def test_deleted_while_it_runs_its_job_goes_or_stays_as_asked_for(
    team, operator, policy, stays, away
) -> None:
    operator.start(GSC_OPERATOR_LEADER_ELECTION="false")
    await team.apply(runOnCreate=True)
    await team.until("marketing", lambda status: bool(status.get("activeLaunches")))
    if away:
        operator.kill()
    await team.api.call("DELETE", f"{team.path('gscsyncschedules', 'marketing')}?propagationPolicy={policy}")

    async def settled() -> bool:
        left = await team.api.call("GET", team.path("gscsyncschedules"))
        jobs = await team.jobs()
        return not left["items"] and (
            bool(jobs) and not jobs[0]["metadata"].get("ownerReferences") if stays else not jobs
        )

    await team.api.wait_for(settled, 90)  # the garbage collector learns of a new kind within half a minute
    if away:
        operator.start(GSC_OPERATOR_LEADER_ELECTION="false")
    await team.apply("next", runOnCreate=True)
    await team.until("next", lambda status: bool(status.get("activeLaunches")))
    jobs = await team.jobs()
    assert len(jobs) == 1 + stays, "whose schedule is gone, that Job is nobody's"
    assert all(not job["metadata"].get("deletionTimestamp") for job in jobs)
