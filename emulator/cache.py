"""A least-recently-used cache bounded by weight, and one builder per key.

Days of rows and prepared pages are costly to make and big to keep. The cache holds as much as fits; two requests for
the same missing key wait for one builder instead of making the same thing twice.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

V = TypeVar("V")


class Cache(Generic[V]):
    """Maps keys to values of known weight. Safe to share between threads."""

    def __init__(self, capacity: int, weigh: Callable[[V], int]) -> None:
        self._capacity = capacity
        self._weigh = weigh
        self._held: OrderedDict[Hashable, tuple[V, int]] = OrderedDict()
        self._building: dict[Hashable, threading.Lock] = {}
        self._lock = threading.Lock()
        self._weight = 0

    @property
    def weight(self) -> int:
        return self._weight

    def __len__(self) -> int:
        return len(self._held)

    def peek(self, key: Hashable) -> V | None:
        """The value if it is held; never builds, so it is safe to call where waiting is not."""
        with self._lock:
            if key not in self._held:
                return None
            self._held.move_to_end(key)
            return self._held[key][0]

    def get(self, key: Hashable, build: Callable[[], V]) -> V:
        """The value of the key, built if it is not held."""
        with self._lock:
            if key in self._held:
                self._held.move_to_end(key)
                return self._held[key][0]
            builder = self._building.setdefault(key, threading.Lock())
        with builder:
            with self._lock:
                if key in self._held:
                    return self._held[key][0]
            value = build()
            self._keep(key, value)
        return value

    def _keep(self, key: Hashable, value: V) -> None:
        weight = self._weigh(value)
        with self._lock:
            self._building.pop(key, None)
            self._held[key] = (value, weight)
            self._weight += weight
            while self._weight > self._capacity and len(self._held) > 1:
                _, (_, freed) = self._held.popitem(last=False)
                self._weight -= freed
