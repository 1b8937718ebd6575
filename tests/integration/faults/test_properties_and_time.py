"""Faults 48, 49, 50 and 57: hours on the two odd nights of a year, what changes at Google while a run goes on, and a clock that is wrong by hours."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from contract import ExitCode, FailureClass, State
from emulator import Account, Config, Property, run_emulator, stage_of
from tests.integration.faults.world import (
    ACME,
    BLOG,
    CONFIG,
    GLOBEX,
    Hurried,
    World,
    eventually,
    meanwhile,
    named,
    of,
    only,
)
from tests.oracle.dimension_sets import differences, expected
from tests.postgres import Database

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
    said = format_datetime(world.now, usegmt=True)
    world.faults({"fault": {"kind": "headers", "headers": {"Date": said}}})
    assert "clock.skew" not in world.run(clock=Hurried(world.now)).logs


@pytest.mark.parametrize(
    ("moment", "day", "hours"),
    [
        pytest.param(datetime(2026, 3, 10, 18, tzinfo=UTC), date(2026, 3, 8), 23, id="spring"),
        pytest.param(datetime(2026, 11, 3, 18, tzinfo=UTC), date(2026, 11, 1), 25, id="autumn"),
    ],
)
def test_fault_48_the_hour_that_is_missing_and_the_hour_that_comes_twice(
    database: Database, tmp_path: Path, moment: datetime, day: date, hours: int
) -> None:
    config = Config(
        seed=3,
        properties=(Property(url=ACME, rows={"web": 900}),),
        accounts=(Account(name="acme", properties={ACME: "siteOwner"}),),
    )
    with run_emulator(config, now=moment, keys=tmp_path / "keys") as emulator:
        world = World(emulator, database, tmp_path, now=moment)
        ended = world.run(search_types=["web"], dimension_sets=["hourly"])
        stage = stage_of(day, moment, config.fresh_days)
        wanted = expected(emulator.dataset, ACME, day, "web", stage, "hourly", moment)
    assert ended.exit_code == ExitCode.SUCCESS
    found = world.database.execute(
        "SELECT hour, page, clicks, impressions, position FROM gsc.v_by_hour WHERE day = %s", [day]
    )
    assert len({hour for hour, *_ in found}) == hours
    assert len(found) == len(wanted), "no row twice"
    assert (
        differences({(hour.astimezone(UTC), page): (*numbers,) for hour, page, *numbers in found}, wanted)
        == set()
    )


@pytest.mark.parametrize(
    ("name", "right"),
    [
        pytest.param("https://blog.acme.example", BLOG, id="no slash at the end"),
        pytest.param("HTTPS://Blog.ACME.example/", BLOG, id="upper case"),
        pytest.param("sc-domain%3Aacme.example", ACME, id="percent-encoded"),
    ],
)
def test_fault_52_a_name_spelled_otherwise_is_told_with_googles_spelling(
    world: World, name: str, right: str
) -> None:
    ended = world.run(workspaces=[world.workspace("acme", properties=named(name)), world.workspace("globex")])
    assert (ended.exit_code, ended.summary.state) == (ExitCode.SUCCESS, State.PARTIALLY_SUCCEEDED)
    assert f"spelled {right} at Google" in ended.summary.failures[0].message
    assert world.wrong(behind=of(ACME, BLOG)) == {}
    assert {entry["property"] for entry in world.asked(operation="query")} == {GLOBEX}
    world.heal()
