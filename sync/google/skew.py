"""Whether this clock agrees with Google's, by the Date header of each answer.

`client` shows it every response; windows, tokens and signatures hang on the time, and a clock that is wrong looks like
anything but that.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime

MAX_SKEW_SECONDS = 60.0
_log = logging.getLogger(__name__)


class SkewWatch:
    """Compares Google's Date header with our clock, and warns once: windows and tokens hang on the time."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._warned = False

    def see(self, headers: Mapping[str, str]) -> float | None:
        """Seconds by which our clock is ahead; None when the header says nothing."""
        try:
            theirs = parsedate_to_datetime(headers.get("date", ""))
            ahead = (self._now() - theirs).total_seconds()
        except (ValueError, TypeError):
            return None
        with self._lock:
            warn = abs(ahead) > MAX_SKEW_SECONDS and not self._warned
            self._warned = self._warned or warn
        if warn:
            _log.warning(
                "clock.skew: this clock differs from Google's by %.0f s; set it right, days hang on it", ahead
            )
        return ahead
