"""Live progress of the schedules: one line a change on a pipe, a table that redraws itself at a terminal."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.table import Table

from demo.kubectl import Kubectl

RUNNING = {"Pending", "Running", "Retrying", "Snoozed"}


@dataclass(frozen=True, slots=True)
class View:
    """One schedule as a person wants to see it."""

    name: str
    state: str
    attempt: str
    last_result: str
    message: str

    @property
    def finished(self) -> bool:
        return self.last_result not in {"", "NoRunYet"} and self.state not in RUNNING


def view(body: dict[str, Any]) -> View:
    status = body.get("status") or {}
    run = status.get("currentRun") or {}
    conditions = {c["type"]: c for c in status.get("conditions") or []}
    synced = conditions.get("Synced") or {}
    return View(
        name=body["metadata"]["name"],
        state=run.get("state", "-"),
        attempt=f"{run['attempt']}/{run['maxAttempts']}"
        if "attempt" in run and "maxAttempts" in run
        else "-",
        last_result=synced.get("reason", ""),
        message=(synced if not run else conditions.get("Ready") or {}).get("message", ""),
    )


def wait(
    kubectl: Kubectl,
    names: Iterable[str],
    console: Console,
    *,
    timeout: float,
    clock: Callable[[], float] = time.monotonic,
) -> bool:
    """True when each named schedule has finished a run; False when `timeout` seconds passed before."""
    wanted, start = set(names), clock()
    seen: dict[str, View] = {}
    with Live(console=console, refresh_per_second=4, transient=True) as live:
        while True:
            views = [v for v in map(view, kubectl.get("gscsyncschedules")["items"]) if v.name in wanted]
            live.update(_table(views, clock() - start))
            for v in views:
                if not console.is_terminal and seen.get(v.name) != v:
                    console.print(
                        f"  {clock() - start:5.0f} s  {v.name}: {v.state} attempt {v.attempt} {v.last_result} {v.message}",
                        highlight=False,
                    )
                seen[v.name] = v
            if {v.name for v in views if v.finished} == wanted:
                return True
            if clock() - start > timeout:
                return False
            time.sleep(1)


def _table(views: list[View], seconds: float) -> Table:
    table = Table(title=f"runs, {seconds:.0f} s", title_justify="left", box=None, pad_edge=False)
    for column in ("schedule", "run", "attempt", "last result", "message"):
        table.add_column(column, overflow="fold", max_width=70)
    for v in views:
        table.add_row(v.name, v.state, v.attempt, v.last_result or "-", v.message)
    return table
