"""Process: operators as processes of their own, started, killed, frozen and started again, and how each ended."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import signal
import sys
import time
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

ROOT = Path(__file__).parents[2]
STOP_SECONDS = 30.0
"""A pod's grace period."""
LINE_LIMIT = 2**20


class Nursery:
    """The forking parent of this rig's operators; see nursery.py."""

    def __init__(self) -> None:
        self._process: Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self._ids = itertools.count(1)
        self._pids: dict[str, asyncio.Future[int]] = {}
        self._exits: dict[str, asyncio.Future[int]] = {}

    async def __aenter__(self) -> Self:
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.fault.nursery", cwd=ROOT, stdin=PIPE, stdout=PIPE, limit=LINE_LIMIT
        )
        assert self._process.stdout is not None
        assert b"ready" in await self._process.stdout.readline()
        self._reader = asyncio.create_task(self._read())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.close()
        await self._process.wait()
        if self._reader is not None:
            await self._reader

    async def _read(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            said: dict[str, Any] = json.loads(line)
            if "pid" in said:
                self._pids.pop(said["id"]).set_result(said["pid"])
            else:
                self._exits.pop(said["id"]).set_result(said["exit"])

    async def fork(self, env: Mapping[str, str], log: Path) -> tuple[int, asyncio.Future[int]]:
        """The process id, and its exit code to come."""
        assert self._process is not None
        assert self._process.stdin is not None
        loop, name = asyncio.get_running_loop(), str(next(self._ids))
        born, ended = self._pids[name], self._exits[name] = loop.create_future(), loop.create_future()
        self._process.stdin.write(
            json.dumps({"id": name, "env": dict(env), "log": str(log)}).encode() + b"\n"
        )
        return await born, ended


@dataclass(slots=True)
class Ended:
    """How a life of an operator ended; `meant` when the plan ended it."""

    replica: int
    life: int
    code: int
    meant: bool
    killed: bool = False
    """By the plan, with SIGKILL."""


@dataclass(slots=True)
class Operator:
    """One replica: `python -m controller`, again and again."""

    replica: int
    nursery: Nursery
    env: dict[str, str]
    folder: Path
    by_exec: bool = False
    ends: list[Ended] = field(default_factory=list)
    lives: int = 0
    stops: list[float] = field(default_factory=list)
    """How long each took to go when it was asked to, in seconds."""
    pid: int = 0
    peak_mb: int = 0
    _exit: asyncio.Future[int] | None = None
    _meant: bool = False
    _killed: bool = False
    _stopping: bool = False
    _watcher: asyncio.Task[None] | None = None

    @property
    def log_files(self) -> list[Path]:
        return [self.folder / f"operator-{self.replica}-{life}.log" for life in range(1, self.lives + 1)]

    async def start(self) -> None:
        self.lives += 1
        self._meant = self._killed = False
        log = self.log_files[-1]
        if self.by_exec:
            self.pid, self._exit = await self._execute(log)
        else:
            self.pid, self._exit = await self.nursery.fork(self.env, log)
        self._watcher = asyncio.create_task(self._mind())

    async def _execute(self, log: Path) -> tuple[int, asyncio.Future[int]]:
        with log.open("wb") as out:
            made = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "controller",
                cwd=ROOT,
                env=self.env,
                stdin=DEVNULL,
                stdout=out,
                stderr=out,
            )
        return made.pid, asyncio.ensure_future(made.wait())

    async def _mind(self) -> None:
        """As the kubelet does: whatever ends is started again, unless the plan is over."""
        assert self._exit is not None
        code = await self._exit
        self.ends.append(Ended(self.replica, self.lives, code, self._meant, self._killed))
        if not self._stopping:
            await self.start()

    def _signal(self, number: signal.Signals) -> bool:
        if self._exit is None or self._exit.done():
            return False
        self.peak_mb = max(self.peak_mb, _peak_mb(self.pid))
        os.kill(self.pid, number)
        return True

    async def kill(self) -> None:
        """SIGKILL; a new one is started at once."""
        self._meant = self._killed = True
        ended = self._exit
        if self._signal(signal.SIGKILL) and ended is not None:
            await asyncio.wait([ended])

    async def terminate(self) -> None:
        """SIGTERM; what does not go within a pod's grace period is killed, as the kubelet does. A new one is started."""
        self._meant = True
        began, ended = time.monotonic(), self._exit
        if self._signal(signal.SIGTERM) and ended is not None:
            await asyncio.wait([ended], timeout=STOP_SECONDS)
            self.stops.append(time.monotonic() - began)
            if self._signal(signal.SIGKILL):
                await asyncio.wait([ended])

    def freeze(self) -> None:
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    async def stop(self) -> Ended:
        """SIGTERM for good."""
        self._stopping = True
        self.thaw()
        await self.terminate()
        if self._watcher is not None:
            await self._watcher
        return self.ends[-1]

    def log_lines(self) -> list[str]:
        return [
            line
            for file in self.log_files
            if file.exists()
            for line in file.read_text(errors="replace").splitlines()
        ]


def _peak_mb(pid: int) -> int:
    try:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) // 1024
    except OSError:
        return 0
    return 0
