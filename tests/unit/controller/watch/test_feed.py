"""Feed: kopf in its thread hands over what it sees, ends when told to, and is started again when it ends by itself."""

import asyncio
import itertools
import threading

import kopf
import pytest

from controller.clock import SystemClock
from controller.cluster.access import Access
from controller.cluster.port import Refused
from controller.intake import job_news, pod_news, schedule_news
from controller.model import names
from controller.table import Table
from controller.watch import feed
from controller.watch.feed import EndlessBackoffs, Feed, registry_of, settings_of
from controller.watch.login import WaitingLogin
from tests.script import Script
from tests.unit.controller.conftest import schedule_body

NOWHERE = Access("http://127.0.0.1:1", token="t")


async def nowhere() -> Access:
    return NOWHERE


@pytest.fixture(autouse=True)
def threads():
    """The watch threads this test started; another test's may still be on its way out."""
    earlier = set(threading.enumerate())

    def mine() -> list[str]:
        return [thread.name for thread in set(threading.enumerate()) - earlier if thread.name == "watch"]

    yield mine
    assert mine() == []


async def until(holds, seconds: float = 20) -> None:
    async with asyncio.timeout(seconds):
        while not holds():  # noqa: ASYNC110 - what is waited for tells nobody
            await asyncio.sleep(0.02)


def unknown(_uid: str, _version: str) -> bool:
    return False


def test_backoffs_never_end_and_begin_anew_each_time() -> None:
    backoffs = EndlessBackoffs()
    for _ in range(2):
        waits = list(itertools.islice(backoffs, 200))
        assert 0.7 < waits[0] < 1.3
        assert all(0 < wait <= 75 for wait in waits)


def test_d9_kopf_peers_with_nobody_writes_nothing_and_scans_nothing() -> None:
    settings = settings_of()
    assert settings.scanning.disabled
    assert settings.peering.standalone
    assert not settings.posting.enabled
    assert set(settings.watching.label_selectors.values()) == {f"{names.LABEL_MANAGED_BY}={names.MANAGED_BY}"}


async def test_each_handler_hands_over_and_returns_nothing() -> None:
    got = []
    registry = registry_of(got.append, unknown, nowhere)
    handlers = registry._watching._handlers
    assert len(handlers) == 3
    bodies = [
        schedule_body(),
        {"metadata": {"name": "j", "uid": "j1", "creationTimestamp": "2026-11-26T04:00:00Z"}},
        {},
    ]
    for handler, body in zip(handlers, bodies, strict=True):
        for what in ("ADDED", "DELETED", None):
            assert await handler.fn(event={"type": what, "object": body}) is None
    assert [news.deleted for news in got] == [False, True, False] * 3
    assert [bool(news.schedule) for news in got[:3]] == [True] * 3


async def test_what_is_known_is_not_parsed_again_but_its_end_is_news() -> None:
    got = []
    registry = registry_of(got.append, lambda uid, version: (uid, version) == ("s1", "5"), nowhere)
    handler = registry._watching._handlers[0]
    body = schedule_body()
    for version, what in (("5", "MODIFIED"), ("6", "MODIFIED"), ("5", "DELETED")):
        body["metadata"] |= {"uid": "s1", "resourceVersion": version}
        await handler.fn(event={"type": what, "object": body})
    assert [(news.resource_version, news.deleted) for news in got] == [("6", False), ("5", True)]


def test_news_reach_the_table_and_odd_ones_harm_nothing() -> None:
    table = Table()
    body = schedule_body()
    body["metadata"] |= {"uid": "s1", "resourceVersion": "5", "creationTimestamp": "2026-11-26T04:00:00Z"}
    schedule_news(body).put(table)
    assert table.entry("s1")
    job = {
        "metadata": {
            "name": "j",
            "namespace": "team",
            "uid": "j1",
            "resourceVersion": "6",
            "creationTimestamp": "2026-11-26T04:00:00Z",
            "ownerReferences": [{"kind": "GscSyncSchedule", "uid": "s1", "controller": True}],
        }
    }
    job_news(job).put(table)
    pod = {
        "metadata": {
            "name": "p",
            "uid": "p1",
            "resourceVersion": "7",
            "creationTimestamp": "2026-11-26T04:00:01Z",
            "ownerReferences": [{"kind": "Job", "uid": "j1", "controller": True}],
        }
    }
    pod_news(pod).put(table)
    assert table.jobs_of("s1")[0].pod.uid == "p1"
    pod_news(pod, deleted=True).put(table)
    assert table.jobs_of("s1")[0].pod.gone
    for odd in ({}, {"metadata": None}, {"metadata": {"uid": 5}}):
        pod_news(odd).put(table)
        job_news(odd).put(table)
    job_news(job, deleted=True).put(table)
    assert table.jobs_of("s1") == ()
    schedule_news(body, deleted=True).put(table)
    assert table.entry("s1") is None


async def test_a_refused_token_is_not_given_twice() -> None:
    old, new = (Access("https://x", token=token) for token in ("old", "new"))
    answers = Script(old, old, old, new)

    async def read() -> Access:
        return answers()

    login = WaitingLogin(read, poll=0.01)
    first = await login.handler()
    second = await login.handler()
    assert isinstance(first, kopf.ConnectionInfo)
    assert (first.token, second.token) == ("old", "new")


async def test_without_credentials_it_waits_for_some() -> None:
    answers = Script(Refused("no file"), ValueError("half a file"), Access("https://x", token="t"))

    async def read() -> Access:
        return answers()

    assert (await WaitingLogin(read, poll=0.01).handler()).token == "t"


async def test_cancelling_ends_the_watch_and_its_thread(threads) -> None:
    task = asyncio.create_task(
        Feed(lambda news: None, unknown, nowhere, ("team",), SystemClock(), lambda: None).run()
    )
    await until(threads)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await until(lambda: not threads())


async def test_a_watch_that_ends_by_itself_is_started_again(clock, threads) -> None:
    async def broken() -> Access:
        return Access("no-url-at-all", token="t")

    restarted = []
    made = Feed(lambda news: None, unknown, broken, (), clock, lambda: restarted.append(True))
    task = asyncio.create_task(made.run())
    await until(lambda: made.restarts == 1)
    assert restarted == []
    await until(lambda: clock.sleepers)
    await clock.advance(1)
    await until(lambda: made.restarts == 2)
    assert restarted == [True]
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await until(lambda: not threads())


async def test_what_fails_in_a_callback_of_kopf_is_told_and_ends_nothing(caplog) -> None:
    loop = asyncio.get_running_loop()
    before = loop.get_exception_handler()
    loop.set_exception_handler(feed._note)
    try:
        loop.call_soon(lambda: 1 / 0)
        await until(lambda: caplog.records)
    finally:
        loop.set_exception_handler(before)
    assert caplog.records[0].levelname == "WARNING"
    assert "ZeroDivisionError" in caplog.records[0].why
