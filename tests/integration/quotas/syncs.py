"""Several syncs at once: real processes, one database, one stand-in that enforces Google's quotas.

Nothing is scaled: minutes are minutes. Each process works off a window far larger than its time allows, so that quotas
alone decide how much is asked; its soft deadline ends it. What was asked when is read from the stand-in's journal.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from contract import Limits, RunSpec, RunSummary, Workspace
from emulator import Account, Config, EmulatorThread, Property, Quota, run_emulator
from tests.postgres import Database

ROOT = Path(__file__).resolve().parents[3]


def sites(*names: str) -> tuple[Property, ...]:
    return tuple(Property(url=f"sc-domain:{name}.example", rows={"web": 3}) for name in names)


def config(accounts: Sequence[Account], properties: Sequence[Property], quotas: dict[str, Quota]) -> Config:
    return Config(accounts=tuple(accounts), properties=tuple(properties), **quotas)


@dataclass
class Sync:
    """One process, and what it left behind."""

    name: str
    process: subprocess.Popen[bytes]
    logs: Path
    summary_path: Path

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)

    def events(self, name: str) -> list[dict[str, Any]]:
        lines = [json.loads(line) for line in self.logs.read_text().splitlines() if line.startswith("{")]
        return [line for line in lines if line.get("event") == name]

    @property
    def summary(self) -> RunSummary:
        return RunSummary.from_json(self.summary_path.read_bytes())


@dataclass
class Scene:
    """A stand-in, a database, and the processes that were started."""

    emulator: EmulatorThread
    database: Database
    folder: Path
    syncs: list[Sync] = field(default_factory=list)

    def start(
        self,
        name: str,
        *,
        account: str,
        properties: Sequence[Property],
        seconds: int,
        limits: dict[str, Any] | None = None,
    ) -> Sync:
        credentials = self.folder / f"{account}.json"
        self.emulator.write_credentials(account, credentials)
        spec = RunSpec(
            schedule_uid=name,
            namespace="data",
            name=name,
            run_id="29566800",
            slot=datetime.now(UTC),
            timeout_seconds=seconds,
            window={"days": 400},
            workspaces=[
                Workspace(
                    name=account,
                    credentials_path=str(credentials),
                    properties={"include": [prop.url for prop in properties]},
                )
            ],
            destination=self.database.destination(),
            limits=Limits(**(limits or {})),
        )
        summary, logs = self.folder / f"{name}.summary", self.folder / f"{name}.log"
        environment = {
            "PATH": os.environ["PATH"],
            "GSC_SYNC_RUN_SPEC": spec.to_json(),
            "GSC_SYNC_SUMMARY_PATH": str(summary),
            "GSC_SYNC_API_BASE_URL": f"{self.emulator.url}/webmasters/v3",
            "GSC_SYNC_TOKEN_URL": f"{self.emulator.url}/token",
        }
        with logs.open("wb") as file:
            process = subprocess.Popen(
                [sys.executable, "-m", "sync", "run"], stderr=file, env=environment, cwd=ROOT
            )
        self.syncs.append(Sync(name, process, logs, summary))
        return self.syncs[-1]

    def wait(self) -> None:
        for sync in self.syncs:
            sync.process.wait(300)

    def asked(self) -> list[tuple[datetime, int, str, str]]:
        """Moment, status, property and account of each query so far."""
        return [
            (datetime.fromisoformat(entry["time"]), entry["status"], entry["property"], entry["account"])
            for entry in self.emulator.requests(operation="query")
        ]

    def accepted(self, first: datetime, last: datetime) -> int:
        return sum(status == 200 and first <= at < last for at, status, _, _ in self.asked())

    def refused(self) -> int:
        return sum(status in (403, 429) for _, status, _, _ in self.asked())

    def quota(self, columns: str, where: str = "true") -> list[tuple[Any, ...]]:
        return self.database.execute(f"SELECT {columns} FROM gsc.v_quota WHERE {where} ORDER BY scope, name")


@contextmanager
def scene(config: Config, database: Database, folder: Path) -> Iterator[Scene]:
    with run_emulator(config) as emulator:
        here = Scene(emulator, database, folder)
        try:
            yield here
        finally:
            for sync in here.syncs:
                if sync.process.poll() is None:
                    sync.kill()


def eventually(condition: Callable[[], Any], seconds: float = 30.0) -> Any:
    """What the condition gives as soon as it is true."""
    until = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < until, "it never became true"
        time.sleep(0.05)
    return found


def busiest_minute(moments: Sequence[datetime]) -> int:
    """The most that lies within any sixty seconds."""
    most, first = 0, 0
    for last, at in enumerate(moments):
        while at - moments[first] >= timedelta(seconds=60):
            first += 1
        most = max(most, last - first + 1)
    return most
