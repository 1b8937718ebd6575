"""The cache: bounded, least recently used first, one builder per key."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from emulator.cache import Cache


def test_the_least_recently_used_goes_first() -> None:
    cache: Cache[str] = Cache(6, len)
    for key in "abc":
        cache.get(key, lambda key=key: key * 2)
    cache.get("a", lambda: pytest.fail("a is held"))
    cache.get("d", lambda: "dd")
    assert (cache.peek("b"), cache.peek("a"), len(cache), cache.weight) == (None, "aa", 3, 6)


def test_a_value_that_is_too_big_is_served_all_the_same() -> None:
    cache: Cache[str] = Cache(3, len)
    assert cache.get("big", lambda: "x" * 10) == "x" * 10
    cache.get("small", lambda: "y")
    assert (cache.peek("big"), cache.weight) == (None, 1)


def test_a_key_is_built_once_however_many_ask() -> None:
    cache: Cache[str] = Cache(100, len)
    gate, builds = threading.Barrier(8), []

    def build() -> str:
        builds.append(1)
        return "value"

    def ask() -> str:
        gate.wait(10)
        return cache.get("key", build)

    with ThreadPoolExecutor(8) as pool:
        answers = [task.result(10) for task in [pool.submit(ask) for _ in range(8)]]
    assert (answers, len(builds)) == (["value"] * 8, 1)


def test_a_failed_build_is_tried_again() -> None:
    cache: Cache[str] = Cache(100, len)
    with pytest.raises(ZeroDivisionError):
        cache.get("key", lambda: str(1 / 0))
    assert cache.get("key", lambda: "value") == "value"
