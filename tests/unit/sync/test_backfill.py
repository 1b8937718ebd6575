"""A range of days over an order, and a backfill from the command line."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest

from contract import ExitCode, RunSpec, State
from sync.backfill import NO_RANGE, Range
from sync.errors import ConfigurationError
from tests.unit.sync.fakes import TODAY, FakeGoogle, days_of, spec, workspace
from tests.unit.sync.test_command import Desk
from tests.unit.sync.test_run import House

FIRST, LAST = datetime(2025, 8, 1), datetime(2026, 5, 31)  # noqa: DTZ001 - days as a command line gives them


@pytest.fixture
def order(tmp_path) -> RunSpec:
    return spec([workspace(tmp_path)], window={"days": 14, "data_state": "Final", "max_catch_up_days": 30})


def test_without_a_range_the_order_stays_as_it_is(order):
    assert NO_RANGE.over(order) is order


def test_a_range_makes_a_run_of_its_own_with_the_rest_of_the_order(order):
    made = Range(FIRST, LAST).over(order)
    assert (made.window.first_day, made.window.last_day) == (date(2025, 8, 1), date(2026, 5, 31))
    assert (made.window.data_state, made.window.max_catch_up_days) == ("Final", 30)
    assert made.run_id == "b-20250801-20260531-29690640"
    assert made.model_copy(update={"window": order.window, "run_id": order.run_id}) == order
    assert RunSpec.from_json(made.to_json()) == made


def test_a_long_run_id_is_cut_to_what_the_contract_allows(order):
    made = Range(FIRST, LAST).over(order.model_copy(update={"run_id": "m-" + "a" * 61}))
    assert RunSpec.from_json(made.to_json()).run_id.startswith("b-20250801-20260531-m-aaa")


def test_without_an_end_it_is_the_day_of_the_slot(order):
    assert Range(FIRST).over(order).window.last_day == TODAY


@pytest.mark.parametrize(
    ("wanted", "problem"),
    [
        pytest.param(Range(None, LAST), "--to needs --from", id="no beginning"),
        pytest.param(Range(LAST, FIRST), "1 to 500 days", id="backwards"),
        pytest.param(Range(FIRST.replace(year=2020), LAST), "1 to 500 days", id="six years"),
    ],
)
def test_a_range_that_cannot_be_is_refused(order, wanted, problem):
    with pytest.raises(ConfigurationError, match=problem):
        wanted.over(order)


@pytest.mark.parametrize(
    ("arguments", "code", "problem"),
    [
        pytest.param(["--to", "2026-01-01"], ExitCode.CANCELLED, "--to needs --from", id="no beginning"),
        pytest.param(["--from", "tomorrow"], ExitCode.USAGE, "does not match", id="no day"),
    ],
)
@pytest.mark.parametrize("command", ["run", "plan"])
def test_the_command_line_says_what_is_wrong(tmp_path, order, command, arguments, code, problem):
    desk = Desk(tmp_path)
    result = desk(command, "--spec", desk.write(order.to_json()), *arguments)
    assert result.exit_code == code
    assert problem in result.output + desk.logs.getvalue()


def test_a_backfill_asks_for_its_days_and_no_others_newest_first(order):
    google = FakeGoogle(first_incomplete=TODAY)
    house = House(Range(TODAY_AT - timedelta(days=40), TODAY_AT - timedelta(days=38)).over(order), google)
    ended = house.run()
    assert ended.summary.state is State.SUCCEEDED
    assert list(days_of(google.asked())) == ["2026-05-07", "2026-05-06", "2026-05-05"]
    assert [(body["startDate"], body["endDate"]) for body in google.asked("probe")] == [
        ("2026-05-05", "2026-05-07")
    ]
    assert ended.summary.catch_up_days == 0


TODAY_AT = datetime(TODAY.year, TODAY.month, TODAY.day)  # noqa: DTZ001


def test_a_backfill_does_not_stand_in_for_the_daily_run(order):
    google = FakeGoogle(first_incomplete=TODAY)
    house = House(Range(TODAY_AT - timedelta(days=3)).over(order), google)
    house.run()
    daily = House(replace_window(order), google, house.store, house.clock)
    ended = daily.run()
    assert not ended.summary.from_earlier_launch
    assert ended.summary.cells > 0


def replace_window(order: RunSpec) -> RunSpec:
    return order.model_copy(update={"window": order.window.model_copy(update={"days": 10})})
