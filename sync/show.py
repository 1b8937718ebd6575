"""Tables for people at a terminal: what a run did, what it would do, what is wrong."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from contract import RunSpec, RunSummary
from contract.dimension_sets import gives
from sync.plan.windows import regular
from sync.plan.work import Estimate
from sync.redact import clean
from sync.workspaces import Found

_CELL_CHARACTERS = 400
_LISTED = 100


def show_summary(summary: RunSummary, console: Console) -> None:
    """The end of `run`."""
    table = Table(
        title=f"{summary.state} in {summary.duration_ms / 1000:.1f} s",
        show_header=False,
        title_justify="left",
    )
    table.add_row("workspaces", f"{summary.succeeded_workspaces} of {summary.total_workspaces} ok")
    table.add_row("properties", str(summary.properties))
    table.add_row(
        "cells",
        f"{summary.cells:,} committed, {summary.cells_unchanged:,} of them unchanged; {summary.cells_skipped:,} skipped",
    )
    table.add_row(
        "rows",
        f"{summary.rows_written:,} written, {summary.rows_unchanged:,} unchanged, {summary.rows_deleted:,} deleted",
    )
    if summary.catch_up_days:
        table.add_row("caught up", f"{summary.catch_up_days:,} days before the window")
    refused = f", {summary.refused_requests:,} refused by quotas" if summary.refused_requests else ""
    table.add_row("requests", f"{summary.requests:,}{refused}")
    if summary.tripped_circuits:
        table.add_row("failed everybody", ", ".join(summary.tripped_circuits))
    if summary.saturated_cells:
        table.add_row("saturated", f"{summary.saturated_cells:,} cells at Google's cap of 50,000 rows")
    table.add_row("final up to", str(summary.newest_final_day or "not known"))
    if summary.snooze_seconds:
        table.add_row("go on in", f"{summary.snooze_seconds} s")
    if summary.message:
        table.add_row("message", _text(summary.message))
    for failure in summary.failures:
        table.add_row(
            f"failed: {_text(failure.workspace)}", f"{failure.failure_class}: {_text(failure.message)}"
        )
    console.print(table, markup=False)


def show_plan(spec: RunSpec, found: Sequence[Found], estimate: Estimate, console: Console) -> None:
    """The answer of `plan`."""
    span = regular(spec.slot, spec.window)
    _show_workspaces(found, console)
    table = Table(title="Plan (nothing was written)", show_header=False, title_justify="left")
    table.add_row("days", f"{span.first} to {span.last}, Pacific ({len(span)})")
    table.add_row("search types", ", ".join(spec.search_types))
    table.add_row("dimension sets", ", ".join(spec.dimension_sets))
    for search_type in spec.search_types:
        left_out = [each for each in spec.dimension_sets if not gives(search_type, each)]
        if left_out:
            table.add_row("not at Google", f"{', '.join(left_out)} of {search_type}: left out")
    table.add_row("properties", f"{estimate.properties:,}")
    table.add_row("cells", f"{estimate.cells:,}")
    if estimate.skipped:
        table.add_row("skipped", f"{estimate.skipped:,} more, unless their totals have moved")
    table.add_row("requests", f"about {estimate.requests:,}")
    table.add_row("minutes", f"at least {estimate.minutes:.1f} within Google's quotas")
    console.print(table, markup=False)


def show_check(found: Sequence[Found], database: Sequence[str], console: Console) -> None:
    """The answer of `check`."""
    _show_workspaces(found, console)
    for place in found:
        _show_properties(place, console)
    table = Table(title="Database", show_header=False, title_justify="left")
    for problem in database or ["ok"]:
        table.add_row(_text(problem))
    console.print(table, markup=False)


def problems_of(found: Sequence[Found]) -> list[str]:
    """What keeps workspaces or properties from being synced."""
    errors = [f"{place.workspace.name}: {place.error}" for place in found if place.error is not None]
    missing = [f"{place.workspace.name}: {error}" for place in found for _, error in place.chosen.missing]
    return errors + missing


def _show_workspaces(found: Sequence[Found], console: Console) -> None:
    table = Table("workspace", "properties", "state", title="Workspaces", title_justify="left")
    for place in found:
        troubles = [str(place.error)] if place.error else [str(error) for _, error in place.chosen.missing]
        if not troubles and not place.chosen.properties:
            troubles = ["matches no property; check include, exclude and the identity's access"]
        table.add_row(
            place.workspace.name, str(len(place.chosen.properties)), _text("; ".join(troubles)) or "ok"
        )
    console.print(table, markup=False)


def _show_properties(place: Found, console: Console) -> None:
    """Everything the identity sees, and whether it is synced."""
    chosen = place.chosen
    listed = [(url, "synced") for url in chosen.properties]
    listed += [(url, "not verified, so skipped") for url in chosen.unverified]
    listed += [(url, "not included") for url in chosen.others]
    if not listed:
        return
    table = Table("property", "state", title=f"What {place.workspace.name} sees", title_justify="left")
    for url, state in listed[:_LISTED]:
        table.add_row(_text(url), state)
    if len(listed) > _LISTED:
        table.add_row(f"and {len(listed) - _LISTED} more", "")
    console.print(table, markup=False)


def _text(text: str) -> str:
    """Outside text: cleaned, and its square brackets are no markup."""
    return clean(text, _CELL_CHARACTERS).replace("[", "\\[")
