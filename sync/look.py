"""Look: what the identities see and what a sync would ask of Google, without writing anything.

Used by `plan`, `check` and by a run by hand with `dryRun`, which reports in its summary what `plan` shows in a terminal.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from contract import ExitCode, FailureClass, State
from sync import summary as summaries
from sync.compose import Parts
from sync.errors import SyncError
from sync.outcomes import Ending, WorkspaceOutcome
from sync.plan.property_plan import PropertyPlan, ledger_days
from sync.plan.windows import regular
from sync.plan.work import Estimate, Load, estimate, estimate_of
from sync.run import Ended
from sync.store.port import Store
from sync.verdict import Verdict
from sync.workspaces import Found, find


def find_all(made: Parts) -> list[Found]:
    """What each workspace's identity sees, side by side."""
    with ThreadPoolExecutor(made.spec.limits.concurrency) as pool:
        return list(
            pool.map(lambda workspace: find(workspace, made.accounts, made.stop), made.spec.workspaces)
        )


def guess(made: Parts, found: Sequence[Found], store: Store | None = None) -> Estimate:
    """With the store, what the ledger spares is counted; without, every cell is.

    Raises DatabaseError.
    """
    spec = made.spec
    if store is not None:
        return estimate_of(
            [[load_of(name, made, store) for name in place.chosen.properties] for place in found],
            concurrency=spec.limits.concurrency,
            requests_per_second_per_property=spec.limits.requests_per_second_per_property,
        )
    return estimate(
        [len(place.chosen.properties) for place in found],
        days=len(regular(spec.slot, spec.window)),
        search_types=spec.search_types,
        dimension_sets=spec.dimension_sets,
        concurrency=spec.limits.concurrency,
        requests_per_second_per_property=spec.limits.requests_per_second_per_property,
        sitemaps="sitemaps" in spec.inventory,
    )


def load_of(property_: str, made: Parts, store: Store) -> Load:
    """What one property will cost, when no totals have moved since it was synced."""
    span = ledger_days(made.spec)
    entries = store.ledger(property_, span.first, span.last)
    older = store.known_before(property_, span.first)
    return PropertyPlan(property_, made.spec, entries, older, (), made.clock.now()).guess()


def dry_run(made: Parts) -> Ended:
    """Succeeded when every workspace can be synced, partially when some can."""
    found = find_all(made)
    outcomes = [
        WorkspaceOutcome(place.workspace.name, Ending.SYNCED if error is None else Ending.FAILED, error=error)
        for place in found
        for error in (_error(place),)
    ]
    failed = sum(outcome.ending is Ending.FAILED for outcome in outcomes)
    work = guess(made, found)
    text = (
        f"Dry run: {work.properties} properties, at most {work.cells} cells and {work.requests} requests, "
        f"about {work.minutes:.0f} minutes; nothing was written."
    )
    if failed == len(outcomes):
        first = next((outcome.error for outcome in outcomes if outcome.error), None)
        kind = first.failure_class if first else FailureClass.UNEXPECTED
        verdict = Verdict(State.FAILED, ExitCode.FAILURE, text, kind)
    else:
        verdict = Verdict(State.PARTIALLY_SUCCEEDED if failed else State.SUCCEEDED, ExitCode.SUCCESS, text)
    duration = int((made.clock.monotonic() - made.started) * 1000)
    summary = summaries.summarise(
        verdict, spec=made.spec, outcomes=outcomes, counts=made.tally.counts(), duration_ms=duration
    )
    made.events.launch_ended(summary)
    return Ended(summary, verdict.exit_code)


def _error(place: Found) -> SyncError | None:
    if place.error is not None:
        return place.error
    return place.chosen.missing[0][1] if place.chosen.missing else None
