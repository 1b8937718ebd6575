"""What was asked and what was answered: the request log that tests and people read."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Entry:
    """One call. `time` is the emulated calendar's, `milliseconds` how long the answer took to make and send."""

    time: str
    operation: str
    property: str
    account: str
    day: str
    last_day: str
    type: str
    start_row: int
    status: int
    rows: int
    bytes: int
    fault: str
    milliseconds: float
    body: Any = None


class Journal:
    """The last calls, oldest first."""

    def __init__(self, capacity: int = 200_000) -> None:
        self._entries: deque[Entry] = deque(maxlen=capacity)
        self._lock = threading.Lock()
        self.total = 0

    def add(self, entry: Entry) -> None:
        with self._lock:
            self._entries.append(entry)
            self.total += 1

    def clear(self) -> None:
        with self._lock:
            self._entries.clear()

    def entries(self, **wanted: str) -> list[dict[str, Any]]:
        """The calls whose members have the wanted values, compared as text."""
        with self._lock:
            kept = list(self._entries)
        return [
            asdict(entry)
            for entry in kept
            if all(str(getattr(entry, name)) == value for name, value in wanted.items())
        ]
