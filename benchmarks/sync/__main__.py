"""`python -m benchmarks.sync [--only ours] [--rows 20000] [--out FILE]`; `make bench-sync`.

Prints what it does, a table, the targets, and as its last line one JSON object with all figures. Figures are kept in
FILE after each measurement, so that a long run that is broken off is not lost.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import psycopg

from benchmarks.sync import report
from benchmarks.sync.case import EMPTY_PROPERTY, PASSES, Ground, Pass, Size, Tool
from benchmarks.sync.google import Google, googles, oracle
from benchmarks.sync.machine import machine
from benchmarks.sync.measure import Database, cpu_of, figures, run, wrong_rows
from benchmarks.sync.ours import Ours
from benchmarks.sync.peers.airbyte import Airbyte
from benchmarks.sync.peers.dlt import Dlt
from benchmarks.sync.peers.singer import Singer
from tests.postgres import fresh_database, postgres_server

TOOLS: dict[str, Callable[[], Tool]] = {"ours": Ours, "dlt": Dlt, "singer": Singer, "airbyte": Airbyte}
LATE_PASSES = ("new database", "first load", "identical")
"""With latency only these: what differs between the others is processor time, and waiting hides it."""


def measure(
    tool: Tool, size: Size, latency: float, places: dict[str, Google], server: str, passes: tuple[Pass, ...]
) -> list[dict[str, Any]]:
    """The passes of one tool in a database of its own."""
    found = []
    with (
        tempfile.TemporaryDirectory(prefix="bench-sync-") as name,
        fresh_database(server, Path(name)) as made,
    ):
        folder = Path(name) / "tool"
        folder.mkdir()
        first = places[passes[0].state]
        ground = Ground(folder, made.uri, size, first.credentials("robot"), first.credentials("person"))
        with psycopg.connect(made.uri, autocommit=True) as connection:
            postmaster = _postmaster(connection)
            for number, what in enumerate(passes, 1):
                google = places[what.state]
                google.prepare(tool.questions(size), google.token())
                google.latency(latency)
                tool.before(what, connection)
                connection.execute("CHECKPOINT")
                before = Database.look(connection, tool)
                cpu = cpu_of(google.pid), cpu_of(postmaster)
                log = Path(name) / "log"
                ran = run(
                    tool.commands(ground, google.url, what, number),
                    tool.environment(ground, google.url),
                    folder,
                    log,
                )
                after = Database.look(connection, tool)
                spent = cpu_of(google.pid) - cpu[0], cpu_of(postmaster) - cpu[1]
                google.latency(0)
                one = figures(what, ran, before, after, size.total, google.calls())
                one["google_cpu_s"], one["postgres_cpu_s"] = (round(each, 2) for each in spent)
                if any(ran.exit_codes):
                    end = log.read_text(errors="replace")[-3000:]
                    raise click.ClickException(f"{tool.name} ended with {ran.exit_codes}: {end}")
                right = {} if what.property == EMPTY_PROPERTY else oracle(size, what.state)
                one["wrong"] = wrong_rows(tool.rows(ground, connection), right)
                found.append(one)
                say(f"{tool.name}, {latency:.0f} ms, {report.line(one)}")
    return found


def _postmaster(connection: psycopg.Connection[Any]) -> int:
    pid = Path(f"/proc/{connection.info.backend_pid}/stat").read_text().rpartition(")")[2].split()[1]
    return int(pid)


def say(text: str) -> None:
    click.echo(f"{datetime.now(UTC):%H:%M:%S} {text}", err=True)


def words(_: click.Context, __: click.Parameter, value: str) -> list[str]:
    return [word for word in value.replace(" ", ",").split(",") if word]


@click.command(help=__doc__)
@click.option("--only", default="", callback=words, help=f"Of {', '.join(TOOLS)}. Default: all.")
@click.option("--days", default=14, show_default=True)
@click.option("--rows", default=20_000, show_default=True, help="Of a day; at most 50,000, Google's cap.")
@click.option("--latencies", default="0,300", callback=words, help="Milliseconds before each answer.")
@click.option(
    "--passes",
    default="",
    help="Of the peers: only those whose names contain one of these words, as in first,restated.",
)
@click.option("--repeat", default=3, show_default=True, help="Of ours; the best counts. Others run once.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Where to keep the figures.")
def main(
    only: list[str], days: int, rows: int, latencies: list[str], passes: str, repeat: int, out: Path | None
) -> None:
    """Measure this sync beside other connectors."""
    unknown = {*only} - {*TOOLS}
    if unknown:
        raise click.UsageError(f"unknown: {', '.join(sorted(unknown))}")
    size = Size(days, rows)
    found: dict[str, Any] = {
        "date": f"{datetime.now(UTC):%Y-%m-%dT%H:%MZ}",
        "machine": machine(),
        "days": days,
        "rows_a_day": rows,
        "runs": [],
    }

    def keep() -> None:
        if out is not None:
            out.parent.mkdir(parents=True, exist_ok=True)
            out.write_text(json.dumps(found, indent=1) + "\n")

    tools = [TOOLS[name]() for name in only or TOOLS]
    began = time.monotonic()
    for tool in tools:
        tool.install()
    with (
        tempfile.TemporaryDirectory(prefix="bench-google-") as name,
        postgres_server("fsync=on", "full_page_writes=on") as server,
        googles(size, Path(name)) as places,
    ):
        for latency in map(float, latencies):
            for tool in tools:
                for turn in range(repeat if isinstance(tool, Ours) else 1):
                    load = round(os.getloadavg()[0], 2)
                    wanted = tuple(
                        each
                        for each in PASSES
                        if (isinstance(tool, Ours) or not each.only_ours)
                        and (not latency or each.name in LATE_PASSES)
                        and (isinstance(tool, Ours) or any(word in each.name for word in passes.split(",")))
                    )
                    measured = measure(tool, size, latency, places, server, wanted)
                    found["runs"].append(
                        {
                            "tool": tool.name,
                            "latency_ms": latency,
                            "turn": turn + 1,
                            "load_before": load,
                            "passes": measured,
                        }
                    )
                    keep()
    found["minutes"] = round((time.monotonic() - began) / 60, 1)
    found["targets"] = report.targets(found)
    keep()
    click.echo(report.text(found))
    click.echo(json.dumps(found))


if __name__ == "__main__":
    main()
