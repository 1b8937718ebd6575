"""A read side of sockets that keeps to an overall deadline, headers and dripping bodies included.

The read time-out of requests starts anew with every byte, so a peer that drips never runs into it. Here every read
waits in short slices and asks between them whether the request, or the whole launch, is over. A request's limits lie
in a thread-local, because http.client builds its response deep inside the pool, in the thread that asked.
"""

from __future__ import annotations

import http.client
import io
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from sync.errors import Interrupted

SLICE_SECONDS = 0.5
BUFFER_BYTES = 256 * 1024


class DeadlinePassedError(TimeoutError):
    """The overall time of one request is over."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Until when one request may go on; both are moments of time.monotonic()."""

    deadline: float
    idle_seconds: float
    abort_at: Callable[[], float]

    def check(self) -> None:
        now = time.monotonic()
        if now >= self.abort_at():
            raise Interrupted("The launch ends; a request in flight was given up.")
        if now >= self.deadline:
            raise DeadlinePassedError("the answer took too long as a whole")


_current = threading.local()


@contextmanager
def limited(limits: Limits) -> Iterator[None]:
    """Every answer read by this thread inside the block keeps to these limits."""
    _current.limits = limits
    try:
        yield
    finally:
        _current.limits = None


class _PatientReader(io.RawIOBase):
    """Reads a socket in slices; closing it closes the file that http.client opened."""

    def __init__(self, opened: io.RawIOBase, sock: socket.socket, limits: Limits) -> None:
        self._opened = opened
        self._sock = sock
        self._limits = limits

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        idle_until = time.monotonic() + self._limits.idle_seconds
        before = self._sock.gettimeout()
        try:
            while True:
                self._limits.check()
                self._sock.settimeout(SLICE_SECONDS)
                try:
                    return self._sock.recv_into(buffer)
                except TimeoutError:
                    if time.monotonic() >= idle_until:
                        raise
        finally:
            self._sock.settimeout(before)

    def close(self) -> None:
        self._opened.close()
        super().close()


class _Response(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        limits: Limits | None = getattr(_current, "limits", None)
        if limits is not None:
            self.fp = io.BufferedReader(_PatientReader(self.fp.detach(), sock, limits), BUFFER_BYTES)


class _HTTPConnection(HTTPConnection):
    response_class = _Response


class _HTTPSConnection(HTTPSConnection):
    response_class = _Response


class _HTTPPool(HTTPConnectionPool):
    ConnectionCls = _HTTPConnection


class _HTTPSPool(HTTPSConnectionPool):
    ConnectionCls = _HTTPSConnection


POOLS = {"http": _HTTPPool, "https": _HTTPSPool}
"""For urllib3's `pool_classes_by_scheme`."""
