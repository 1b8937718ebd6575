"""Free ports for clusters that run side by side.

A port that the kernel hands out (bind to 0) may be taken again by any outgoing connection while its server restarts.
Ours lie below the kernel's range, are noted in a registry under a lock, and are tried by binding; what a stranger
takes between that and the server's own bind is met by the caller, who starts again with other ports.
"""

from __future__ import annotations

import contextlib
import json
import random
import socket
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path

from devcluster.errors import DevclusterError
from devcluster.lock import locked

LOW, HIGH = 20100, 29900


def choose(count: int, taken: Collection[int], start: int, is_free: Callable[[int], bool]) -> list[int]:
    """The first `count` ports from `start` on, wrapping round, that are neither noted nor in use."""
    width = HIGH - LOW
    found: list[int] = []
    for step in range(width):
        port = LOW + (start - LOW + step) % width
        if port not in taken and is_free(port):
            found.append(port)
            if len(found) == count:
                return found
    raise DevclusterError(
        f"fewer than {count} free ports between {LOW} and {HIGH}; stop other clusters first"
    )


def can_bind(port: int) -> bool:
    with contextlib.closing(socket.socket(socket.AF_INET, socket.SOCK_STREAM)) as probe:
        # As Go's servers do it: connections in TIME_WAIT do not count, listeners do.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("0.0.0.0", port))  # noqa: S104 - only tried, never listened on
        except OSError:
            return False
    return True


class PortRegistry:
    """Which cluster has which ports; clusters whose run folder is gone have none."""

    def __init__(self, clusters: Path) -> None:
        self._clusters = clusters
        self._file = clusters / ".ports.json"

    def take(self, owner: str, count: int) -> list[int]:
        with self._held() as held:
            start = random.randrange(LOW, HIGH)
            ports = choose(count, held.keys(), start, can_bind)
            self._write({**held, **dict.fromkeys(ports, owner)})
            return ports

    def release(self, owner: str) -> None:
        if self._file.exists():
            with self._held() as held:
                self._write({port: name for port, name in held.items() if name != owner})

    @contextlib.contextmanager
    def _held(self) -> Iterator[dict[int, str]]:
        self._clusters.mkdir(parents=True, exist_ok=True)
        with locked(self._clusters / ".ports.lock"):
            noted = json.loads(self._file.read_text()) if self._file.exists() else {}
            yield {int(port): name for port, name in noted.items() if (self._clusters / name).is_dir()}

    def _write(self, held: Mapping[int, str]) -> None:
        # Dying before the rename leaves the old registry: ports taken in vain are bound by nobody and tried again.
        fresh = self._file.with_suffix(".new")
        fresh.write_text(json.dumps(held))
        fresh.rename(self._file)
