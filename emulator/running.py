"""An emulator inside the process of a test: a thread with a loop of its own, and a handle to steer it.

with run_emulator(config, now=moment) as emulator:
    emulator.write_credentials("acme", path)
    ...
    assert emulator.dataset.visible(...) == rows
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from emulator.api import Api
from emulator.clock import Clock
from emulator.config import Config, Permission, default_config
from emulator.control import RULES, change_account
from emulator.credentials import credentials_json, external_json, find_account, write_credentials
from emulator.dataset import Dataset
from emulator.keys import Keys
from emulator.server import Service, start

START_TIMEOUT = 30.0


class EmulatorThread:
    """A running emulator. Start and stop it once; `run_emulator` does both."""

    def __init__(
        self,
        config: Config | None = None,
        *,
        now: datetime | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        keys: Path | None = None,
    ) -> None:
        self.config = config or default_config()
        self.api = Api(self.config, Clock(now), Keys(self.config, keys))
        self.url = ""
        self._service = Service(self.api, self.config.latency_ms)
        self._address = (host, port)
        self._ready = threading.Event()
        self._failure: BaseException | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._end: asyncio.Event | None = None
        self._thread = threading.Thread(target=self._run, name="emulator", daemon=True)

    @property
    def dataset(self) -> Dataset:
        """The oracle."""
        return self.api.dataset

    def start(self) -> None:
        self._thread.start()
        if not self._ready.wait(START_TIMEOUT):
            raise TimeoutError("the emulator did not start")
        if self._failure:
            raise self._failure

    def stop(self) -> None:
        if self._loop and self._end and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join(START_TIMEOUT)

    def faults(self, rules: Sequence[dict[str, Any]]) -> None:
        """Replace the fault rules: `[{"match": {...}, "fault": {"kind": ...}}]`."""
        self.api.script.replace(RULES.validate_python(list(rules)))

    def requests(self, **wanted: str) -> list[dict[str, Any]]:
        """The calls so far, oldest first, filtered by member: `requests(operation="query", status="200")`."""
        return self._service.journal.entries(**wanted)

    def clear_requests(self) -> None:
        self._service.journal.clear()

    def set_now(self, now: datetime | None) -> None:
        """Freeze the calendar at a moment; None lets it follow the real time."""
        self.api.clock.set(now)

    def advance(self, seconds: float) -> None:
        """Move the calendar, the age of tokens and the quota windows forward."""
        self.api.clock.advance(seconds)

    def set_latency(self, milliseconds: float) -> None:
        self._service.latency_ms = milliseconds

    def set_account(
        self, name: str, *, revoked: bool | None = None, properties: dict[str, Permission] | None = None
    ) -> None:
        """Revoke or restore an identity, or replace what it may read."""
        given = {"revoked": revoked, "properties": properties}
        change_account(self.api, name, {key: value for key, value in given.items() if value is not None})

    def expire_tokens(self) -> None:
        self.api.tokens.expire_all()

    def credentials(self, account: str) -> dict[str, Any]:
        """The content of a credential file of an account."""
        return credentials_json(find_account(self.config, account), self.api.keys, self.url)

    def external_credentials(
        self, account: str, token_path: Path, acts_for: str | None = None, *, field: str = ""
    ) -> dict[str, Any]:
        """The configuration of an external account whose token lies in a file."""
        other = find_account(self.config, acts_for) if acts_for else None
        return external_json(find_account(self.config, account), token_path, other, field=field)

    def identity_token(self, account: str, *, seconds: int = 3600, **claims: Any) -> str:
        """A token that the provider of an external account signed, good for so many seconds of real time."""
        return self.api.federation.identity_token(
            find_account(self.config, account), time.time(), seconds, **claims
        )

    def write_credentials(self, account: str, path: Path) -> Path:
        return write_credentials(find_account(self.config, account), self.api.keys, self.url, path)

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except OSError as error:  # the port is taken
            self._failure = error
            self._ready.set()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._end = asyncio.Event()
        runner, self.url = await start(self._service, *self._address)
        self._ready.set()
        try:
            await self._end.wait()
        finally:
            await runner.cleanup()


@contextmanager
def run_emulator(
    config: Config | None = None,
    *,
    now: datetime | None = None,
    port: int = 0,
    keys: Path | None = None,
) -> Iterator[EmulatorThread]:
    """An emulator for the length of a with block. `now` freezes its calendar."""
    emulator = EmulatorThread(config, now=now, port=port, keys=keys)
    emulator.start()
    try:
        yield emulator
    finally:
        emulator.stop()
