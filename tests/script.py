"""Answers in turn, for fakes that are told beforehand what to say: what nobody asked for fails the test at its end.

A test that prepares an answer says that it will be asked for. When it is not, the story went another way than the
test tells, however green it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

T = TypeVar("T")


class Script(Generic[T]):
    """Called with whatever the question is, it gives or raises the next of its answers."""

    _open: list[Script[object]] | None = None

    def __init__(self, *answers: T | Exception) -> None:
        self._answers = list(answers)
        self._given = 0
        if Script._open is not None:
            Script._open.append(self)  # type: ignore[arg-type]

    def __call__(self, *_: object) -> T:
        if not self.left:
            raise AssertionError(f"asked once more than told: there were {self._given} answers")
        found = self._answers[self._given]
        self._given += 1
        if isinstance(found, Exception):
            raise found
        return found

    @property
    def left(self) -> int:
        return len(self._answers) - self._given

    def describe(self) -> str:
        return (
            f"{self.left} of {len(self._answers)} answers, the next being {self._answers[self._given]!r:.200}"
        )


@contextmanager
def all_asked_for() -> Iterator[None]:
    """Raises AssertionError at the end when a script made meanwhile has answers left."""
    Script._open = made = []
    try:
        yield
    finally:
        Script._open = None
    left = [script.describe() for script in made if script.left]
    assert not left, "nobody asked for " + "; nor for ".join(left)
