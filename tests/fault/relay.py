"""Relay: the wire between the second API server and etcd, which can be slow, or lead nowhere for a while.

Bytes pass as they are, TLS and all, each way in order. What etcd says arrives `lag` seconds late, and not at all while
`held`: the API server goes on answering from what it remembers, and is behind.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque

CHUNK = 2**16


class Relay:
    def __init__(self, target: int) -> None:
        self._target = target
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._flowing = asyncio.Event()
        self._flowing.set()
        self.lag = 0.0
        self.port = 0

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    def hold(self) -> None:
        """Nothing of what etcd says arrives from now on, and nothing is lost."""
        self._flowing.clear()

    def release(self) -> None:
        self._flowing.set()

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._pass(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there: asyncio.StreamWriter | None = None
        try:
            back, there = await asyncio.open_connection("127.0.0.1", self._target)
            await asyncio.gather(self._straight(reader, there), self._late(back, writer))
        except OSError:
            pass
        finally:
            for end in (writer, there):
                if end is not None:
                    end.close()

    async def _straight(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while chunk := await reader.read(CHUNK):
            writer.write(chunk)
            await writer.drain()
        writer.close()

    async def _late(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        under_way: deque[tuple[float, bytes]] = deque()
        came = asyncio.Event()

        async def deliver() -> None:
            while True:
                await came.wait()
                due, chunk = under_way[0]
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                await self._flowing.wait()
                under_way.popleft()
                if not under_way:
                    came.clear()
                writer.write(chunk)
                await writer.drain()

        delivering = asyncio.create_task(deliver())
        try:
            while chunk := await reader.read(CHUNK):
                under_way.append((time.monotonic() + self.lag, chunk))
                came.set()
        finally:
            delivering.cancel()
            with contextlib.suppress(asyncio.CancelledError, OSError):
                await delivering
            writer.close()
