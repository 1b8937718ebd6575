"""The one place that says "no more": SIGTERM, the soft deadline, or an error that ends the launch.

Workers ask it before each cell and sleep through it, so that no backoff outlives the launch. A cell in flight at the
soft deadline may finish; one that would have to *wait* is given up, since waiting is not progress. `abort_at` bounds
even the request that is being read right now, in whichever process of the launch that is.
"""

from __future__ import annotations

import mmap
import struct
import threading
from enum import StrEnum

from sync.clock import Clock
from sync.errors import Interrupted


class StopReason(StrEnum):
    """Why no cell is taken any more."""

    SIGNAL = "signal"
    SOFT_DEADLINE = "soft deadline"
    SWITCH = "kill switch"
    FATAL = "fatal error"


class Stop:
    """Shared by every thread of a launch."""

    def __init__(self, clock: Clock, *, soft_deadline: float, hard_deadline: float, grace: float) -> None:
        """Deadlines are moments of `clock.monotonic()`; `grace` is in seconds, between SIGTERM and SIGKILL."""
        self._clock = clock
        self._soft = soft_deadline
        self._hard = hard_deadline
        self._grace = grace
        self._event = threading.Event()
        self._lock = threading.Lock()
        self._reason: StopReason | None = None
        self._abort_at = _Moment(hard_deadline)

    @property
    def reason(self) -> StopReason | None:
        if self._reason is None and self._clock.monotonic() >= self._soft:
            return StopReason.SOFT_DEADLINE
        return self._reason

    def request(self, reason: StopReason) -> None:
        """Ask everybody to stop; the first reason stays, except that a fatal error outranks all."""
        with self._lock:
            now = self._clock.monotonic()
            if self._reason is None or reason is StopReason.FATAL:
                self._reason = reason
            patience = 0.0 if reason is StopReason.FATAL else self._grace * 0.5
            self._abort_at.set(min(self._abort_at.get(), now + patience))
        self._event.set()

    def abort_at(self) -> float:
        """The moment at which a request in flight is given up."""
        return self._abort_at.get()

    def check(self) -> None:
        """Raise Interrupted when the launch is over."""
        reason = self.reason
        if reason is not None:
            raise Interrupted(f"Stopped by {reason}.")

    def sleep(self, seconds: float) -> None:
        """Wait; raise Interrupted at once when the wait would cross the soft deadline, or when told to stop."""
        self.check()
        if self._clock.monotonic() + seconds > self._soft:
            raise Interrupted(
                f"Stopped by {StopReason.SOFT_DEADLINE}: a pause of {seconds:.0f} s does not fit any more."
            )
        if self._clock.wait(self._event, seconds):
            self.check()


class _Moment:
    """A number that processes forked from this one go on sharing with it."""

    def __init__(self, seconds: float) -> None:
        self._shared = mmap.mmap(-1, struct.calcsize("d"))
        self.set(seconds)

    def get(self) -> float:
        return float(struct.unpack_from("d", self._shared)[0])

    def set(self, seconds: float) -> None:
        struct.pack_into("d", self._shared, 0, seconds)
