"""Faults 49, 50 and 57: what changes at Google while a run goes on, and a clock that is wrong by hours."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from contract import ExitCode, FailureClass, State
from tests.integration.faults.world import (
    ACME,
    BLOG,
    CONFIG,
    Hurried,
    World,
    eventually,
    meanwhile,
    named,
    only,
)

ACME_ALONE, BOTH = {ACME: "siteOwner"}, {ACME: "siteOwner", BLOG: "siteFullUser"}


def test_fault_49_a_property_that_is_added_in_mid_run_comes_with_the_next(world: World) -> None:
    world.emulator.set_account("acme", properties=ACME_ALONE)  # type: ignore[arg-type]
    world.emulator.set_latency(20)

    def add() -> None:
        eventually(lambda: len(world.asked(operation="query", account="acme")) > 2)
        world.emulator.set_account("acme", properties=BOTH)  # type: ignore[arg-type]

    with meanwhile(add):
        ended = world.run()
    assert (ended.exit_code, ended.summary.state) == (ExitCode.SUCCESS, State.SUCCEEDED)
    assert world.asked(operation="query", property=BLOG) == []
    assert world.wrong(behind=only(BLOG)) == {}
    world.heal()


@pytest.mark.parametrize(
    ("left", "asked"),
    [
        pytest.param({BLOG: "siteFullUser"}, "not visible", id="removed"),
        pytest.param({ACME: "siteUnverifiedUser", BLOG: "siteFullUser"}, "not verified", id="unverified"),
    ],
)
def test_fault_50_a_property_that_goes_keeps_its_rows(world: World, left: dict[str, str], asked: str) -> None:
    """In mid-run it is a refusal; in the next run it is not among the properties any more."""
    world.emulator.set_latency(20)

    def take_away() -> None:
        eventually(lambda: len(world.asked(operation="query", property=ACME)) > 3)
        world.emulator.set_account("acme", properties=left)  # type: ignore[arg-type]

    with meanwhile(take_away):
        ended = world.run()
    world.emulator.set_latency(0)
    assert (ended.exit_code, ended.summary.state) == (ExitCode.SUCCESS, State.PARTIALLY_SUCCEEDED)
    assert ended.failures() == {"acme": FailureClass.PERMISSION_DENIED}
    assert world.wrong(behind=only(ACME)) == {}

    by_pattern = world.run()
    assert by_pattern.exit_code == ExitCode.SUCCESS
    assert by_pattern.summary.failures == [], "nobody asked for it by name"
    by_name = world.run(
        workspaces=[world.workspace("acme", properties=named(ACME)), world.workspace("globex")]
    )
    assert asked in by_name.summary.failures[0].message
    assert world.wrong(behind=only(ACME)) == {}
    world.emulator.set_account("acme", properties=dict(CONFIG.accounts[0].properties))
    world.heal()


@pytest.mark.parametrize("hours", [-5, 5])
def test_fault_57_a_clock_that_is_wrong_by_hours_is_told_and_the_window_holds(
    world: World, hours: int
) -> None:
    """The window is counted from the slot; the Date header of Google's answers shows the difference."""
    said = format_datetime(world.now.astimezone(UTC), usegmt=True)
    world.faults({"fault": {"kind": "headers", "headers": {"Date": said}}})
    ended = world.run(clock=Hurried(world.now + timedelta(hours=hours)))
    assert ended.exit_code == ExitCode.SUCCESS
    warnings = [line["message"] for line in ended.events if "clock.skew" in line["message"]]
    assert len(warnings) == 1, "once is enough"
    assert f"{hours * 3600} s" in warnings[0]
    assert world.wrong() == {}


def test_fault_57_a_clock_that_is_right_is_not_warned_about(world: World) -> None:
    """The emulator's own Date header is that of this machine."""
    ended = world.run(clock=Hurried(world.now))
    assert "clock.skew" in ended.logs, "half a year ahead of the emulated calendar"
    said = format_datetime(datetime.fromtimestamp(time.time(), UTC), usegmt=True)
    assert said
    world.faults({"fault": {"kind": "headers", "headers": {"Date": format_datetime(world.now, usegmt=True)}}})
    assert "clock.skew" not in world.run(clock=Hurried(world.now)).logs
