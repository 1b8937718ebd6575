"""One pass of one tool, measured from outside: the kernel's word on its processes, Postgres's word on its work."""

from __future__ import annotations

import itertools
import math
import os
import subprocess
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from benchmarks.sync.case import EMPTY_PROPERTY, Key, Metrics, Pass, Rows, Tool

TICKS = os.sysconf("SC_CLK_TCK")
WATCH_SECONDS = 0.01
NEAR = 1e-6
"""Positions may come back as decimals."""


@dataclass(frozen=True, slots=True)
class Ran:
    """A pipeline that ended. Memory in bytes, summed over its programs; times in seconds."""

    seconds: float
    cpu_seconds: float
    peak_bytes: int
    exit_codes: list[int]


def run(commands: list[list[str]], environment: Mapping[str, str], folder: Path, log: Path) -> Ran:
    """Run the programs with each one's output as the next one's input; the last one's goes to `folder/output`."""
    began = time.perf_counter()
    processes: list[subprocess.Popen[bytes]] = []
    with log.open("ab") as errors, (folder / "output").open("wb") as output:
        for number, command in enumerate(commands):
            last = number == len(commands) - 1
            processes.append(
                subprocess.Popen(
                    command,
                    stdin=processes[-1].stdout if processes else subprocess.DEVNULL,
                    stdout=output if last else subprocess.PIPE,
                    stderr=errors,
                    env={**os.environ, **environment},
                )
            )
            if len(processes) > 1 and (between := processes[-2].stdout) is not None:
                between.close()
        watched = _watch(processes)
    seconds = time.perf_counter() - began
    return Ran(
        round(seconds, 3),
        round(sum(each.cpu_seconds for each in watched), 3),
        sum(each.peak_bytes for each in watched),
        [each.exit_code for each in watched],
    )


@dataclass(frozen=True, slots=True)
class _Account:
    exit_code: int
    cpu_seconds: float
    peak_bytes: int


def _watch(processes: list[subprocess.Popen[bytes]]) -> list[_Account]:
    """Wait for all; the kernel's account of each, its children included in the times."""
    found: dict[int, _Account] = {}

    def wait(process: subprocess.Popen[bytes]) -> None:
        # The kernel's own maximum (ru_maxrss) counts what the process was before exec: this program.
        peak = 0
        for turn in itertools.count():
            peak = max(peak, _high_water(process.pid))
            if turn % 5 == 0:  # the kernel looks through their memory for it
                peak = max(peak, _together(process.pid))
            pid, status, usage = os.wait4(process.pid, os.WNOHANG)
            if pid:
                break
            time.sleep(WATCH_SECONDS)
        process.returncode = os.waitstatus_to_exitcode(status)
        found[process.pid] = _Account(process.returncode, usage.ru_utime + usage.ru_stime, peak)

    threads = [threading.Thread(target=wait, args=[process]) for process in processes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [found[process.pid] for process in processes]


def _high_water(pid: int) -> int:
    """The most memory that a process ever had resident, in bytes; 0 when it is gone."""
    return _in_bytes(pid, "status", "VmHWM:")


def _together(pid: int) -> int:
    """The memory of a process and its children now, in bytes, what they share counted once; 0 without children."""
    children = _children(pid)
    return sum(_in_bytes(each, "smaps_rollup", "Pss:") for each in (pid, *children)) if children else 0


def _in_bytes(pid: int, file: str, field: str) -> int:
    """What the kernel says in kilobytes in one of a process's files; 0 when it is gone."""
    try:
        lines = Path(f"/proc/{pid}/{file}").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(field)), 0)


def cpu_of(pid: int) -> float:
    """Processor seconds of a process, its present children and those it has waited for."""
    total = 0.0
    for each in (pid, *_children(pid)):
        try:
            fields = Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        total += sum(int(value) for value in fields[11:15]) / TICKS
    return total


def _children(pid: int) -> list[int]:
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


@dataclass(frozen=True, slots=True)
class Database:
    """What Postgres says of its tables at one moment."""

    wal: int
    facts: int
    others: int
    dead: int

    @classmethod
    def look(cls, connection: psycopg.Connection[Any], tool: Tool) -> Database:
        connection.execute("SELECT pg_stat_clear_snapshot()")
        wal = int(_one(connection, "SELECT pg_current_wal_lsn() - '0/0'::pg_lsn"))
        return cls(
            wal,
            sum(_bytes(connection, name) for name in tool.fact_tables),
            sum(_bytes(connection, name) for name in tool.other_tables),
            sum(_dead(connection, name) for name in tool.fact_tables),
        )


_TREE = "SELECT relid FROM pg_partition_tree(to_regclass(%s)) UNION SELECT to_regclass(%s)::oid"


def _bytes(connection: psycopg.Connection[Any], table: str) -> int:
    text = f"SELECT coalesce(sum(pg_total_relation_size(relid)), 0) FROM ({_TREE}) t"  # noqa: S608
    return int(_one(connection, text, [table, table]))


def _dead(connection: psycopg.Connection[Any], table: str) -> int:
    text = f"SELECT coalesce(sum(n_dead_tup), 0) FROM pg_stat_all_tables WHERE relid IN ({_TREE})"  # noqa: S608
    return int(_one(connection, text, [table, table]))


def _one(connection: psycopg.Connection[Any], text: str, parameters: Any = None) -> Any:
    row = connection.execute(text, parameters).fetchone()
    assert row is not None
    return row[0]


def wrong_rows(stored: Rows, right: Mapping[Key, Metrics]) -> dict[str, int]:
    """Both directions: rows that are missing, rows that should not be there, doubled keys, and wrong numbers."""
    seen: set[Key] = set()
    surplus = doubled = different = 0
    for key, metrics in stored:
        if key in seen:
            doubled += 1
            continue
        seen.add(key)
        if key not in right:
            surplus += 1
        elif not _same(metrics, right[key]):
            different += 1
    return {
        "missing": len(right.keys() - seen),
        "surplus": surplus,
        "doubled": doubled,
        "different": different,
    }


def _same(one: Metrics, other: Metrics) -> bool:
    if one[:2] != other[:2]:
        return False
    if one[2] is None or other[2] is None:
        return one[2] is other[2]
    return math.isclose(one[2], other[2], rel_tol=NEAR)


def figures(
    what: Pass, ran: Ran, before: Database, after: Database, rows: int, calls: list[dict[str, Any]]
) -> dict[str, Any]:
    asked = [call for call in calls if call["operation"] == "query"]
    return {
        "pass": what.name,
        "seconds": ran.seconds,
        "rows_per_s": None if what.property == EMPTY_PROPERTY else round(rows / ran.seconds),
        "requests": len(asked),
        "requests_with_rows": sum(call["rows"] > 0 for call in asked),
        "tool_cpu_s": ran.cpu_seconds,
        "peak_mb": round(ran.peak_bytes / 2**20),
        "wal_bytes_per_row": round((after.wal - before.wal) / rows, 2),
        "dead_tuples": after.dead,
        "fact_bytes_per_row": round(after.facts / rows, 1),
        "dictionary_bytes_per_row": round(after.others / rows, 1),
        "exit_codes": ran.exit_codes,
    }
