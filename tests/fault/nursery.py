"""Nursery: a process that has imported the operator once and forks a fresh one for each start.

A fork runs the same `python -m controller` main as an interpreter of its own would, without the second of CPU that the
imports take; a sweep starts thousands. One thread, so forking is safe. Speaks JSON lines: in {"id", "env", "log"}, out
{"id", "pid"} and {"id", "exit"}. When its input ends, so do its children.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import json
import os
import select
import signal
import sys
import warnings

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import controller.app  # noqa: F401 - what the fork is for
    from controller.__main__ import main as operator

POLL = 0.02
DIE_WITH_PARENT = 1
"""PR_SET_PDEATHSIG of prctl(2)."""


def say(**what: object) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def become_operator(env: dict[str, str], log: str) -> int:
    """In the child: as if executed with this environment."""
    os.setsid()
    ctypes.CDLL(None).prctl(DIE_WITH_PARENT, signal.SIGKILL)
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.environ.clear()
    os.environ.update(env)
    try:
        operator(["run"])
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else 1
    except BaseException:  # noqa: BLE001 - an interpreter prints what ends it
        sys.excepthook(*sys.exc_info())
        return 1
    return 0


def main() -> None:
    gc.collect()
    gc.freeze()
    children: dict[int, str] = {}
    buffer = b""
    say(ready=os.getpid())
    while True:
        readable, _, _ = select.select([0], [], [], POLL)
        while children:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                break
            say(id=children.pop(pid), exit=os.waitstatus_to_exitcode(status))
        if not readable:
            continue
        chunk = os.read(0, 2**20)
        if not chunk:
            break
        *lines, buffer = (buffer + chunk).split(b"\n")
        for line in lines:
            wish = json.loads(line)
            pid = os.fork()
            if pid == 0:
                code = 1
                try:
                    code = become_operator(wish["env"], wish["log"])
                finally:
                    with contextlib.suppress(Exception):
                        sys.stdout.flush()
                        sys.stderr.flush()
                    os._exit(code)
            children[pid] = wish["id"]
            say(id=wish["id"], pid=pid)
    for pid in children:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


if __name__ == "__main__":
    main()
