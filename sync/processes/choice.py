"""Whether a launch has more than one process: asked once, before it has threads, connections or rows."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from contract import Limits
from sync.carry import Carrier
from sync.google.transport import Transport
from sync.processes.processors import processors
from sync.store.port import Store
from sync.turns import threads

USUAL_PROCESSES = 2
"""Where there are as many processors. More of them load faster, but take more memory and connections than a pod is given
by default."""

CarrierFactory = Callable[[Limits, Transport, Store, int | None], AbstractContextManager[Carrier | None]]


@contextmanager
def carrier_of(
    limits: Limits, transport: Transport, store: Store, processes: int | None
) -> Iterator[Carrier | None]:
    """Several processes to carry cells; None when this one does it alone.

    It does when one processor is all there is, when the store lives in it, and when it has threads, which do not survive
    being forked.
    """
    # Elsewhere than on Linux, system libraries are known to break in a process that was forked.
    usual = min(USUAL_PROCESSES, processors()) if sys.platform == "linux" else 1
    count = usual if processes is None else processes
    if count == 1 or threading.active_count() > 1 or not store.shared_by(count):
        yield None
        return
    from sync.processes.several import SeveralProcesses  # noqa: PLC0415 - a pod with one processor does without

    with SeveralProcesses(count - 1, lines=threads(limits), transport=transport, store=store) as several:
        yield several
