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
from sync.plan.work import Estimate, estimate
from sync.run import Ended
from sync.verdict import Verdict
from sync.workspaces import Found, find


def find_all(made: Parts) -> list[Found]:
    """What each workspace's identity sees, side by side."""
    with ThreadPoolExecutor(made.spec.limits.concurrency) as pool:
        return list(
            pool.map(lambda workspace: find(workspace, made.accounts, made.stop), made.spec.workspaces)
        )


def guess(made: Parts, found: Sequence[Found]) -> Estimate:
    spec = made.spec
    return estimate(
        [len(place.chosen.properties) for place in found],
        days=spec.window.days,
        search_types=spec.search_types,
        dimension_sets=spec.dimension_sets,
        concurrency=spec.limits.concurrency,
        requests_per_second_per_property=spec.limits.requests_per_second_per_property,
    )


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
