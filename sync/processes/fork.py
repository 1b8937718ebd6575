"""A process of its own for what serves lines: forked, so that it has from its first moment everything that is loaded.

Only a process without threads is forked, before it has connections or rows: its copies of transport and store are then
as good as new. The new process has no will of its own: signals are the launch's matter, and it ends with the launch.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from typing import NoReturn, Protocol


class Closes(Protocol):
    """An end of a pipe."""

    def close(self) -> None: ...


class Forked:
    """A process that was forked from this one."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._lock = threading.Lock()
        self._over = False
        self._code: int | None = None

    def wait(self, seconds: float) -> int | None:
        """Its exit code, negative when a signal ended it; None when it was killed, after so many seconds."""
        with self._lock:
            until = time.monotonic() + seconds
            while not self._over:
                pid, status = os.waitpid(self.pid, os.WNOHANG)
                if pid:
                    self._over, self._code = True, os.waitstatus_to_exitcode(status)
                elif time.monotonic() >= until:
                    os.kill(self.pid, signal.SIGKILL)
                    os.waitpid(self.pid, 0)
                    self._over = True
                else:
                    time.sleep(0.01)
            return self._code


def fork(serve: Callable[[], None], there: Sequence[Closes], here: Sequence[Closes]) -> Forked:
    """Run `serve` in a new process, which ends when it returns; each of the two keeps its own ends of pipes only."""
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid == 0:
        _be(serve, here)
    for end in there:
        end.close()
    return Forked(pid)


def _be(serve: Callable[[], None], not_mine: Sequence[Closes]) -> NoReturn:
    """From here there is no way back: what is above on the stack belongs to the other process."""
    code = 1
    try:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
        for end in not_mine:
            end.close()
        serve()
        code = 0
    except BaseException:  # noqa: BLE001 - whatever it is, the launch learns of it by lines that close
        traceback.print_exc()
    finally:
        # At once, whatever is under way: open transactions roll back, and what was committed is in the ledger.
        os._exit(code)
