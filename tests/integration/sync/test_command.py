"""The program as a Job runs it: a process, the emulator, a real Postgres, real signals."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from contract import ExitCode, FailureClass, Limits, RunSpec, RunSummary, State, Workspace
from emulator import Account, Config, EmulatorThread, Property, run_emulator, stage_of
from sync.store.postgres import PostgresStore
from tests.integration.faults.world import eventually
from tests.postgres import Database

pytestmark = pytest.mark.needs_postgres

NOW = datetime(2026, 3, 20, 12, tzinfo=UTC)
ACME = "sc-domain:acme.example"
CONFIG = Config(
    accounts=(Account(name="acme", properties={ACME: "siteOwner"}),),
    properties=(Property(url=ACME, rows={"web": 60}),),
)


@pytest.fixture
def emulator() -> Iterator[EmulatorThread]:
    with run_emulator(CONFIG, now=NOW) as running:
        yield running


class Pod:
    """Runs the program with an environment of its own."""

    def __init__(self, emulator: EmulatorThread, database: Database, folder: Path):
        self.emulator = emulator
        self.database = database
        self.folder = folder
        self.summary_path = folder / "termination-log"
        self.summary_path.touch()
        emulator.write_credentials("acme", folder / "acme.json")

    def spec(self, **fields: Any) -> RunSpec:
        known: dict[str, Any] = {
            "schedule_uid": "uid",
            "namespace": "data",
            "name": "marketing",
            "run_id": "29566800",
            "slot": NOW,
            "window": {"days": 5},
            "workspaces": [Workspace(name="acme", credentials_path=str(self.folder / "acme.json"))],
            "destination": self.database.destination(),
            "limits": Limits(requests_per_second_per_property=100, grace_seconds=20),
        }
        return RunSpec(**{**known, **fields})

    def start(self, command: str, spec: RunSpec) -> subprocess.Popen[bytes]:
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONWARNINGS": "error",
            "GSC_SYNC_RUN_SPEC": spec.to_json(),
            "GSC_SYNC_SUMMARY_PATH": str(self.summary_path),
            "GSC_SYNC_API_BASE_URL": f"{self.emulator.url}/webmasters/v3",
            "GSC_SYNC_TOKEN_URL": f"{self.emulator.url}/token",
            "GSC_SYNC_SWITCH_PATH": str(self.folder / "switch"),
        }
        return subprocess.Popen(
            [sys.executable, "-m", "sync", command],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
        )

    def run(self, command: str, spec: RunSpec) -> tuple[int, str, str]:
        process = self.start(command, spec)
        out, logs = process.communicate(timeout=120)
        return process.returncode, out.decode(), logs.decode()

    @property
    def summary(self) -> RunSummary:
        return RunSummary.from_json(self.summary_path.read_bytes())

    def days(self) -> dict[date, set[tuple[Any, ...]]]:
        stored: dict[date, set[tuple[Any, ...]]] = {}
        with PostgresStore(self.database.destination(), pool_size=1, clock=lambda: NOW) as store:
            for entry in store.ledger(ACME, NOW.date() - timedelta(days=400), NOW.date()):
                stored[entry.cell.day] = {tuple(row[:6]) for row in store.rows(entry.cell)}
        return stored

    def shown(self, days: int) -> dict[date, set[tuple[Any, ...]]]:
        listed = [NOW.date() - timedelta(days=back) for back in range(days)]
        return {
            day: {
                tuple(row[:6])
                for row in self.emulator.dataset.visible(
                    ACME, day, "web", stage_of(day, NOW, CONFIG.fresh_days)
                )
            }
            for day in listed
        }


@pytest.fixture
def pod(emulator: EmulatorThread, database: Database, tmp_path: Path) -> Pod:
    return Pod(emulator, database, tmp_path)


def test_check_then_plan_then_run_bring_the_rows_into_postgres(pod):
    code, out, logs = pod.run("check", pod.spec())
    assert code == ExitCode.SUCCESS, out + logs
    assert ACME in out
    code, out, _ = pod.run("plan", pod.spec())
    assert code == ExitCode.SUCCESS
    assert "about 11" in out, "a probe, and two requests for each of five days"
    assert pod.emulator.requests(operation="query") == []
    code, _, logs = pod.run("run", pod.spec())
    assert code == ExitCode.SUCCESS, logs
    assert pod.summary.state is State.SUCCEEDED
    assert pod.days() == pod.shown(5)
    events = [json.loads(line)["event"] for line in logs.splitlines() if "event" in json.loads(line)]
    assert events.count("auto_sync.complete") == 1
    assert events.count("api.request") == pod.summary.requests == 12
    assert all(json.loads(line)["run_id"] == "29566800" for line in logs.splitlines())
    code, _, _ = pod.run("run", pod.spec(launch=2))
    assert (code, pod.summary.from_earlier_launch) == (ExitCode.SUCCESS, True)


def test_a_dry_run_says_what_a_sync_would_do_and_touches_neither_rows_nor_run(pod):
    code, _, logs = pod.run("run", pod.spec(dry_run=True))
    assert code == ExitCode.SUCCESS, logs
    assert pod.summary.state is State.SUCCEEDED
    assert "Dry run: 1 properties" in pod.summary.message
    assert pod.emulator.requests(operation="query") == []
    code, _, logs = pod.run("run", pod.spec(launch=2))
    assert code == ExitCode.SUCCESS, logs
    assert not pod.summary.from_earlier_launch, "the dry run did not complete the run"
    assert pod.days() == pod.shown(5)


def wait_for_requests(pod: Pod, number: int, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 60
    while len(pod.emulator.requests(operation="query")) < number:
        assert time.monotonic() < until
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)


def test_sigterm_keeps_whole_cells_and_the_next_launch_finishes(pod):
    pod.emulator.set_latency(150)
    process = pod.start("run", pod.spec(window={"days": 40}))
    wait_for_requests(pod, 6, process)
    process.send_signal(signal.SIGTERM)
    started = time.monotonic()
    _, logs = process.communicate(timeout=60)
    assert process.returncode == ExitCode.FAILURE
    assert time.monotonic() - started < 15
    summary = pod.summary
    assert summary.error_class is FailureClass.INTERRUPTED
    assert f"{summary.cells} cells were committed" in summary.message
    stored = pod.days()
    assert len(stored) == summary.cells >= 1
    assert stored == {day: pod.shown(40)[day] for day in stored}
    assert b"auto_sync.failed" in logs
    pod.emulator.set_latency(0)
    code, _, _ = pod.run("run", pod.spec(window={"days": 40}, launch=2))
    assert code == ExitCode.SUCCESS
    assert pod.summary.cells == 40 - summary.cells
    assert pod.days() == pod.shown(40)


def test_the_kill_switch_ends_a_launch_after_whole_cells_and_the_next_one_goes_on(pod):
    pod.emulator.set_latency(150)
    process = pod.start("run", pod.spec(window={"days": 40}))
    wait_for_requests(pod, 6, process)
    mode = pod.folder / "switch" / "mode"
    mode.parent.mkdir()
    mode.write_text("stop\n")
    process.communicate(timeout=60)
    assert process.returncode == ExitCode.SNOOZED
    summary = pod.summary
    assert (summary.state, summary.snooze_seconds) == (State.SNOOZED, 600)
    assert "gsc-sync-switch" in summary.message
    assert len(pod.days()) == summary.cells >= 1
    asked = len(pod.emulator.requests(operation="query"))
    assert pod.run("run", pod.spec(window={"days": 40}, launch=2))[0] == ExitCode.SNOOZED
    assert len(pod.emulator.requests(operation="query")) == asked, (
        "set at the start, Google is not asked at all"
    )
    mode.write_text("run")
    pod.emulator.set_latency(0)
    assert pod.run("run", pod.spec(window={"days": 40}, launch=3))[0] == ExitCode.SUCCESS
    assert pod.days() == pod.shown(40)


def test_drain_and_hold_let_a_launch_that_was_begun_go_on_to_its_end(pod):
    pod.emulator.set_latency(150)
    mode = pod.folder / "switch" / "mode"
    mode.parent.mkdir()
    mode.write_text("drain\n")
    process = pod.start("run", pod.spec(window={"days": 40}))
    wait_for_requests(pod, 6, process)
    mode.write_text("hold\n")
    _, logs = process.communicate(timeout=60)
    assert process.returncode == ExitCode.SUCCESS, logs.decode()
    assert pod.summary.state is State.SUCCEEDED
    assert pod.days() == pod.shown(40)


def test_the_soft_deadline_leaves_whole_cells_and_asks_to_continue(pod):
    pod.emulator.set_latency(120)
    code, _, logs = pod.run("run", pod.spec(window={"days": 60}, timeout_seconds=6))
    assert code == ExitCode.SNOOZED, logs
    assert pod.summary.state is State.CONTINUES
    assert pod.summary.snooze_seconds == 0
    assert len(pod.days()) == pod.summary.cells >= 1


def test_a_killed_launch_leaves_whole_cells(pod):
    pod.emulator.set_latency(150)
    process = pod.start("run", pod.spec(window={"days": 40}))
    wait_for_requests(pod, 8, process)
    process.kill()
    process.communicate(timeout=60)
    stored = pod.days()
    assert stored == {day: pod.shown(40)[day] for day in stored}
    pod.emulator.set_latency(0)
    code, _, _ = pod.run("run", pod.spec(window={"days": 40}, launch=2))
    assert code == ExitCode.SUCCESS
    assert pod.days() == pod.shown(40)


def test_r9_two_launches_of_a_run_at_once_leave_one_set_of_rows(pod):
    pod.emulator.set_latency(100)
    first = pod.start("run", pod.spec(window={"days": 30}))
    wait_for_requests(pod, 4, first)
    pod.emulator.set_latency(
        1000
    )  # it cannot come to its end before it is superseded, however slowly the other starts
    second = pod.start("run", pod.spec(window={"days": 30}, launch=2))
    eventually(lambda: pod.database.execute("SELECT launch FROM gsc.run") == [(2,)])
    pod.emulator.set_latency(0)
    _, logs = first.communicate(timeout=120)
    assert first.returncode == ExitCode.FAILURE
    assert b"Superseded" in logs
    second.communicate(timeout=120)
    assert second.returncode == ExitCode.SUCCESS
    assert pod.days() == pod.shown(30)


def test_a_database_that_is_not_there_fails_so_that_a_retry_can_heal(pod):
    (pod.database.secret / "port").write_text("1")
    code, _, logs = pod.run("run", pod.spec())
    assert code == ExitCode.FAILURE
    assert pod.summary.error_class is FailureClass.DATABASE_UNAVAILABLE
    assert "Traceback" not in logs
