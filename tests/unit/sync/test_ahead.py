"""What is fetched ahead: never more than there are places, in order, errors at their turn, nothing lost when ended early."""

from __future__ import annotations

import threading

import pytest

from sync.ahead import Ahead


class Bench:
    """Counts how many results exist that nobody has taken yet; `gate` holds the fetches back."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.asked: list[int] = []
        self.held = self.most = 0
        self.lock = threading.Lock()

    def fetch(self, item: int) -> int:
        with self.lock:
            self.asked.append(item)
            self.held += 1
            self.most = max(self.most, self.held)
        assert self.gate.wait(10)
        if item == 3:
            raise ValueError(item)
        return item * 10

    def taken(self) -> None:
        with self.lock:
            self.held -= 1


@pytest.mark.parametrize("places", [1, 2, 4, 50])
def test_results_come_in_order_and_errors_at_their_turn(places):
    bench, ahead = Bench(), Ahead(places)
    bench.gate.set()
    seen: list[object] = []
    for item, result in ahead.each(range(8), bench.fetch):
        try:
            seen.append((item, result()))
        except ValueError as error:
            seen.append((item, error.args[0]))
        bench.taken()
    ahead.close()
    assert seen == [(item, 3 if item == 3 else item * 10) for item in range(8)]
    assert sorted(bench.asked) == list(range(8))


@pytest.mark.parametrize("places", [1, 2, 4])
def test_no_more_is_at_work_than_there_are_places(places):
    bench, ahead = Bench(), Ahead(places)
    bench.gate.set()
    for item, result in ahead.each([0, 1, 2, 4, 5, 6, 7, 8, 9], bench.fetch):
        assert result() == item * 10
        bench.taken()
        assert bench.most <= places
    ahead.close()


def test_with_one_place_nothing_is_asked_for_ahead():
    bench, ahead = Bench(), Ahead(1)
    bench.gate.set()
    for item, result in ahead.each(range(3), bench.fetch):
        assert bench.asked == list(range(item))
        result()


def test_properties_that_fill_the_places_fetch_nothing_ahead():
    bench, ahead = Bench(), Ahead(2)
    bench.gate.set()
    first, second = ahead.each(range(3), bench.fetch), ahead.each([10, 11, 12], bench.fetch)
    _, ahead_of_its_turn = next(first)
    assert ahead_of_its_turn() == 0
    for item, result in second:
        assert item not in bench.asked
        result()
    list(first)
    ahead.close()


def test_ending_early_gives_the_places_back():
    bench, ahead = Bench(), Ahead(4)
    bench.gate.set()
    for _ in range(20):
        for item, _ in ahead.each([0, 1, 2, 4, 5, 6], bench.fetch):
            if item == 1:
                break
    last = ahead.each([0, 1, 2, 4, 5], bench.fetch)
    next(last)
    ahead.close()
    with ahead._lock:
        free = ahead._free
    assert 0 <= free <= 3
