"""Figures as a person reads them: a line, a table, the targets."""

from __future__ import annotations

from typing import Any

Figures = dict[str, Any]


def line(one: Figures) -> str:
    wrong = sum(one["wrong"].values())
    return (
        f"{one['pass']}: {rate(one)} rows/s ({one['seconds']} s; cpu: tool {one['tool_cpu_s']},"
        f" Postgres {one['postgres_cpu_s']}, Google {one['google_cpu_s']}), {one['requests']} requests,"
        f" {one['wal_bytes_per_row']} B of log a row, {one['dead_tuples']} dead, {one['fact_bytes_per_row']} +"
        f" {one['dictionary_bytes_per_row']} B a row, {one['peak_mb']} MB, {wrong} wrong"
        + (f", exit {one['exit_codes']}" if any(one["exit_codes"]) else "")
    )


def rate(one: Figures) -> str:
    return "-" if one["rows_per_s"] is None else f"{one['rows_per_s']:,}"


def best(found: Figures) -> list[Figures]:
    """The fastest turn of each tool, latency and pass, with those."""
    fastest: dict[tuple[str, float, str], Figures] = {}
    for run in found["runs"]:
        for one in run["passes"]:
            key = (run["tool"], run["latency_ms"], one["pass"])
            if key not in fastest or one["seconds"] < fastest[key]["seconds"]:
                fastest[key] = {"tool": run["tool"], "latency_ms": run["latency_ms"], **one}
    return list(fastest.values())


def table(rows: list[list[object]], head: tuple[str, ...]) -> str:
    texts = [list(head), *([str(cell) for cell in row] for row in rows)]
    widths = [max(len(row[place]) for row in texts) for place in range(len(head))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in texts]
    return "\n".join([lines[0], "  ".join("-" * width for width in widths), *lines[1:]])


def text(found: Figures) -> str:
    rows: list[list[object]] = [
        [
            one["tool"],
            f"{one['latency_ms']:.0f}",
            one["pass"],
            rate(one),
            one["requests"],
            one["wal_bytes_per_row"],
            one["dead_tuples"],
            one["fact_bytes_per_row"],
            one["dictionary_bytes_per_row"],
            one["peak_mb"],
            sum(one["wrong"].values()),
            one["tool_cpu_s"],
            one["postgres_cpu_s"],
            one["google_cpu_s"],
        ]
        for one in best(found)
    ]
    head = (
        "tool", "ms", "pass", "rows/s", "requests", "log B/row", "dead", "facts B/row", "texts B/row", "MB", "wrong",
        "cpu s", "Postgres s", "Google s",
    )  # fmt: skip
    verdicts: list[list[object]] = [[*row.values()] for row in targets(found)]
    return f"{table(rows, head)}\n\n{table(verdicts, ('what', 'measured', 'target', 'met'))}"


def targets(found: Figures) -> list[Figures]:
    """What was asked for beside what was measured, at no latency."""
    ours = {one["pass"]: one for one in best(found) if one["tool"] == "gsc-sync" and not one["latency_ms"]}
    others = {
        (one["tool"], one["pass"]): one
        for one in best(found)
        if one["tool"] != "gsc-sync" and not one["latency_ms"]
    }
    rows: list[Figures] = []

    def add(what: str, measured: float, target: str, *, met: bool) -> None:
        rows.append({"what": what, "measured": measured, "target": target, "met": met})

    for name, least in (("first load", 100_000), ("identical", 150_000), ("10 % changed", 100_000)):
        if name in ours:
            speed = ours[name]["rows_per_s"]
            add(f"{name}, rows/s", speed, f">= {least:,}", met=speed >= least)
    if "identical" in ours:
        log, dead = ours["identical"]["wal_bytes_per_row"], ours["identical"]["dead_tuples"]
        add("identical, bytes of log a row", log, "<= 5", met=log <= 5)
        add("identical, dead tuples", dead, "0", met=dead == 0)
    if "identical, probed" in ours:
        asked = ours["identical, probed"]["requests"]
        add("identical, requests after a probe", asked, "<= 7", met=asked <= 7)
    if "first load" in ours:
        size = ours["first load"]["fact_bytes_per_row"]
        add("bytes a row", size, "<= 130", met=size <= 130)
    for one in ours.values():
        memory, wrong = one["peak_mb"], sum(one["wrong"].values())
        add(f"{one['pass']}, peak MB", memory, "<= 256", met=memory <= 256)
        add(f"{one['pass']}, wrong rows", wrong, "0", met=wrong == 0)
    for tool, factor in (("airbyte source", 30), ("singer tap | target", 40), ("dlt", 6)):
        peer = others.get((tool, "first load"))
        if peer and "first load" in ours:
            times = round(ours["first load"]["rows_per_s"] / peer["rows_per_s"], 1)
            add(f"first load, times {tool}", times, f">= {factor}", met=times >= factor)
    return rows
