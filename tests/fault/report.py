"""Report: a line for each plan as soon as it is judged, and a table of many such lines; a sweep may be cut short."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tests.fault.run import Result

RESULTS = "results.jsonl"
HEAD = f"{'family':12} {'plans':>6} {'faults':>7} {'unstruck':>8} {'starts':>6} {'violated':>8} {'plan-s':>7} {'MiB':>5}"


def begin(failures: Path) -> None:
    """Forget the results of the sweep before."""
    (failures / RESULTS).unlink(missing_ok=True)


def record(file: Path, result: Result) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    line = {
        "plan": result.plan.name,
        "faults": result.struck,
        "unstruck": result.vacuous,
        "starts": result.lives,
        "violated": bool(result.violations),
        "seconds": round(result.seconds, 1),
        "peak": result.peak_mb,
        "stop": round(result.slowest_stop, 2),
    }
    with file.open("a") as out:
        out.write(json.dumps(line) + "\n")


def table(files: Iterable[Path]) -> str:
    """By the first word of the plans' names: how many, how often a fault struck, how many plans were violated."""
    rows: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for file in files:
        for line in file.read_text().splitlines():
            found = json.loads(line)
            rows[found["plan"].split("/")[0]].append(found)
    lines = [HEAD]
    for family, found in [*sorted(rows.items()), ("all", [it for row in rows.values() for it in row])]:
        lines.append(
            f"{family:12} {len(found):6} {_sum(found, 'faults'):7} {_sum(found, 'unstruck'):8}"
            f" {_sum(found, 'starts'):6} {_sum(found, 'violated'):8} {_sum(found, 'seconds'):7}"
            f" {max((it['peak'] for it in found), default=0):5}"
        )
    stops = sorted(it["stop"] for row in rows.values() for it in row)
    if stops:
        lines.append(f"from SIGTERM to the end: median {stops[len(stops) // 2]} s, longest {stops[-1]} s")
    return "\n".join(lines)


def _sum(rows: Iterable[dict[str, Any]], key: str) -> int:
    total: float = sum(row[key] for row in rows)
    return round(total)
