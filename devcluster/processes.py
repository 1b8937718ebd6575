"""Starting, knowing again and stopping programs that outlive the command which started them.

A process id alone is no identity: ids are used again. A process is known by its id and its start time (clock ticks
since boot, from /proc), and signals go through a pidfd, so that one never reaches a stranger.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Program:
    """What to start: `log` takes stdout and stderr, `environment` comes on top of a minimal one."""

    name: str
    argv: tuple[str, ...]
    log: Path
    environment: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Process:
    pid: int
    ticks: int

    def alive(self) -> bool:
        return start_ticks(self.pid) == self.ticks


def start_ticks(pid: int) -> int | None:
    """The start time of a living process; None when there is none, or only its exit code is left."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in "ZX" else int(fields[19])


def memory_mb(pid: int) -> int:
    """Resident memory, 0 when the process is gone."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE") // 2**20


def spawn(program: Program) -> Process:
    """Start in a session of its own, so that neither Ctrl-C nor the end of this process reaches it."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    program.log.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(program.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    null = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    try:
        pid = os.posix_spawn(
            program.argv[0],
            program.argv,
            {**kept, **program.environment},
            file_actions=[
                (os.POSIX_SPAWN_DUP2, null, 0),
                (os.POSIX_SPAWN_DUP2, descriptor, 1),
                (os.POSIX_SPAWN_DUP2, descriptor, 2),
            ],
            setsid=True,
        )
    finally:
        os.close(descriptor)
        os.close(null)
    # A child that has ended already is our zombie, not gone: its id cannot be used again before it is reaped.
    return Process(pid, start_ticks(pid) or 0)


def reap(pid: int) -> None:
    """Collect the exit code when it is our child; otherwise init does."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)


def stop(process: Process, grace: float) -> None:
    """SIGTERM, and SIGKILL after `grace` seconds; returns when it is gone. A stranger with its id is left alone."""
    try:
        descriptor = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return
    try:
        # The descriptor is of whoever has the id now; only then the start time is compared.
        if process.alive():
            poll = select.poll()
            poll.register(descriptor, select.POLLIN)
            if grace > 0:
                signal.pidfd_send_signal(descriptor, signal.SIGTERM)
            if grace <= 0 or not poll.poll(grace * 1000):
                signal.pidfd_send_signal(descriptor, signal.SIGKILL)
                poll.poll(10_000)
    except ProcessLookupError:
        pass  # ended between two calls: what was wanted
    finally:
        os.close(descriptor)
        reap(process.pid)


def kill_all(found: Iterable[Process]) -> None:
    for process in found:
        stop(process, 0)


def all_pids() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def arguments(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return []


def program_file(pid: int) -> str:
    """The path of the running program, '' when it may not be known."""
    try:
        return str(Path(f"/proc/{pid}/exe").readlink()).removesuffix(" (deleted)")
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return ""


def strays(binaries: Path, folder: Path) -> list[Process]:
    """Processes of this cluster that no record knows: our binaries, called with a path in its run folder.

    They exist when the command died between a start and its record, and containerd's shims are never recorded.
    """
    found = []
    for pid in all_pids():
        if program_file(pid).startswith(f"{binaries}/") and any(
            f"{folder}/" in word for word in arguments(pid)
        ):
            ticks = start_ticks(pid)
            if ticks is not None:
                found.append(Process(pid, ticks))
    return found


def descendants(roots: Iterable[int]) -> list[Process]:
    """Children of `roots` and theirs, parents first."""
    children: dict[int, list[int]] = {}
    for pid in all_pids():
        try:
            parent = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
        except (FileNotFoundError, ProcessLookupError):
            continue
        children.setdefault(parent, []).append(pid)
    found, queue = [], list(roots)
    while queue:
        for child in children.get(queue.pop(0), []):
            ticks = start_ticks(child)
            if ticks is not None:
                found.append(Process(child, ticks))
                queue.append(child)
    return found
