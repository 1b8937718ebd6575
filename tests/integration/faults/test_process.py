"""Faults 75-80: signals, death, deadlines, Secrets that change, and outputs that nobody takes."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest

from contract import ExitCode, FailureClass, RunSpec, RunSummary, State
from emulator import Account, Property, run_emulator
from tests.integration.faults.conftest import Beginning, copy_of
from tests.integration.faults.server import LOCKED, own_server
from tests.integration.faults.world import (
    ACME,
    BLOG,
    CONFIG,
    GLOBEX,
    NEXT_DAY,
    NOW,
    World,
    eventually,
    limits,
    meanwhile,
    of,
    only,
)
from tests.integration.faults.zygote import ROOT, Zygote, zygote
from tests.postgres import fresh_database

EVERYTHING = of(ACME, BLOG, GLOBEX)
WORKERS = 4
"""Threads of a launch with `limits()`: each has one cell in hand."""


@pytest.fixture(scope="module")
def parent() -> Iterator[Zygote]:
    with zygote() as running:
        yield running


@dataclass
class Process:
    """Launches of a world as processes."""

    world: World
    parent: Zygote

    def start(self, spec: RunSpec) -> int:
        self.world.moments = sorted({*self.world.moments, self.world.now})
        (self.world.folder / "summary.json").unlink(missing_ok=True)
        return self.parent.start(self.world.variables(spec), self.world.folder / "logs")

    def run(self, spec: RunSpec) -> int:
        self.start(spec)
        return self.parent.wait()

    @property
    def summary(self) -> RunSummary:
        return RunSummary.from_json((self.world.folder / "summary.json").read_bytes())


@pytest.fixture
def process(world: World, parent: Zygote) -> Process:
    return Process(world, parent)


def cells_asked(world: World) -> set[tuple[str, str, str]]:
    """The cells whose first page was answered since the request log was cleared."""
    return {
        (entry["property"], entry["type"], entry["day"])
        for entry in world.asked(operation="query", start_row="0")
        if "page" in entry["body"]["dimensions"]
    }


def forget_leases(world: World) -> None:
    """A dead launch's share of the request budgets runs out after seconds; here it does so at once."""
    world.database.execute("DELETE FROM gsc.quota")


def test_fault_56_two_runs_at_once_leave_one_set_of_rows(process: Process) -> None:
    """Two schedules that want the same properties at the same moment, as two processes."""
    world = process.world
    world.emulator.set_latency(10)
    with zygote() as other:
        first = world.spec(schedule_uid="uid-1", run_id="same-moment")
        second = world.spec(schedule_uid="uid-2", run_id="same-moment")
        process.start(first)
        other.start({**world.variables(second), "GSC_SYNC_SUMMARY_PATH": ""}, world.folder / "other-logs")
        assert (process.parent.wait(), other.wait()) == (ExitCode.SUCCESS, ExitCode.SUCCESS)
    assert world.wrong() == {}
    assert set(world.database.execute("SELECT schedule_uid, state FROM gsc.run WHERE run_id = 'same-moment'")) == {
        ("uid-1", "complete"), ("uid-2", "complete"),
    }  # fmt: skip


def test_fault_56_two_launches_of_one_run_at_once_and_only_the_higher_goes_on(process: Process) -> None:
    """The lower one is in the middle of its work when the higher one takes the run over."""
    world = process.world
    world.emulator.set_latency(40)
    spec = world.spec(run_id="twice")
    with zygote() as other:
        process.start(spec)
        eventually(lambda: len(cells_asked(world)) > 3)
        world.emulator.set_latency(500)  # it cannot come to its end before it is superseded
        taking = spec.model_copy(update={"launch": 2})
        other.start({**world.variables(taking), "GSC_SYNC_SUMMARY_PATH": ""}, world.folder / "other-logs")
        launch = "SELECT launch FROM gsc.run WHERE run_id = 'twice'"
        eventually(lambda: world.database.execute(launch) == [(2,)])
        world.emulator.set_latency(0)
        assert process.parent.wait() == ExitCode.FAILURE
        assert process.summary.error_class is FailureClass.SUPERSEDED
        assert other.wait() == ExitCode.SUCCESS
    assert world.wrong() == {}


def test_fault_75_sigterm_keeps_whole_cells_and_says_so_within_the_grace(process: Process) -> None:
    world = process.world
    world.emulator.set_latency(50)
    spec = world.spec(limits=limits(grace_seconds=10))
    pid = process.start(spec)
    eventually(lambda: len(cells_asked(world)) > 4)
    told = time.monotonic()
    os.kill(pid, signal.SIGTERM)
    assert process.parent.wait() == ExitCode.FAILURE
    assert time.monotonic() - told < 10
    assert process.summary.state is State.FAILED
    assert process.summary.error_class is FailureClass.INTERRUPTED
    assert process.summary.cells > 0
    assert world.wrong(behind=EVERYTHING) == {}
    world.emulator.set_latency(0)
    assert process.run(spec.model_copy(update={"launch": 2})) == ExitCode.SUCCESS
    assert world.wrong() == {}


def test_fault_76_kill_9_at_any_instant_costs_one_cell_a_worker(
    process: Process, beginning: Beginning, postgres: str
) -> None:
    """At so many random instants of a run, seeded; GSC_KILLS=200 for all of them (`make test-kills`)."""
    world = process.world
    kills = int(os.environ.get("GSC_KILLS", "20"))
    draw = random.Random(20260317)
    world.emulator.set_latency(3)
    durations = []
    for number in range(2):
        copy_of(beginning.template, postgres, world.database)
        begun = time.monotonic()
        assert process.run(world.spec(run_id=f"peace-{number}")) == ExitCode.SUCCESS
        durations.append(time.monotonic() - begun)
    assert world.wrong() == {}
    whole = min(durations)
    outcomes = {"killed": 0, "finished first": 0, "with cells": 0, "refetched": 0}
    for number in range(4 * kills):
        if outcomes["killed"] == kills:
            break
        copy_of(beginning.template, postgres, world.database)
        world.emulator.clear_requests()
        spec = world.spec(run_id=f"kill-{number}")
        pid = process.start(spec)
        time.sleep(whole * draw.random())  # the instant, not a wait for anything
        with suppress(ProcessLookupError):  # it may have ended a moment before
            os.kill(pid, signal.SIGKILL)
        ended = process.parent.wait()
        assert ended in {-signal.SIGKILL, 0}
        if ended == 0:
            outcomes["finished first"] += 1
            continue
        outcomes["killed"] += 1
        assert world.wrong(behind=EVERYTHING) == {}, f"kill {number}: cells are whole"
        before = cells_asked(world)
        world.emulator.clear_requests()
        forget_leases(world)
        assert process.run(spec.model_copy(update={"launch": 2})) == ExitCode.SUCCESS, f"kill {number}"
        again = before & cells_asked(world)
        assert len(again) <= WORKERS, f"kill {number}: {sorted(again)} were fetched twice"
        assert world.wrong() == {}, f"kill {number}"
        outcomes["with cells"] += bool(before)
        outcomes["refetched"] += len(again)
    sys.stdout.write(f"instants of {whole:.2f} s: {outcomes}\n")
    assert outcomes["killed"] == kills
    assert outcomes["with cells"] > kills / 3, "the instants must lie in the work"


@pytest.mark.parametrize("row", [1, 37])
def test_fault_76_kill_9_in_the_middle_of_copy(process: Process, row: int) -> None:
    """Held by a lock after so many rows of a COPY, then killed: nothing of the cell is there, and nobody holds it."""
    world = process.world
    world.database.execute(
        f"""
        CREATE SEQUENCE public.turn;
        CREATE FUNCTION public.act() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            -- Rows of a restated cell are inserted by another statement, which may come first.
            IF current_query() LIKE 'COPY%' THEN
                IF nextval('public.turn') = {row} THEN PERFORM pg_advisory_xact_lock(77); END IF;
            END IF;
            RETURN NEW;
        END $$;
        CREATE TRIGGER act BEFORE INSERT ON gsc.page_query FOR EACH ROW EXECUTE FUNCTION public.act();
        """
    )
    spec = world.spec()
    with psycopg.connect(world.database.uri, autocommit=True) as holder:
        holder.execute("SELECT pg_advisory_lock(77)")
        pid = process.start(spec)
        copying = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'advisory' AND query LIKE %s"
        eventually(lambda: world.database.execute(copying, ["COPY%"]) == [(1,)])
        os.kill(pid, signal.SIGKILL)
        assert process.parent.wait() == -signal.SIGKILL
        holder.execute("SELECT pg_advisory_unlock(77)")
    assert world.wrong(behind=EVERYTHING) == {}
    forget_leases(world)
    assert process.run(spec.model_copy(update={"launch": 2})) == ExitCode.SUCCESS
    assert world.wrong() == {}


def test_fault_77_near_its_deadline_a_launch_saves_and_the_next_goes_on(world: World) -> None:
    world.emulator.set_latency(60)
    spec = world.spec(timeout_seconds=1)
    launches = []
    for launch in range(1, 12):
        ended = world.run(spec.model_copy(update={"launch": launch}))
        launches.append((ended.exit_code, ended.summary.state))
        assert world.wrong(behind=EVERYTHING) == {}
        assert ended.summary.duration_ms < 3000
        if ended.exit_code == ExitCode.SUCCESS:
            break
        assert ended.summary.cells > 0
    assert set(launches[:-1]) == {(ExitCode.SNOOZED, State.CONTINUES)}, "none of them a failure"
    assert launches[-1] == (ExitCode.SUCCESS, State.SUCCEEDED)
    assert world.wrong() == {}


def test_fault_78_google_credentials_rotated_in_mid_run_are_read_anew(world: World, tmp_path: Path) -> None:
    """The old identity is revoked and its token taken back while the run goes on; the file holds the new one by then."""
    config = CONFIG.model_copy(
        update={
            "accounts": (
                Account(name="acme", kind="authorized_user", properties={ACME: "siteOwner"}),
                Account(name="successor", kind="authorized_user", properties={ACME: "siteOwner"}),
            ),
            "properties": (Property(url=ACME, rows={"web": 60}),),
            "latency_ms": 20,
        }
    )
    with run_emulator(config, now=NEXT_DAY, keys=tmp_path / "keys") as emulator:
        rotating = World(emulator, world.database, tmp_path, now=NEXT_DAY)
        workspace = rotating.workspace("acme")

        def rotate() -> None:
            eventually(lambda: len(rotating.asked(operation="query")) > 2)
            emulator.write_credentials("successor", Path(workspace.credentials_path))
            emulator.set_account("acme", revoked=True)
            emulator.expire_tokens()

        with meanwhile(rotate):
            ended = rotating.run(workspaces=[workspace], search_types=["web"])
        assert (ended.exit_code, ended.summary.state) == (ExitCode.SUCCESS, State.SUCCEEDED)
        assert rotating.asked(operation="query", account="successor")
        for cell in ((ACME, "web", NEXT_DAY.date() - timedelta(days=back)) for back in range(4)):
            assert rotating.stored()[cell] == rotating.oracle(cell, NEXT_DAY)


def test_fault_78_the_database_password_rotated_in_mid_run_is_read_anew(
    beginning: Beginning, tmp_path: Path
) -> None:
    with own_server() as server, fresh_database(server.uri, tmp_path) as database:
        world = World(beginning.emulator, database, tmp_path)
        world.at(NOW)
        world.emulator.clear_requests()
        database.execute(f"CREATE ROLE {LOCKED} LOGIN PASSWORD 'first'; GRANT postgres TO {LOCKED}")
        (database.secret / "user").write_text(LOCKED)
        (database.secret / "password").write_text("first")
        world.emulator.set_latency(20)

        def rotate() -> None:
            eventually(lambda: len(cells_asked(world)) > 3)
            (database.secret / "password").write_text("second")
            database.execute(f"ALTER ROLE {LOCKED} PASSWORD 'second'")
            database.execute(
                f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{LOCKED}'"
            )

        with meanwhile(rotate):
            ended = world.run()
        world.emulator.set_latency(0)
        assert (ended.exit_code, ended.summary.state) == (ExitCode.SUCCESS, State.SUCCEEDED), ended.summary
        assert world.wrong() == {}


@pytest.mark.parametrize("outlet", ["a closed pipe", "a full disk"])
def test_fault_80_outputs_that_nobody_takes_do_not_fail_the_sync(world: World, outlet: str) -> None:
    """The log collector is gone, and the file for the summary is nowhere."""
    spec = world.spec()
    world.moments.append(world.now)
    environment = {**os.environ, **world.variables(spec), "GSC_SYNC_SUMMARY_PATH": "/nowhere/at/all"}
    reader, writer = os.pipe()
    os.close(reader)
    taken = writer if outlet == "a closed pipe" else os.open("/dev/full", os.O_WRONLY)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "sync", "run"],
            cwd=ROOT,
            env=environment,
            stdout=taken,
            stderr=taken,
            timeout=60,
            check=False,
        )
    finally:
        os.close(writer)
    assert done.returncode == ExitCode.SUCCESS
    assert world.wrong() == {}


def test_fault_79_a_launch_tells_its_fate_in_lines_that_cannot_be_forged(world: World) -> None:
    """Google's own words try to look like another event, to colour a terminal, and to end the line."""
    said = 'no\r\n{"event": "auto_sync.complete", "level": "INFO"}\n\x1b[2J\u202egnorw\u2028end'
    world.faults(
        {
            "match": {"operation": "query", "property": ACME},
            "fault": {"kind": "status", "status": 403, "json_body": {"error": {"code": 403, "message": said, "errors": [{"domain": "global", "reason": "forbidden"}]}}},
        }
    )  # fmt: skip
    ended = world.run()
    assert ended.failures() == {"acme": FailureClass.PERMISSION_DENIED}
    told = [line["event"] for line in ended.events if line.get("event", "").startswith("auto_sync.")]
    assert told == ["auto_sync.complete"]
    message = ended.summary.failures[0].message
    assert message.isprintable(), message
    assert ended.logs.isascii()
    assert "\x1b" not in ended.logs
    assert world.wrong(behind=only(ACME)) == {}
    world.environment = {"GSC_SYNC_LOG_FORMAT": "text"}
    assert not set(world.run().logs) & {"\x1b", "\r", "\u202e", "\u2028"}


def beside(pid: int) -> int:
    """The process that a launch has started beside itself."""
    children = Path(f"/proc/{pid}/task/{pid}/children")
    eventually(lambda: children.read_text() != "")
    return int(children.read_text())


def test_fault_76_kill_9_of_the_process_beside_the_launch_ends_it_with_a_reason(process: Process) -> None:
    """As the kernel does when memory is short. The cells it had in hand are fetched again, by the next launch."""
    world = process.world
    world.environment = {"GSC_SYNC_PROCESSES": "2"}
    world.emulator.set_latency(50)
    spec = world.spec()
    other = beside(process.start(spec))
    eventually(lambda: len(cells_asked(world)) > 4)
    os.kill(other, signal.SIGKILL)
    assert process.parent.wait() == ExitCode.FAILURE
    assert process.summary.error_class is FailureClass.UNEXPECTED
    assert "ended by SIGKILL" in process.summary.message
    assert world.wrong(behind=EVERYTHING) == {}
    state = "SELECT state FROM gsc.run WHERE run_id = %s"
    assert world.database.execute(state, [spec.run_id]) == [("ended",)]
    world.emulator.set_latency(0)
    forget_leases(world)
    assert process.run(spec.model_copy(update={"launch": 2})) == ExitCode.SUCCESS
    assert world.wrong() == {}


def test_fault_76_kill_9_of_the_launch_ends_the_process_beside_it(process: Process) -> None:
    """Whoever was carrying a cell for it stops, too, and holds nothing."""
    world = process.world
    world.environment = {"GSC_SYNC_PROCESSES": "2"}
    world.emulator.set_latency(50)
    pid = process.start(world.spec())
    other = beside(pid)
    eventually(lambda: len(cells_asked(world)) > 4)
    os.kill(pid, signal.SIGKILL)
    assert process.parent.wait() == -signal.SIGKILL
    eventually(lambda: not Path(f"/proc/{other}").exists())
    held = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'gsc-sync'"
    eventually(lambda: world.database.execute(held) == [(0,)])
    assert world.wrong(behind=EVERYTHING) == {}


def test_one_process_when_it_is_told_so(process: Process) -> None:
    world = process.world
    world.environment = {"GSC_SYNC_PROCESSES": "1"}
    world.emulator.set_latency(20)
    pid = process.start(world.spec())
    eventually(lambda: len(cells_asked(world)) > 4)
    assert Path(f"/proc/{pid}/task/{pid}/children").read_text() == ""
    assert process.parent.wait() == ExitCode.SUCCESS
    assert world.wrong() == {}
