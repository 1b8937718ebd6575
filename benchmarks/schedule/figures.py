"""Pure: from moments to figures, from figures to a table, and which of them are within their targets."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Figures = dict[str, Any]


def percentile(values: Sequence[float], share: float) -> float:
    """Nearest rank: a value that was measured, never one in between."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def spread(values: Iterable[float], expected: int | None = None) -> Figures:
    """p50, p99, max in seconds. Of those that never came there is no time: their number stands beside it, and a
    percentile that falls on one of them is None."""
    found = sorted(values)
    count = len(found) if expected is None else max(expected, len(found))
    padded = [*found, *([math.inf] * (count - len(found)))]
    made: Figures = {"n": count}
    if count > len(found):
        made["missing"] = count - len(found)
    for name, share in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99), ("max", 1.0)):
        value = percentile(padded, share) if padded else math.inf
        made[name] = round(value, 3) if math.isfinite(value) else None
    return made


def in_first_half(order: Sequence[bool]) -> float:
    """Which part of the marked ones came in the first half of all: 0.5 when order is blind to the mark."""
    marked = sum(order)
    return round(sum(order[: len(order) // 2]) / marked, 3) if marked else 0.0


def best_first_half(order: Sequence[bool]) -> float:
    """The most that `in_first_half` could be."""
    marked = sum(order)
    return round(min(1.0, (len(order) // 2) / marked), 3) if marked else 0.0


def table(rows: Sequence[Sequence[object]], head: Sequence[str]) -> str:
    cells = [[str(cell) for cell in row] for row in (head, *rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(head))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in cells
    ]
    return "\n".join((lines[0], "  ".join("-" * width for width in widths), *lines[1:]))


def seconds(value: object) -> str:
    return f"{value:.2f} s" if isinstance(value, int | float) else "never seen"


# -- targets ----------------------------------------------------------------------------------------------------------

JOB_P99 = {1: 0.5, 100: 1.5, 1000: 5.0, 5000: 25.0}
SOONER = 20


def verdicts(found: Mapping[str, Any]) -> list[tuple[str, str, str, str]]:
    """(what, measured, target, "yes" or "NO") for each target whose figure was measured."""
    made: list[tuple[str, str, str, str]] = []

    def judge(what: str, value: float | None, most: float, unit: str = "s") -> None:
        shown = "never seen" if value is None else f"{value:g} {unit}"
        made.append(
            (what, shown, f"<= {most:g} {unit}", "yes" if value is not None and value <= most else "NO")
        )

    for row in found.get("lag", ()):
        ours, theirs, due = row["ours"], row.get("cronjob"), row["due"]
        where = f"{due} due, controller manager at {row['controller_manager']}"
        if due in JOB_P99:
            judge(f"slot to Job p99, {where}", ours["job"]["p99"], JOB_P99[due])
        if theirs:
            for share in ("p50", "p99"):
                mine, other = ours["pod"][share], theirs["pod"][share]
                fine = mine is not None and (other is None or mine <= other)
                made.append(
                    (
                        f"slot to pod {share}, {where}",
                        seconds(mine),
                        f"<= {seconds(other)}",
                        "yes" if fine else "NO",
                    )
                )
            if due == 1000 and row["controller_manager"] == "default":
                for share in ("p50", "p99"):
                    mine, other = ours["job"][share], theirs["job"][share]
                    times = math.inf if other is None else other / mine if mine else 0.0
                    made.append(
                        (f"slot to Job {share} sooner than CronJob, {where}", f"{times:.1f} x", f">= {SOONER} x",
                         "yes" if times >= SOONER else "NO")
                    )  # fmt: skip
    if "runs" in found:
        judge("writes per run in steady state", found["runs"]["ours"]["writes_per_run"], 4, "")
    scale = found.get("scale") or {}
    for key, what, most, unit in (
        ("rss_mb", "memory (RSS)", 300, "MB"),
        ("first_decision_s", "start to first decision", 15, "s"),
        ("takeover_kill_s", "take-over after kill -9", 20, "s"),
        ("takeover_graceful_s", "take-over after a graceful stop", 3, "s"),
    ):
        if key in scale:
            judge(f"{what}, {scale['schedules']} schedules", scale[key], most, unit)
    if "edit" in scale:
        judge(f"edit to new condition p95, {scale['schedules']} schedules", scale["edit"]["p95"], 1)
    idle = found.get("idle") or {}
    if len(idle) == 2:
        small, large = (idle[key]["requests_per_minute"] for key in sorted(idle, key=int))
        made.append(
            ("idle requests a minute, without the resync", f"{large:g} with {max(idle, key=int)} schedules",
             f"as {small:g} with {min(idle, key=int)}", "yes" if large <= small * 1.1 + 1 else "NO")
        )  # fmt: skip
    return made
