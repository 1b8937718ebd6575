"""One launch of one run, from the fence to the summary.

schema -> fence -> workspaces -> properties -> cells -> verdict -> summary. Whatever happens inside, this returns a
summary and an exit code: errors of one workspace or property are in the outcomes, errors of everybody end here.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from contract import ExitCode, RunSummary
from sync.errors import DatabaseError, DatabaseUnavailable, Superseded, SyncError
from sync.launch import Launch
from sync.outcomes import WorkspaceOutcome
from sync.plan.retention import first_month_kept
from sync.plan.windows import pacific_day, regular
from sync.progress import Reporter
from sync.stop import StopReason
from sync.store.port import AlreadyComplete
from sync.summary import summarise
from sync.sweeps import RareSweeps
from sync.switch import LOOK_SECONDS
from sync.verdict import Verdict, of_error, of_outcomes, switched_off
from sync.workspaces import sync_workspaces

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Ended:
    """What the process leaves behind."""

    summary: RunSummary
    exit_code: ExitCode


def run(launch: Launch, reporter: Reporter) -> Ended:
    """Do the work of a launch. Never raises an Exception."""
    outcomes: Sequence[WorkspaceOutcome] = ()
    if launch.switch.closed():
        verdict = switched_off(0)
        summary = _summary(verdict, launch, outcomes)
        launch.events.launch_ended(summary)
        return Ended(summary, verdict.exit_code)
    try:
        with launch.store as store:
            # The fence is a table of the schema, so the schema comes first; repeating a migration changes nothing.
            store.migrate()
            # Dying before the claim leaves the run to the launch that held it; dying after it, a higher one takes over.
            claimed = store.claim_run(launch.run, launch.spec.launch)
            if isinstance(claimed, AlreadyComplete):
                return _repeat(claimed.summary, launch)
            try:
                with reporter, RareSweeps(launch.clock.monotonic) as sweeps:
                    tick = _ticking(launch, reporter, sweeps)
                    outcomes = sync_workspaces(launch, tick)
                _give_up_old_months(launch)
                _settle(launch)
                verdict = of_outcomes(
                    outcomes,
                    stopped=launch.stop.reason,
                    committed=launch.tally.counts().done,
                    limits=launch.spec.limits,
                    now=launch.clock.now(),
                )
            except Exception as error:
                _close(launch, error, outcomes)
                raise
            summary = _summary(verdict, launch, outcomes)
            # Dying before this, the next launch finds every cell done and only repeats this step; dying after it, a
            # completed run is answered from its stored summary.
            store.finish_run(launch.run, launch.spec.launch, summary, complete=verdict.completes_the_run)
    except SyncError as error:
        verdict = of_error(error, launch.tally.counts().done)
        summary = _summary(verdict, launch, outcomes)
    except Exception as error:  # noqa: BLE001 - the process ends with it, after telling the controller
        _log.exception("nobody foresaw this")
        verdict = of_error(error, launch.tally.counts().done)
        summary = _summary(verdict, launch, outcomes)
    launch.events.launch_ended(summary)
    return Ended(summary, verdict.exit_code)


def _close(launch: Launch, error: Exception, outcomes: Sequence[WorkspaceOutcome]) -> None:
    """Let the run's row say that no launch is at work any more, when an error of everybody ends this one."""
    if isinstance(error, DatabaseUnavailable | Superseded):
        return  # nobody to tell it to; or the row is another launch's by now
    summary = _summary(of_error(error, launch.tally.counts().done), launch, outcomes)
    try:
        # Dying before it, the row stands as running until the next launch takes it over, as after a kill.
        launch.store.finish_run(launch.run, launch.spec.launch, summary, complete=False)
    except SyncError as other:
        _log.warning("the run's row stays as it was: %s", other)


def _give_up_old_months(launch: Launch) -> None:
    """What is kept is somebody's choice and no part of a sync, so a failure of it is none of the run's."""
    months = launch.spec.destination.retention_months
    if not months or launch.stop.reason is not None:
        return
    synced = regular(launch.spec.slot, launch.spec.window)
    try:
        dropped = launch.store.drop_before(
            first_month_kept(pacific_day(launch.clock.now()), months, synced.first)
        )
    except DatabaseError as error:
        _log.warning("old months stay for now: %s", error)
        return
    if dropped:
        _log.info("gave up %d partitions older than %d months", dropped, months)


def _settle(launch: Launch) -> None:
    """Indexes and constraints that a new version brings are made when the rows are in; they cannot fail the run."""
    if launch.stop.reason is not None:
        return
    try:
        missing = launch.store.settle(lambda: launch.stop.reason is not None)
    except DatabaseError as error:
        _log.warning("the schema is settled later: %s", error)
        return
    if missing:
        _log.info("left to a later launch: %s", ", ".join(missing))


def _ticking(launch: Launch, reporter: Reporter, sweeps: RareSweeps) -> Callable[[], None]:
    """What happens while the workers work: progress is shown, and the kill switch looked at."""
    looked = launch.clock.monotonic()

    def tick() -> None:
        nonlocal looked
        reporter.tick()
        sweeps.tick()
        now = launch.clock.monotonic()
        if now - looked >= LOOK_SECONDS and launch.stop.reason is None:
            looked = now
            if word := launch.switch.closed():
                _log.warning("the kill switch is set to %s: nothing more is begun", word)
                launch.stop.request(StopReason.SWITCH)

    return tick


def _repeat(stored: RunSummary, launch: Launch) -> Ended:
    """The run was done before: say so with the summary of then, and write nothing."""
    _log.info("the run %s is complete already; its summary is repeated", launch.spec.run_id)
    summary = stored.model_copy(update={"from_earlier_launch": True})
    launch.events.launch_ended(summary)
    return Ended(summary, ExitCode.SUCCESS)


def _summary(verdict: Verdict, launch: Launch, outcomes: Sequence[WorkspaceOutcome]) -> RunSummary:
    return summarise(
        verdict,
        spec=launch.spec,
        outcomes=outcomes,
        counts=launch.tally.counts(),
        duration_ms=launch.elapsed_ms(),
    )
