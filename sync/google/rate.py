"""How fast one may ask: token buckets per property and per identity, which learn downwards.

Google's burst limits are not documented and new projects get a twentieth of the usual, so the rate is not a constant: it
halves on each refusal for the rate, at most once a second, since refusals of one burst arrive together. It does not
climb again within a launch.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from sync.clock import Clock

SLOWEST = 0.1
"""Requests per second below which learning stops; Google's lowest known limit is 1 per second."""

HALVING_PAUSE_SECONDS = 1.0


class Bucket:
    """Tokens flow in at `rate` per second, up to `burst` (at least 1); each request takes one."""

    def __init__(self, rate: float, clock: Clock, *, burst: float | None = None) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._rate = rate
        self._burst = max(1.0, rate if burst is None else burst)
        self._tokens = self._burst
        self._filled_at = clock.monotonic()
        self._halved_at = float("-inf")

    @property
    def rate(self) -> float:
        return self._rate

    def reserve(self) -> float:
        """Take a token, of the future if need be; the seconds to wait before using it."""
        with self._lock:
            self._fill()
            self._tokens -= 1
            return 0.0 if self._tokens >= 0 else -self._tokens / self._rate

    def slow_down(self) -> None:
        """The server found it too fast."""
        with self._lock:
            self._fill()
            now = self._clock.monotonic()
            if now - self._halved_at < HALVING_PAUSE_SECONDS:
                return
            self._halved_at = now
            self._rate = max(min(SLOWEST, self._rate), self._rate / 2)
            self._burst = max(1.0, self._rate)
            self._tokens = min(self._tokens, 0.0)

    def _fill(self) -> None:
        now = self._clock.monotonic()
        self._tokens = min(self._burst, self._tokens + (now - self._filled_at) * self._rate)
        self._filled_at = now


class Rates:
    """The buckets of a launch, by name, shared by every account: Google counts per site and per user."""

    def __init__(self, rate: float, clock: Clock) -> None:
        self._rate = rate
        self._clock = clock
        self._lock = threading.Lock()
        self._buckets: dict[str, Bucket] = {}

    def bucket(self, name: str, rate: float | None = None) -> Bucket:
        with self._lock:
            if name not in self._buckets:
                self._buckets[name] = Bucket(self._rate if rate is None else rate, self._clock)
            return self._buckets[name]


def wait_for(buckets: tuple[Bucket, ...], sleep: Callable[[float], None]) -> float:
    """Take a token of each and wait for the slowest; the seconds waited."""
    seconds = max((bucket.reserve() for bucket in buckets), default=0.0)
    if seconds > 0:
        sleep(seconds)
    return seconds
