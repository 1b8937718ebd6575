"""Fetching ahead: while a property's cell is stored, its next cells are already asked for.

A launch works on `limits.concurrency` cells at a time. A property that is being worked on has one place of its own, for
the cell whose turn it is; places that no property needs go to cells ahead of their turn. So one large property is as
fast as ten small ones, and no launch ever holds more cells in memory, or loses more when it is killed, than its
concurrency says. Results are handed on in the order of the cells, and errors at the cell's own turn.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


class Ahead:
    """The places of a launch, shared by its properties. Safe to use from many threads."""

    def __init__(self, places: int) -> None:
        """`places`: cells at work at the same time, those at their turn included; with 1 nothing is fetched ahead."""
        self._free = places
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(max(1, places - 1), thread_name_prefix="ahead")

    def each(self, items: Iterable[T], fetch: Callable[[T], R]) -> Generator[tuple[T, Callable[[], R]]]:
        """Each item with a way to have its result: by waiting when it was asked for ahead, else by fetching it now.

        A result keeps its place until its turn. Close the generator when stopping early: what was fetched ahead is
        dropped.
        """
        waiting = deque(items)
        fetching: deque[tuple[T, Future[R]]] = deque()
        with self._turn():
            try:
                while waiting or fetching:
                    if fetching:
                        item, future = fetching.popleft()
                        self._give_back()
                        result: Callable[[], R] = future.result
                    else:
                        item = waiting.popleft()
                        result = partial(fetch, item)
                    while waiting and self._take():
                        ahead = waiting.popleft()
                        fetching.append((ahead, self._pool.submit(fetch, ahead)))
                    yield item, result
            finally:
                for _, future in fetching:
                    future.cancel()
                    future.add_done_callback(self._give_back)

    def close(self) -> None:
        """Begin nothing more; what is under way ends by itself."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """A property begins whether or not a place is free; with none, the others fetch nothing ahead until one is."""
        with self._lock:
            self._free -= 1
        try:
            yield
        finally:
            self._give_back()

    def _take(self) -> bool:
        with self._lock:
            if self._free <= 0:
                return False
            self._free -= 1
            return True

    def _give_back(self, _: Future[R] | None = None) -> None:
        with self._lock:
            self._free += 1
