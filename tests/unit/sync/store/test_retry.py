"""How often and how long a piece of work is tried again."""

import pytest

from sync.errors import DatabaseRefused, DatabaseUnavailable
from sync.store.errors import TooManyConnections, Transient
from sync.store.retry import Retry


class Work:
    """Fails as told, then gives 7."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.pauses: list[float] = []
        self.forgotten = 0

    def forget(self) -> None:
        self.forgotten += 1

    def __call__(self) -> int:
        if self.errors:
            raise self.errors.pop(0)
        return 7

    def tried(self, jitter: float = 1.0) -> int:
        return Retry(self.pauses.append, lambda: jitter, self.forget)(self)


@pytest.mark.parametrize(
    ("error", "pauses", "forgotten"),
    [
        pytest.param(Transient("x"), [0.05, 0.1, 0.2, 0.4, 0.8], 0, id="a conflict is over soon"),
        pytest.param(Transient("x", stale=True), [0.5, 1, 2, 4, 8], 5, id="a restart takes longer"),
        pytest.param(TooManyConnections("x"), [0.5, 1, 2, 4, 8], 0, id="so does a full server"),
    ],
)
def test_five_retries_ever_further_apart(error: Transient, pauses: list[float], forgotten: int) -> None:
    work = Work(*[error] * 5)
    assert work.tried() == 7
    assert (work.pauses, work.forgotten) == (pauses, forgotten)


def test_pauses_are_spread_over_their_second_half() -> None:
    work = Work(Transient("x", stale=True))
    work.tried(jitter=0.0)
    assert work.pauses == [0.25]


def test_the_sixth_failure_is_for_the_next_launch() -> None:
    work = Work(*[Transient("deadlock")] * 6)
    with pytest.raises(DatabaseUnavailable, match="deadlock") as caught:
        work.tried()
    assert type(caught.value) is DatabaseUnavailable


def test_what_a_person_must_mend_is_not_tried_again() -> None:
    work = Work(DatabaseRefused("grant"))
    with pytest.raises(DatabaseRefused):
        work.tried()
    assert work.pauses == []
