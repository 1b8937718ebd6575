"""The table: news in any order, from anywhere, ends in the same truth."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from controller.model.job import JobRecord, JobState, PodFacts
from controller.model.parse import parse_schedule
from controller.model.status import Counters, Status
from controller.table import TOMBSTONES, Table, version
from tests.unit.controller.conftest import schedule_body

NOW = datetime(2026, 11, 26, 4, 0, tzinfo=UTC)


def schedule(uid: str = "s1", rv: str = "10", name: str = "marketing"):
    body = schedule_body(name)
    body["metadata"] |= {
        "uid": uid,
        "resourceVersion": rv,
        "generation": 1,
        "creationTimestamp": "2026-11-01T00:00:00Z",
    }
    return parse_schedule(body)


def job(uid: str = "j1", rv: str = "20", owner: str = "s1", **changes) -> JobRecord:
    record = JobRecord(
        namespace="team",
        name=f"job-{uid}",
        uid=uid,
        resource_version=rv,
        owner_uid=owner,
        run_id="1",
        slot_minutes=1,
        attempt=1,
        launch=1,
        trigger="Cron",
        created_at=NOW,
        state=JobState.ACTIVE,
    )
    return replace(record, **changes)


def pod(uid: str = "p1", **changes) -> PodFacts:
    return replace(PodFacts(uid=uid, created_at=NOW), **changes)


@pytest.fixture
def table() -> Table:
    return Table()


def test_a_new_schedule_is_found_by_uid_and_by_name_and_wakes(table) -> None:
    assert table.put_schedule(schedule(), Status())
    assert table.find("team", "marketing") == table.entry("s1")
    assert table.wake.is_set()
    assert table.take_changed() == ("s1",)
    assert not table.wake.is_set()
    assert len(table) == 1


def test_c1_versions_never_go_back(table) -> None:
    table.put_schedule(schedule(rv="100"), Status(counters=Counters(runs=2)))
    assert not table.put_schedule(schedule(rv="99"), Status())
    assert not table.put_schedule(schedule(rv="100"), Status())
    assert table.entry("s1").status.counters.runs == 2


@pytest.mark.parametrize(
    ("text", "number"), [("17", 17), ("9" * 25, int("9" * 25)), ("", 0), ("abc", 0), ("-3", 0)]
)
def test_a_version_is_a_number_or_oldest(text: str, number: int) -> None:
    assert version(text) == number


def test_our_own_write_is_news_but_does_not_wake(table) -> None:
    table.put_schedule(schedule(rv="1"), Status())
    table.take_changed()
    assert table.put_schedule(schedule(rv="2"), Status(), wake=False)
    assert not table.wake.is_set()
    assert not table.put_schedule(schedule(rv="2"), Status()), "the watch's echo is no news"


def test_what_was_deleted_stays_deleted_however_late_an_answer_comes(table) -> None:
    table.put_schedule(schedule(rv="5"), Status())
    table.drop_schedule("s1")
    table.drop_job("j1")
    assert not table.put_schedule(schedule(rv="9"), Status())
    assert not table.put_job(job())
    assert not table.put_pod("j1", pod(), "30")
    assert table.entry("s1") is None
    assert table.jobs_of("s1") == ()


def test_c9_a_schedule_made_anew_under_its_name_replaces_the_old_one(table) -> None:
    table.put_schedule(schedule("old", "5"), Status())
    table.put_schedule(schedule("new", "9"), Status())
    assert table.entry("old") is None
    assert table.find("team", "marketing").schedule.uid == "new"
    table.drop_schedule("old")
    assert table.find("team", "marketing").schedule.uid == "new"


def test_jobs_come_by_owner_in_order_and_with_their_pod(table) -> None:
    table.put_schedule(schedule(), Status())
    table.put_job(job("j2", created_at=NOW + timedelta(minutes=1), launch=2))
    table.put_job(job("j1"))
    table.put_job(job("other", owner="s2"))
    table.put_pod("j1", pod(exit_code=0), "30")
    assert [found.uid for found in table.jobs_of("s1")] == ["j1", "j2"]
    assert table.jobs_of("s1")[0].pod.exit_code == 0
    assert table.job("j2").pod is None
    assert table.job("none") is None


def test_a_pod_seen_before_its_job_is_not_lost(table) -> None:
    table.put_schedule(schedule(), Status())
    table.put_pod("j1", pod(exit_code=1), "30")
    table.take_changed()
    table.put_job(job())
    assert table.jobs_of("s1")[0].pod.exit_code == 1
    assert table.take_changed() == ("s1",)


def test_facts_of_a_pod_outlive_it_until_its_job_goes(table) -> None:
    table.put_schedule(schedule(), Status())
    table.put_job(job())
    table.put_pod("j1", pod(exit_code=1, termination_message="why"), "30")
    table.lose_pod("j1", "p1")
    assert table.job("j1").pod.gone
    assert table.job("j1").pod.termination_message == "why"
    table.drop_job("j1")
    assert table.job("j1") is None
    assert table.pod_uids() == frozenset()


def test_old_news_of_a_pod_changes_nothing_and_wakes_nobody(table) -> None:
    table.put_schedule(schedule(), Status())
    table.put_job(job())
    table.put_pod("j1", pod(exit_code=1), "30")
    table.take_changed()
    assert not table.put_pod("j1", pod(), "29")
    assert not table.put_pod("j1", pod(exit_code=1), "31"), "a new version with the same facts"
    assert not table.put_pod("j1", pod("p0", created_at=NOW - timedelta(minutes=1)), "40"), "an older pod"
    assert not table.wake.is_set()


def test_losing_another_pod_than_the_known_one_means_nothing(table) -> None:
    table.put_job(job())
    table.put_pod("j1", pod(), "30")
    table.lose_pod("j1", "p0")
    table.lose_pod("j9", "p1")
    assert not table.job("j1").pod.gone


def test_a_job_that_changes_its_owner_moves(table) -> None:
    table.put_job(job(rv="1"))
    table.put_job(job(rv="2", owner="s2"))
    assert table.jobs_of("s1") == ()
    assert [found.uid for found in table.jobs_of("s2")] == ["j1"]


def test_a_resync_drops_ghosts_but_not_what_is_younger_than_its_list(table) -> None:
    table.put_schedule(schedule("ghost", "1", "ghost"), Status())
    table.put_schedule(schedule("kept", "2", "kept"), Status())
    table.put_job(job("gone"))
    schedules, jobs = table.schedule_uids("team"), table.job_uids("team")
    table.put_schedule(schedule("young", "3", "young"), Status())
    table.put_job(job("fresh"))
    assert table.drop_absent_schedules(schedules, {"kept"}) == 1
    assert table.drop_absent_jobs(jobs, set()) == 1
    assert sorted(entry.schedule.uid for entry in table.entries()) == ["kept", "young"]
    assert [found.uid for found in table.jobs_of("s1")] == ["fresh"]


def test_a_resync_of_one_namespace_asks_for_that_one_alone(table) -> None:
    table.put_schedule(schedule(), Status())
    table.put_job(job())
    table.put_pod("j1", pod(), "1")
    for namespace, expected in (("team", 1), ("", 1), ("other", 0)):
        assert len(table.schedule_uids(namespace)) == expected
        assert len(table.job_uids(namespace)) == expected
        assert len(table.pod_uids(namespace)) == expected


def test_facts_without_a_job_go_at_a_resync(table) -> None:
    table.put_job(job())
    table.put_pod("j1", pod(), "1")
    table.put_pod("nobody", pod("p2"), "1")
    assert table.drop_orphan_pods() == 0, "its Job may only be late"
    assert table.drop_orphan_pods() == 1
    assert table.job("j1").pod


def test_the_memory_of_the_dead_is_bounded(table) -> None:
    for number in range(TOMBSTONES + 10):
        table.drop_job(f"j{number}")
    assert table.put_job(job("j0"))
    assert not table.put_job(job(f"j{TOMBSTONES}"))


def test_each_shard_keeps_its_own_pod_and_the_launch_ends_with_the_last() -> None:
    table = Table()
    table.put_job(job("j1", "5", shards=2))
    assert table.put_pod("j1", pod("p0", exit_code=0), "30")
    assert table.put_pod("j1", pod("p1", shard=1), "31")
    found = table.job("j1")
    assert found is not None
    assert found.pod is not None
    assert found.pod.exit_code is None
    assert table.pod_uids() == {("j1", "p0"), ("j1", "p1")}
    assert table.put_pod("j1", pod("p1", shard=1, exit_code=1), "32")
    table.lose_pod("j1", "p1")
    found = table.job("j1")
    assert found is not None
    assert found.pod is not None
    assert found.pod.exit_code == 1
    assert table.pod_uids() == {("j1", "p0")}


def test_who_can_wait_comes_after_what_changed_and_a_few_at_a_time(table) -> None:
    for uid in ("quiet-1", "quiet-2", "quiet-3"):
        table.touch_later(uid)
    table.touch("edited")
    assert table.take_changed(later=20) == ("edited", "quiet-1", "quiet-2"), "a tenth beside what changed"
    assert table.wake.is_set(), "one is left"
    table.touch("quiet-3")
    assert table.take_changed(later=20) == ("quiet-3",), "it changed meanwhile, and is not looked at twice"
    assert not table.wake.is_set()


def test_with_nothing_else_to_do_a_whole_share_of_them_is_looked_at(table) -> None:
    for number in range(30):
        table.touch_later(f"quiet-{number}")
    assert len(table.take_changed(later=20)) == 20
    assert len(table.take_changed(later=20)) == 10


def test_it_knows_a_state_by_its_version(table) -> None:
    table.put_schedule(schedule("s1", "5"), Status())
    table.put_job(job("j1", "7"))
    assert table.knows("s1", "5")
    assert table.knows("j1", "7")
    assert not table.knows("s1", "6")
    assert not table.knows("j1", "5")
    assert not table.knows("s2", "5")
    table.drop_schedule("s1")
    assert not table.knows("s1", "5")


def test_who_can_wait_is_not_looked_at_before(table) -> None:
    table.touch("listed")
    table.touch("pressing")
    table.touch_later("listed")
    assert table.take_changed(later=0) == ("pressing",)
    assert table.take_changed() == ("listed",)
