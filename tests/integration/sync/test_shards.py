"""Four processes share one run, without talking to each other; one of them is killed.

Real processes, the emulator over HTTP, a real Postgres. What the killed shard had committed stays, the run stays open
until the next launch has done its part, and then every property of the data set is there, row for row.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from contract import ExitCode, Limits, RunSpec, RunSummary, State, Workspace, merge
from emulator import Account, Config, EmulatorThread, Property, run_emulator
from sync.plan.shards import is_mine
from tests.integration.faults.world import World, eventually
from tests.postgres import Database

ROOT = Path(__file__).resolve().parents[3]
NOW = datetime(2026, 3, 17, 18, tzinfo=UTC)
SHARDS = 4
URLS = [f"sc-domain:p{number}.example" for number in range(12)]
CONFIG = Config(
    seed=31,
    properties=tuple(Property(url=url, rows={"web": 40}) for url in URLS),
    accounts=(Account(name="acme", properties=dict.fromkeys(URLS, "siteOwner")),),
)
KILLED = next(shard for shard in range(SHARDS) if sum(is_mine(url, shard, SHARDS) for url in URLS) >= 2)


class Run:
    """One run in shards, of which launches are started as processes."""

    def __init__(self, emulator: EmulatorThread, database: Database, folder: Path) -> None:
        self.world = World(emulator, database, folder, now=NOW, moments=[NOW])
        path = folder / "acme.json"
        emulator.write_credentials("acme", path)
        self.spec = self.world.spec(
            run_id="29562840",
            search_types=["web"],
            workspaces=[Workspace(name="acme", credentials_path=str(path))],
            limits=Limits(requests_per_second_per_property=100, concurrency=1),
            shards=SHARDS,
        )
        self.folder = folder
        self.processes: list[subprocess.Popen[bytes]] = []

    def start(self, shard: int, launch: int) -> subprocess.Popen[bytes]:
        order = self.spec.model_copy(update={"launch": launch})
        variables = self.world.variables(RunSpec.model_validate(order)) | {
            "JOB_COMPLETION_INDEX": str(shard),
            "GSC_SYNC_SUMMARY_PATH": str(self._summary(shard, launch)),
        }
        with (self.folder / f"log-{launch}-{shard}").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "sync", "run"],
                cwd=ROOT,
                env=os.environ | variables,
                stderr=log,
                stdout=log,
            )
        self.processes.append(process)
        return process

    def end(self) -> None:
        """Leave nothing running, whatever came of the test."""
        for process in self.processes:
            process.kill()
            process.wait()

    def summary(self, shard: int, launch: int) -> RunSummary:
        return RunSummary.from_json(self._summary(shard, launch).read_bytes())

    def cells_of(self, shard: int) -> int:
        found = self.world.database.execute("SELECT property FROM gsc.v_coverage")
        return sum(is_mine(url, shard, SHARDS) for (url,) in found)

    def states(self) -> dict[int, str]:
        return dict(self.world.database.execute("SELECT shard, state FROM gsc.v_runs"))

    def _summary(self, shard: int, launch: int) -> Path:
        return self.folder / f"summary-{launch}-{shard}.json"


@pytest.fixture
def run(database: Database, tmp_path: Path) -> Iterator[Run]:
    with run_emulator(CONFIG, now=NOW, keys=tmp_path / "keys") as emulator:
        made = Run(emulator, database, tmp_path)
        try:
            yield made
        finally:
            made.end()


def test_four_shards_share_a_run_and_one_that_is_killed_is_made_up_for(run: Run) -> None:
    run.world.emulator.set_latency(0.05)
    first = {shard: run.start(shard, 1) for shard in range(SHARDS)}

    def has_begun() -> bool:
        return "ledger" in str(run.world.database.execute("SELECT to_regclass('gsc.ledger')")) and (
            run.cells_of(KILLED) >= 2
        )

    eventually(has_begun)
    first[KILLED].send_signal(signal.SIGKILL)
    codes = {shard: process.wait(60) for shard, process in first.items()}
    run.world.emulator.set_latency(0)
    assert codes == dict.fromkeys(range(SHARDS), ExitCode.SUCCESS) | {KILLED: -signal.SIGKILL}
    assert run.states() == dict.fromkeys(range(SHARDS), "complete") | {KILLED: "running"}
    kept = run.cells_of(KILLED)

    run.world.emulator.clear_requests()
    again = [run.start(shard, 2) for shard in range(SHARDS)]
    assert [process.wait(60) for process in again] == [ExitCode.SUCCESS] * SHARDS
    assert set(run.states().values()) == {"complete"}
    asked = Counter(request["property"] for request in run.world.asked(operation="query"))
    assert set(asked) <= {url for url in URLS if is_mine(url, KILLED, SHARDS)}, (
        "the others only repeat their word"
    )
    whole = merge([run.summary(shard, 2) for shard in range(SHARDS)])
    assert whole is not None
    assert (whole.state, whole.properties) == (State.SUCCEEDED, len(URLS))
    assert run.cells_of(KILLED) > kept
    assert run.world.wrong() == {}
