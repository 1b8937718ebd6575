"""Does a piece of work again while the database says that it may well succeed: bounded, spread out, never at once.

A conflict with another transaction is over in moments; a server that restarts or fails over takes seconds. Between
tries, whatever was remembered of a server that may be another one now is forgotten.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from sync.errors import DatabaseUnavailable
from sync.store.errors import TooManyConnections, Transient

T = TypeVar("T")

RETRIES = 5
CONFLICT_SECONDS = 0.05
LOST_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Retry:
    sleep: Callable[[float], None]
    jitter: Callable[[], float]
    """Gives a number in [0, 1)."""
    forget: Callable[[], None]

    def __call__(self, work: Callable[[], T]) -> T:
        """What `work` gives; DatabaseUnavailable after so many tries, other errors as they come."""
        for attempt in range(RETRIES + 1):
            try:
                return work()
            except Transient as error:
                if error.stale:
                    self.forget()
                if attempt == RETRIES:
                    raise DatabaseUnavailable(str(error)) from error
                slow = error.stale or isinstance(error, TooManyConnections)
                longest = (LOST_SECONDS if slow else CONFLICT_SECONDS) * 2**attempt
                self.sleep(longest * (0.5 + self.jitter() / 2))
        raise AssertionError("unreachable")
