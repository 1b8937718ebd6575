"""What stands beside a launch in tests: it serves the lines like a process, but in a thread, so that all is one clock."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from contract import Limits
from sync.carry import Carrier
from sync.google.transport import Transport
from sync.processes.several import Ends, SeveralProcesses
from sync.store.port import Store


class _Thread:
    def __init__(self, serve: Callable[[], None]) -> None:
        self._thread = threading.Thread(target=serve, daemon=True)
        self._thread.start()

    def wait(self, seconds: float) -> int:
        self._thread.join(seconds)
        assert not self._thread.is_alive(), "it ends when its lines are closed"
        return 0


def in_thread(serve: Callable[[], None], there: Ends, here: Ends) -> _Thread:
    """See `sync.processes.several.Start`; both kinds of ends are here."""
    del there, here
    return _Thread(serve)


@contextmanager
def by_lines(limits: Limits, transport: Transport, store: Store, processes: int | None) -> Iterator[Carrier]:
    """Every second cell goes over a line, whatever the machine and the store are like."""
    del limits, processes
    with SeveralProcesses(1, lines=4, transport=transport, store=store, start=in_thread) as several:
        yield several
