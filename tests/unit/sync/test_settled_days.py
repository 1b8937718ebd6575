"""Settled days only, soon after they are there: several slots a day, of which those that come too early cost next to nothing."""

from datetime import timedelta

from contract import ExitCode
from tests.unit.sync.fakes import SLOT, TODAY, FakeGoogle, days_of, spec, workspace
from tests.unit.sync.test_run import House

DAY = timedelta(days=1)


def test_a_later_slot_takes_the_day_that_has_settled_since(tmp_path):
    google = FakeGoogle(first_incomplete=TODAY - 2 * DAY)
    order = spec([workspace(tmp_path)], window={"days": 3, "data_state": "Final"})
    house = House(order, google)
    assert house.run().summary.newest_final_day == TODAY - 3 * DAY

    def next_slot(hours: int) -> House:
        google.requests.clear()
        slot = SLOT + timedelta(hours=hours)
        again = order.model_copy(update={"slot": slot, "run_id": str(int(slot.timestamp()) // 60)})
        return House(again, google, house.store, house.clock)

    too_early = next_slot(4).run()
    assert too_early.exit_code is ExitCode.SUCCESS
    assert too_early.summary.newest_final_day == TODAY - 3 * DAY
    assert google.asked() == []
    assert len(google.asked("probe")) == 1

    google.first_incomplete = TODAY - DAY
    in_time = next_slot(8).run()
    assert in_time.summary.newest_final_day == TODAY - 2 * DAY
    assert set(days_of(google.asked())) == {(TODAY - 2 * DAY).isoformat()}
