"""When a launch makes what takes long: after its rows, and never at their cost."""

from collections.abc import Callable, Sequence

from contract import ExitCode
from sync.errors import DatabaseUnavailable
from sync.stop import StopReason
from tests.unit.sync.fakes import FakeGoogle, spec, workspace
from tests.unit.sync.test_run import House


def test_the_rows_come_first(tmp_path):
    house = House(spec([workspace(tmp_path)]), FakeGoogle())
    seen: list[int] = []

    def settle(enough: Callable[[], bool]) -> Sequence[str]:
        assert not enough()
        seen.append(len(house.store.cells))
        return ()

    house.store.on_settle = settle
    assert house.run().exit_code is ExitCode.SUCCESS
    assert seen == [3]


def test_it_is_enough_when_the_launch_is_told_to_stop(tmp_path):
    house = House(spec([workspace(tmp_path)]), FakeGoogle())

    def settle(enough: Callable[[], bool]) -> Sequence[str]:
        house.stop.request(StopReason.SIGNAL)
        assert enough()
        return ("run_open",)

    house.store.on_settle = settle
    assert house.run().exit_code is ExitCode.SUCCESS


def test_a_launch_that_was_told_to_stop_does_not_begin_it(tmp_path):
    begun: list[bool] = []
    google = FakeGoogle()
    house = House(spec([workspace(tmp_path)]), google)
    google.script = lambda _request, _body: house.stop.request(StopReason.SIGNAL)
    house.store.on_settle = lambda _enough: begun.append(True) or ()
    house.run()
    assert begun == []


def test_what_cannot_be_made_is_told_and_costs_the_run_nothing(tmp_path, caplog):
    caplog.set_level("INFO")
    house = House(spec([workspace(tmp_path)]), FakeGoogle())

    def settle(_: Callable[[], bool]) -> Sequence[str]:
        raise DatabaseUnavailable("busy")

    house.store.on_settle = settle
    assert house.run().exit_code is ExitCode.SUCCESS
    assert "the schema is settled later: busy" in caplog.text
    house.store.complete.clear()
    house.store.on_settle = lambda _enough: ("run_open",)
    house.again().run()
    assert "left to a later launch: run_open" in caplog.text
