"""`python -m sync run | plan | check`: the program that a Job runs, and a tool of its own.

Reads the order and the environment, builds the parts, and turns every way of ending into an exit code of the contract
and a summary. Nothing below this file knows about processes.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from contract import ExitCode, FailureClass, RunSpec, State
from sync import summary as summaries
from sync.backfill import NO_RANGE, Range
from sync.compose import (
    NoSpecError,
    Parts,
    bound_fields,
    chosen_store,
    parts,
    program_version,
    read_spec,
)
from sync.errors import ConfigurationError, DatabaseError, SyncError
from sync.events import Events
from sync.logs import configure
from sync.look import dry_run, find_all, guess
from sync.plan.work import Estimate
from sync.processes.choice import CarrierFactory
from sync.progress import LogReporter, Reporter
from sync.run import Ended
from sync.run import run as run_launch
from sync.settings import Settings, load
from sync.signals import SignalWatch
from sync.store.port import Store
from sync.tally import Tally
from sync.verdict import Verdict, of_error
from sync.workspaces import Found
from sync.world import World, console_of

if TYPE_CHECKING:
    from rich.console import Console

_log = logging.getLogger("sync")

Look = Callable[[Parts, World], int]


_spec_option = click.option(
    "--spec",
    "path",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="The RunSpec as JSON; without it the environment variable GSC_SYNC_RUN_SPEC is read.",
)


_from_option = click.option(
    "--from",
    "first",
    type=click.DateTime(["%Y-%m-%d"]),
    help="Backfill: sync the days from this one on instead of the window, at most 16 months. A run of its own: repeat the"
    " command until it exits with 0, and it goes on where it stopped.",
)
_to_option = click.option(
    "--to",
    "last",
    type=click.DateTime(["%Y-%m-%d"]),
    help="The last day of --from; without it the Pacific day of the slot.",
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(program_version(), prog_name="python -m sync")
def cli() -> None:
    """Keep Google Search Console data in Postgres: one launch of one run.

    Settings come from the environment, with the prefix GSC_SYNC_; docs/contract.md lists them.
    """


@cli.command()
@_spec_option
@_from_option
@_to_option
@click.pass_obj
def run(world: World | None, path: Path | None, first: datetime | None, last: datetime | None) -> None:
    """Sync the window of every property, and say how it went by exit code and summary."""
    sys.exit(_run(world or World(), path, Range(first, last)))


@cli.command()
@_spec_option
@_from_option
@_to_option
@click.pass_obj
def plan(world: World | None, path: Path | None, first: datetime | None, last: datetime | None) -> None:
    """Show what `run` would do - properties, cells, requests, minutes - and write nothing."""
    sys.exit(_look(world or World(), path, _plan, Range(first, last)))


@cli.command()
@_spec_option
@click.pass_obj
def check(world: World | None, path: Path | None) -> None:
    """Check credentials, properties and database, and say what to do about what is wrong."""
    sys.exit(_look(world or World(), path, _check))


def _run(world: World, path: Path | None, wanted: Range) -> int:
    started = world.clock.monotonic()
    terminal = world.terminal()
    settings = Settings()
    spec: RunSpec | None = None
    try:
        settings = load(world.environment)
        if not settings.enabled:
            configure(settings, world.logs, terminal, {"auto_sync": True})
            return _disabled(settings)
        spec = wanted.over(read_spec(path, world.environment, settings))
        configure(settings, world.logs, terminal, bound_fields(spec))
        store = None if spec.dry_run else chosen_store(spec, settings, world.clock, world.store)
        quotas = store.quotas() if store else None
        with parts(spec, settings, world.clock, started, quotas) as made:
            ended = (
                _launch(made, store, world.carrier, settings, terminal) if store else _dry_run(made, settings)
            )
    except NoSpecError as error:
        click.echo(f"Error: {error}", err=True)
        return ExitCode.USAGE
    except Exception as error:  # noqa: BLE001 - the process ends with it, after telling the controller
        configure(settings, world.logs, terminal, bound_fields(spec) if spec else {"auto_sync": True})
        if not isinstance(error, SyncError):
            _log.exception("nobody foresaw this")
        verdict = of_error(error, 0)
        ended = Ended(summaries.summarise(verdict, spec=spec), verdict.exit_code)
        Events(Tally()).launch_ended(ended.summary)
        summaries.write(ended.summary, _summary_path(settings, world.environment))
    if terminal is not None:
        from sync.show import show_summary  # noqa: PLC0415 - as with `console_of`

        show_summary(ended.summary, console_of(world.out))
    return ended.exit_code


def _dry_run(made: Parts, settings: Settings) -> Ended:
    ended = dry_run(made)
    summaries.write(ended.summary, settings.summary_path)
    return ended


def _launch(
    made: Parts, store: Store, carrier: CarrierFactory, settings: Settings, terminal: Console | None
) -> Ended:
    def last_words() -> None:
        text = (
            f"Told to stop, and a call did not end in time; {made.tally.counts().cells} cells were committed."
        )
        verdict = Verdict(State.FAILED, ExitCode.FAILURE, text, FailureClass.INTERRUPTED)
        last = summaries.summarise(verdict, spec=made.spec, counts=made.tally.counts())
        made.events.launch_ended(last)
        summaries.write(last, settings.summary_path)

    reporter: Reporter = LogReporter(made.tally, made.clock)
    if terminal is not None:
        from sync.terminal import TerminalReporter  # noqa: PLC0415 - as with `console_of`

        reporter = TerminalReporter(made.tally, made.clock, terminal)
    with (
        carrier(made.spec.limits, made.accounts.transport, store, settings.processes) as several,
        SignalWatch(made.stop, grace=made.spec.limits.grace_seconds, last_words=last_words),
    ):
        ended = run_launch(made.launch(store, several), reporter)
        summaries.write(ended.summary, settings.summary_path)
    return ended


def _disabled(settings: Settings) -> int:
    text = "GSC_SYNC_ENABLED is false: nothing was done."
    _log.warning(text)
    verdict = Verdict(State.SUCCEEDED, ExitCode.SUCCESS, text)
    summaries.write(summaries.summarise(verdict), settings.summary_path)
    return ExitCode.SUCCESS


def _summary_path(settings: Settings, environment: Mapping[str, str]) -> Path | None:
    """The path, even when the other settings could not be read."""
    given = environment.get("GSC_SYNC_SUMMARY_PATH")
    return settings.summary_path or (Path(given) if given else None)


def _look(world: World, path: Path | None, command: Look, wanted: Range = NO_RANGE) -> int:
    """`plan` and `check`: read, ask, show, write nothing; what shards would share is shown whole."""
    started = world.clock.monotonic()
    try:
        settings = load(world.environment)
        spec = wanted.over(read_spec(path, world.environment, settings)).model_copy(update={"shards": 1})
        configure(settings, world.logs, world.terminal(), bound_fields(spec))
        with parts(spec, settings, world.clock, started) as made:
            return command(made, world)
    except NoSpecError as error:
        click.echo(f"Error: {error}", err=True)
        return ExitCode.USAGE
    except ConfigurationError as error:
        click.echo(f"Error: {error}", err=True)
        return ExitCode.CANCELLED


def _plan(made: Parts, world: World) -> int:
    from sync.show import problems_of, show_plan  # noqa: PLC0415 - as with `console_of`

    found = find_all(made)
    show_plan(made.spec, found, _guess(made, found, world), console_of(world.out))
    return ExitCode.FAILURE if problems_of(found) else ExitCode.SUCCESS


def _guess(made: Parts, found: Sequence[Found], world: World) -> Estimate:
    """What the ledger spares is counted when there is one to read: `plan` works without a database, too."""
    if any(place.chosen.properties for place in found):
        try:
            with world.store(made.spec, made.clock) as store:
                return guess(made, found, store)
        except DatabaseError as error:
            _log.warning("the ledger cannot be read, so every cell is counted: %s", error)
    return guess(made, found)


def _check(made: Parts, world: World) -> int:
    from sync.show import problems_of, show_check  # noqa: PLC0415 - as with `console_of`

    found = find_all(made)
    try:
        with world.store(made.spec, made.clock) as store:
            database = list(store.check())
    except DatabaseError as error:
        database = [str(error)]
    show_check(found, database, console_of(world.out))
    return ExitCode.FAILURE if problems_of(found) or database else ExitCode.SUCCESS
