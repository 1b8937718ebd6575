"""Locks between processes. The kernel drops them when their holder dies, so none is ever left over."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Callable, Iterator
from pathlib import Path


@contextlib.contextmanager
def locked(file: Path, waiting: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Hold `file` (or a folder) exclusively; `waiting` is called once when somebody else has it.

    The holder may delete the file: whoever waited for it then sees that and takes the new one.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    while True:
        how = os.O_RDONLY if file.is_dir() else os.O_RDWR | os.O_CREAT
        descriptor = os.open(file, how | os.O_CLOEXEC, 0o600)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                waiting()
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            if _is(descriptor, file):
                yield
                return
        finally:
            os.close(descriptor)


def _is(descriptor: int, file: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), file.stat())
    except FileNotFoundError:
        return False
