"""What the log says of launches: start, stop and exception, with how long they waited and took."""

import logging
from datetime import UTC, datetime

import pytest

from controller.testkit import Kit
from tests.unit.controller.conftest import schedule_body


@pytest.fixture
async def kit() -> Kit:
    made = Kit(datetime(2026, 11, 26, 3, 59, 50, tzinfo=UTC))
    made.apply(schedule_body())
    await made.drain()
    await made.advance(seconds=12)
    return made


def told(caplog: pytest.LogCaptureFixture, prefix: str) -> list[logging.LogRecord]:
    return [record for record in caplog.records if str(getattr(record, "event", "")).startswith(prefix)]


async def test_a_success_starts_and_stops(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "gsc.decision")
    kit = Kit(datetime(2026, 11, 26, 3, 59, 50, tzinfo=UTC))
    kit.apply(schedule_body())
    await kit.drain()
    await kit.advance(seconds=12)
    await kit.clock.advance(30)
    kit.finish(kit.assert_job_created("marketing"), 0)
    await kit.drain()
    start, stop = told(caplog, "job.")
    assert (start.event, start.queue_time_ms, start.attempt, start.queue) == (
        "job.start",
        2000,
        1,
        "gsc-sync",
    )
    assert (stop.event, stop.duration_ms, stop.outcome) == ("job.stop", 30_000, "Succeeded")
    assert told(caplog, "decision")


async def test_a_failure_is_an_exception(caplog: pytest.LogCaptureFixture, kit: Kit) -> None:
    caplog.set_level(logging.INFO, "gsc.decision")
    kit.finish(kit.assert_job_created("marketing"), 1)
    await kit.drain()
    (ended,) = told(caplog, "job.")
    assert (ended.event, ended.levelname, ended.outcome) == ("job.exception", "WARNING", "Failed")


async def test_a_snooze_is_no_exception(caplog: pytest.LogCaptureFixture, kit: Kit) -> None:
    caplog.set_level(logging.INFO, "gsc.decision")
    kit.finish(kit.assert_job_created("marketing"), 75, state="Snoozed", snoozeSeconds=60)
    await kit.drain()
    assert [record.event for record in told(caplog, "job.")] == ["job.stop"]


async def test_an_adopted_launch_is_told_as_started(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "gsc.decision")
    kit = Kit(datetime(2026, 11, 26, 3, 59, 50, tzinfo=UTC))
    kit.apply(schedule_body())
    await kit.drain()
    await kit.clock.advance(12)
    await kit.crash("create_job")
    await kit.drain()
    assert [record.event for record in told(caplog, "job.")] == ["job.start"]
