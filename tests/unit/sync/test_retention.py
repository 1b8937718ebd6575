"""Which months stay: whole ones, counted before the present one, and never less than what is synced."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from types import SimpleNamespace

import pytest

from contract import Destination
from contract.run_spec import Window
from sync.errors import DatabaseUnavailable
from sync.plan.retention import first_month_kept
from sync.run import _give_up_old_months
from sync.stop import StopReason


@pytest.mark.parametrize(
    ("today", "months", "synced_from", "kept_from"),
    [
        (date(2026, 11, 29), 13, date(2026, 11, 16), date(2025, 10, 1)),
        (date(2026, 11, 1), 1, date(2026, 10, 19), date(2026, 10, 1)),
        (date(2026, 1, 31), 1, date(2026, 1, 18), date(2025, 12, 1)),
        (date(2026, 12, 31), 12, date(2026, 12, 18), date(2025, 12, 1)),
        (date(2026, 11, 29), 1, date(2026, 3, 5), date(2026, 3, 1)),
        (date(2026, 11, 29), 480, date(2026, 11, 16), date(1986, 11, 1)),
    ],
    ids=["13 months", "one", "over new year", "a year", "a long window wins", "forty years"],
)
def test_the_first_month_that_stays(today, months, synced_from, kept_from):
    assert first_month_kept(today, months, synced_from) == kept_from


@dataclass
class Months:
    """A store of which only retention is of interest."""

    error: Exception | None = None
    asked: list[date] = field(default_factory=list)

    def drop_before(self, first_kept: date) -> int:
        self.asked.append(first_kept)
        if self.error:
            raise self.error
        return 3


def launch(store: Months, months: int, reason: StopReason | None = None) -> SimpleNamespace:
    now = datetime(2026, 11, 29, 4, tzinfo=UTC)
    spec = SimpleNamespace(
        destination=Destination(path="/warehouse", retention_months=months), slot=now, window=Window()
    )
    return SimpleNamespace(
        spec=spec, store=store, stop=SimpleNamespace(reason=reason), clock=SimpleNamespace(now=lambda: now)
    )


def test_old_months_are_given_up_only_when_asked_for():
    store = Months()
    _give_up_old_months(launch(store, 0))
    assert store.asked == []
    _give_up_old_months(launch(store, 13))
    assert store.asked == [date(2025, 10, 1)]


def test_a_launch_that_was_told_to_stop_begins_nothing_more():
    store = Months()
    _give_up_old_months(launch(store, 13, StopReason.SIGNAL))
    assert store.asked == []


def test_a_database_that_will_not_is_told_and_costs_the_run_nothing(caplog):
    _give_up_old_months(launch(Months(DatabaseUnavailable("busy")), 13))
    assert "old months stay for now: busy" in caplog.text
