"""A breaker: what opens it, what it lets through, what closes it."""

from __future__ import annotations

import pytest

from sync.quota.circuit import Circuit, Pass, Refuse, Rules, State, Wait

RULES = Rules(failures=4, sources=2, first_seconds=10, longest_seconds=40, give_up_seconds=100)


def failed(times: int, *sources: str, now: float = 0.0, circuit: Circuit | None = None) -> Circuit:
    circuit = circuit or Circuit()
    for turn in range(times):
        circuit = circuit.fail(sources[turn % len(sources)], now, RULES)
    return circuit


@pytest.mark.parametrize(
    ("circuit", "state"),
    [
        pytest.param(failed(3, "a", "b"), State.CLOSED, id="too few"),
        pytest.param(failed(4, "a", "b"), State.OPEN, id="enough, from two"),
        pytest.param(failed(400, "a"), State.CLOSED, id="one bad property is no outage, however often it fails"),
        pytest.param(failed(3, "a", "b", circuit=failed(3, "a", "b").succeed()), State.CLOSED, id="not in a row"),
    ],
)  # fmt: skip
def test_what_opens_it(circuit: Circuit, state: State) -> None:
    assert circuit.state is state


def test_open_it_keeps_waiting_then_lets_one_through() -> None:
    circuit = failed(4, "a", "b")
    assert circuit.enter(4.0, RULES) == (circuit, Wait(6.0))
    probing, answer = circuit.enter(10.0, RULES)
    assert (probing.state, answer) == (State.HALF_OPEN, Pass())
    assert probing.enter(11.0, RULES)[1] == Wait(1.0), "one is enough"


def test_the_probes_answer_decides() -> None:
    probing, _ = failed(4, "a", "b").enter(10.0, RULES)
    assert probing.succeed() == Circuit(trips=1)
    again = probing.fail("a", 12.0, RULES)
    assert (again.state, again.until, again.trips) == (State.OPEN, 32.0, 1)
    longest = again
    for _ in range(5):
        longest = longest.enter(longest.until, RULES)[0].fail("a", longest.until, RULES)
    assert longest.seconds == RULES.longest_seconds


def test_a_probe_that_was_not_asked_leaves_the_place_to_another() -> None:
    probing, _ = failed(4, "a", "b").enter(10.0, RULES)
    assert probing.leave(10.5).enter(10.5, RULES)[1] == Pass()


def test_a_probe_that_got_lost_does_not_block_for_ever() -> None:
    probing, _ = failed(4, "a", "b").enter(10.0, RULES)
    assert probing.enter(10.0 + RULES.probe_seconds, RULES)[1] == Pass()


def test_what_was_under_way_when_it_opened_says_nothing_new_but_a_success_closes_it() -> None:
    circuit = failed(4, "a", "b")
    assert failed(20, "c", "d", now=3.0, circuit=circuit) == circuit
    assert circuit.succeed().state is State.CLOSED


def test_an_outage_is_waited_for_only_so_long_and_still_probed() -> None:
    circuit = failed(4, "a", "b")
    now = 0.0
    while now < RULES.give_up_seconds:
        now = circuit.until
        circuit = circuit.enter(now, RULES)[0].fail("a", now, RULES)
    assert circuit.enter(now + 1, RULES)[1] == Refuse(now + 1)
    probing, answer = circuit.enter(circuit.until, RULES)
    assert answer == Pass()
    assert probing.succeed().enter(now, RULES)[1] == Pass()
