"""A line between two processes of a launch: one says, the other hears, in turn."""

from __future__ import annotations

from multiprocessing.connection import Connection
from typing import Any


class LineClosedError(Exception):
    """There is nobody at the other end any more."""


class Line:
    """One end of it. Belongs to one thread at a time."""

    def __init__(self, end: Connection) -> None:
        self._end = end

    def say(self, message: Any) -> None:
        """Raises LineClosedError."""
        try:
            self._end.send(message)
        except OSError as error:
            raise LineClosedError from error

    def hear(self) -> Any:
        """Waits. Raises LineClosedError."""
        try:
            return self._end.recv()
        except (EOFError, OSError) as error:
            raise LineClosedError from error

    def close(self) -> None:
        self._end.close()
